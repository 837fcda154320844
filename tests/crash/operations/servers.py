"""Servers, with their volumes and ports."""

from tests.cloud import Answer
from tests.crash.story import NOVA, Made, Story, promise


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
