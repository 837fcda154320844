"""Snapshots of volumes."""

from tests.cloud import Answer
from tests.crash.story import CINDER, Made, Story, promise


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


class DeleteVolumeWithSnapshots(DeleteSnapshot):
    def act(self, story: Story, made: Made) -> Answer:
        return story.volume.delete(f"/v3/volumes/{made['volume']}?cascade=true", headers=CINDER)

    def kept(self, story: Story, made: Made) -> None:
        super().kept(story, made)
        promise(story.volumes() == [], "the volume too", story.volumes())


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
