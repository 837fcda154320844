"""A cloud of identity and image only, its personas, and what tests of images do again and again."""

import threading

import msgspec
from tests.cloud import Client, LabCloud, until

from celaje.common import clock
from celaje.common.tokens import Token, seconds


class Personas:
    """Clients of the image service with tokens sealed for projects that need not exist."""

    def __init__(self, cloud):
        self._cloud = cloud
        self.service = cloud.running["image"]

    def of(self, project, *roles, user=None):
        now = seconds(clock.now())
        token = Token(
            user_id=user or f"user of {project}",
            methods=("password",),
            scope="project",
            scope_id=project,
            project_domain_id="default",
            roles=tuple((role, role) for role in roles),
            issued_at=now,
            expires_at=now + 3600,
        )
        return Client(self._cloud.transport_to("image"), self._cloud.tokens.seal(token), project)

    def member(self, project="blue"):
        return self.of(project, "member", "reader")

    def reader(self, project="blue"):
        return self.of(project, "reader")

    def admin(self):
        return self.of("admin", "admin", "manager", "member", "reader")

    def worker(self):
        return self.of("service", "service")


OCTETS = {"Content-Type": "application/octet-stream"}


def make(client, **body):
    body = {"disk_format": "raw", "container_format": "bare", **body}
    return client.post("/v2/images", body).ok(201)


def send(client, image_id, data=b"data", headers=None):
    return client.request(
        "PUT", f"/v2/images/{image_id}/file", raw=data, headers={**OCTETS, **(headers or {})}
    )


def change(client, image_id, *operations, media="application/openstack-images-v2.1-json-patch"):
    return client.request(
        "PATCH",
        f"/v2/images/{image_id}",
        raw=msgspec.json.encode(list(operations)),
        headers={"Content-Type": media},
    )


def stored_files(service):
    """Every file in the store and the staging area, partial ones too."""
    folders = (service.ground.state / "images", service.ground.state / "staging")
    return [path for folder in folders for path in folder.iterdir()]


def flows_ended(service):
    tables = service.flow_tables

    def query(tx):
        return tx.execute(tables.flows.select().where(tables.flows.c.finished_at.is_(None))).first() is None

    return until(lambda: service.database.read(query), what="all flows to end")


class Gate:
    """Chunks of an upload that stops in the middle until the test lets it go on."""

    def __init__(self, before=b"first", after=b"second"):
        self.reached = threading.Event()
        self.go_on = threading.Event()
        self._before, self._after = before, after

    def __iter__(self):
        yield self._before
        self.reached.set()
        assert self.go_on.wait(30)
        yield self._after


def small_cloud(folder, overrides=None):
    cloud = LabCloud.at(folder, services=("identity", "image"), overrides={"image": overrides or {}})
    cloud.start()
    return cloud
