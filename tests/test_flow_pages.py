"""docs/flows says what the flows do: pages are current, the reading fits the journals of flows that ran."""

import sys
from pathlib import Path

import pytest

from tests.cloud import journals_of, until
from tests.journals.conftest import past  # noqa: F401

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import flow_pages  # noqa: E402
import flow_reading  # noqa: E402

FLOWS = flow_reading.flows()


# What the journal calls it.
RECORDED = {"ask": "step", "note": "write", "undo_write": "undo"}


def test_the_pages_are_current():
    wanted = flow_pages.pages()
    found = {path.name: path.read_text() for path in flow_pages.FOLDER.glob("*.md")}
    stale = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
    assert not stale, "run: python tools/flow_pages.py"


@pytest.mark.parametrize(("service", "flow"), FLOWS, ids=[flow.name for _, flow in FLOWS])
def test_every_flow_can_be_read(service, flow):
    items = flow_reading.read(service, flow)
    assert items
    for item in items:
        if item.kind in ("step", "undo"):
            assert item.where, item


def test_a_call_that_leads_nowhere_is_an_error():
    class Odd:
        name = "odd"

        @staticmethod
        def function(run):
            run.step(nobody.knows, 1)  # noqa: F821

    with pytest.raises(flow_reading.Unreadable, match=r"nobody\.knows"):
        flow_reading.read("volume", Odd)


def test_inlined_parts_loops_and_conditions_are_seen():
    class Made:
        name = "made"
        function = staticmethod(_made)

    items = flow_reading.read("volume", Made)
    assert [(item.kind, item.name, item.when) for item in items] == [
        ("step", "volume-worker.create_volume", ["for each each of (1, 2)"]),
        ("end", "nothing more to do", ["if run.id"]),
        ("step", "volume.delete_attachment", ["unless volumes is None"]),
    ]


def _made(run):
    there = run.conductor.worker.to("host")
    for each in (1, 2):
        run.step(there.create_volume, volume=each)
    if run.id:
        return
    _part(run, run.conductor.clients.volume.as_service())


def _part(run, volumes):
    if volumes is None:
        return
    run.step(volumes.delete_attachment, "id")


def test_what_ran_is_what_the_pages_say(past):  # noqa: F811
    """Each step of each flow that a day's work has run: read in its function, going where the page says,
    ended by the timeout that the page says."""
    compute, volume = past.compute, past.volume
    compute.delete(f"/v2.1/servers/{past.server}/os-volume_attachments/{past.volume_id}").ok(202)
    past.until_volume("available")
    volume.post(f"/v3/volumes/{past.volume_id}/action", {"os-extend": {"new_size": 2}}).ok(202)
    past.until_volume("available")
    body = {"snapshot": {"volume_id": past.volume_id}}
    snapshot = volume.post("/v3/snapshots", body).ok(202)["snapshot"]["id"]
    until(lambda: volume.get(f"/v3/snapshots/{snapshot}").ok()["snapshot"]["status"] == "available")
    volume.delete(f"/v3/snapshots/{snapshot}").ok(202)
    until(lambda: volume.get(f"/v3/snapshots/{snapshot}").status == 404)
    volume.delete(f"/v3/volumes/{past.volume_id}").ok(202)
    until(lambda: volume.get(f"/v3/volumes/{past.volume_id}").status == 404)
    compute.post(f"/v2.1/servers/{past.server}/action", {"os-stop": None}).ok(202)
    past.until_server(past.server, "SHUTOFF")
    compute.delete(f"/v2.1/servers/{past.server}").ok(204)
    until(lambda: compute.get(f"/v2.1/servers/{past.server}").status == 404)

    journals = journals_of(past.cloud.state)
    declared = {(service, flow.name): flow for service, flow in FLOWS}
    seen = set()
    try:
        for service, row in journals.flows():
            items = flow_reading.read(service, declared[service, row["name"]])
            known = {(RECORDED.get(item.kind, item.kind), item.name): item for item in items}
            for step in journals.steps(service, row["id"]):
                item = known[step["kind"], step["name"]]
                seen.add(row["name"])
                if item.default is not None:
                    assert step["timeout"] == item.default, (row["name"], step["name"])
                if step["target"] and "." in step["target"]:
                    assert item.where.rpartition(" ")[2] in ("worker", "scheduler")
                elif step["target"] in journals.services:
                    assert item.where == f"{step['target']} API"
    finally:
        journals.close()
    expected = (
        *("server.create", "server.delete", "server.stop", "server.attach_volume", "server.detach_volume"),
        *("volume.create", "volume.extend", "volume.delete", "snapshot.create", "snapshot.delete"),
        *("port.bind", "port.unbind", "attachment.connect", "attachment.disconnect", "image.upload"),
    )
    assert set(expected) <= seen
