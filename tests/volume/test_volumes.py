"""Volumes through the REST API: life, states, who sees what."""


def test_an_empty_volume_becomes_available_and_goes_again(lab, volumes, settled, gone):
    made = volumes.create(2, name="data", description="of mine", metadata={"a": "b"})
    assert made["status"] == "creating"
    assert made["attachments"] == []

    found = settled(made["id"])

    assert found["size"] == 2
    assert found["os-vol-host-attr:host"] == "node@fast#fast"
    assert found["volume_type"] == "__DEFAULT__"
    assert lab.driver().state.volumes[made["id"]].size == 2

    assert volumes.delete(f"/volumes/{made['id']}").status == 202
    gone(made["id"])
    assert lab.driver().state.volumes == {}
