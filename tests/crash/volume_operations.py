"""What people do with volumes beyond making and attaching them: copies, moves, images, what is managed.

As in `operations.py`; the table of all is in `table.py`.
"""

from typing import Any

from celaje.volume.db.tables import ATTACHMENTS, VOLUMES
from tests.cloud import Answer
from tests.crash.operations import CINDER, Attach, CreateVolume, DeleteSnapshot, Made, Story, promise

LOCAL = {"connector": {"host": "elsewhere"}}


class Copy(CreateVolume):
    """A volume from another."""

    def prepare(self, story: Story) -> Made:
        made = {"volume": story.new_volume("disk")}
        story.say(made["volume"], "words")
        return made

    def act(self, story: Story, made: Made) -> Answer:
        return story.ask_for_volume("new", source_volid=made["volume"])

    def kept(self, story: Story, made: Made) -> None:
        found = [one for one in story.volumes() if one["name"] == "new"]
        promise([one["status"] for one in found] == ["available"], "a copy", story.volumes())
        promise(story.heard(found[0]["id"]) == "words", "its content", story.heard(found[0]["id"]))

    def never(self, story: Story, made: Made) -> bool:
        return [one["id"] for one in story.volumes()] == [made["volume"]]


class CopyOfSnapshot(Copy):
    def prepare(self, story: Story) -> Made:
        made = super().prepare(story)
        made["snapshot"] = story.new_snapshot(made["volume"])
        story.say(made["volume"], "later words")
        return made

    def act(self, story: Story, made: Made) -> Answer:
        return story.ask_for_volume("new", snapshot_id=made["snapshot"])


class DeleteVolumeWithSnapshots(DeleteSnapshot):
    def act(self, story: Story, made: Made) -> Answer:
        return story.volume.delete(f"/v3/volumes/{made['volume']}?cascade=true", headers=CINDER)

    def kept(self, story: Story, made: Made) -> None:
        super().kept(story, made)
        promise(story.volumes() == [], "the volume too", story.volumes())


class Retype:
    """To a type that its back end does for."""

    type_name, section = "anywhere", "fake"

    def prepare(self, story: Story) -> Made:
        return {"volume": story.new_volume("disk")}

    def act(self, story: Story, made: Made) -> Answer:
        asked = {"new_type": self.type_name, "migration_policy": "on-demand"}
        return story.act_on_volume(made["volume"], "os-retype", asked)

    def kept(self, story: Story, made: Made) -> None:
        volume = story.show_volume(made["volume"])
        found = (volume["status"], volume["volume_type"], story.section_of(volume))
        promise(found == ("available", self.type_name, self.section), "its new type", volume)

    def never(self, story: Story, made: Made) -> bool:
        volume = story.show_volume(made["volume"])
        found = (volume["status"], volume["volume_type"], story.section_of(volume))
        return found == ("available", "__DEFAULT__", "fake")


class RetypeAndMove(Retype):
    type_name, section = "on-other", "other"


class RetypeAttached(Retype):
    """Its server lets go of it in the same moment, which must not be forgotten."""

    def prepare(self, story: Story) -> Made:
        return story.attached_pair()

    def kept(self, story: Story, made: Made) -> None:
        volume = story.show_volume(made["volume"])
        promise((volume["status"], volume["volume_type"]) == ("in-use", "anywhere"), "its new type", volume)

    def never(self, story: Story, made: Made) -> bool:
        volume = story.show_volume(made["volume"])
        return (volume["status"], volume["volume_type"]) == ("in-use", "__DEFAULT__")


class Migrate(Retype):
    def act(self, story: Story, made: Made) -> Answer:
        return story.act_on_volume(made["volume"], "os-migrate_volume", {"host": "celaje@other#other"})

    def kept(self, story: Story, made: Made) -> None:
        volume = story.show_volume(made["volume"])
        promise((volume["status"], story.section_of(volume)) == ("available", "other"), "moved", volume)
        promise(volume["migration_status"] == "success", "told so", volume)


class Revert:
    def prepare(self, story: Story) -> Made:
        volume = story.new_volume("disk")
        story.say(volume, "words")
        made = {"volume": volume, "snapshot": story.new_snapshot(volume)}
        story.say(volume, "spoilt")
        return made

    def act(self, story: Story, made: Made) -> Answer:
        return story.act_on_volume(made["volume"], "revert", {"snapshot_id": made["snapshot"]})

    def kept(self, story: Story, made: Made) -> None:
        promise(story.show_volume(made["volume"])["status"] == "available", "available", story.volumes())
        promise(story.heard(made["volume"]) == "words", "its content", story.heard(made["volume"]))
        promise([one["status"] for one in story.snapshots()] == ["available"], "kept", story.snapshots())

    def never(self, story: Story, made: Made) -> bool:
        return story.heard(made["volume"]) == "spoilt"


class Reimage:
    def prepare(self, story: Story) -> Made:
        return {"volume": story.new_volume("disk"), "image": story.image_id()}

    def act(self, story: Story, made: Made) -> Answer:
        return story.act_on_volume(made["volume"], "os-reimage", {"image_id": made["image"]})

    def kept(self, story: Story, made: Made) -> None:
        volume = story.show_volume(made["volume"])
        promise((volume["status"], volume["bootable"]) == ("available", "true"), "written anew", volume)
        promise(story.heard(made["volume"]) == f"image {made['image']}", "content", made)

    def never(self, story: Story, made: Made) -> bool:
        return story.heard(made["volume"]) == "empty"


class UploadToImage:
    def prepare(self, story: Story) -> Made:
        return {"volume": story.new_volume("disk")}

    def act(self, story: Story, made: Made) -> Answer:
        asked = {"image_name": "new", "disk_format": "qcow2", "protected": False}
        return story.act_on_volume(made["volume"], "os-volume_upload_image", asked)

    def kept(self, story: Story, made: Made) -> None:
        found = [image["status"] for image in story.images() if image["name"] == "new"]
        promise(found == ["active"], "an image", story.images())
        promise(story.show_volume(made["volume"])["status"] == "available", "given back", story.volumes())

    def never(self, story: Story, made: Made) -> bool:
        return len(story.images()) == 1


class Manage:
    """What an unmanaged volume has left at the back end."""

    def prepare(self, story: Story) -> Made:
        stray = story.new_volume("disk")
        story.act_on_volume(stray, "os-unmanage", {}).ok(202)
        story.lives.strays.add(stray)
        return {"stray": stray}

    def act(self, story: Story, made: Made) -> Answer:
        asked = {"host": "celaje@fake#fake", "ref": {"source-name": f"volume-{made['stray']}"}, "name": "new"}
        return story.volume.post("/v3/manageable_volumes", {"volume": asked}, headers=CINDER)

    def kept(self, story: Story, made: Made) -> None:
        found = [(one["status"], one["size"]) for one in story.volumes()]
        promise(found == [("available", 1)], "ours", story.volumes())

    def never(self, story: Story, made: Made) -> bool:
        return story.volumes() == []


class ManageSnapshot:
    def prepare(self, story: Story) -> Made:
        volume = story.new_volume("disk")
        stray = story.new_snapshot(volume)
        story.volume.post(f"/v3/snapshots/{stray}/action", {"os-unmanage": {}}, headers=CINDER).ok(202)
        story.lives.strays.add(stray)
        return {"volume": volume, "stray": stray}

    def act(self, story: Story, made: Made) -> Answer:
        asked = {"volume_id": made["volume"], "ref": {"source-name": f"_snapshot-{made['stray']}"}}
        return story.volume.post("/v3/manageable_snapshots", {"snapshot": asked}, headers=CINDER)

    def kept(self, story: Story, made: Made) -> None:
        found = [(one["status"], one["size"]) for one in story.snapshots()]
        promise(found == [("available", 1)], "ours", story.snapshots())

    def never(self, story: Story, made: Made) -> bool:
        return story.snapshots() == []


class ImportBackup:
    """The record of a backup whose row was lost."""

    def prepare(self, story: Story) -> Made:
        backup = story.ask_for_backup(story.new_volume("disk")).ok(202)["backup"]["id"]
        story.quiet()
        path = f"/v3/backups/{backup}/export_record"
        record = story.volume.get(path, headers=CINDER).ok(200)["backup-record"]
        story.forget_backup(backup)
        story.lives.strays.add(backup)
        return {"record": record, "backup": backup}

    def act(self, story: Story, made: Made) -> Answer:
        body = {"backup-record": made["record"]}
        return story.volume.post("/v3/backups/import_record", body, headers=CINDER)

    def kept(self, story: Story, made: Made) -> None:
        promise([one["status"] for one in story.backups()] == ["available"], "a backup", story.backups())

    def never(self, story: Story, made: Made) -> bool:
        return story.backups() == []


class Connect:
    """By the action that came before attachments."""

    def prepare(self, story: Story) -> Made:
        return {"volume": story.new_volume("disk")}

    def act(self, story: Story, made: Made) -> Answer:
        return story.act_on_volume(made["volume"], "os-initialize_connection", LOCAL)

    def kept(self, story: Story, made: Made) -> None:
        promise(story.connections(made["volume"]) == ["elsewhere"], "open", story.connections(made["volume"]))

    def never(self, story: Story, made: Made) -> bool:
        return story.connections(made["volume"]) == []

    def tidy(self, story: Story, made: Made) -> None:
        """No row tells of such a connection: who opened it closes it."""
        story.act_on_volume(made["volume"], "os-terminate_connection", LOCAL).ok(202)
        story.quiet()


class Disconnect(Connect):
    def prepare(self, story: Story) -> Made:
        made = super().prepare(story)
        super().act(story, made).ok(200)
        return made

    def act(self, story: Story, made: Made) -> Answer:
        return story.act_on_volume(made["volume"], "os-terminate_connection", LOCAL)

    def kept(self, story: Story, made: Made) -> None:
        promise(super().never(story, made), "closed", story.connections(made["volume"]))

    def never(self, story: Story, made: Made) -> bool:
        return story.connections(made["volume"]) == ["elsewhere"]


class Reclaim(Attach):
    """A volume was promised to a server that never came; its term passes."""

    connected = True

    def prepare(self, story: Story) -> Made:
        made: Made = {"volume": story.new_volume("disk")}
        body: dict[str, Any] = {
            "volume_uuid": made["volume"],
            "instance_uuid": "11111111-2222-4333-8444-555555555555",
        }
        if self.connected:
            body["connector"] = LOCAL["connector"]
        story.volume.post("/v3/attachments", {"attachment": body}, headers=CINDER).ok(200)
        return made

    def act(self, story: Story, made: Made) -> Answer:
        story.expire(ATTACHMENTS)
        self.settle(story)
        return Answer(202, {}, None)

    def settle(self, story: Story) -> None:
        """The sweep that each life makes every minute, now."""
        story.lives.cloud.running["volume"].conductor.sweep()
        story.quiet()

    def kept(self, story: Story, made: Made) -> None:
        volume = story.show_volume(made["volume"])
        promise(volume["status"] == "available", "given back", volume)

    def never(self, story: Story, made: Made) -> bool:
        return False


class ReclaimReserved(Reclaim):
    connected = False


class ReclaimVolume(Reclaim):
    """Set to a passing state by an operator; nobody owns it."""

    def prepare(self, story: Story) -> Made:
        made = {"volume": story.new_volume("disk")}
        story.act_on_volume(made["volume"], "os-reset_status", {"status": "attaching"}).ok(202)
        return made

    def act(self, story: Story, made: Made) -> Answer:
        story.expire(VOLUMES)
        self.settle(story)
        return Answer(202, {}, None)


class Grouped:
    """Operations on groups: two volumes of one."""

    def prepare(self, story: Story) -> Made:
        group = self.ask_for_group(story).ok(202)["group"]["id"]
        story.quiet()
        volumes = [story.new_volume(f"disk{number}", group_id=group) for number in range(2)]
        for number, volume in enumerate(volumes):
            story.say(volume, f"words {number}")
        return {"group": group, "volumes": volumes}

    @staticmethod
    def ask_for_group(story: Story) -> Answer:
        kind = story.group_type()
        asked = {"name": "new", "group_type": kind, "volume_types": [story.default_type()]}
        return story.volume.post("/v3/groups", {"group": asked}, headers=CINDER)

    @staticmethod
    def ask_for_snapshots(story: Story, made: Made) -> Answer:
        body = {"group_snapshot": {"group_id": made["group"], "name": "together"}}
        return story.volume.post("/v3/group_snapshots", body, headers=CINDER)


class CreateGroup(Grouped):
    def prepare(self, story: Story) -> Made:
        story.group_type()
        return {}

    def act(self, story: Story, made: Made) -> Answer:
        return self.ask_for_group(story)

    def kept(self, story: Story, made: Made) -> None:
        promise([one["status"] for one in story.groups()] == ["available"], "a group", story.groups())

    def never(self, story: Story, made: Made) -> bool:
        return story.groups() == []


class DeleteGroup(Grouped):
    def act(self, story: Story, made: Made) -> Answer:
        path = f"/v3/groups/{made['group']}/action"
        return story.volume.post(path, {"delete": {"delete-volumes": True}}, headers=CINDER)

    def kept(self, story: Story, made: Made) -> None:
        promise(story.groups() == story.volumes() == [], "deleted", story.groups(), story.volumes())

    def never(self, story: Story, made: Made) -> bool:
        return len(story.volumes()) == 2 and len(story.groups()) == 1


class CreateGroupSnapshot(Grouped):
    def act(self, story: Story, made: Made) -> Answer:
        return self.ask_for_snapshots(story, made)

    def kept(self, story: Story, made: Made) -> None:
        found = [one["status"] for one in [*story.group_snapshots(), *story.snapshots()]]
        promise(found == ["available"] * 3, "snapshots", story.group_snapshots(), story.snapshots())

    def never(self, story: Story, made: Made) -> bool:
        return story.group_snapshots() == story.snapshots() == []


class DeleteGroupSnapshot(Grouped):
    def prepare(self, story: Story) -> Made:
        made = super().prepare(story)
        made["snapshot"] = self.ask_for_snapshots(story, made).ok(202)["group_snapshot"]["id"]
        story.quiet()
        return made

    def act(self, story: Story, made: Made) -> Answer:
        return story.volume.delete(f"/v3/group_snapshots/{made['snapshot']}", headers=CINDER)

    def kept(self, story: Story, made: Made) -> None:
        promise(story.group_snapshots() == story.snapshots() == [], "deleted", story.snapshots())

    def never(self, story: Story, made: Made) -> bool:
        return len(story.group_snapshots()) == 1 and len(story.snapshots()) == 2


class CopyGroup(DeleteGroupSnapshot):
    """From its snapshots."""

    def source(self, made: Made) -> Made:
        return {"group_snapshot_id": made["snapshot"]}

    def act(self, story: Story, made: Made) -> Answer:
        body = {"create-from-src": {"name": "copy", **self.source(made)}}
        return story.volume.post("/v3/groups/action", body, headers=CINDER)

    def kept(self, story: Story, made: Made) -> None:
        promise([one["status"] for one in story.groups()] == ["available"] * 2, "a group", story.groups())
        copies = [one for one in story.volumes() if one["id"] not in made["volumes"]]
        promise([one["status"] for one in copies] == ["available"] * 2, "its volumes", copies)
        words = sorted(story.heard(one["id"]) for one in copies)
        promise(words == ["words 0", "words 1"], "their content", words)

    def never(self, story: Story, made: Made) -> bool:
        return len(story.groups()) == 1 and len(story.volumes()) == 2


class CopyGroupItself(CopyGroup):
    def prepare(self, story: Story) -> Made:
        return Grouped.prepare(self, story)

    def source(self, made: Made) -> Made:
        return {"source_group_id": made["group"]}
