"""What a volume holds: copied, written anew, made an image of."""

from tests.cloud import Answer
from tests.crash.operations.volumes import CreateVolume
from tests.crash.story import Made, Story, promise


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
