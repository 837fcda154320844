"""Volumes: made, deleted, made larger, and taken under the cloud's care."""

from celaje.volume.db.tables import VOLUMES
from tests.cloud import Answer
from tests.crash.operations.attachments import Reclaim
from tests.crash.story import CINDER, Made, Story, promise


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
