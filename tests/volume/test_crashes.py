"""Every flow of the service, cut off at every boundary, taken up by the next life, and then looked over.

The pattern, for other services: `boundaries` runs the story once and notes where `Engine.on_boundary` came
by; then, for each of them, a fresh lab runs the story again, and `Crash` ends the whole service there as
kill -9 would. A second service on the same state folder and bus takes the flow up. What must hold then is
`consistent`: no passing state, quotas as the rows, and the back end holding what the rows say, no more.
"""

import threading

import pytest
from tests.volume.conftest import Lab

SERVER = "11111111-2222-4333-8444-555555555555"
_PASSING = {"creating", "downloading", "deleting", "extending"}


class Crash:
    """Kills the service when the flow passes its `nth` boundary, in the thread that runs the flow."""

    def __init__(self, service, nth):
        self.reached = threading.Event()
        self._service = service
        self._left = nth
        self.seen = []
        # What an earlier flow wrote at its end is seen before it passes its last boundary.
        flows = service.flow_tables.flows
        self._earlier = {
            row.id for row in service.database.read(lambda tx: tx.execute(flows.select()).fetchall())
        }
        service.engine.on_boundary = self

    def __call__(self, where, flow):
        if flow["id"] in self._earlier:
            return
        self.seen.append(f"{flow['name']}: {where}")
        self._left -= 1
        if self._left == 0:
            self._service.kill()
            self.reached.set()


def create(lab, client, until):
    return client.create(1)["id"]


def create_and_fail(lab, client, until):
    lab.driver().state.add_rules([{"operation": "create_volume", "error": "broken", "after_effect": True}])
    return client.create(1)["id"]


def made(lab, client, until):
    volume_id = client.create(2)["id"]
    until(lambda: client.volume(volume_id)["status"] == "available")
    return volume_id


def delete(lab, client, volume_id):
    client.delete(f"/volumes/{volume_id}")


def extend(lab, client, volume_id):
    client.act(volume_id, "os-extend", {"new_size": 3})


def snapshot(lab, client, volume_id):
    client.post("/snapshots", {"snapshot": {"volume_id": volume_id}})


def connect(lab, client, volume_id):
    body = {"volume_uuid": volume_id, "instance_uuid": SERVER, "connector": {"host": "node"}}
    # The caller of a service that dies gets no answer; here it would wait for one.
    threading.Thread(target=lambda: client.post("/attachments", {"attachment": body}), daemon=True).start()


STORIES = {
    "create": (None, lambda lab, client, _: create(lab, client, None)),
    "create, failing": (None, lambda lab, client, _: create_and_fail(lab, client, None)),
    "delete": (made, delete),
    "extend": (made, extend),
    "snapshot": (made, snapshot),
    "connect": (made, connect),
}


def tell(lab, story, until, nth):
    """Run the story with a crash at its nth boundary; the boundaries that were passed."""
    before, act = STORIES[story]
    # The client does not wait long for a flow whose service is gone.
    service = lab.start(attachment_wait_timeout=1)
    client = lab.client()
    volume_id = before(lab, client, until) if before else None
    crash = Crash(service, nth)
    act(lab, client, volume_id)
    return crash


def ended(service):
    flows = service.flow_tables.flows
    return not service.database.read(
        lambda tx: tx.execute(flows.select().where(flows.c.finished_at.is_(None))).first()
    )


def boundaries(folder, story, until):
    lab = Lab(folder)
    try:
        crash = tell(lab, story, until, 0)
        until(lambda: crash.seen and ended(lab.service))
        return crash.seen
    finally:
        lab.close()


def consistent(lab, client):
    volumes = client.get("/volumes/detail").body["volumes"]
    snapshots = client.get("/snapshots").body["snapshots"]
    attachments = client.get("/attachments/detail").body["attachments"]
    assert not {row["status"] for row in [*volumes, *snapshots]} & _PASSING
    used = client.get(f"/os-quota-sets/{client.project_id}?usage=true").body["quota_set"]
    assert used["volumes"]["in_use"] == len(volumes)
    assert used["snapshots"]["in_use"] == len(snapshots)
    state = lab.driver().state
    assert set(state.volumes) == {row["id"] for row in volumes if row["status"] != "error"}
    assert all(state.volumes[row["id"]].size == row["size"] for row in volumes if row["id"] in state.volumes)
    assert set(state.snapshots) == {row["id"] for row in snapshots if row["status"] == "available"}
    connected = {row["volume_id"] for row in attachments if row["connection_info"]}
    assert {key for key, volume in state.volumes.items() if volume.connections} == connected


@pytest.mark.parametrize("story", STORIES)
def test_a_crash_anywhere_leaves_nothing_half(tmp_path, until, story):
    seen = boundaries(tmp_path / "whole", story, until)
    assert len(seen) >= 4
    for nth in range(1, len(seen) + 1):
        lab = Lab(tmp_path / f"cut-{nth}")
        try:
            crash = tell(lab, story, until, nth)
            assert crash.reached.wait(10), seen[nth - 1]
            lab.service = None
            again = lab.start(attachment_wait_timeout=1)
            until(lambda again=again: ended(again))
            consistent(lab, lab.client())
        except AssertionError as error:
            raise AssertionError(f"cut at {seen[nth - 1]}: {error}") from error
        finally:
            lab.close()
