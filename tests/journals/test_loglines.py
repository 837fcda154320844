"""Logs: every line says who asked, which component, flow and step; and a request's lines are found again."""

import json
import logging

import pytest

from celaje.common import log
from celaje.common.log.setup import BoundedFile
from celaje.journals import loglines
from tests.cloud import LabCloud, until
from tests.journals.conftest import Past


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "json"])
def logged(request, tmp_path_factory):
    """A cloud that has done something, and its log file."""
    folder = tmp_path_factory.mktemp("logged")
    root = logging.getLogger()
    handlers, levels = list(root.handlers), (root.level, logging.getLogger("celaje").level)
    cloud = LabCloud.at(folder / "state")
    conf = cloud.configuration("identity")
    for name, value in (("log_dir", str(folder)), ("log_file", "celaje.log"), ("log_rotation_type", "size"),
                        ("use_json", request.param), ("debug", True)):  # fmt: skip
        conf.set(None, name, value)
    log.setup(conf)
    cloud.begin()
    past = Past(cloud)
    flows = len(cloud.running["compute"].database.read(_ended_flows, cloud.running["compute"]))
    until(lambda: (folder / "celaje.log").read_text().count("done after") >= flows - 1)
    yield past, loglines.of_folder(folder)
    cloud.stop(grace=5)
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    logging.getLogger("celaje").setLevel(levels[1])


def _ended_flows(tx, service):
    flows = service.flows.tables.flows
    return tx.execute(flows.select().where(flows.c.finished_at.is_not(None))).all()


def test_a_request_is_followed_over_all_its_components(logged):
    past, files = logged
    found = loglines.collect(files, past.attached)
    components = {entry.component for entry in found}
    assert {"compute-api", "compute-conductor", "compute-worker", "volume-api", "volume-worker",
            "volume-conductor"} <= components  # fmt: skip
    assert [entry.time for entry in found] == sorted(entry.time for entry in found)
    for entry in found:
        assert past.attached in entry.ids.values(), entry


def test_lines_of_workers_and_steps_bear_flow_and_step(logged):
    past, files = logged
    found = loglines.collect(files, past.attached)
    steps = [entry for entry in found if entry.message.startswith(("step ", "attach_volume done"))]
    assert len(steps) >= 4
    for entry in steps:
        assert entry.ids["flow"]
        assert int(entry.step) > 0
    ends = [entry for entry in found if "flow server.attach_volume" in entry.message]
    assert ends and ends[0].ids["flow"]


def test_another_services_lines_bear_the_global_id_and_their_own(logged):
    past, files = logged
    found = [entry for entry in loglines.collect(files, past.attached) if entry.component == "volume-api"]
    assert found
    for entry in found:
        assert entry.ids["global_request_id"] == past.attached
        assert entry.ids["request_id"] != past.attached


def test_by_resource_and_by_flow(logged):
    past, files = logged
    by_server = loglines.collect(files, past.server)
    assert {past.created, past.attached} <= {value for entry in by_server for value in entry.ids.values()}
    flow = next(entry.ids["flow"] for entry in by_server if "flow" in entry.ids)
    by_flow = loglines.collect(files, flow)
    assert by_flow
    assert all(flow in entry.ids.values() for entry in by_flow)
    assert loglines.collect(files, "nobody") == []


def test_no_line_of_a_request_is_without_its_id(logged):
    """What a request or a flow logs, on whatever thread, says whose it is."""
    _, files = logged
    for entry in loglines._matching(
        files, lambda entry: entry.logger.startswith(("celaje.api", "celaje.common.flow"))
    ):
        assert entry.ids.get("request_id"), entry
        assert entry.component, entry


def test_a_traceback_stays_with_its_line(tmp_path):
    path = tmp_path / "a.log"
    path.write_text(
        "2026-01-01 00:00:00.000 ERROR celaje.x [req-1 - - at=volume-api] boom\nTraceback\n  File\n"
        "2026-01-01 00:00:01.000 INFO celaje.x [req-2 - -] other\n"
    )
    (entry,) = loglines.collect([path], "req-1")
    assert entry.more == ["Traceback", "  File"]


def test_files_of_several_machines_in_the_order_of_time(tmp_path):
    one, other = tmp_path / "one.log", tmp_path / "other.log"
    one.write_text("2026-01-01 00:00:02.000 INFO celaje.x [req-1 - - at=compute-api] second\n")
    line = {"time": "2026-01-01T00:00:01.000000Z", "level": "INFO", "logger": "celaje.y", "message": "first"}
    other.write_text(
        json.dumps({**line, "request_id": "req-9", "global_request_id": "req-1"}) + "\n{broken\n"
    )
    assert [entry.message for entry in loglines.collect([one, other], "req-1")] == ["first", "second"]


def test_older_parts_come_first(tmp_path):
    for name in ("celaje.log", "celaje.log.1", "celaje.log.2", "celaje.log.old"):
        (tmp_path / name).write_text("")
    assert [path.name for path in loglines.of_folder(tmp_path)] == [
        "celaje.log.2",
        "celaje.log.1",
        "celaje.log",
    ]


def test_the_file_is_bounded_and_its_owners(tmp_path):
    path = tmp_path / "celaje.log"
    path.touch(mode=0o644)
    handler = BoundedFile(str(path), 1000, 2)
    for number in range(200):
        handler.emit(logging.LogRecord("x", logging.INFO, "", 1, f"line {number} of many", (), None))
    handler.close()
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["celaje.log", "celaje.log.1", "celaje.log.2"]
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert sum(file.stat().st_size for file in files) <= 3000


def test_lines_are_written_soon_and_warnings_at_once(tmp_path):
    path = tmp_path / "celaje.log"
    handler = BoundedFile(str(path), 10_000, 2)
    try:
        handler.emit(logging.LogRecord("x", logging.INFO, "", 1, "calm", (), None))
        until(lambda: "calm" in path.read_text())
        handler.emit(logging.LogRecord("x", logging.WARNING, "", 1, "trouble", (), None))
        assert "trouble" in path.read_text()
    finally:
        handler.close()
