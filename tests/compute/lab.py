"""A cloud as the compute tests use it: personas, an image, servers, and what must hold when all is quiet."""

from typing import Any

from sqlalchemy import select
from tests.cloud import Client, LabCloud, until

from celaje.common.db import fetch_all
from celaje.compute.db import nodes
from celaje.compute.db.tables import BLOCK_DEVICES, COMPUTE_NODES, FLOWS, INTERFACES, SERVERS

LATEST = {"X-OpenStack-Nova-API-Version": "2.104"}
VOLUME = {"OpenStack-API-Version": "volume 3.71"}


class Lab:
    def __init__(self, cloud: LabCloud):
        self.cloud = cloud
        self.user = cloud.as_user("compute", "demo", "demo")
        self.admin = cloud.as_user("compute", "admin", "admin")
        self.volume = cloud.as_user("volume", "demo", "demo")
        self.network = cloud.as_user("network", "demo", "demo")
        self.placement = cloud.as_user("placement", "admin", "admin")
        self.image_id = self._image()
        self.settled()

    @property
    def service(self) -> Any:
        return self.cloud.running["compute"]

    @property
    def driver(self) -> Any:
        return self.service.compute_worker.driver

    @property
    def guests(self) -> dict[str, Any]:
        return self.driver.state.servers

    def settled(self) -> None:
        """All hosts are at placement, and the schedulers have heard of it."""
        hosts = len(self.driver.nodes())

        def ready() -> bool:
            found = self.service.scheduler.hosts.nodes.values()
            return sum(node.provider is not None for node in found) == hosts

        until(ready, 20, "hosts published")

    def _image(self) -> str:
        images = self.cloud.as_user("image", "demo", "demo")
        body = {"name": "tiny", "disk_format": "raw", "container_format": "bare"}
        image = images.post("/v2/images", body).ok(201)
        sent = images.request(
            "PUT",
            f"/v2/images/{image['id']}/file",
            raw=b"\0" * 512,
            headers={"Content-Type": "application/octet-stream"},
        )
        assert sent.status == 204, sent.body
        return image["id"]

    def body(self, **wanted: Any) -> dict[str, Any]:
        return {"name": "vm", "flavorRef": "42", "imageRef": self.image_id, "networks": "none", **wanted}

    def post(
        self, hints: Any = None, client: Client | None = None, headers: Any = None, **wanted: Any
    ) -> Any:
        body = {"server": self.body(**wanted)}
        if hints:
            body["os:scheduler_hints"] = hints
        return (client or self.user).post("/v2.1/servers", body, headers=headers or LATEST)

    def create(self, status: str | None = "ACTIVE", hints: Any = None, **wanted: Any) -> str:
        """A server; waits until it is `status` (None: does not wait)."""
        server_id = self.post(hints, **wanted).ok(202)["server"]["id"]
        if status:
            self.until_status(server_id, status)
        return server_id

    def show(self, server_id: str, client: Client | None = None) -> dict[str, Any]:
        return (client or self.user).get(f"/v2.1/servers/{server_id}", headers=LATEST).ok()["server"]

    def until_status(self, server_id: str, status: str, seconds: float = 20) -> dict[str, Any]:
        def there() -> Any:
            shown = self.show(server_id, self.admin)
            if status != "ERROR" and shown["status"] == "ERROR":
                raise AssertionError(f"{server_id} is in ERROR: {shown.get('fault')}")
            return shown if shown["status"] == status and shown["OS-EXT-STS:task_state"] is None else None

        return until(there, seconds, f"{server_id} {status}")

    def act(self, server_id: str, action: str, value: Any = None, client: Client | None = None) -> Any:
        return (client or self.user).post(
            f"/v2.1/servers/{server_id}/action", {action: value}, headers=LATEST
        )

    def delete(self, server_id: str) -> None:
        assert self.user.delete(f"/v2.1/servers/{server_id}").status == 204
        self.until_gone(server_id)

    def until_gone(self, server_id: str) -> None:
        until(lambda: self.admin.get(f"/v2.1/servers/{server_id}").status == 404, 20, "gone")

    def new_volume(self, size: int = 1) -> str:
        volume = self.volume.post("/v3/volumes", {"volume": {"size": size}}, headers=VOLUME)
        volume_id = volume.ok(202)["volume"]["id"]
        self.until_volume(volume_id, "available")
        return volume_id

    def show_volume(self, volume_id: str) -> dict[str, Any]:
        return self.volume.get(f"/v3/volumes/{volume_id}", headers=VOLUME).ok()["volume"]

    def until_volume(self, volume_id: str, status: str) -> dict[str, Any]:
        def there() -> Any:
            shown = self.show_volume(volume_id)
            return shown if shown["status"] == status else None

        return until(there, 20, f"volume {volume_id} {status}")

    def rows(self, table: Any, *where: Any) -> list[dict[str, Any]]:
        return self.service.database.read(fetch_all, select(table).where(*where))

    def rows_of_ports(self, server_id: str) -> list[dict[str, Any]]:
        admin = self.cloud.as_user("network", "admin", "admin")
        return admin.get(f"/v2.0/ports?device_id={server_id}").ok()["ports"]

    def flows_ended(self) -> bool:
        flows = FLOWS.flows
        return not self.rows(flows, flows.c.finished_at.is_(None))

    def check(self) -> None:
        """What must hold when nothing is under way: the rows, the driver, placement, the ports and the
        attachments tell the same story."""
        until(self.flows_ended, 30, "flows ended")
        servers = self.rows(SERVERS, SERVERS.c.deleted.is_(False))
        stuck = [row["id"] for row in servers if row["task_state"] or row["flow_id"]]
        assert not stuck, f"servers in a passing state without a flow: {stuck}"
        placed = {row["id"] for row in servers if row["host"]}
        until(lambda: set(self.guests) == placed, 5, f"guests {set(self.guests)} are rows {placed}")
        assert self._allocated() == placed
        ids = {row["id"] for row in servers}
        assert {row["server_id"] for row in self.rows(INTERFACES)} <= ids
        ports = self.cloud.as_user("network", "admin", "admin").get("/v2.0/ports").ok()["ports"]
        owned = {port["id"]: port for port in ports if port["device_owner"].startswith("compute")}
        assert set(owned) == {row["port_id"] for row in self.rows(INTERFACES)}
        attachments = self.cloud.as_user("volume", "admin", "admin").get(
            "/v3/attachments?all_tenants=1", headers=VOLUME
        )
        used = {(one["instance"], one["volume_id"]) for one in attachments.ok()["attachments"]}
        known = {
            (row["server_id"], row["volume_id"])
            for row in self.rows(BLOCK_DEVICES, BLOCK_DEVICES.c.state == "attached")
            if row["volume_id"]
        }
        assert used == known
        assert not self.rows(BLOCK_DEVICES, BLOCK_DEVICES.c.state.in_(("attaching", "detaching")))

    def _allocated(self) -> set[str]:
        found: set[str] = set()
        for row in self.rows(COMPUTE_NODES):
            answer = self.placement.get(f"/resource_providers/{row['uuid']}/allocations")
            found |= set(answer.ok()["allocations"])
        return found

    def restart(self) -> None:
        """The compute service dies as by kill -9 and comes up again on what it had written."""
        self.service.kill()
        self.cloud._start_service("compute")
        self.service.start_flows()

    def providers(self) -> dict[str, str]:
        return self.service.database.read(nodes.providers)
