"""Several processes that report under one name (two workers of one back end): who is news, and who is not."""

import datetime

import pytest

from celaje.common import clock
from celaje.common.db import Database, new_metadata
from celaje.common.service import ServiceRecords, service_table
from tests.servers import databases

METADATA = new_metadata()
TABLE = service_table(METADATA)


@pytest.fixture
def report(tmp_path):
    database = Database(databases.url_in(tmp_path, "records"), service="records")
    METADATA.create_all(database.engine)
    records = ServiceRecords(TABLE, down_time=60)

    def report(boot):
        return database.write(
            lambda tx: records.report(
                tx,
                binary="cinder-volume",
                host="storage@shared",
                topic="volume-worker",
                availability_zone="nova",
                details={"boot": boot, "pools": 1},
            )
        )

    report.details = lambda: database.read(
        lambda tx: records.find(tx, "cinder-volume", "storage@shared")["details"]
    )
    report.age = lambda seconds: database.write(
        lambda tx: records.change(tx, 1, last_seen_at=clock.now() - datetime.timedelta(seconds=seconds))
    )
    yield report
    database.close()


def test_each_life_comes_up_once(report):
    assert report("a")
    assert not report("a")
    assert report("b"), "the second worker"
    assert not any(report(boot) for boot in ("a", "b", "a", "b"))
    assert report("c"), "one of them was started anew"
    assert set(report.details()["boots"]) == {"a", "b", "c"}


def test_one_process_alone_leaves_no_trace_of_others(report):
    report("a")
    report("a")
    assert report.details() == {"boot": "a", "pools": 1}


def test_after_silence_every_life_is_news(report):
    report("a")
    report.age(61)
    assert report("a")
