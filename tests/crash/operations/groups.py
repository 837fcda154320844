"""Groups of volumes."""

from tests.cloud import Answer
from tests.crash.story import CINDER, Made, Story, promise


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
