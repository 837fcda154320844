"""Transfers of volumes between projects."""


def offer(client, volume_id, base="/volume-transfers", **fields):
    answer = client.post(base, {"transfer": {"volume_id": volume_id, **fields}})
    assert answer.status == 202, answer.words
    return answer.body["transfer"]


def test_a_volume_changes_hands(lab, volumes, settled):
    volume = volumes.create(1)
    settled(volume["id"])
    transfer = offer(volumes, volume["id"], name="gift")
    assert transfer["name"] == "gift" and len(transfer["auth_key"]) == 16
    assert transfer["source_project_id"] == volumes.project_id
    assert volumes.volume(volume["id"])["status"] == "awaiting-transfer"
    (listed,) = volumes.get("/volume-transfers/detail").body["transfers"]
    assert "auth_key" not in listed and listed["no_snapshots"] is False
    assert set(volumes.get("/os-volume-transfer").body["transfers"][0]) == {
        "id",
        "volume_id",
        "name",
        "links",
    }
    stranger = lab.client("stranger")
    # Whoever does not own it cannot see it, but can take it with the key.
    assert stranger.get(f"/volume-transfers/{transfer['id']}").status == 404
    path = f"/volume-transfers/{transfer['id']}/accept"
    wrong = stranger.post(path, {"accept": {"auth_key": "0" * 16}})
    assert wrong.status == 400 and "invalid auth key" in wrong.words
    taken = stranger.post(path, {"accept": {"auth_key": transfer["auth_key"]}})
    assert taken.status == 202 and taken.body["transfer"]["volume_id"] == volume["id"]
    assert volumes.get(f"/volumes/{volume['id']}").status == 404
    assert stranger.volume(volume["id"])["status"] == "available"
    assert stranger.post(path, {"accept": {"auth_key": transfer["auth_key"]}}).status == 404


def test_snapshots_go_along_unless_told_otherwise(lab, volumes, settled, until):
    stranger = lab.client("stranger")
    for no_snapshots in (False, True):
        volume = volumes.create(1)
        settled(volume["id"])
        snapshot = volumes.post("/snapshots", {"snapshot": {"volume_id": volume["id"]}}).body["snapshot"]
        until(
            lambda s=snapshot: volumes.get(f"/snapshots/{s['id']}").body["snapshot"]["status"] == "available"
        )
        transfer = offer(volumes, volume["id"], no_snapshots=no_snapshots)
        accept = {"accept": {"auth_key": transfer["auth_key"]}}
        assert stranger.post(f"/volume-transfers/{transfer['id']}/accept", accept).status == 202
        owner, other = (volumes, stranger) if no_snapshots else (stranger, volumes)
        assert owner.get(f"/snapshots/{snapshot['id']}").status == 200
        assert other.get(f"/snapshots/{snapshot['id']}").status == 404


def test_an_offer_is_withdrawn(volumes, settled):
    volume = volumes.create(1)
    settled(volume["id"])
    transfer = offer(volumes, volume["id"], base="/os-volume-transfer")
    assert volumes.post("/os-volume-transfer", {"transfer": {"volume_id": volume["id"]}}).status == 400, (
        "it is offered already"
    )
    assert volumes.delete(f"/volumes/{volume['id']}").status == 400
    assert volumes.delete(f"/os-volume-transfer/{transfer['id']}").status == 202
    assert volumes.volume(volume["id"])["status"] == "available"
    assert volumes.get("/os-volume-transfer").body == {"transfers": []}


def test_the_taker_needs_room(lab, volumes, settled):
    admin, stranger = lab.client("admin"), lab.client("stranger")
    admin.put(f"/os-quota-sets/{stranger.project_id}", {"quota_set": {"volumes": 0}})
    volume = volumes.create(1)
    settled(volume["id"])
    transfer = offer(volumes, volume["id"])
    accept = {"accept": {"auth_key": transfer["auth_key"]}}
    assert stranger.post(f"/volume-transfers/{transfer['id']}/accept", accept).status == 413
    assert volumes.volume(volume["id"])["status"] == "awaiting-transfer"
    # An operator may take it out of its wait; the offer is gone with it.
    assert admin.act(volume["id"], "os-reset_status", {"status": "available"}).status == 202
    assert volumes.get("/volume-transfers").body == {"transfers": []}


def test_no_snapshots_is_known_since_3_55(volumes, settled):
    volume = volumes.create(1)
    settled(volume["id"])
    body = {"transfer": {"volume_id": volume["id"], "no_snapshots": True}}
    assert volumes.at("3.54").post("/volume-transfers", body).status == 400
    assert (
        "no_snapshots"
        not in volumes.at("3.54")
        .post("/volume-transfers", {"transfer": {"volume_id": volume["id"]}})
        .body["transfer"]
    )
