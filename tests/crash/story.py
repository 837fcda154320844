"""A user of a cloud that is killed and lives again: the requests that `operations/` are made of, what is seen
at the simulated back ends, and how all traces are removed.
"""

import datetime
from typing import Any

from celaje.common import clock
from celaje.volume.db.tables import BACKUPS
from tests.cloud import Answer, Client
from tests.crash.lives import Lives
from tests.crash.soundness import until_quiet
from tests.image.web_server import WebServer

NOVA = {"X-OpenStack-Nova-API-Version": "2.100"}
CINDER = {"OpenStack-API-Version": "volume 3.71"}

Made = dict[str, Any]

# From the beginning, so that its thread is none of a cloud's.
WEB = WebServer()


class Story:
    """Requests on the present life of a cloud, as one user."""

    def __init__(self, lives: Lives):
        self.lives = lives

    @property
    def compute(self) -> Client:
        return self.lives.cloud.clients["compute"]

    @property
    def volume(self) -> Client:
        return self.lives.cloud.clients["volume"]

    @property
    def network(self) -> Client:
        return self.lives.cloud.clients["network"]

    @property
    def image(self) -> Client:
        return self.lives.cloud.clients["image"]

    def quiet(self) -> None:
        until_quiet(self.lives.cloud)

    # Images and networks: made once, used by all.

    def image_id(self) -> str:
        found = self.image.get("/v2/images?name=tiny").ok()["images"]
        if found:
            return found[0]["id"]
        body = {"name": "tiny", "disk_format": "raw", "container_format": "bare"}
        image = self.image.post("/v2/images", body).ok(201)
        octets = {"Content-Type": "application/octet-stream"}
        sent = self.image.request("PUT", f"/v2/images/{image['id']}/file", raw=b"\0" * 512, headers=octets)
        assert sent.status == 204, sent.body
        return image["id"]

    def images(self) -> list[Made]:
        found = self.image.get("/v2/images?limit=100").ok(200)["images"]
        return sorted(found, key=lambda one: one["name"] != "tiny")

    def new_image(self, data: bytes | None = None, stage: bytes | None = None) -> str:
        body = {"name": "new", "disk_format": "raw", "container_format": "bare"}
        image_id = self.image.post("/v2/images", body).ok(201)["id"]
        octets = {"Content-Type": "application/octet-stream"}
        for part, sent in (("file", data), ("stage", stage)):
            if sent is not None:
                path = f"/v2/images/{image_id}/{part}"
                self.image.request("PUT", path, raw=sent, headers=octets).ok(204)
        self.quiet() if data else None
        return image_id

    def show_image(self, image_id: str) -> Made | None:
        answer = self.image.get(f"/v2/images/{image_id}")
        return None if answer.status == 404 else answer.ok(200)

    def ask_for_import(self, image_id: str, name: str, **more: Any) -> Answer:
        body = {"method": {"name": name, **more.pop("method", {})}, **more}
        return self.image.post(f"/v2/images/{image_id}/import", body)

    def network_id(self) -> str:
        return self.network.get("/v2.0/networks?name=private").ok()["networks"][0]["id"]

    # Servers.

    def ask_for_server(self, name: str, **wanted: Any) -> Answer:
        body = {
            "name": name,
            "flavorRef": "42",
            "imageRef": self.image_id(),
            "networks": [{"uuid": self.network_id()}],
            **wanted,
        }
        return self.compute.post("/v2.1/servers", {"server": body}, headers=NOVA)

    def new_server(self, name: str, **wanted: Any) -> str:
        server_id = self.ask_for_server(name, **wanted).ok(202)["server"]["id"]
        self.quiet()
        assert self.server(server_id)["status"] == "ACTIVE", self.server(server_id).get("fault")
        return server_id

    def server(self, server_id: str) -> Made | None:
        answer = self.compute.get(f"/v2.1/servers/{server_id}", headers=NOVA)
        return None if answer.status == 404 else answer.ok(200)["server"]

    def servers(self) -> list[Made]:
        return self.compute.get("/v2.1/servers/detail", headers=NOVA).ok(200)["servers"]

    def delete_server(self, server_id: str) -> Answer:
        return self.compute.delete(f"/v2.1/servers/{server_id}", headers=NOVA)

    def act_on_server(self, server_id: str, action: str, value: Any = None) -> Answer:
        return self.compute.post(f"/v2.1/servers/{server_id}/action", {action: value}, headers=NOVA)

    # Volumes.

    def ask_for_volume(self, name: str, **wanted: Any) -> Answer:
        return self.volume.post(
            "/v3/volumes", {"volume": {"name": name, "size": 1, **wanted}}, headers=CINDER
        )

    def new_volume(self, name: str, **wanted: Any) -> str:
        volume_id = self.ask_for_volume(name, **wanted).ok(202)["volume"]["id"]
        self.quiet()
        assert self.show_volume(volume_id)["status"] == "available"
        return volume_id

    def show_volume(self, volume_id: str) -> Made | None:
        answer = self.volume.get(f"/v3/volumes/{volume_id}", headers=CINDER)
        return None if answer.status == 404 else answer.ok(200)["volume"]

    def volumes(self) -> list[Made]:
        return self.volume.get("/v3/volumes/detail", headers=CINDER).ok(200)["volumes"]

    def act_on_volume(self, volume_id: str, action: str, value: Any) -> Answer:
        return self.volume.post(f"/v3/volumes/{volume_id}/action", {action: value}, headers=CINDER)

    def new_snapshot(self, volume_id: str) -> str:
        body = {"snapshot": {"volume_id": volume_id, "name": "copy"}}
        made = self.volume.post("/v3/snapshots", body, headers=CINDER).ok(202)["snapshot"]["id"]
        self.quiet()
        return made

    def snapshots(self) -> list[Made]:
        return self.volume.get("/v3/snapshots", headers=CINDER).ok(200)["snapshots"]

    def attach(self, server_id: str, volume_id: str) -> Answer:
        return self.compute.post(
            f"/v2.1/servers/{server_id}/os-volume_attachments",
            {"volumeAttachment": {"volumeId": volume_id}},
            headers=NOVA,
        )

    def swap(self, server_id: str, volume_id: str, new_id: str) -> Answer:
        path = f"/v2.1/servers/{server_id}/os-volume_attachments/{volume_id}"
        return self.compute.request("PUT", path, {"volumeAttachment": {"volumeId": new_id}}, headers=NOVA)

    def detach(self, server_id: str, volume_id: str) -> Answer:
        return self.compute.delete(
            f"/v2.1/servers/{server_id}/os-volume_attachments/{volume_id}", headers=NOVA
        )

    def attached_pair(self) -> Made:
        server_id, volume_id = self.new_server("vm"), self.new_volume("disk")
        assert self.attach(server_id, volume_id).ok()
        self.quiet()
        assert self.show_volume(volume_id)["status"] == "in-use"
        return {"server": server_id, "volume": volume_id}

    # Backups.

    def backups(self) -> list[Made]:
        return self.volume.get("/v3/backups/detail", headers=CINDER).ok(200)["backups"]

    def ask_for_backup(self, volume_id: str, **wanted: Any) -> Answer:
        body = {"backup": {"volume_id": volume_id, **wanted}}
        return self.volume.post("/v3/backups", body, headers=CINDER)

    def forget_backup(self, backup_id: str) -> None:
        """Its row is lost; its data is not."""
        database = self.lives.cloud.running["volume"].database
        database.write(lambda tx: tx.execute(BACKUPS.delete().where(BACKUPS.c.id == backup_id)))

    # Volumes as the simulated back ends have them.

    @staticmethod
    def section_of(volume: Made) -> str:
        """The back end that a shown volume lies on."""
        return (volume["os-vol-host-attr:host"] or "@").partition("@")[2].partition("#")[0]

    def at_the_back_end(self, volume_id: str) -> Any:
        volume = self.show_volume(volume_id)
        state = self.lives.cloud.running["volume"].workers[self.section_of(volume)].driver.state
        return state, state.volumes[volume["os-vol-mig-status-attr:name_id"] or volume_id]

    def say(self, volume_id: str, words: str) -> None:
        """What the volume holds."""
        state, volume = self.at_the_back_end(volume_id)
        with state.changing():
            volume.content = words

    def heard(self, volume_id: str) -> str:
        return self.at_the_back_end(volume_id)[1].content

    def connections(self, volume_id: str) -> list[str]:
        return self.at_the_back_end(volume_id)[1].connections

    # Groups.

    def groups(self) -> list[Made]:
        return self.volume.get("/v3/groups/detail", headers=CINDER).ok(200)["groups"]

    def group_snapshots(self) -> list[Made]:
        return self.volume.get("/v3/group_snapshots/detail", headers=CINDER).ok(200)["group_snapshots"]

    def group_type(self) -> str:
        """Made once."""
        found = self.volume.get("/v3/group_types", headers=CINDER).ok(200)["group_types"]
        for one in found:
            if one["name"] == "together":
                return one["id"]
        body = {"group_type": {"name": "together"}}
        return self.volume.post("/v3/group_types", body, headers=CINDER).ok(202)["group_type"]["id"]

    def default_type(self) -> str:
        return self.volume.get("/v3/types/default", headers=CINDER).ok(200)["volume_type"]["id"]

    def expire(self, table: Any) -> None:
        """What its rows wait for has been waited for long enough."""
        long_ago = clock.now() - datetime.timedelta(days=1)
        database = self.lives.cloud.running["volume"].database
        waiting = table.update().where(table.c.expires_at.is_not(None))
        database.write(lambda tx: tx.execute(waiting.values(expires_at=long_ago)))

    def clear(self) -> None:
        """Delete every server, backup, snapshot and volume, in the way a user does; nothing may be left."""
        for server in self.servers():
            assert self.delete_server(server["id"]).status == 204, server
        self.quiet()
        # Those that nothing adds to first.
        for _ in range(2):
            for backup in self.backups():
                if not backup["has_dependent_backups"]:
                    self.volume.delete(f"/v3/backups/{backup['id']}", headers=CINDER).ok(202)
            self.quiet()
        for copies in self.group_snapshots():
            self.volume.delete(f"/v3/group_snapshots/{copies['id']}", headers=CINDER).ok(202)
        self.quiet()
        for group in self.groups():
            path, body = f"/v3/groups/{group['id']}/action", {"delete": {"delete-volumes": True}}
            self.volume.post(path, body, headers=CINDER).ok(202)
        self.quiet()
        for snapshot in self.snapshots():
            self.volume.delete(f"/v3/snapshots/{snapshot['id']}", headers=CINDER).ok(202)
        self.quiet()
        for volume in self.volumes():
            self.volume.delete(f"/v3/volumes/{volume['id']}", headers=CINDER).ok(202)
        self.quiet()
        for image in self.images():
            if image["name"] != "tiny":
                assert self.image.delete(f"/v2/images/{image['id']}").status == 204, image
        self.quiet()
        left = [
            *self.servers(), *self.snapshots(), *self.volumes(), *self.backups(), *self.images()[1:],
            *self.groups(), *self.group_snapshots(),
        ]  # fmt: skip
        assert not left, f"what a user has deleted is still there: {left}"


def promise(condition: Any, words: str, *shown: Any) -> None:
    assert condition, f"promised and not kept: {words}: {shown}"
