"""A cloud in which something has happened: a server, a volume attached to it, one that no host takes."""

import pytest

from celaje.journals import Storyteller, of_state
from tests.cloud import until

PINNED = {"OpenStack-API-Version": "compute 2.87"}


class Past:
    """What was done, with the ids of the requests."""

    def __init__(self, cloud):
        self.cloud = cloud
        self.compute, self.volume = cloud.as_user("compute"), cloud.as_user("volume")
        self.image = self._image()
        self.server, self.created = self._server("vm1", self._flavor("m1.nano"))
        self.until_server(self.server, "ACTIVE")
        self.volume_id = self.volume.post("/v3/volumes", {"volume": {"size": 1}}).ok(202)["volume"]["id"]
        self.until_volume("available")
        body = {"volumeAttachment": {"volumeId": self.volume_id}}
        answer = self.compute.post(f"/v2.1/servers/{self.server}/os-volume_attachments", body)
        answer.ok(200)
        self.attached = answer.headers["x-openstack-request-id"]
        self.until_volume("in-use")
        self.failed, self.refused_by_scheduler = self._server("huge", self._huge())
        self.until_server(self.failed, "ERROR")
        for service in cloud.running.values():
            service._requests.write()

    def _image(self):
        images = self.cloud.as_user("image")
        body = {"name": "i", "disk_format": "raw", "container_format": "bare"}
        image = images.post("/v2/images", body).ok(201)["id"]
        kind = {"Content-Type": "application/octet-stream"}
        images.request("PUT", f"/v2/images/{image}/file", raw=b"x" * 512, headers=kind).ok()
        return image

    def _flavor(self, name):
        flavors = self.compute.get("/v2.1/flavors").ok()["flavors"]
        return next(one["id"] for one in flavors if one["name"] == name)

    def _huge(self):
        body = {"flavor": {"name": "huge", "ram": 1 << 20, "vcpus": 512, "disk": 1}}
        limits = {"quota_set": {"cores": -1, "ram": -1}}
        self.compute.put(f"/v2.1/os-quota-sets/{self.compute.project_id}", limits).ok()
        return self.compute.post("/v2.1/flavors", body).ok()["flavor"]["id"]

    def _server(self, name, flavor):
        networks = self.cloud.as_user("network").get("/v2.0/networks?name=private").ok()["networks"]
        body = {
            "name": name,
            "flavorRef": flavor,
            "imageRef": self.image,
            "networks": [{"uuid": networks[0]["id"]}],
        }
        body["user_data"] = "c2VjcmV0IHVzZXIgZGF0YQ=="
        answer = self.compute.post("/v2.1/servers", {"server": body}, headers=PINNED)
        return answer.ok(202)["server"]["id"], answer.headers["x-openstack-request-id"]

    def until_server(self, server, status):
        until(lambda: self.compute.get(f"/v2.1/servers/{server}").ok()["server"]["status"] == status)

    def until_volume(self, status):
        until(lambda: self.volume.get(f"/v3/volumes/{self.volume_id}").ok()["volume"]["status"] == status)


@pytest.fixture(scope="module")
def past(shared_cloud):
    return Past(shared_cloud)


@pytest.fixture
def journals(past):
    found = of_state(past.cloud.state)
    yield found
    found.close()


@pytest.fixture
def teller(journals):
    return Storyteller(journals)


@pytest.fixture
def celaje(past, monkeypatch):
    """Run a command on the past cloud's folder, in this process; its output."""
    from click.testing import CliRunner

    from celaje.cli.failure import Failure
    from celaje.cli.main import cli

    monkeypatch.setenv("CELAJE_STATE", str(past.cloud.state))
    monkeypatch.setenv("COLUMNS", "80")

    def run(*words):
        result = CliRunner().invoke(cli, [str(word) for word in words], standalone_mode=False)
        if isinstance(result.exception, Failure):
            return f"{result.exception.what} {result.exception.next}"
        if result.exception is not None:
            raise result.exception
        return result.output

    return run
