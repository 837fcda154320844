"""The operations whose chain `celaje timeouts` prints: the request, and one usual way through its flow.

Only what chooses the way stands here. Steps, targets and timeouts come from the code that has them.
"""

from dataclasses import dataclass, field
from typing import Any

_SERVER = {"uuid": "x", "project_id": "x", "availability_zone": "x"}


@dataclass(frozen=True)
class Operation:
    """`request` is what the client sends. `arguments` and `answers` lead through the flow (see `outline`).
    `plain` are REST operations that begin no flow in this case. `receives`: the handler takes the data in
    itself, and its flow only guards it. `driver` names steps that a back end's own options bound, too."""

    title: str
    service: str
    flow: str
    request: tuple[str, str]
    arguments: dict[str, Any]
    answers: dict[str, Any] = field(default_factory=dict)
    plain: tuple[str, ...] = ()
    receives: bool = False
    driver: dict[str, tuple[str, ...]] = field(default_factory=dict)


# How the flows that other services' handlers wait for are led.
NESTED: dict[str, dict[str, Any]] = {
    "attachment.connect": {
        "attachment_id": "x",
        "volume": {"id": "x"},
        "connector": {},
        "facts": {"mode": "rw"},
        "shared": False,
    },
}

# Options of a back end that bound every command of its driver, by the worker's topic.
DRIVERS = {"volume-worker": ("rados_connect_timeout",)}

OPERATIONS = {
    "attach": Operation(
        title="attach a volume to a server",
        service="compute",
        flow="server.attach_volume",
        request=("POST", "/v2.1/servers/x/os-volume_attachments"),
        arguments={
            "server": _SERVER,
            "worker": "x",
            "connector": {},
            "device": {"id": "x", "volume_id": "x", "device_name": "/dev/vdb"},
        },
        # Without a connector it only reserves.
        plain=("volume.create_attachment",),
    ),
    "create-server": Operation(
        title="create a server with a port",
        service="compute",
        flow="server.create",
        request=("POST", "/v2.1/servers"),
        arguments={
            "server": _SERVER,
            "spec": {"resources": [1, 1, 1]},
            "image": None,
            "networks": [{"network": {"id": "x"}}],
            "devices": [],
            "config_drive": False,
        },
    ),
    "create-volume": Operation(
        title="create a volume from an image",
        service="volume",
        flow="volume.create",
        request=("POST", "/v3/volumes"),
        arguments={"volume_id": "x", "request": {}, "source": {"kind": "image", "image": {"id": "x"}}},
        driver={"volume-worker.create_volume_from_image": ("image_conversion_timeout",)},
    ),
    "upload-image": Operation(
        title="upload an image",
        service="image",
        flow="image.upload",
        request=("PUT", "/v2/images/x/file"),
        arguments={"image_id": "x"},
        answers={"ended": {"lost": False}},
        receives=True,
    ),
}

# Other names that people and balancers have for the services, and the ports of their own processes.
NAMES = {
    "identity": ("identity", "keystone", "5000"),
    "image": ("image", "glance", "9292"),
    "volume": ("volume", "cinder", "8776"),
    "compute": ("compute", "nova", "8774"),
    "placement": ("placement", "8778"),
    "network": ("network", "neutron", "9696"),
}
