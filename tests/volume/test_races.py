"""Two requests for one volume at once, in many orders: the API's transactions, the flows' steps and the
driver's effects interleave as a seed says. Whatever the order, it ends in one right state.
"""

import threading
from dataclasses import dataclass, field

import pytest
from tests.cloud import until
from tests.interleaving import Interleaving
from tests.volume.conftest import Lab

from celaje.common.states import Passing
from celaje.volume.db.tables import ATTACHMENTS, BACKUPS, SNAPSHOTS, TRANSFERS, VOLUMES
from celaje.volume.states import ATTACHMENTS as ATTACHMENT_STATES
from celaje.volume.states import BACKUPS as BACKUP_STATES
from celaje.volume.states import SNAPSHOTS as SNAPSHOT_STATES
from celaje.volume.states import VOLUMES as VOLUME_STATES
from celaje.volume.states import Expiring

SEEDS = range(8)
SERVER = "11111111-2222-4333-8444-55555555555{}"
EFFECTS = (
    "create_volume", "create_cloned_volume", "create_volume_from_snapshot", "delete_volume", "extend_volume",
    "create_snapshot", "delete_snapshot", "initialize_connection", "terminate_connection",
    "revert_to_snapshot",
)  # fmt: skip


@dataclass
class Scene:
    lab: Lab
    made: dict = field(default_factory=dict)

    @property
    def client(self):
        return self.lab.client("admin")

    @property
    def compute(self):
        """Attachments are made and taken away by the compute service."""
        return self.lab.client("service")

    def quiet(self):
        flows = self.lab.service.flow_tables.flows
        busy = flows.select().where(flows.c.finished_at.is_(None))
        until(lambda: not self.lab.service.database.read(lambda tx: tx.execute(busy).first()))

    def rows(self, table):
        return self.lab.service.database.read(lambda tx: tx.execute(table.select()).mappings().all())

    def volume(self, **wanted):
        made = self.client.create(1, **wanted)["id"]
        self.quiet()
        return made

    def snapshot(self, volume):
        made = self.client.post("/snapshots", {"snapshot": {"volume_id": volume}}).body["snapshot"]["id"]
        self.quiet()
        return made

    def backup(self, volume):
        made = self.client.post("/backups", {"backup": {"volume_id": volume}}).body["backup"]["id"]
        self.quiet()
        return made

    def status(self, volume):
        answer = self.client.get(f"/volumes/{volume}")
        return answer.body["volume"]["status"] if answer.status == 200 else None

    def clear(self):
        """An operator's way: nothing may resist it."""
        for row in self.rows(BACKUPS):
            assert self.client.delete(f"/backups/{row['id']}").status == 202, dict(row)
        for row in self.rows(ATTACHMENTS):
            assert self.compute.delete(f"/attachments/{row['id']}").status == 200, dict(row)
        self.quiet()
        for row in self.rows(VOLUMES):
            answer = self.client.delete(f"/volumes/{row['id']}?cascade=true&force=true")
            assert answer.status == 202, (answer.words, dict(row))
        self.quiet()
        assert not self.rows(VOLUMES) and not self.rows(SNAPSHOTS) and not self.rows(TRANSFERS)


def attach(scene, number=0):
    """As the compute service does it: reserve, connect, complete. The answer of the last that was asked."""
    body = {"volume_uuid": scene.made["volume"], "instance_uuid": SERVER.format(number)}
    answer = scene.compute.post("/attachments", {"attachment": body})
    if answer.status != 200:
        return answer
    path = f"/attachments/{answer.body['attachment']['id']}"
    connected = scene.compute.put(path, {"attachment": {"connector": {"host": f"node{number}"}}})
    if connected.status == 200:
        completed = scene.compute.post(f"{path}/action", {"os-complete": {}})
        if completed.status == 204:
            return completed
    # Which compute does when an attach fails.
    scene.compute.delete(path)
    return connected


def attached(scene):
    scene.made["volume"] = scene.volume()
    assert attach(scene).status == 204
    (row,) = scene.rows(ATTACHMENTS)
    scene.made["attachment"] = row["id"]


def attached_twice(scene):
    scene.made["volume"] = scene.volume(volume_type="shared")
    assert [attach(scene, number).status for number in (0, 1)] == [204, 204]
    scene.made["attachments"] = [row["id"] for row in scene.rows(ATTACHMENTS)]


def plain(scene):
    scene.made["volume"] = scene.volume()


def with_snapshot(scene):
    plain(scene)
    scene.made["snapshot"] = scene.snapshot(scene.made["volume"])


def with_backup(scene):
    plain(scene)
    scene.made["backup"] = scene.backup(scene.made["volume"])


def offered(scene):
    plain(scene)
    body = {"transfer": {"volume_id": scene.made["volume"]}}
    scene.made["transfer"] = scene.client.post("/volume-transfers", body).body["transfer"]


def detach(scene):
    return scene.compute.delete(f"/attachments/{scene.made['attachment']}")


def detach_first(scene):
    return scene.compute.delete(f"/attachments/{scene.made['attachments'][0]}")


def detach_second(scene):
    return scene.compute.delete(f"/attachments/{scene.made['attachments'][1]}")


def force_detach(scene):
    return scene.client.act(scene.made["volume"], "os-force_detach", {})


def delete(scene):
    return scene.client.delete(f"/volumes/{scene.made['volume']}")


def force_delete(scene):
    return scene.client.act(scene.made["volume"], "os-force_delete")


def cascade(scene):
    return scene.client.delete(f"/volumes/{scene.made['volume']}?cascade=true")


def extend(scene):
    return scene.client.act(scene.made["volume"], "os-extend", {"new_size": 2})


def retype(scene):
    return scene.client.act(scene.made["volume"], "os-retype", {"new_type": "other"})


def snapshot(scene):
    return scene.client.post("/snapshots", {"snapshot": {"volume_id": scene.made["volume"], "force": True}})


def delete_snapshot(scene):
    return scene.client.delete(f"/snapshots/{scene.made['snapshot']}")


def revert(scene):
    return scene.client.act(scene.made["volume"], "revert", {"snapshot_id": scene.made["snapshot"]})


def clone(scene):
    return scene.client.post("/volumes", {"volume": {"size": 1, "source_volid": scene.made["volume"]}})


def from_snapshot(scene):
    return scene.client.post("/volumes", {"volume": {"size": 1, "snapshot_id": scene.made["snapshot"]}})


def accept(scene):
    transfer = scene.made["transfer"]
    body = {"accept": {"auth_key": transfer["auth_key"]}}
    return scene.lab.client("stranger").post(f"/volume-transfers/{transfer['id']}/accept", body)


def withdraw(scene):
    return scene.client.delete(f"/volume-transfers/{scene.made['transfer']['id']}")


def backup(scene):
    return scene.client.post("/backups", {"backup": {"volume_id": scene.made["volume"], "force": True}})


def delete_backup(scene):
    return scene.client.delete(f"/backups/{scene.made['backup']}")


def restore(scene):
    return scene.client.post(
        f"/backups/{scene.made['backup']}/restore", {"restore": {"volume_id": scene.made["volume"]}}
    )


def restore_anew(scene):
    return scene.client.post(f"/backups/{scene.made['backup']}/restore", {"restore": {}})


def second_server(scene):
    return attach(scene, 1)


# What is there before, what comes at once, and how many of them may win (None: any).
RACES = {
    "attach, attach": (plain, (attach, second_server), {1}),
    "attach, delete": (plain, (attach, delete), {1}),
    "attach, extend": (plain, (attach, extend), None),
    "attach, retype": (plain, (attach, retype), None),
    "attach, snapshot, delete": (plain, (attach, snapshot, delete), None),
    "attach, backup": (plain, (attach, backup), None),
    "attach, force detach": (plain, (attach, force_detach), None),
    "attach, force delete": (plain, (attach, force_delete), None),
    "detach, detach": (attached, (detach, detach), None),
    "detach both": (attached_twice, (detach_first, detach_second), {2}),
    "detach, delete": (attached, (detach, delete), None),
    "detach, extend": (attached, (detach, extend), None),
    "detach, retype": (attached, (detach, retype), None),
    "detach, backup": (attached, (detach, backup), None),
    "detach, force detach": (attached, (detach, force_detach), None),
    "detach, force delete": (attached, (detach, force_delete), None),
    "extend, delete": (plain, (extend, delete), {1}),
    "extend, extend": (plain, (extend, extend), {1}),
    "snapshot, delete": (plain, (snapshot, delete), {1}),
    "snapshot, cascade": (plain, (snapshot, cascade), {1, 2}),
    "snapshot, extend, retype": (plain, (snapshot, extend, retype), None),
    "delete snapshot, cascade": (with_snapshot, (delete_snapshot, cascade), {1, 2}),
    "delete snapshot, revert": (with_snapshot, (delete_snapshot, revert), {1}),
    "delete snapshot, use it": (with_snapshot, (delete_snapshot, from_snapshot), {1, 2}),
    "clone, delete": (plain, (clone, delete), {1, 2}),
    "clone, extend": (plain, (clone, extend), None),
    "accept, delete": (offered, (accept, delete), {1, 2}),
    "accept, force delete": (offered, (accept, force_delete), {1, 2}),
    "accept, withdraw": (offered, (accept, withdraw), {1}),
    "accept, accept": (offered, (accept, accept), {1}),
    "delete backup, restore": (with_backup, (delete_backup, restore), {1}),
    "delete backup, restore anew": (with_backup, (delete_backup, restore_anew), {1}),
    "restore, delete": (with_backup, (restore, delete), {1}),
    "backup, delete": (plain, (backup, delete), {1}),
}


@pytest.fixture
def lab(tmp_path):
    lab = Lab(tmp_path)
    lab.start(enabled_backends=["fast"])
    lab.client("admin").post("/types", {"volume_type": {"name": "other"}})
    shared = {"name": "shared", "extra_specs": {"multiattach": "<is> True"}}
    lab.client("admin").post("/types", {"volume_type": shared})
    yield lab
    lab.close()


class Interleaved:
    """The service with points in its way, taken out again at the end."""

    def __init__(self, service, seed):
        self._service = service
        self._driver = service.workers["fast"].driver
        self._connections = service.backup_worker.connections
        self.order = Interleaving(seed)

    def __enter__(self):
        self.order.__enter__()
        engine, database = self._service.engine, self._service.database
        engine.on_boundary = lambda where, flow: self.order.point(f"{flow['name']} {where}")
        self.order.watch(database, "write", "a transaction")
        for effect in EFFECTS:
            self.order.watch(self._driver, effect, effect, after=True)
        self.order.watch(self._connections, "replace", "replace", after=True)
        return self.order

    def __exit__(self, *error):
        self.order.__exit__(*error)
        self._service.engine.on_boundary = None
        del self._service.database.write
        for effect in EFFECTS:
            vars(self._driver).pop(effect, None)
        del self._connections.replace


def at_once(scene, operations):
    answers = [None] * len(operations)

    def ask(number):
        answers[number] = operations[number](scene)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(len(operations))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "a caller waits for ever"
    assert all(answers), answers
    return answers


def right(scene):
    """Rows, states and the back end agree."""
    for table, states in (
        (VOLUMES, VOLUME_STATES),
        (SNAPSHOTS, SNAPSHOT_STATES),
        (BACKUPS, BACKUP_STATES),
        (ATTACHMENTS, ATTACHMENT_STATES),
    ):
        for row in scene.rows(table):
            state = states.states[row[states.column]]
            assert not isinstance(state, Passing | Expiring) and not row["flow_id"], dict(row)
    state = scene.lab.driver().state
    volumes = {row["id"]: row for row in scene.rows(VOLUMES)}
    held = {key: volume.size for key, volume in state.volumes.items()}
    assert held == {key: row["size"] for key, row in volumes.items() if row["host"]}
    assert set(state.snapshots) == {
        row["id"] for row in scene.rows(SNAPSHOTS) if row["status"] == "available"
    }
    hosts = {}
    for row in scene.rows(ATTACHMENTS):
        hosts.setdefault(row["volume_id"], set()).add(row["attached_host"])
    assert {key: set(one.connections) for key, one in state.volumes.items() if one.connections} == hosts
    for key, row in volumes.items():
        if row["status"] in ("available", "in-use"):
            assert (row["status"] == "in-use") == (key in hosts), dict(row)
        assert row["pending_size"] is None, dict(row)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", RACES)
def test_at_once(lab, name):
    before, operations, winners = RACES[name]
    for seed in SEEDS:
        scene = Scene(lab)
        before(scene)
        with Interleaved(lab.service, seed) as order:
            answers = at_once(scene, operations)
            scene.quiet()
        told = [(one.status, one.body) for one in answers]
        try:
            assert not [one for one in answers if one.status >= 500], told
            won = [200 <= one.status < 300 for one in answers]
            assert winners is None or won.count(True) in winners, told
            right(scene)
            scene.clear()
            right(scene)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {told}\norder: {order.taken}\n{error}") from error
