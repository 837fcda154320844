"""cinder-backup as a service: its own worker, which reads and writes volumes over their connections."""

import datetime

import pytest
from tests.cloud import LabCloud, until
from tests.volume import content

from celaje.common import clock
from celaje.volume.db.tables import SERVICES

NEWEST = {"OpenStack-API-Version": "volume 3.71"}
MARK = b"what lies on the volume"
BACKENDS = {"plain": "file", "layered": "file", "far": "nbd", "over": "iscsi"}


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cloud")
    volume = {(None, "enabled_backends"): list(BACKENDS)}
    volume.update({(None, f"quota_{each}"): 50 for each in ("volumes", "backups")})
    for name, driver in BACKENDS.items():
        volume[name, "volume_driver"] = driver
        volume[name, "volumes_dir"] = str(folder / name)
        if name != "over":
            volume[name, "file_volume_format"] = "qcow2" if name == "layered" else "raw"
    cloud = LabCloud.at(folder / "state", {"volume": volume}, services=("identity", "image", "volume"))
    cloud.start()
    admin = cloud.as_user("volume")
    for name in BACKENDS:
        body = {"volume_type": {"name": name, "extra_specs": {"volume_backend_name": name}}}
        admin.post("/v3/types", body).ok(200)
    yield cloud
    cloud.stop(grace=5)


@pytest.fixture
def admin(cloud):
    return cloud.as_user("volume")


@pytest.fixture(autouse=True)
def everybody_up(cloud):
    yield
    cloud.running["volume"].periodic.run_now()


def settle(client, kind, resource_id, *statuses):
    def look():
        found = client.get(f"/v3/{kind}s/{resource_id}", headers=NEWEST).ok()[kind]
        return found if found["status"] in statuses else None

    return until(look, 120, what=f"{kind} {resource_id} {statuses}")


def make(client, kind="plain"):
    body = {"volume": {"size": 1, "volume_type": kind}}
    made = client.post("/v3/volumes", body, headers=NEWEST).ok(202)["volume"]["id"]
    return settle(client, "volume", made, "available")["id"]


def ask(client, volume_id, **wanted):
    return client.post("/v3/backups", {"backup": {"volume_id": volume_id, **wanted}}, headers=NEWEST)


def back_up(client, volume_id, **wanted):
    made = ask(client, volume_id, **wanted).ok(202)["backup"]["id"]
    return settle(client, "backup", made, "available")["id"]


def driver_of(cloud, kind):
    return cloud.running["volume"].workers[kind].driver


def put(cloud, kind, volume_id, text):
    """As the user of a raw volume would have it: a qcow2's content is exchanged as a whole."""
    content.put(driver_of(cloud, kind), {"id": volume_id}, cloud.state, text, 4096)


def got(cloud, kind, volume_id):
    return content.head_of(driver_of(cloud, kind), {"id": volume_id}, cloud.state, 4096 + len(MARK))[4096:]


def test_it_is_listed_with_its_host(cloud, admin):
    rows = until(lambda: admin.get("/v3/os-services?binary=cinder-backup", headers=NEWEST).ok()["services"])
    assert [(row["host"], row["state"], row["zone"]) for row in rows] == [("celaje", "up", "nova")]
    body = {"binary": "cinder-backup", "levels": "", "prefix": "celaje.volume.backups"}
    answer = admin.put(
        "/v3/os-services/get-log", {key: body[key] for key in ("binary", "prefix")}, headers=NEWEST
    )
    assert [row["binary"] for row in answer.ok(200)["log_levels"]] == ["cinder-backup"]


@pytest.mark.parametrize("kind", BACKENDS)
def test_a_volume_of_every_kind_is_saved_and_given_back(cloud, admin, kind):
    volume_id = make(admin, kind)
    put(cloud, kind, volume_id, MARK)
    full = back_up(admin, volume_id)
    put(cloud, kind, volume_id, MARK[::-1])
    later = back_up(admin, volume_id, incremental=True)
    put(cloud, kind, volume_id, b"spoilt" * 4)
    for backup_id, text in ((full, MARK), (later, MARK[::-1])):
        body = {"restore": {"volume_id": volume_id}}
        admin.post(f"/v3/backups/{backup_id}/restore", body, headers=NEWEST).ok(202)
        settle(admin, "backup", backup_id, "available")
        settle(admin, "volume", volume_id, "available")
        assert got(cloud, kind, volume_id) == text
    # Nothing is left open, and no passing volume.
    assert [each["id"] for each in driver_of(cloud, kind).list_volumes()] == [volume_id]
    daemon = getattr(driver_of(cloud, kind), "daemon", None)
    assert daemon is None or not daemon.offered(volume_id)
    admin.delete(f"/v3/volumes/{volume_id}").ok(202)
    until(lambda: admin.get(f"/v3/volumes/{volume_id}").status == 404)


@pytest.mark.parametrize("kind", BACKENDS)
def test_a_snapshot_is_saved_as_it_was(cloud, admin, kind):
    volume_id = make(admin, kind)
    put(cloud, kind, volume_id, MARK)
    body = {"snapshot": {"volume_id": volume_id}}
    snapshot_id = admin.post("/v3/snapshots", body, headers=NEWEST).ok(202)["snapshot"]["id"]
    settle(admin, "snapshot", snapshot_id, "available")
    put(cloud, kind, volume_id, b"spoilt" * 4)
    backup_id = back_up(admin, volume_id, snapshot_id=snapshot_id)
    assert [each["id"] for each in driver_of(cloud, kind).list_volumes()] == [volume_id]
    answer = admin.post(f"/v3/backups/{backup_id}/restore", {"restore": {}}, headers=NEWEST)
    restored = answer.ok(202)["restore"]["volume_id"]
    volume = settle(admin, "volume", restored, "available")
    section = volume["os-vol-host-attr:host"].partition("@")[2].partition("#")[0]
    assert got(cloud, section, restored) == MARK
    admin.delete(f"/v3/snapshots/{snapshot_id}", headers=NEWEST).ok(202)
    until(lambda: admin.get(f"/v3/snapshots/{snapshot_id}", headers=NEWEST).status == 404)
    for each in (volume_id, restored):
        admin.delete(f"/v3/volumes/{each}").ok(202)
        until(lambda each=each: admin.get(f"/v3/volumes/{each}").status == 404)


def silence(cloud):
    """Its last sign of life was long ago."""
    long_ago = clock.now() - datetime.timedelta(hours=1)
    change = SERVICES.update().where(SERVICES.c.binary == "cinder-backup").values(last_seen_at=long_ago)
    cloud.running["volume"].database.write(lambda tx: tx.execute(change))


def test_without_one_that_is_up_nothing_is_saved_or_given_back(cloud, admin):
    volume_id = make(admin)
    backup_id = back_up(admin, volume_id)
    until(lambda: admin.get("/v3/os-services?binary=cinder-backup", headers=NEWEST).ok()["services"])
    silence(cloud)
    refused = ask(admin, volume_id)
    assert refused.status == 503
    assert refused.body["serviceUnavailable"]["message"] == "Service cinder-backup could not be found."
    assert settle(admin, "volume", volume_id, "available", "backing-up")["status"] == "available"
    assert admin.post(f"/v3/backups/{backup_id}/restore", {"restore": {}}, headers=NEWEST).status == 404
    assert admin.delete(f"/v3/backups/{backup_id}", headers=NEWEST).status == 404
    cloud.running["volume"].periodic.run_now()
    until(lambda: admin.delete(f"/v3/backups/{backup_id}", headers=NEWEST).status == 202)


def test_a_backup_that_is_being_made_is_deleted_by_force(cloud, admin, monkeypatch):
    """Its worker stops, and the volume is given back."""
    archive = cloud.running["volume"].backup_worker.archive
    volume_id = make(admin)
    put(cloud, "plain", volume_id, MARK)
    seen = {}
    whole = archive.write

    def write(prefix, backup_id, *words, unwanted, **more):
        refused = admin.delete(f"/v3/backups/{backup_id}", headers=NEWEST)
        forced = admin.post(f"/v3/backups/{backup_id}/action", {"os-force_delete": {}}, headers=NEWEST)
        seen.update(id=backup_id, refused=refused.status, forced=forced.status)
        until(unwanted, what="the worker is told")
        return whole(prefix, backup_id, *words, unwanted=unwanted, **more)

    monkeypatch.setattr(archive, "write", write)
    backup_id = ask(admin, volume_id).ok(202)["backup"]["id"]
    until(lambda: admin.get(f"/v3/backups/{backup_id}", headers=NEWEST).status == 404)
    assert seen == {"id": backup_id, "refused": 400, "forced": 202}
    settle(admin, "volume", volume_id, "available")
    assert not list(archive.store._folder.rglob(f"*{backup_id}*"))
