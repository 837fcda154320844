"""Volumes that change their type or their back end."""

from tests.cloud import Answer
from tests.crash.story import Made, Story, promise


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


class MigrateAttached(Migrate):
    """Its server goes on with it, at its new place."""

    def prepare(self, story: Story) -> Made:
        made = story.attached_pair()
        story.say(made["volume"], "words")
        return made

    def kept(self, story: Story, made: Made) -> None:
        volume = story.show_volume(made["volume"])
        promise((volume["status"], story.section_of(volume)) == ("in-use", "other"), "moved", volume)
        promise(volume["migration_status"] == "success", "told so", volume)
        promise([one["server_id"] for one in volume["attachments"]] == [made["server"]], "attached", volume)
        promise(story.heard(made["volume"]) == "words", "its content", story.heard(made["volume"]))
        promise(len(story.volumes()) == 1, "nothing beside it", story.volumes())

    def never(self, story: Story, made: Made) -> bool:
        volume = story.show_volume(made["volume"])
        found = (volume["status"], story.section_of(volume), volume["migration_status"])
        return found == ("in-use", "fake", None) and len(story.volumes()) == 1


class RetypeAndMoveAttached(MigrateAttached):
    def act(self, story: Story, made: Made) -> Answer:
        asked = {"new_type": "on-other", "migration_policy": "on-demand"}
        return story.act_on_volume(made["volume"], "os-retype", asked)

    def kept(self, story: Story, made: Made) -> None:
        super().kept(story, made)
        volume = story.show_volume(made["volume"])
        promise(volume["volume_type"] == "on-other", "its new type", volume)


class Swap:
    """Another volume in the place of an attached one."""

    def prepare(self, story: Story) -> Made:
        made = story.attached_pair()
        story.say(made["volume"], "words")
        return {**made, "new": story.new_volume("new")}

    def act(self, story: Story, made: Made) -> Answer:
        return story.swap(made["server"], made["volume"], made["new"])

    def kept(self, story: Story, made: Made) -> None:
        old, new = story.show_volume(made["volume"]), story.show_volume(made["new"])
        promise((old["status"], new["status"]) == ("available", "in-use"), "swapped", old, new)
        promise([one["server_id"] for one in new["attachments"]] == [made["server"]], "attached", new)
        promise(story.heard(made["new"]) == "words", "its content", story.heard(made["new"]))

    def never(self, story: Story, made: Made) -> bool:
        old, new = story.show_volume(made["volume"]), story.show_volume(made["new"])
        return (old["status"], new["status"]) == ("in-use", "available")
