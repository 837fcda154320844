"""tests/protocol.json is what older processes and journals hold this code to; a change needs a version."""

import copy
import json
import sys
from pathlib import Path

import pytest

from celaje.common.messaging.table import Messages, call, cast

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import protocol_record  # noqa: E402

RECORDED = json.loads(protocol_record.RECORD.read_text())


@pytest.fixture(scope="module")
def now():
    # As it is read back from its file.
    return json.loads(protocol_record.text(protocol_record.record()))


def test_what_is_in_use_is_borne(now):
    problems = protocol_record.broken(RECORDED, now)
    assert not problems, "\n".join(
        [*problems, "While nothing is released: python tools/protocol_record.py --anew"]
    )


def test_the_record_is_current(now):
    assert now == RECORDED, "run: python tools/protocol_record.py"


def test_everything_is_in_it(now):
    assert {"VolumeWorkerMessages", "ComputeSchedulerMessages", "RevocationMessages"} <= now[
        "messages"
    ].keys()
    steps = now["flows"]["compute: server.attach_volume version 1"]["steps"]
    assert [step for step in steps if step.startswith("step")]
    assert now["journal"]["flows"]["attempt"] == "Integer() NOT NULL"


# What changes are told apart.


class Before(Messages):
    topic = "bakery"
    version = "1.1"

    @call()
    def bake(self, loaf: str) -> None: ...

    @cast(since="1.1")
    def cool(self) -> None: ...


class WithoutVersion(Messages):
    topic = "bakery"
    version = "1.1"

    @call()
    def bake(self, loaf: str, seeds: int) -> None: ...

    @cast(since="1.1")
    def cool(self) -> None: ...


class Grown(Messages):
    topic = "bakery"
    version = "1.2"

    @call(added={"seeds": "1.2"})
    def bake(self, loaf: str, seeds: int = 0) -> None: ...

    @cast(since="1.1")
    def cool(self) -> None: ...

    @cast(since="1.2")
    def slice(self) -> None: ...


class GrownInSecret(Messages):
    topic = "bakery"
    version = "1.2"

    @call()
    def bake(self, loaf: str, seeds: int = 0) -> None: ...

    @cast(since="1.1")
    def cool(self) -> None: ...

    @cast()
    def slice(self) -> None: ...


class Shrunk(Messages):
    topic = "bakery"
    version = "1.2"

    @cast()
    def bake(self, loaf: bytes) -> None: ...


class NewMajor(Messages):
    topic = "bakery"
    version = "2.0"

    @cast(since="2.0")
    def bake(self, loaf: bytes) -> None: ...


def problems_of(table):
    old, new = (
        {"messages": {"Oven": protocol_record.describe(one)}, "flows": {}, "journal": {}}
        for one in (Before, table)
    )
    return protocol_record.broken(old, new)


@pytest.mark.parametrize("table", [Before, Grown, NewMajor])
def test_what_older_receivers_bear(table):
    assert not problems_of(table)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (WithoutVersion, ["changed without a version: raise it from 1.1"]),
        (GrownInSecret, ["bake has seeds, not `added`", "slice is new, not `since`"]),
        (Shrunk, ["bake is a cast", "bake has no longer loaf: str", "cool is gone"]),
    ],
)
def test_what_older_receivers_cannot_bear(table, words):
    problems = problems_of(table)
    assert len(problems) == len(words)
    for word, problem in zip(words, problems, strict=True):
        assert word in problem


def changed(now, change):
    other = copy.deepcopy(now)
    change(other)
    return protocol_record.broken(now, other)


@pytest.mark.parametrize(
    "change",
    [
        lambda found: found["flows"]["volume: volume.create version 1"]["steps"].reverse(),
        lambda found: found["flows"]["volume: volume.create version 1"]["arguments"].append("more: int"),
        lambda found: found["flows"].pop("volume: volume.create version 1"),
        lambda found: found["messages"].pop("VolumeWorkerMessages"),
        lambda found: found["journal"]["flow_steps"].pop("tries"),
        lambda found: found["journal"]["flow_steps"].update(colour="Text() NOT NULL"),
        lambda found: found["journal"]["flows"].update(owner="String(length=64)"),
    ],
    ids=["order", "argument", "flow gone", "table gone", "column gone", "column needed", "column other"],
)
def test_what_older_journals_and_conductors_cannot_bear(now, change):
    assert len(changed(now, change)) == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda found: found["flows"].update({"volume: volume.create version 2": {}}),
        lambda found: found["journal"]["flows"].update(colour="Text()"),
        lambda found: found["messages"].update(BakeryMessages={}),
    ],
    ids=["next version", "column more", "table more"],
)
def test_what_is_new_beside_them_is_borne(now, change):
    assert not changed(now, change)
