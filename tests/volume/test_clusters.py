"""Workers of one cluster: shown together, switched together, and each does what the other would."""

import pytest

CLUSTER = "pair@fast"


@pytest.fixture
def pair(lab, until):
    """The workers of two nodes for one simulated disk, beside the rest of the service."""
    lab.overrides = {
        (None, "cluster"): "pair",
        ("coordination", "backend_url"): f"file://{lab.state}/locks",
    }
    lab.start(parts=("api", "conductor", "scheduler"))
    workers = [lab.make(("worker",), host=name) for name in ("node", "other")]
    for worker in workers:
        worker.start()
    admin = lab.client("admin")

    def both():
        return [one["num_hosts"] for one in admin.get("/clusters/detail").body["clusters"]] == [2]

    until(both)
    yield workers
    for worker in workers:
        worker.stop(grace=1)


@pytest.fixture
def volumes(lab, pair):
    return lab.client()


@pytest.fixture
def admin(lab, pair):
    return lab.client("admin")


def test_one_back_end_of_two_workers(admin, pair, volumes, settled, until):
    (shown,) = admin.get("/clusters/detail").body["clusters"]
    assert (
        shown
        | {
            "name": CLUSTER,
            "binary": "cinder-volume",
            "state": "up",
            "status": "enabled",
            "num_hosts": 2,
            "num_down_hosts": 0,
            "replication_status": "disabled",
            "frozen": False,
        }
        == shown
    )
    assert set(admin.at("3.25").get(f"/clusters/{CLUSTER}").body["cluster"]) == {
        "name", "binary", "state", "status", "num_hosts", "num_down_hosts", "last_heartbeat", "created_at",
        "updated_at", "disabled_reason",
    }  # fmt: skip
    assert admin.get("/clusters?num_hosts=2&is_up=true").body["clusters"][0]["name"] == CLUSTER
    assert admin.get("/clusters?num_hosts=1").body["clusters"] == []
    found = admin.get("/os-services?binary=cinder-volume").body["services"]
    assert {(row["host"], row["cluster"]) for row in found} == {
        ("node@fast", CLUSTER),
        ("other@fast", CLUSTER),
    }
    volume = settled(volumes.create(1)["id"])
    assert volume["cluster_name"] == volume["os-vol-host-attr:host"] == f"{CLUSTER}#fast"
    # Whoever is left goes on.
    pair[0].kill()
    assert volumes.delete(f"/volumes/{volume['id']}").status == 202
    until(lambda: volumes.get(f"/volumes/{volume['id']}").status == 404)


def test_switching_it(admin, volumes, settled):
    disabled = admin.put("/clusters/disable", {"name": CLUSTER, "disabled_reason": " disks "})
    assert disabled.body["cluster"] == {
        "name": CLUSTER,
        "binary": "cinder-volume",
        "state": "up",
        "status": "disabled",
        "replication_status": "disabled",
        "disabled_reason": "disks",
    }
    settled(volumes.create(1)["id"], "error")
    assert admin.put("/clusters/enable", {"name": CLUSTER}).body["cluster"]["status"] == "enabled"
    settled(volumes.create(1)["id"])
    assert admin.put("/os-services/freeze", {"cluster": CLUSTER}).status == 202
    assert admin.get(f"/clusters/{CLUSTER}").body["cluster"]["frozen"] is True
    again = admin.put("/os-services/freeze", {"cluster": CLUSTER})
    assert again.status == 400 and "already frozen" in again.words
    settled(volumes.create(1)["id"], "error")
    assert admin.put("/os-services/thaw", {"cluster": CLUSTER}).status == 202
    both = admin.put("/os-services/thaw", {"cluster": CLUSTER, "host": "node@fast"})
    assert both.status == 400 and "One and only one" in both.words
    assert admin.at("3.25").put("/os-services/thaw", {"cluster": CLUSTER}).status == 400


def test_there_is_none(lab):
    lab.start()
    admin, volumes = lab.client("admin"), lab.client()
    assert admin.get("/clusters").body == {"clusters": []}
    unknown = admin.get("/clusters/one")
    assert unknown.status == 404 and "'name': 'one'" in unknown.words
    assert admin.get("/clusters?colour=red").status == 400
    assert admin.put("/clusters/disable", {"name": "one"}).status == 404
    assert volumes.get("/clusters").status == 403
