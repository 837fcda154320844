"""Every passing state of `volume/states.py`, driven to its deadline on a virtual clock with nobody to do the
work: it must end by its way out, hold nothing, and be something that can be deleted.
"""

import json

import pytest
from tests.cloud import until
from tests.volume.conftest import Lab

from celaje.common import clock
from celaje.common.states import Passing
from celaje.volume import states
from celaje.volume.db.tables import (
    ATTACHMENTS,
    BACKUPS,
    GROUP_SNAPSHOTS,
    GROUPS,
    SNAPSHOTS,
    VOLUMES,
)
from celaje.volume.states import Expiring

SERVER = "11111111-2222-4333-8444-555555555555"
IMAGE = "22222222-2222-4333-8444-555555555555"
TABLES = {
    "volume": (states.VOLUMES, VOLUMES),
    "snapshot": (states.SNAPSHOTS, SNAPSHOTS),
    "backup": (states.BACKUPS, BACKUPS),
    "attachment": (states.ATTACHMENTS, ATTACHMENTS),
    "group": (states.GROUPS, GROUPS),
    "group_snapshot": (states.GROUP_SNAPSHOTS, GROUP_SNAPSHOTS),
}


class FakeImages:
    """The image service as far as a volume that waits for its worker calls it."""

    def __call__(self, environ, start_response):
        image = {
            "id": IMAGE, "name": "tiny", "status": "active", "size": 512, "min_disk": 0, "min_ram": 0,
            "disk_format": "raw", "container_format": "bare", "visibility": "private", "protected": False,
        }  # fmt: skip
        method = environ["REQUEST_METHOD"]
        if method == "POST":
            image |= json.loads(environ["wsgi.input"].read())
        status = {"GET": "200 OK", "POST": "201 Created", "DELETE": "204 No Content"}[method]
        start_response(status, [("Content-Type", "application/json")])
        return [] if method == "DELETE" else [json.dumps(image).encode()]


class Scene:
    """A service on a virtual clock, whose worker or scheduler can be taken away."""

    def __init__(self, folder):
        self.lab = Lab(folder, overrides={(None, "attachment_wait_timeout"): 1})
        self.lab.image = FakeImages()
        self.service = self.lab.start(enabled_backends=["fast", "slow"])

    @property
    def client(self):
        """With a token of now."""
        return self.lab.client("admin")

    def row(self, kind, row_id):
        states_of, table = TABLES[kind]
        found = self.service.database.read(
            lambda tx: tx.execute(table.select().where(table.c.id == row_id)).mappings().one_or_none()
        )
        return None if found is None else {**found, "state": found[states_of.column]}

    def quiet(self):
        """Every flow has ended, or waits for somebody."""
        flows = self.service.flow_tables.flows
        at_work = flows.c.owner.is_not(None) | (flows.c.state == "pending")
        busy = flows.select().where(flows.c.finished_at.is_(None), at_work)
        until(lambda: not self.service.database.read(lambda tx: tx.execute(busy).first()), 30)

    def away(self, *topics):
        for server in self.service._servers:
            if server.target.topic in topics:
                server.kill()

    def volume(self, **wanted):
        made = self.client.create(1, **wanted)["id"]
        self.quiet()
        assert self.row("volume", made)["status"] == "available"
        return made

    def post(self, path, status=202, **body):
        answer = self.client.post(path, body)
        assert answer.status == status, answer.words
        self.quiet()
        return answer.body

    def act(self, volume_id, action, arguments=None, status=202):
        answer = self.client.act(volume_id, action, arguments)
        assert answer.status == status, answer.words
        self.quiet()
        return answer.body

    def snapshot(self, volume_id):
        return self.post("/snapshots", snapshot={"volume_id": volume_id})["snapshot"]["id"]

    def backup(self, volume_id, **wanted):
        return self.post("/backups", backup={"volume_id": volume_id, **wanted})["backup"]["id"]

    def attachment(self, volume_id, **wanted):
        body = {"volume_uuid": volume_id, "instance_uuid": SERVER, **wanted}
        return self.post("/attachments", 200, attachment=body)["attachment"]["id"]

    def type_named(self, name):
        return self.post("/types", 200, volume_type={"name": name})["volume_type"]["id"]

    def group(self, volumes=1):
        kind = self.post("/group_types", group_type={"name": "together"})["group_type"]["id"]
        asked = {"group_type": kind, "volume_types": [self.type_named("member")]}
        group = self.post("/groups", group=asked)["group"]["id"]
        return group, [self.volume(volume_type="member", group_id=group) for _ in range(volumes)]

    def group_snapshot(self, group):
        return self.post("/group_snapshots", group_snapshot={"group_id": group})["group_snapshot"]["id"]


WORKER, SCHEDULER, BACKUP = "volume-worker", "volume-scheduler", "volume-backup"


def create(scene):
    scene.away(WORKER)
    return scene.client.create(1)["id"]


def download(scene):
    scene.away(WORKER)
    return scene.client.create(1, imageRef=IMAGE)["id"]


def copy_group(scene):
    group, _ = scene.group()
    scene.away(WORKER)
    asked = {"create-from-src": {"source_group_id": group}}
    return scene.post("/groups/action", **asked)["group"]["id"]


def copy_of_a_group_s_volume(scene):
    group = copy_group(scene)
    return scene.client.get(f"/volumes?group_id={group}").body["volumes"][0]["id"]


def acted(action, arguments=None, before=None, missing=WORKER, status=202):
    def act(scene):
        volume = scene.volume()
        if before:
            before(scene, volume)
        scene.away(missing)
        found = arguments(scene, volume) if callable(arguments) else arguments
        scene.act(volume, action, found, status)
        return volume

    return act


def retype(scene):
    scene.type_named("other")
    return acted("os-retype", {"new_type": "other"}, missing=SCHEDULER)(scene)


def migrate(scene):
    volume = scene.volume()
    here = scene.row("volume", volume)["host"]
    target = here.replace("fast", "slow") if "fast" in here else here.replace("slow", "fast")
    scene.away(SCHEDULER)
    scene.act(volume, "os-migrate_volume", {"host": target})
    return volume


def revert(scene):
    volume = scene.volume()
    snapshot = scene.snapshot(volume)
    scene.away(WORKER)
    scene.act(volume, "revert", {"snapshot_id": snapshot})
    return volume, snapshot


def manage(scene):
    volume = scene.volume()
    host = scene.row("volume", volume)["host"]
    scene.act(volume, "os-unmanage", {})
    scene.away(WORKER)
    asked = {"host": host, "ref": {"source-name": f"volume-{volume}"}}
    return scene.post("/manageable_volumes", volume=asked)["volume"]["id"]


def manage_snapshot(scene):
    volume = scene.volume()
    stray = scene.snapshot(volume)
    scene.post(f"/snapshots/{stray}/action", **{"os-unmanage": {}})
    scene.away(WORKER)
    asked = {"volume_id": volume, "ref": {"source-name": f"_snapshot-{stray}"}}
    return scene.post("/manageable_snapshots", snapshot=asked)["snapshot"]["id"]


def delete(scene):
    volume = scene.volume()
    scene.away(WORKER)
    assert scene.client.delete(f"/volumes/{volume}").status == 202
    return volume


def cascade(scene):
    volume = scene.volume()
    snapshot = scene.snapshot(volume)
    scene.away(WORKER)
    assert scene.client.delete(f"/volumes/{volume}?cascade=true").status == 202
    return snapshot


def delete_group(scene):
    group, volumes = scene.group()
    scene.away(WORKER)
    scene.post(f"/groups/{group}/action", delete={"delete-volumes": True})
    return group, volumes[0]


def back_up(scene):
    volume = scene.volume()
    scene.away(WORKER)
    return scene.backup(volume), volume


def back_up_a_snapshot(scene):
    volume = scene.volume()
    snapshot = scene.snapshot(volume)
    scene.away(WORKER)
    scene.backup(volume, snapshot_id=snapshot)
    return snapshot


def restore(scene):
    volume = scene.volume()
    backup = scene.backup(volume)
    scene.away(WORKER)
    scene.post(f"/backups/{backup}/restore", restore={"volume_id": volume})
    return backup, volume


def restore_into_a_new_one(scene):
    backup = scene.backup(scene.volume())
    scene.away(WORKER)
    scene.post(f"/backups/{backup}/restore", restore={})
    return backup


def import_backup(scene):
    backup = scene.backup(scene.volume())
    record = scene.client.get(f"/backups/{backup}/export_record").body["backup-record"]
    scene.service.database.write(lambda tx: tx.execute(BACKUPS.delete().where(BACKUPS.c.id == backup)))
    scene.away(BACKUP)
    scene.post("/backups/import_record", 201, **{"backup-record": record})
    return backup


def delete_backup(scene):
    backup = scene.backup(scene.volume())
    scene.away(BACKUP)
    assert scene.client.delete(f"/backups/{backup}").status == 202
    return backup


def snapshot(scene):
    volume = scene.volume()
    scene.away(WORKER)
    return scene.snapshot(volume)


def delete_snapshot(scene):
    made = scene.snapshot(scene.volume())
    scene.away(WORKER)
    assert scene.client.delete(f"/snapshots/{made}").status == 202
    return made


def group_snapshot(scene):
    group, volumes = scene.group()
    scene.away(WORKER)
    made = scene.group_snapshot(group)
    (part,) = scene.client.get(f"/snapshots?volume_id={volumes[0]}").body["snapshots"]
    return made, part["id"]


def delete_group_snapshot(scene):
    group, volumes = scene.group()
    made = scene.group_snapshot(group)
    (part,) = scene.client.get(f"/snapshots?volume_id={volumes[0]}").body["snapshots"]
    scene.away(WORKER)
    assert scene.client.delete(f"/group_snapshots/{made}").status == 202
    return made, part["id"]


def new_group(scene):
    kind = scene.post("/group_types", group_type={"name": "together"})["group_type"]["id"]
    member = scene.type_named("member")
    scene.away(SCHEDULER)
    asked = {"group_type": kind, "volume_types": [member]}
    return scene.post("/groups", group=asked)["group"]["id"]


def disconnect(scene):
    """Without a worker its caller gets a timeout, and the flow goes on."""
    made = scene.attachment(scene.volume(), connector={"host": "node"})
    scene.away(WORKER)
    connecting = scene.row("attachment", made)
    from celaje.volume.api.attachments import begin_disconnecting

    class Request:
        service = scene.service

    scene.service.database.write(lambda tx: begin_disconnecting(Request, tx, connecting))
    return made


def reserved(scene):
    volume = scene.volume()
    return scene.attachment(volume), volume


def attaching(scene):
    volume = scene.volume()
    return scene.attachment(volume, connector={"host": "node"}), volume


def detaching(scene):
    volume = scene.volume()
    scene.act(volume, "os-attach", {"instance_uuid": SERVER, "mountpoint": "/dev/vdb"})
    scene.act(volume, "os-begin_detaching", {})
    return volume


def hidden(action, arguments):
    """What is made for a volume that a server uses and that is to move to the other back end."""

    def story(scene):
        volume = scene.volume()
        here = "fast" if "fast" in scene.row("volume", volume)["host"] else "slow"
        other = "slow" if here == "fast" else "fast"
        specs = {"name": f"on-{other}", "extra_specs": {"volume_backend_name": other}}
        scene.post("/types", 200, volume_type=specs)
        attachment = scene.attachment(volume, connector={"host": "elsewhere"})
        scene.post(f"/attachments/{attachment}/action", 204, **{"os-complete": {}})
        assert scene.row("volume", volume)["status"] == "in-use"
        scene.away(WORKER)
        scene.act(volume, action, arguments(other))
        found = scene.client.get("/volumes/detail").body["volumes"]
        return next(each["id"] for each in found if each["migration_status"] == f"target:{volume}")

    return story


def part(number, story):
    return lambda scene: story(scene)[number]


# (resource, its passing state, the flow that owns it): what brings a resource there. Returns its id.
STORIES = {
    ("volume", "creating", "volume.create"): create,
    ("volume", "creating", "group.create_from_source"): copy_of_a_group_s_volume,
    ("volume", "creating", "volume.migrate"): hidden(
        "os-migrate_volume", lambda other: {"host": f"node@{other}#{other}"}
    ),
    ("volume", "creating", "volume.retype"): hidden(
        "os-retype", lambda other: {"new_type": f"on-{other}", "migration_policy": "on-demand"}
    ),
    ("volume", "downloading", "volume.create"): download,
    ("volume", "downloading", "volume.reimage"): acted("os-reimage", {"image_id": IMAGE}),
    ("volume", "reserved", "volume.reclaim"): part(1, reserved),
    ("volume", "attaching", "volume.reclaim"): acted("os-reserve"),
    ("volume", "detaching", "volume.reclaim"): detaching,
    ("volume", "extending", "volume.extend"): acted("os-extend", {"new_size": 2}),
    ("volume", "uploading", "volume.upload_image"): acted(
        "os-volume_upload_image", {"image_name": "new", "disk_format": "raw"}
    ),
    ("volume", "retyping", "volume.retype"): retype,
    ("volume", "migrating", "volume.migrate"): migrate,
    ("volume", "reverting", "volume.revert"): part(0, revert),
    ("volume", "managing", "volume.manage"): manage,
    ("volume", "deleting", "volume.delete"): delete,
    ("volume", "deleting", "group.delete"): part(1, delete_group),
    ("volume", "backing-up", "backup.create"): part(1, back_up),
    ("volume", "restoring-backup", "backup.restore"): part(1, restore),
    ("snapshot", "creating", "snapshot.create"): snapshot,
    ("snapshot", "creating", "group_snapshot.create"): part(1, group_snapshot),
    ("snapshot", "deleting", "snapshot.delete"): delete_snapshot,
    ("snapshot", "deleting", "volume.delete"): cascade,
    ("snapshot", "deleting", "group_snapshot.delete"): part(1, delete_group_snapshot),
    ("snapshot", "restoring", "volume.revert"): part(1, revert),
    ("snapshot", "managing", "snapshot.manage"): manage_snapshot,
    ("snapshot", "backing-up", "backup.create"): back_up_a_snapshot,
    ("backup", "creating", "backup.create"): part(0, back_up),
    ("backup", "creating", "backup.import"): import_backup,
    ("backup", "restoring", "backup.restore"): part(0, restore),
    ("backup", "restoring", "volume.create"): restore_into_a_new_one,
    ("backup", "deleting", "backup.delete"): delete_backup,
    ("attachment", "reserved", "attachment.reclaim"): part(0, reserved),
    ("attachment", "attaching", "attachment.reclaim"): part(0, attaching),
    ("attachment", "detaching", "attachment.disconnect"): disconnect,
    ("group", "creating", "group.create"): new_group,
    ("group", "creating", "group.create_from_source"): copy_group,
    ("group", "deleting", "group.delete"): part(0, delete_group),
    ("group_snapshot", "creating", "group_snapshot.create"): part(0, group_snapshot),
    ("group_snapshot", "deleting", "group_snapshot.delete"): part(0, delete_group_snapshot),
}


def declared():
    for kind, (table, _) in TABLES.items():
        for state in table.states.values():
            if isinstance(state, Passing | Expiring):
                owners = state.owners if isinstance(state, Passing) else (state.owner,)
                for owner in owners:
                    yield kind, state.name, owner


def test_every_passing_state_has_a_story():
    assert set(declared()) == set(STORIES)


@pytest.fixture
def scene(tmp_path):
    with clock.installed(clock.VirtualClock()) as time:
        made = Scene(tmp_path)
        made.time = time
        yield made
        made.lab.close()


@pytest.mark.parametrize(("kind", "state", "owner"), STORIES, ids=str)
def test_it_ends_by_its_way_out(scene, kind, state, owner):
    table, _ = TABLES[kind]
    passing = table.states[state]
    row_id = STORIES[kind, state, owner](scene)
    scene.quiet()
    before = scene.row(kind, row_id)
    assert before["state"] == state
    expires = isinstance(passing, Expiring)
    if not expires:
        flows = scene.service.flow_tables.flows
        holder = flows.select().where(flows.c.id == before["flow_id"])
        held = scene.service.database.read(lambda tx: tx.execute(holder).mappings().one())
        assert held["name"] == owner
    conf = scene.service.conf
    term = conf.reservation_timeout if expires else getattr(conf.flows, passing.deadline)
    scene.time.advance(term - 5)
    scene.quiet()
    assert scene.row(kind, row_id)["state"] == state, "its time was not over yet"
    ways_out = {passing.way_out} if isinstance(passing.way_out, str) else set(passing.way_out)

    def ended():
        # A little at a time: each scan and each sweep has its turn.
        scene.time.advance(61)
        scene.quiet()
        row = scene.row(kind, row_id)
        return (row is None and "gone" in ways_out) or (row["state"] in ways_out and row["flow_id"] is None)

    until(ended, 30)
    for other, (other_table, rows) in TABLES.items():
        found = scene.service.database.read(lambda tx, rows=rows: tx.execute(rows.select()).mappings().all())
        for row in found:
            name = other_table.states.get(row[other_table.column])
            assert not isinstance(name, Passing) and not row["flow_id"], (other, dict(row))


@pytest.mark.parametrize("kind", ["snapshot", "group", "group_snapshot"])
@pytest.mark.parametrize(("set_to", "goal"), [("creating", "error"), ("deleting", "error_deleting")])
def test_a_passing_state_that_an_operator_set_ends_too(scene, kind, set_to, goal):
    if kind == "snapshot":
        made = scene.snapshot(scene.volume())
        scene.post(f"/snapshots/{made}/action", **{"os-reset_status": {"status": set_to}})
    else:
        group, _ = scene.group()
        made = group if kind == "group" else scene.group_snapshot(group)
        scene.post(f"/{kind}s/{made}/action", reset_status={"status": set_to})
    assert scene.row(kind, made)["status"] == set_to
    scene.time.advance(scene.service.conf.reservation_timeout - 5)
    assert scene.row(kind, made)["status"] == set_to

    def ended():
        scene.time.advance(61)
        return scene.row(kind, made)["status"] == goal

    until(ended)
