"""Backups of volumes."""

from tests.cloud import Answer
from tests.crash.story import CINDER, Made, Story, promise


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
