"""Encrypted volumes through the API, on simulated back ends: their keys, and who learns of them."""

import json

import pytest

from celaje.volume.db.tables import KEYS

SPEC = {"provider": "luks", "control_location": "front-end", "cipher": "aes-xts-plain64", "key_size": 256}
SERVER = "11111111-2222-4333-8444-555555555555"
CONNECTOR = {"host": "node", "ip": "192.0.2.1", "initiator": "iqn.2026-01.example:node"}


@pytest.fixture
def secret(lab, volumes):
    return new_type(lab, "secret")


def new_type(lab, name, **specs):
    admin = lab.client("admin")
    type_id = admin.post("/types", {"volume_type": {"name": name}}).body["volume_type"]["id"]
    answer = admin.post(f"/types/{type_id}/encryption", {"encryption": {**SPEC, **specs}})
    assert answer.status == 200, answer.words
    return type_id


def keys_of(lab):
    rows = lab.service.database.read(lambda tx: tx.execute(KEYS.select()).fetchall())
    return {row.id: row for row in rows}


def passphrase(lab, key_id):
    return lab.service.database.read(lab.service.keys.passphrase, key_id)


def made(volumes, settled, **fields):
    return settled(volumes.create(**fields)["id"])


def attached(volumes, volume_id):
    body = {"attachment": {"volume_uuid": volume_id, "instance_uuid": SERVER, "connector": CONNECTOR}}
    answer = volumes.post("/attachments", body)
    assert answer.status == 200, answer.words
    return answer.body["attachment"]


def test_a_key_of_its_own_that_goes_with_the_volume(lab, volumes, secret, settled, gone):
    volume = made(volumes, settled, volume_type="secret")
    assert volume["encrypted"] is True
    (key_id,) = keys_of(lab)
    assert volume["encryption_key_id"] == key_id
    assert "encryption_key_id" not in volumes.at("3.63").volume(volume["id"])
    assert len(bytes.fromhex(passphrase(lab, key_id))) == 32
    assert volumes.get(f"/volumes/{volume['id']}/encryption").body == {"encryption_key_id": key_id, **SPEC}
    assert volumes.delete(f"/volumes/{volume['id']}").status == 202
    gone(volume["id"])
    assert keys_of(lab) == {}


def test_a_plain_volume_has_none(lab, volumes, settled):
    volume = made(volumes, settled)
    assert volume["encrypted"] is False and "encryption_key_id" not in volume
    assert attached(volumes, volume["id"])["connection_info"]["encrypted"] is False
    assert keys_of(lab) == {}


def test_neither_rows_nor_journals_hold_a_key_in_the_clear(lab, volumes, secret, settled):
    volume = made(volumes, settled, volume_type="secret")
    attached(volumes, volume["id"])
    word = passphrase(lab, volume["encryption_key_id"])
    service = lab.service
    for table in service.metadata.sorted_tables:
        rows = service.database.read(lambda tx, table=table: tx.execute(table.select()).fetchall())
        assert word not in json.dumps([str(row) for row in rows]), table.name
    key_file = lab.state / "encryption.key"
    assert key_file.stat().st_mode & 0o777 == 0o600


def test_only_services_are_told_and_only_of_what_a_host_has_open(lab, volumes, secret, settled):
    volume = made(volumes, settled, volume_type="secret")
    reserved = volumes.post(
        "/attachments", {"attachment": {"volume_uuid": volume["id"], "instance_uuid": SERVER}}
    ).body["attachment"]
    path = f"/attachments/{reserved['id']}/encryption"
    service = lab.client("service")
    assert service.get(path).status == 404
    answer = volumes.put(f"/attachments/{reserved['id']}", {"attachment": {"connector": CONNECTOR}})
    assert answer.body["attachment"]["connection_info"]["encrypted"] is True
    told = service.get(path).body["encryption"]
    assert told == {**SPEC, "passphrase": passphrase(lab, volume["encryption_key_id"])}
    assert told["passphrase"] not in answer.words
    assert volumes.get(path).status == lab.client("admin").get(path).status == 403
    plain = made(volumes, settled)
    assert service.get(f"/attachments/{attached(volumes, plain['id'])['id']}/encryption").status == 404


def test_copies_have_keys_of_their_own_that_open_the_same(lab, volumes, secret, settled, until):
    volume = made(volumes, settled, volume_type="secret")
    snapshot = volumes.post("/snapshots", {"snapshot": {"volume_id": volume["id"]}}).body["snapshot"]
    until(lambda: volumes.get(f"/snapshots/{snapshot['id']}").body["snapshot"]["status"] == "available")
    copies = [
        made(volumes, settled, source_volid=volume["id"]),
        made(volumes, settled, snapshot_id=snapshot["id"], size=2),
    ]
    ids = {each["encryption_key_id"] for each in (volume, *copies)}
    assert len(ids) == 3 and {passphrase(lab, each) for each in ids} == {passphrase(lab, min(ids))}


def test_what_is_copied_is_encrypted_as_its_source_is(lab, volumes, secret, settled):
    new_type(lab, "other", cipher="aes-cbc-essiv:sha256")
    volume, plain = made(volumes, settled, volume_type="secret"), made(volumes, settled)
    for source, wanted in ((volume, "__DEFAULT__"), (volume, "other"), (plain, "secret")):
        body = {"size": 1, "source_volid": source["id"], "volume_type": wanted}
        refused = volumes.post("/volumes", {"volume": body})
        assert refused.status == 400 and "either match source volume, or omit type" in refused.words


def test_what_no_key_can_be_made_for_is_refused(lab, volumes):
    new_type(lab, "vague", cipher=None)
    refused = volumes.post("/volumes", {"volume": {"size": 1, "volume_type": "vague"}})
    assert refused.status == 400 and "Invalid encryption spec" in refused.words
    shared = new_type(lab, "shared")
    lab.client("admin").post(f"/types/{shared}/extra_specs", {"extra_specs": {"multiattach": "<is> True"}})
    refused = volumes.post("/volumes", {"volume": {"size": 1, "volume_type": "shared"}})
    assert refused.status == 400 and "Multiattach cannot be used with encrypted" in refused.words
    assert volumes.get("/volumes").body["volumes"] == [] and keys_of(lab) == {}


def test_retype_to_and_from_encryption_moves_the_data(lab, volumes, secret, settled):
    plain = made(volumes, settled)
    kept = made(volumes, settled, volume_type="secret")
    never = volumes.act(kept["id"], "os-retype", {"new_type": "__DEFAULT__", "migration_policy": "never"})
    assert never.status == 202
    settled(kept["id"])
    assert volumes.volume(kept["id"])["volume_type"] == "secret"
    attached(volumes, plain["id"])
    refused = volumes.act(plain["id"], "os-retype", {"new_type": "secret"})
    assert refused.status == 400 and "retypes affecting encryption are only allowed" in refused.words


def test_backups_carry_the_key_and_give_it_back(lab, volumes, secret, settled, gone, until):
    volume = made(volumes, settled, volume_type="secret")
    word = passphrase(lab, volume["encryption_key_id"])
    backup_id = volumes.post("/backups", {"backup": {"volume_id": volume["id"]}}).body["backup"]["id"]

    def backup():
        found = volumes.get(f"/backups/{backup_id}").body["backup"]
        return found if found["status"] == "available" else None

    shown = until(backup)
    assert shown["encryption_key_id"] not in (None, volume["encryption_key_id"])
    volumes.delete(f"/volumes/{volume['id']}")
    gone(volume["id"])
    restored = volumes.post(f"/backups/{backup_id}/restore", {"restore": {}}).body["restore"]["volume_id"]
    found = settled(restored)
    assert found["volume_type"] == "secret" and passphrase(lab, found["encryption_key_id"]) == word
    # Over a volume that was there: its own key ends with its data.
    other, plain = made(volumes, settled, volume_type="secret"), made(volumes, settled)
    until(backup)
    refused = volumes.post(f"/backups/{backup_id}/restore", {"restore": {"volume_id": plain["id"]}})
    assert refused.status == 400 and "encrypted as it is" in refused.words
    assert (
        volumes.post(f"/backups/{backup_id}/restore", {"restore": {"volume_id": other["id"]}}).status == 202
    )
    until(backup)
    now = settled(other["id"])
    assert now["encryption_key_id"] != other["encryption_key_id"]
    assert passphrase(lab, now["encryption_key_id"]) == word
    assert other["encryption_key_id"] not in keys_of(lab)
    volumes.delete(f"/backups/{backup_id}")
    until(lambda: volumes.get(f"/backups/{backup_id}").status == 404)
    assert set(keys_of(lab)) == {found["encryption_key_id"], now["encryption_key_id"]}


def test_the_key_goes_with_the_volume_to_another_project(lab, volumes, secret, settled):
    volume = made(volumes, settled, volume_type="secret")
    refused = volumes.at("3.69").post("/volume-transfers", {"transfer": {"volume_id": volume["id"]}})
    assert refused.status == 400 and "not supported" in refused.words
    offer = volumes.post("/volume-transfers", {"transfer": {"volume_id": volume["id"]}}).body["transfer"]
    taker = lab.client("stranger")
    accepted = {"accept": {"auth_key": offer["auth_key"]}}
    assert taker.post(f"/volume-transfers/{offer['id']}/accept", accepted).status == 202
    assert keys_of(lab)[volume["encryption_key_id"]].project_id == taker.project_id
    clone = settled(taker.create(1, source_volid=volume["id"])["id"])
    assert passphrase(lab, clone["encryption_key_id"]) == passphrase(lab, volume["encryption_key_id"])
