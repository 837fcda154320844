"""What waits for a worker that will not come back is ended on demand; log levels are each process's own."""

import datetime
import logging

import pytest

from celaje.common import clock


def lost(lab, worker):
    """The worker is gone for good: its record is as old as a dead one's."""
    worker.kill()
    services = lab.service.metadata.tables["services"]
    long_ago = clock.now() - datetime.timedelta(hours=1)
    change = services.update().where(services.c.binary == "cinder-volume").values(last_seen_at=long_ago)
    lab.service.database.write(lambda tx: tx.execute(change))


def waiting(lab):
    flows = lab.service.flow_tables.flows
    rows = lab.service.database.read(lambda tx: tx.execute(flows.select()).mappings().all())
    return [row for row in rows if row["waiting_on"] == "volume-worker.node@fast" and row["owner"] is None]


def test_flows_of_a_dead_worker_are_ended(lab, settled, until):
    lab.start(parts=("api", "conductor", "scheduler"))
    worker = lab.make(("worker",))
    worker.start()
    admin, volumes = lab.client("admin"), lab.client()
    kept, other = (settled(volumes.create(1)["id"])["id"] for _ in range(2))
    assert admin.post("/workers/cleanup", {}).body == {"cleaning": [], "unavailable": []}
    lost(lab, worker)
    for volume_id in (kept, other):
        assert volumes.delete(f"/volumes/{volume_id}").status == 202
    until(lambda: len(waiting(lab)) == 2)
    assert admin.post("/workers/cleanup", {"host": "elsewhere"}).body["cleaning"] == []
    one = {"resource_type": "volume", "resource_id": kept, "binary": "cinder-volume"}
    (cleaned,) = admin.post("/workers/cleanup", one).body["cleaning"]
    assert cleaned == {
        "id": cleaned["id"],
        "host": "node@fast",
        "binary": "cinder-volume",
        "cluster_name": None,
    }
    settled(kept, "error_deleting")
    assert volumes.get(f"/volumes/{other}").body["volume"]["status"] == "deleting"
    assert admin.post("/workers/cleanup").status == 202
    settled(other, "error_deleting")


def test_cleanup_refuses(lab, volumes):
    admin = lab.client("admin")
    wrong = admin.post("/workers/cleanup", {"resource_type": "planet"})
    assert wrong.status == 400 and "Resource type Planet not valid" in wrong.words
    assert admin.post("/workers/cleanup", {"binary": "cinder-api"}).status == 400
    nothing = admin.post("/workers/cleanup", {"resource_id": "11111111-2222-4333-8444-555555555555"})
    assert nothing.status == 400 and "pending cleanup" in nothing.words
    assert admin.at("3.23").post("/workers/cleanup", {}).status == 404
    assert volumes.post("/workers/cleanup", {}).status == 403


@pytest.fixture
def restored_level():
    logger = logging.getLogger("celaje.volume.worker")
    level = logger.level
    yield
    logger.setLevel(level)


def test_log_levels(lab, volumes, restored_level, until):
    admin = lab.client("admin")
    until(lambda: len(admin.get("/os-services").body["services"]) == 4)
    name = "celaje.volume.worker"

    def levels(**who):
        found = admin.put("/os-services/get-log", {"prefix": name, **who}).body["log_levels"]
        return {(each["binary"], each["host"]): each["levels"][name] for each in found}

    body = {"prefix": name, "level": "debug"}
    assert admin.put("/os-services/set-log", {**body, "binary": "cinder-volume"}).status == 202
    binaries = {"api": "node", "scheduler": "node", "volume": "node@fast", "backup": "node"}
    assert levels() == {(f"cinder-{each}", host): "DEBUG" for each, host in binaries.items()}
    assert levels(binary="cinder-volume", server="node@fast") == {("cinder-volume", "node@fast"): "DEBUG"}
    assert levels(server="nobody") == {}
    wrong = admin.put("/os-services/set-log", {"level": "loud"})
    assert wrong.status == 400 and "loud is not a valid log level" in wrong.words
    assert admin.at("3.31").put("/os-services/get-log", {}).status == 404
    assert volumes.put("/os-services/get-log", {}).status == 403
