"""Retype on simulated back ends: multiattach, quotas, what may not change."""


def make_type(admin, name, **fields):
    answer = admin.post("/types", {"volume_type": {"name": name, **fields}})
    return answer.body["volume_type"]["id"]


def test_retype_changes_multiattach_of_an_available_volume(lab, volumes, settled, until):
    make_type(lab.client("admin"), "shared", extra_specs={"multiattach": "<is> True"})
    volume = volumes.create(1)
    settled(volume["id"])
    assert volumes.act(volume["id"], "os-retype", {"new_type": "shared"}).status == 202
    until(lambda: volumes.volume(volume["id"])["multiattach"])
    found = settled(volume["id"])
    assert found["volume_type"] == "shared"
    assert volumes.act(volume["id"], "os-retype", {"new_type": "shared"}).status == 400


def test_retype_needs_room_among_the_new_type_s_volumes(lab, volumes, settled):
    admin = lab.client("admin")
    make_type(admin, "rare")
    admin.put(f"/os-quota-sets/{volumes.project_id}", {"quota_set": {"volumes_rare": 0}})
    volume = volumes.create(1)
    settled(volume["id"])
    assert volumes.act(volume["id"], "os-retype", {"new_type": "rare"}).status == 413
    assert volumes.volume(volume["id"])["status"] == "available"
