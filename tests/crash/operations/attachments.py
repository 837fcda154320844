"""Volumes in servers, and connections that no server asked for."""

from typing import Any

from celaje.volume.db.tables import ATTACHMENTS
from tests.cloud import Answer
from tests.crash.story import CINDER, Made, Story, promise

LOCAL = {"connector": {"host": "elsewhere"}}


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
