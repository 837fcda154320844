"""What people do with a cloud, each with what it needs, what it promises, and how its traces are removed.

`prepare` makes the preconditions, `act` is one request, `kept` says what the promise of a 2xx is, `never`
whether nothing at all has happened, which is right only where the caller got no promise. What a crash leaves
behind, `Story.clear` must be able to delete.
"""

import datetime
import gzip
import hashlib
from typing import Any

from celaje.common import clock
from celaje.volume.db.tables import BACKUPS
from tests.cloud import Answer, Client, until
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


class CreateVolume:
    image = False

    def prepare(self, story: Story) -> Made:
        return {"imageRef": story.image_id()} if self.image else {}

    def act(self, story: Story, made: Made) -> Answer:
        return story.ask_for_volume("new", **made)

    def kept(self, story: Story, made: Made) -> None:
        promise([one["status"] for one in story.volumes()] == ["available"], "a volume", story.volumes())

    def never(self, story: Story, made: Made) -> bool:
        return story.volumes() == []


class CreateVolumeFromImage(CreateVolume):
    image = True


class CreateServer:
    def prepare(self, story: Story) -> Made:
        return {}

    def act(self, story: Story, made: Made) -> Answer:
        return story.ask_for_server("new")

    def kept(self, story: Story, made: Made) -> None:
        found = story.servers()
        promise([one["status"] for one in found] == ["ACTIVE"], "a server", found)
        promise(len(found[0]["addresses"]["private"]) == 1, "one address", found)

    def never(self, story: Story, made: Made) -> bool:
        return story.servers() == []


class CreateServerOnVolume(CreateServer):
    """Boots from a volume that is made for it and goes with it."""

    def act(self, story: Story, made: Made) -> Answer:
        device = {
            "boot_index": 0,
            "uuid": story.image_id(),
            "source_type": "image",
            "destination_type": "volume",
            "volume_size": 1,
            "delete_on_termination": True,
        }
        return story.ask_for_server("new", block_device_mapping_v2=[device])

    def kept(self, story: Story, made: Made) -> None:
        super().kept(story, made)
        promise([one["status"] for one in story.volumes()] == ["in-use"], "one volume", story.volumes())

    def never(self, story: Story, made: Made) -> bool:
        return story.servers() == [] and story.volumes() == []


class Attach:
    def prepare(self, story: Story) -> Made:
        return {"server": story.new_server("vm"), "volume": story.new_volume("disk")}

    def act(self, story: Story, made: Made) -> Answer:
        return story.attach(made["server"], made["volume"])

    def kept(self, story: Story, made: Made) -> None:
        volume = story.show_volume(made["volume"])
        promise(volume["status"] == "in-use", "in-use", volume)
        promise([one["server_id"] for one in volume["attachments"]] == [made["server"]], "attached", volume)

    def never(self, story: Story, made: Made) -> bool:
        return story.show_volume(made["volume"])["status"] == "available"


class Detach:
    def prepare(self, story: Story) -> Made:
        return story.attached_pair()

    def act(self, story: Story, made: Made) -> Answer:
        return story.detach(made["server"], made["volume"])

    def kept(self, story: Story, made: Made) -> None:
        volume = story.show_volume(made["volume"])
        promise(volume["status"] == "available", "available", volume)

    def never(self, story: Story, made: Made) -> bool:
        return story.show_volume(made["volume"])["status"] == "in-use"


class Extend:
    status = "available"

    def prepare(self, story: Story) -> Made:
        return {"volume": story.new_volume("disk")}

    def act(self, story: Story, made: Made) -> Answer:
        return story.act_on_volume(made["volume"], "os-extend", {"new_size": 2})

    def kept(self, story: Story, made: Made) -> None:
        volume = story.show_volume(made["volume"])
        promise((volume["size"], volume["status"]) == (2, self.status), "2 GiB", volume)

    def never(self, story: Story, made: Made) -> bool:
        volume = story.show_volume(made["volume"])
        return (volume["size"], volume["status"]) == (1, self.status)


class ExtendAttached(Extend):
    status = "in-use"

    def prepare(self, story: Story) -> Made:
        return story.attached_pair()

    def kept(self, story: Story, made: Made) -> None:
        super().kept(story, made)
        guests = story.lives.cloud.running["compute"].compute_worker.driver.state.servers
        seen = guests[made["server"]]["volumes"][made["volume"]].get("size")
        promise(seen == 2 << 30, "the guest sees 2 GiB", seen)


class DeleteServer:
    """With a volume attached, which stays."""

    def prepare(self, story: Story) -> Made:
        return story.attached_pair()

    def act(self, story: Story, made: Made) -> Answer:
        return story.delete_server(made["server"])

    def kept(self, story: Story, made: Made) -> None:
        promise(story.server(made["server"]) is None, "deleted", story.server(made["server"]))
        volume = story.show_volume(made["volume"])
        promise(volume["status"] == "available", "its volume is free", volume)

    def never(self, story: Story, made: Made) -> bool:
        server, volume = story.server(made["server"]), story.show_volume(made["volume"])
        return server is not None and (server["status"], volume["status"]) == ("ACTIVE", "in-use")


class DeleteServerWithItsVolume(DeleteServer):
    """The volume goes with the server."""

    def prepare(self, story: Story) -> Made:
        made = story.attached_pair()
        story.compute.put(
            f"/v2.1/servers/{made['server']}/os-volume_attachments/{made['volume']}",
            {"volumeAttachment": {"volumeId": made["volume"], "delete_on_termination": True}},
            headers=NOVA,
        ).ok(202)
        return made

    def kept(self, story: Story, made: Made) -> None:
        promise(story.server(made["server"]) is None, "deleted", story.server(made["server"]))
        promise(story.show_volume(made["volume"]) is None, "its volume too", story.volumes())


class DeleteVolume:
    def prepare(self, story: Story) -> Made:
        return {"volume": story.new_volume("disk")}

    def act(self, story: Story, made: Made) -> Answer:
        return story.volume.delete(f"/v3/volumes/{made['volume']}", headers=CINDER)

    def kept(self, story: Story, made: Made) -> None:
        promise(story.volumes() == [], "deleted", story.volumes())

    def never(self, story: Story, made: Made) -> bool:
        volume = story.show_volume(made["volume"])
        return volume is not None and volume["status"] == "available"


class CreateSnapshot:
    def prepare(self, story: Story) -> Made:
        return {"volume": story.new_volume("disk")}

    def act(self, story: Story, made: Made) -> Answer:
        body = {"snapshot": {"volume_id": made["volume"], "name": "copy"}}
        return story.volume.post("/v3/snapshots", body, headers=CINDER)

    def kept(self, story: Story, made: Made) -> None:
        found = story.snapshots()
        promise([one["status"] for one in found] == ["available"], "a snapshot", found)

    def never(self, story: Story, made: Made) -> bool:
        return story.snapshots() == []


class CreateBackup:
    """An incremental one; a volume that is copied is available again whatever happens."""

    def prepare(self, story: Story) -> Made:
        volume = story.new_volume("disk")
        story.say(volume, "first words")
        story.ask_for_backup(volume).ok(202)
        story.quiet()
        story.say(volume, "second words")
        return {"volume": volume}

    def act(self, story: Story, made: Made) -> Answer:
        return story.ask_for_backup(made["volume"], incremental=True)

    def kept(self, story: Story, made: Made) -> None:
        found = story.backups()
        promise([one["status"] for one in found] == ["available"] * 2, "a second backup", found)
        promise([one["is_incremental"] for one in found] == [True, False], "incremental", found)
        promise(story.show_volume(made["volume"])["status"] == "available", "given back", found)

    def never(self, story: Story, made: Made) -> bool:
        return len(story.backups()) == 1


class RestoreBackup(CreateBackup):
    into_a_new_one = False

    def prepare(self, story: Story) -> Made:
        made = super().prepare(story)
        made["backup"] = super().act(story, made).ok(202)["backup"]["id"]
        story.quiet()
        story.say(made["volume"], "spoilt")
        return made

    def act(self, story: Story, made: Made) -> Answer:
        wanted = {} if self.into_a_new_one else {"volume_id": made["volume"]}
        return story.volume.post(f"/v3/backups/{made['backup']}/restore", {"restore": wanted}, headers=CINDER)

    def kept(self, story: Story, made: Made) -> None:
        found = [one for one in story.volumes() if self.into_a_new_one == (one["id"] != made["volume"])]
        promise([one["status"] for one in found] == ["available"], "a restored volume", found)
        promise(story.heard(found[0]["id"]) == "second words", "its content", story.heard(found[0]["id"]))
        promise({one["status"] for one in story.backups()} == {"available"}, "backups", story.backups())

    def never(self, story: Story, made: Made) -> bool:
        return len(story.volumes()) == 1 and story.heard(made["volume"]) == "spoilt"


class RestoreBackupIntoNewVolume(RestoreBackup):
    into_a_new_one = True


class DeleteBackup(RestoreBackup):
    def act(self, story: Story, made: Made) -> Answer:
        return story.volume.delete(f"/v3/backups/{made['backup']}", headers=CINDER)

    def kept(self, story: Story, made: Made) -> None:
        found = story.backups()
        promise([one["is_incremental"] for one in found] == [False], "the full one is left", found)

    def never(self, story: Story, made: Made) -> bool:
        return len(story.backups()) == 2


class DeleteSnapshot(CreateSnapshot):
    def prepare(self, story: Story) -> Made:
        made = super().prepare(story)
        made["snapshot"] = super().act(story, made).ok(202)["snapshot"]["id"]
        story.quiet()
        return made

    def act(self, story: Story, made: Made) -> Answer:
        return story.volume.delete(f"/v3/snapshots/{made['snapshot']}", headers=CINDER)

    def kept(self, story: Story, made: Made) -> None:
        promise(story.snapshots() == [], "deleted", story.snapshots())

    def never(self, story: Story, made: Made) -> bool:
        return [one["status"] for one in story.snapshots()] == ["available"]


class Stop:
    def prepare(self, story: Story) -> Made:
        return {"server": story.new_server("vm")}

    def act(self, story: Story, made: Made) -> Answer:
        return story.act_on_server(made["server"], "os-stop")

    def kept(self, story: Story, made: Made) -> None:
        server = story.server(made["server"])
        promise(server["status"] == "SHUTOFF", "stopped", server)

    def never(self, story: Story, made: Made) -> bool:
        return story.server(made["server"])["status"] == "ACTIVE"


class PlugInterface:
    def prepare(self, story: Story) -> Made:
        return {"server": story.new_server("vm")}

    def act(self, story: Story, made: Made) -> Answer:
        return story.compute.post(
            f"/v2.1/servers/{made['server']}/os-interface",
            {"interfaceAttachment": {"net_id": story.network_id()}},
            headers=NOVA,
        )

    def kept(self, story: Story, made: Made) -> None:
        found = story.server(made["server"])["addresses"]["private"]
        promise(len(found) == 2, "a second address", found)

    def never(self, story: Story, made: Made) -> bool:
        return len(story.server(made["server"])["addresses"]["private"]) == 1


class ImportStagedImage:
    """Into two stores."""

    before = "uploading"

    def prepare(self, story: Story) -> Made:
        return {"image": story.new_image(stage=b"staged" * 1000)}

    def act(self, story: Story, made: Made) -> Answer:
        return story.ask_for_import(made["image"], "glance-direct", all_stores=True)

    def kept(self, story: Story, made: Made) -> None:
        image = story.show_image(made["image"])
        promise((image["status"], image["stores"]) == ("active", "fast,cheap"), "an active image", image)
        data = story.image.get(f"/v2/images/{made['image']}/file").body
        promise(hashlib.sha512(data).hexdigest() == image["os_hash_value"], "its data", len(data))

    def never(self, story: Story, made: Made) -> bool:
        image = story.show_image(made["image"])
        if image["status"] == "uploading":
            # The staged data waits for its import, as it may for a week: not what this looks at.
            story.image.delete(f"/v2/images/{made['image']}").ok(204)
        return image["status"] == self.before


class ImportImageFromTheWeb(ImportStagedImage):
    """Compressed, so that it is unpacked on its way."""

    before = "queued"

    def prepare(self, story: Story) -> Made:
        WEB.pages["/image"] = gzip.compress(b"web" * 1000)
        return {"image": story.new_image()}

    def act(self, story: Story, made: Made) -> Answer:
        method = {"uri": f"{WEB.url}/image"}
        return story.ask_for_import(made["image"], "web-download", method=method, all_stores=True)


class CopyImage(ImportStagedImage):
    def prepare(self, story: Story) -> Made:
        return {"image": story.new_image(b"copied" * 1000)}

    def act(self, story: Story, made: Made) -> Answer:
        return story.ask_for_import(made["image"], "copy-image", stores=["cheap"])

    def never(self, story: Story, made: Made) -> bool:
        image = story.show_image(made["image"])
        return (image["status"], image["stores"]) == ("active", "fast")


class AddLocation(ImportImageFromTheWeb):
    def prepare(self, story: Story) -> Made:
        WEB.pages["/image"] = b"web" * 1000
        return {"image": story.new_image()}

    def act(self, story: Story, made: Made) -> Answer:
        path = f"/v2/images/{made['image']}/locations"
        return story.image.post(path, {"url": f"{WEB.url}/image"})

    def kept(self, story: Story, made: Made) -> None:
        image = story.show_image(made["image"])
        found = (image["status"], image["stores"], image["os_hash_value"])
        promise(
            found == ("active", "web", hashlib.sha512(b"web" * 1000).hexdigest()), "an active image", image
        )


class ImportImageByTask:
    def prepare(self, story: Story) -> Made:
        WEB.pages["/image"] = b"web" * 1000
        return {}

    def act(self, story: Story, made: Made) -> Answer:
        given = {
            "import_from": f"{WEB.url}/image",
            "import_from_format": "raw",
            "image_properties": {"name": "tasked"},
        }
        return story.image.post("/v2/tasks", {"type": "import", "input": given})

    def kept(self, story: Story, made: Made) -> None:
        found = [image["status"] for image in story.images() if image["name"] == "tasked"]
        promise(found == ["active"], "one image", found)

    def never(self, story: Story, made: Made) -> bool:
        return len(story.images()) == 1


class DeleteImage:
    def prepare(self, story: Story) -> Made:
        return {"image": story.new_image(b"deleted" * 1000)}

    def act(self, story: Story, made: Made) -> Answer:
        return story.image.delete(f"/v2/images/{made['image']}")

    def kept(self, story: Story, made: Made) -> None:
        promise(story.show_image(made["image"]) is None, "deleted", story.show_image(made["image"]))

    def never(self, story: Story, made: Made) -> bool:
        image = story.show_image(made["image"])
        return image is not None and image["status"] == "active"


OPERATIONS = {
    one.__name__: one()
    for one in (
        CreateVolume, CreateVolumeFromImage, CreateServer, CreateServerOnVolume, Attach, Detach, Extend,
        ExtendAttached, DeleteServer, DeleteServerWithItsVolume, DeleteVolume, CreateSnapshot, DeleteSnapshot,
        Stop, PlugInterface, CreateBackup, RestoreBackup, RestoreBackupIntoNewVolume, DeleteBackup,
        ImportStagedImage, ImportImageFromTheWeb, CopyImage, AddLocation,
        ImportImageByTask, DeleteImage,
    )
}  # fmt: skip

__all__ = ["OPERATIONS", "Story", "until"]
