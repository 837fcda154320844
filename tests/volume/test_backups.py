"""Backups through the API, on simulated back ends: the data is the fake driver's words."""

import base64
import json

import pytest


@pytest.fixture
def backup_of(volumes, until):
    """Make a backup and wait until it is there; its detail."""

    def make(volume_id, client=None, **wanted):
        client = client or volumes
        answer = client.post("/backups", {"backup": {"volume_id": volume_id, **wanted}})
        assert answer.status == 202, answer.words
        return wait(client, answer.body["backup"]["id"], until)

    return make


def wait(client, backup_id, until, status="available"):
    def look():
        found = client.get(f"/backups/{backup_id}").body["backup"]
        return found if found["status"] == status else None

    return until(look)


def made(volumes, settled, **fields):
    volume = volumes.create(**fields)
    settled(volume["id"])
    return volume["id"]


def say(lab, volume_id, words):
    lab.driver().state.volumes[volume_id].content = words


def heard(lab, volume_id):
    return lab.driver().state.volumes[volume_id].content


def test_create_show_list_update_delete(lab, volumes, settled, backup_of, until):
    volume_id = made(volumes, settled, size=2)
    answer = volumes.post(
        "/backups", {"backup": {"volume_id": volume_id, "name": " one ", "description": "d"}}
    )
    assert answer.status == 202 and set(answer.body["backup"]) == {"id", "name", "links"}
    backup_id = answer.body["backup"]["id"]
    shown = wait(volumes, backup_id, until)
    assert settled(volume_id)["status"] == "available"
    assert (
        shown
        | {
            "name": "one",
            "description": "d",
            "size": 2,
            "volume_id": volume_id,
            "container": "volumebackups",
            "is_incremental": False,
            "has_dependent_backups": False,
            "fail_reason": None,
            "snapshot_id": None,
            "metadata": {},
            "availability_zone": "nova",
        }
        == shown
    )
    assert shown["data_timestamp"] == shown["created_at"] and shown["object_count"] >= 1
    assert "os-backup-project-attr:project_id" not in shown
    admin = lab.client("admin")
    assert admin.get(f"/backups/{backup_id}").body["backup"]["os-backup-project-attr:project_id"]
    assert "metadata" not in volumes.at("3.42").get(f"/backups/{backup_id}").body["backup"]
    assert [row["id"] for row in volumes.get("/backups").body["backups"]] == [backup_id]
    assert volumes.get(f"/backups/detail?volume_id={volume_id}").body["backups"] == [shown]
    assert volumes.get("/backups/detail?status=error").body["backups"] == []
    assert volumes.get("/backups?with_count=true").body["count"] == 1
    changed = {"backup": {"name": "two", "metadata": {"k": "v"}}}
    assert volumes.put(f"/backups/{backup_id}", changed).body["backup"]["name"] == "two"
    assert volumes.get(f"/backups/{backup_id}").body["backup"]["metadata"] == {"k": "v"}
    assert volumes.at("3.8").put(f"/backups/{backup_id}", changed).status == 404
    assert volumes.put(f"/backups/{backup_id}", {"backup": {}}).status == 400
    stored = lab.service.ground.state / "backups" / "volumebackups"
    assert [path.name for path in stored.iterdir()] == [backup_id]
    assert volumes.delete(f"/backups/{backup_id}").status == 202
    until(lambda: volumes.get(f"/backups/{backup_id}").status == 404)
    assert list(stored.iterdir()) == []


def test_restored_into_a_new_volume_and_into_one_that_is_there(lab, volumes, settled, backup_of, until):
    volume_id = made(volumes, settled)
    say(lab, volume_id, "as it was")
    backup = backup_of(volume_id)
    say(lab, volume_id, "spoilt")
    answer = volumes.post(f"/backups/{backup['id']}/restore", {"restore": {"volume_id": volume_id}})
    assert answer.status == 202
    assert answer.body["restore"] == {
        "backup_id": backup["id"],
        "volume_id": volume_id,
        "volume_name": None,
    }
    settled(volume_id)
    assert heard(lab, volume_id) == "as it was"
    answer = volumes.post(f"/backups/{backup['id']}/restore", {"restore": {}})
    new_id = answer.body["restore"]["volume_id"]
    assert answer.body["restore"]["volume_name"] == f"restore_backup_{backup['id']}"
    assert settled(new_id)["size"] == 1
    assert heard(lab, new_id) == "as it was"
    wait(volumes, backup["id"], until)
    third = volumes.create(2, backup_id=backup["id"])
    settled(third["id"])
    assert heard(lab, third["id"]) == "as it was"
    answer = volumes.at("3.46").post("/volumes", {"volume": {"size": 2, "backup_id": backup["id"]}})
    # Older ones do not know the word, and ignore it as they do any other.
    assert answer.status == 202


def test_a_restored_volume_has_what_was_beside_the_data(lab, volumes, settled, backup_of, until):
    volume_id = made(volumes, settled, name="books", description="of 2026", metadata={"owner": "me"})
    backup = backup_of(volume_id)
    volumes.put(f"/volumes/{volume_id}", {"volume": {"name": "other", "metadata": {"later": "1"}}})
    answer = volumes.post(f"/backups/{backup['id']}/restore", {"restore": {}})
    new = settled(answer.body["restore"]["volume_id"])
    assert (new["name"], new["description"], new["metadata"]) == ("books", "of 2026", {"owner": "me"})
    wait(volumes, backup["id"], until)
    answer = volumes.post(f"/backups/{backup['id']}/restore", {"restore": {"volume_id": volume_id}})
    same = settled(volume_id)
    assert (same["name"], same["metadata"]) == ("other", {"owner": "me"})


def test_incremental_backups_depend_on_each_other(lab, volumes, settled, backup_of, until):
    volume_id = made(volumes, settled)
    refused = volumes.post("/backups", {"backup": {"volume_id": volume_id, "incremental": True}})
    assert refused.status == 400 and "No backups available" in refused.words
    say(lab, volume_id, "first")
    full = backup_of(volume_id)
    say(lab, volume_id, "second")
    later = backup_of(volume_id, incremental=True)
    assert later["is_incremental"] is True
    assert volumes.get(f"/backups/{full['id']}").body["backup"]["has_dependent_backups"] is True
    refused = volumes.delete(f"/backups/{full['id']}")
    assert refused.status == 400 and "Incremental backups exist" in refused.words
    for backup, words in ((full, "first"), (later, "second")):
        answer = volumes.post(f"/backups/{backup['id']}/restore", {"restore": {"volume_id": volume_id}})
        assert answer.status == 202
        settled(volume_id)
        wait(volumes, backup["id"], until)
        assert heard(lab, volume_id) == words
    for backup in (later, full):
        assert volumes.delete(f"/backups/{backup['id']}").status == 202
        until(lambda backup=backup: volumes.get(f"/backups/{backup['id']}").status == 404)


def test_nobodys_backup_depends_on_another_projects(lab, volumes, settled, backup_of, until):
    volume_id = made(volumes, settled)
    backup_of(volume_id)
    admin = lab.client("service")
    alone = admin.post("/backups", {"backup": {"volume_id": volume_id, "incremental": True}})
    assert alone.status == 400 and "No backups available" in alone.words
    backup_of(volume_id, admin)
    backup_of(volume_id, admin, incremental=True)
    mine = volumes.get("/backups/detail").body["backups"]
    assert [each["has_dependent_backups"] for each in mine] == [False]


def test_backup_of_a_snapshot(lab, volumes, settled, backup_of, until):
    volume_id = made(volumes, settled)
    say(lab, volume_id, "then")
    snapshot_id = volumes.post("/snapshots", {"snapshot": {"volume_id": volume_id}}).body["snapshot"]["id"]
    until(lambda: volumes.get(f"/snapshots/{snapshot_id}").body["snapshot"]["status"] == "available")
    say(lab, volume_id, "now")
    backup = backup_of(volume_id, snapshot_id=snapshot_id)
    snapshot = volumes.get(f"/snapshots/{snapshot_id}").body["snapshot"]
    assert (backup["snapshot_id"], snapshot["status"]) == (snapshot_id, "available")
    assert backup["data_timestamp"] == snapshot["created_at"]
    volumes.post(f"/backups/{backup['id']}/restore", {"restore": {"volume_id": volume_id}})
    settled(volume_id)
    assert heard(lab, volume_id) == "then"
    other = made(volumes, settled)
    wrong = {"backup": {"volume_id": other, "snapshot_id": snapshot_id}}
    assert volumes.post("/backups", wrong).status == 400


def test_a_volume_in_use_needs_force_and_stays_in_use(lab, volumes, settled, backup_of, until):
    volume_id = made(volumes, settled)
    server = "11111111-2222-4333-8444-555555555555"
    body = {"volume_uuid": volume_id, "instance_uuid": server, "connector": {"host": "node"}}
    attachment = volumes.post("/attachments", {"attachment": body}).body["attachment"]["id"]
    volumes.post(f"/attachments/{attachment}/action", {"os-complete": {}})
    settled(volume_id, "in-use")
    refused = volumes.post("/backups", {"backup": {"volume_id": volume_id}})
    assert refused.status == 400 and "must use the force flag" in refused.words
    backup_of(volume_id, force=True)
    assert settled(volume_id, "in-use")["attachments"][0]["attachment_id"] == attachment


def test_refusals(lab, volumes, settled, backup_of, until):
    volume_id = made(volumes, settled, size=2)
    backup = backup_of(volume_id)
    path = f"/backups/{backup['id']}"
    small = made(volumes, settled)
    refused = volumes.post(f"{path}/restore", {"restore": {"volume_id": small}})
    assert refused.status == 400 and "too small" in refused.words
    assert volumes.post("/volumes", {"volume": {"size": 1, "backup_id": backup["id"]}}).status == 400
    stranger = lab.client("stranger")
    assert stranger.get(path).status == 404
    assert stranger.delete(path).status == 404
    assert stranger.post(f"{path}/restore", {"restore": {}}).status == 404
    assert stranger.post("/volumes", {"volume": {"size": 2, "backup_id": backup["id"]}}).status == 404
    reader = lab.client("reader")
    assert reader.get(path).status == 200
    assert reader.delete(path).status == 403
    assert volumes.get(f"{path}/export_record").status == 403
    for body in ({}, {"volume_id": "x"}, {"volume_id": volume_id, "container": "x" * 256}, {"size": 1}):
        assert volumes.post("/backups", {"backup": body}).status == 400
    assert volumes.post("/backups", {"backup": {"volume_id": backup["id"]}}).status == 404


def test_quotas(lab, volumes, settled, backup_of):
    admin = lab.client("admin")
    volume_id = made(volumes, settled, size=2)
    quota = {"quota_set": {"backups": 1, "backup_gigabytes": 2}}
    assert admin.put(f"/os-quota-sets/{volumes.project_id}", quota).status == 200
    backup_of(volume_id)
    shown = admin.get(f"/os-quota-sets/{volumes.project_id}?usage=true").body["quota_set"]
    assert (shown["backups"]["in_use"], shown["backup_gigabytes"]["in_use"]) == (1, 2)
    assert volumes.get("/limits").body["limits"]["absolute"]["totalBackupGigabytesUsed"] == 2
    refused = volumes.post("/backups", {"backup": {"volume_id": volume_id}})
    assert refused.status == 413 and "2G has been consumed" in refused.words
    admin.put(f"/os-quota-sets/{volumes.project_id}", {"quota_set": {"backup_gigabytes": 9}})
    refused = volumes.post("/backups", {"backup": {"volume_id": volume_id}})
    assert refused.status == 413 and "Maximum number of backups allowed (1)" in refused.words


def test_records(lab, volumes, settled, backup_of, until):
    admin = lab.client("admin")
    volume_id = made(volumes, settled)
    say(lab, volume_id, "kept")
    full = backup_of(volume_id)
    later = backup_of(volume_id, incremental=True)
    records = {
        each["id"]: admin.get(f"/backups/{each['id']}/export_record").body["backup-record"]
        for each in (full, later)
    }
    again = admin.post("/backups/import_record", {"backup-record": records[full["id"]]})
    assert again.status == 400 and "already exists" in again.words
    # As after the loss of the database: the rows are gone, the data is there.
    backups = lab.service.metadata.tables["backups"]
    lab.service.database.write(lambda tx: tx.execute(backups.delete()))
    orphan = admin.post("/backups/import_record", {"backup-record": records[later["id"]]})
    assert orphan.status == 400 and "must be imported first" in orphan.words
    for each in (full, later):
        answer = admin.post("/backups/import_record", {"backup-record": records[each["id"]]})
        assert answer.status == 201 and answer.body["backup"]["id"] == each["id"]
        wait(admin, each["id"], until)
    answer = admin.post(f"/backups/{later['id']}/restore", {"restore": {}})
    settled(answer.body["restore"]["volume_id"])
    assert heard(lab, answer.body["restore"]["volume_id"]) == "kept"
    wait(admin, later["id"], until)
    service = records[full["id"]]["backup_service"]
    assert service.startswith("cinder.backup.drivers")

    def import_changed(**changes):
        record = json.loads(base64.b64decode(records[later["id"]]["backup_url"])) | changes
        url = base64.b64encode(json.dumps(record).encode()).decode()
        answer = admin.post(
            "/backups/import_record", {"backup-record": {"backup_service": service, "backup_url": url}}
        )
        assert answer.status == 201, answer.words
        return answer.body["backup"]["id"]

    lost = import_changed(id="11111111-2222-4333-8444-555555555555", location="volumebackups/nothing")
    assert "lost or damaged" in wait(admin, lost, until, "error")["fail_reason"]
    # A second row for one piece of data: whichever goes first leaves it for the other.
    twin = import_changed(id="11111111-2222-4333-8444-666666666666")
    wait(admin, twin, until)
    assert admin.delete(f"/backups/{twin}").status == 202
    assert admin.get(f"/backups/{twin}").status == 404
    again = admin.post(f"/backups/{later['id']}/restore", {"restore": {}}).body["restore"]["volume_id"]
    settled(again)
    assert heard(lab, again) == "kept"
    for bad in ("%%%", base64.b64encode(b"[]").decode(), base64.b64encode(b'{"id": 1}').decode()):
        body = {"backup-record": {"backup_service": service, "backup_url": bad}}
        assert admin.post("/backups/import_record", body).status == 400


def test_failures_leave_defined_states(lab, volumes, settled, backup_of, until):
    volume_id = made(volumes, settled)
    say(lab, volume_id, "good")
    backup = backup_of(volume_id)
    say(lab, volume_id, "present")
    lab.driver().state.add_rules([{"operation": "initialize_connection", "error": "broken"}])
    failed = volumes.post("/backups", {"backup": {"volume_id": volume_id}}).body["backup"]["id"]
    assert "broken" in wait(volumes, failed, until, "error")["fail_reason"]
    settled(volume_id)
    data = lab.service.ground.state / "backups" / "volumebackups" / backup["id"] / "data-000000"
    whole = data.read_bytes()
    data.write_bytes(whole[: len(whole) // 2])
    volumes.post(f"/backups/{backup['id']}/restore", {"restore": {"volume_id": volume_id}})
    settled(volume_id, "error_restoring")
    assert heard(lab, volume_id) == "present"
    wait(volumes, backup["id"], until)
    answer = volumes.post(f"/backups/{backup['id']}/restore", {"restore": {}})
    settled(answer.body["restore"]["volume_id"], "error")
    wait(volumes, backup["id"], until)
    assert set(lab.driver().state.volumes) == {volume_id}
    admin = lab.client("admin")
    action = {"os-reset_status": {"status": "error"}}
    assert admin.post(f"/backups/{backup['id']}/action", action).status == 202
    assert volumes.get(f"/backups/{backup['id']}").body["backup"]["status"] == "error"
    refused = volumes.post(f"/backups/{backup['id']}/restore", {"restore": {}})
    assert refused.status == 400
    bad = {"os-reset_status": {"status": "deleting"}}
    assert admin.post(f"/backups/{backup['id']}/action", bad).status == 400
    for each in (backup["id"], failed):
        assert admin.post(f"/backups/{each}/action", {"os-force_delete": {}}).status == 202
        until(lambda each=each: volumes.get(f"/backups/{each}").status == 404)
