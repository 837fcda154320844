"""The interface between the compute worker and a hypervisor.

The worker calls it, one step of a flow at a time; `fake.py` and `qemu/` implement it. No driver reaches a
database.
"""

import enum
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, NotRequired, TypedDict

from celaje.common.errors import DriverError, NotFound, NotImplementedHere, Unavailable


class PowerState(enum.IntEnum):
    """The numbers that the API shows as OS-EXT-STS:power_state."""

    NOSTATE = 0
    RUNNING = 1
    PAUSED = 3
    SHUTDOWN = 4
    CRASHED = 6
    SUSPENDED = 7


class UnknownServer(NotFound):
    text = "The driver knows no server {server}."


class PowerStateRefused(DriverError):
    """The operation makes no sense in the guest's power state."""

    text = "Server {server} cannot {operation} while it is {state}."


class UnsupportedConnection(DriverError):
    """The volume's connection_info is of a type that this driver cannot plug."""

    text = "This driver cannot attach volumes of type {driver_volume_type!r}."


class SwapStillPassing(Unavailable):
    """The data is still being copied: to be asked again."""

    text = "Volume {volume} is still being swapped."


class UnsupportedInterface(DriverError):
    """The port is bound to a kind of network that this driver cannot plug."""

    text = "Port {port_id}: this driver cannot plug vif_type {vif_type!r}."


class ImageRefused(DriverError):
    """The image's file is not what its record claims, or does not fit the flavor."""

    text = "Image {image}: {reason}"


class Flavor(TypedDict):
    vcpus: int
    memory_mb: int
    root_gb: int
    ephemeral_gb: int
    swap: int  # MiB, as in the API
    extra_specs: NotRequired[dict[str, str]]


class Server(TypedDict):
    """What the worker tells of a server; `node` is needed where a driver serves several."""

    uuid: str
    name: str
    flavor: Flavor
    node: NotRequired[str]
    hostname: NotRequired[str]
    project_id: NotRequired[str]
    metadata: NotRequired[dict[str, str]]
    key_name: NotRequired[str | None]
    key_data: NotRequired[str | None]
    user_data: NotRequired[str | None]  # base64, as the API took it
    created: NotRequired[str]


class ImageSource(TypedDict):
    """An image whose bytes lie in the local file `path` already."""

    id: str
    path: str
    disk_format: str
    container_format: NotRequired[str]
    size: NotRequired[int]
    checksum: NotRequired[str | None]
    min_disk: NotRequired[int]
    properties: NotRequired[dict[str, str]]


Port = Mapping[str, Any]
"""{"port_id", "mac_address", "network": {"id", "mtu"}, "fixed_ips": [{"ip_address", "subnet": {"cidr",
"gateway_ip", "dns_nameservers"}}], "vif_type", "details"}"""

BlockDevice = Mapping[str, Any]
"""{"volume_id", "connection_info", "boot_index", "device_name", "delete_on_termination", "attachment_id"}"""

ConnectionInfo = Mapping[str, Any]
"""{"driver_volume_type", "data"}, as the volume service answers it"""


class VolumeCopy(TypedDict):
    """Where a plugged volume is copied to: the `file` `copy-ID.FORMAT` beside its own, there and empty."""

    id: str
    file: str
    format: str


ConfigDrive = Mapping[str, bytes]
"""Paths such as `openstack/latest/meta_data.json` and their content; see `metadata.py`."""


TRAITS = (
    "COMPUTE_NODE",
    "COMPUTE_IMAGE_TYPE_QCOW2",
    "COMPUTE_IMAGE_TYPE_RAW",
    "COMPUTE_NET_ATTACH_INTERFACE",
    "COMPUTE_VOLUME_EXTEND",
)
"""What every driver here can do, in the names of os-traits."""


@dataclass
class NodeResources:
    """One hypervisor's inventory and use; sizes in MiB and GiB."""

    vcpus: int
    memory_mb: int
    disk_gb: int
    vcpus_used: int = 0
    memory_mb_used: int = 0
    disk_gb_used: int = 0
    running_servers: int = 0
    hypervisor_type: str = "fake"
    hypervisor_version: int = 1000
    cpu_info: dict[str, Any] = field(default_factory=dict)
    traits: list[str] = field(default_factory=lambda: list(TRAITS))
    image_formats: list[str] = field(default_factory=lambda: ["raw", "qcow2"])


class ComputeDriver(ABC):
    """Every operation is idempotent, keyed by the server's uuid: called again after a crash it ends in the
    same state. Operations on a server that the driver does not know raise UnknownServer, except `destroy`;
    what goes wrong at the hypervisor raises DriverError. One server's operations come one at a time."""

    name: ClassVar[str]

    #: How long an operation waits for what is behind the driver: name -> (for what, seconds at most). Told by
    #: `celaje timeouts`.
    waits: ClassVar[Mapping[str, tuple[tuple[str, float], ...]]] = {}

    @abstractmethod
    def init_host(self) -> None:
        """Take up the guests that an earlier life of this driver left running."""

    @abstractmethod
    def cleanup_host(self, stop_guests: bool = False) -> None:
        """Let go of the guests; they run on unless `stop_guests`."""

    @abstractmethod
    def nodes(self) -> list[str]: ...

    @abstractmethod
    def capabilities(self) -> dict[str, NodeResources]:
        """Inventory and use of every node."""

    @abstractmethod
    def list_servers(self) -> set[str]:
        """The uuids of all servers of which anything is left here, running or not."""

    @abstractmethod
    def spawn(
        self,
        server: Server,
        image: ImageSource | None,
        network_info: Sequence[Port] = (),
        block_device_info: Sequence[BlockDevice] = (),
        config_drive: ConfigDrive | None = None,
    ) -> None:
        """Build the disks and start the guest. Without an image the volume with boot_index 0 is the root
        disk."""

    @abstractmethod
    def destroy(self, server: Server) -> None:
        """Stop the guest and leave nothing of it. Attached volumes are let go, never deleted."""

    @abstractmethod
    def power_on(self, server: Server) -> None: ...

    @abstractmethod
    def power_off(self, server: Server, timeout: float = 0) -> None:
        """Ask the guest to shut down and give it `timeout` seconds, then cut the power. 0 cuts at once."""

    @abstractmethod
    def reboot(self, server: Server, hard: bool = False, timeout: float = 60) -> None:
        """Soft: the guest shuts down within `timeout` seconds and starts; if it does not, a hard reboot is
        done."""

    @abstractmethod
    def pause(self, server: Server) -> None: ...

    @abstractmethod
    def unpause(self, server: Server) -> None: ...

    @abstractmethod
    def suspend(self, server: Server) -> None:
        """Write the guest's memory to disk and stop it."""

    @abstractmethod
    def resume(self, server: Server) -> None:
        """Go on where `suspend` stopped."""

    @abstractmethod
    def power_state(self, server: Server) -> PowerState: ...

    @abstractmethod
    def console_output(self, server: Server, length: int | None = None) -> str:
        """The last `length` lines of the serial console, at most the last 100 KiB."""

    @abstractmethod
    def attach_volume(
        self,
        server: Server,
        connection_info: ConnectionInfo,
        device: str | None = None,
        serial: str | None = None,
    ) -> str:
        """Plug a volume; the answer is the device's path as the guest should see it. `serial` is the
        volume's id."""

    @abstractmethod
    def detach_volume(self, server: Server, connection_info: ConnectionInfo) -> None:
        """Unplug a volume; nothing to do when it is not plugged."""

    @abstractmethod
    def extend_volume(self, server: Server, connection_info: ConnectionInfo, new_size_bytes: int) -> None:
        """Show the guest a plugged volume's new size. Never shrinks."""

    def begin_copy(self, server: Server, connection_info: ConnectionInfo, copy: VolumeCopy) -> None:
        """Begin to copy a plugged volume as it is now, while the guest goes on. Begun already: nothing."""
        raise NotImplementedHere(f"The driver {self.name} cannot copy an attached volume.")

    def copy_is_done(self, server: Server, connection_info: ConnectionInfo, copy: VolumeCopy) -> bool:
        """Asked until it is. DriverError when the copy came to nothing."""
        raise NotImplementedHere(f"The driver {self.name} cannot copy an attached volume.")

    def begin_swap(
        self, server: Server, old: ConnectionInfo, new: ConnectionInfo, volume: str | None = None
    ) -> None:
        """Open the volume `new`, as large, and begin to bring the data of the plugged volume `old` to it,
        while the guest goes on. `volume`: the id that the server knows it by afterwards, its own unless
        given. Begun already, or done: nothing."""
        raise NotImplementedHere(f"The driver {self.name} cannot swap an attached volume.")

    def swap_is_done(self, server: Server, old: ConnectionInfo, new: ConnectionInfo) -> bool:
        """Asked until it is: the guest uses `new`, which has all that it ever wrote, and `old` is closed.
        DriverError when it came to nothing and the guest uses `old`."""
        raise NotImplementedHere(f"The driver {self.name} cannot swap an attached volume.")

    def abandon_swap(self, server: Server, old: ConnectionInfo, new: ConnectionInfo) -> bool:
        """The guest stays with `old`, and `new` is closed; also when nothing was begun. False: it uses `new`
        already. SwapStillPassing: it is changing over in this moment."""
        raise NotImplementedHere(f"The driver {self.name} cannot swap an attached volume.")

    @abstractmethod
    def attach_interface(self, server: Server, port: Port) -> None: ...

    @abstractmethod
    def detach_interface(self, server: Server, port: Port) -> None: ...

    @abstractmethod
    def volume_connector(self) -> dict[str, Any]:
        """Who would connect: {"host", "ip", "initiator", "multipath", "platform", "os_type"}."""


def volume_id(connection_info: ConnectionInfo) -> str:
    """The id that a connection is about; volume drivers put it in `data` or beside it."""
    found = connection_info.get("data", {}).get("volume_id") or connection_info.get("serial")
    if not found:
        raise DriverError("The connection_info names no volume_id.")
    return str(found)


def free_device(taken: Sequence[str], wanted: str | None = None) -> str:
    """`/dev/vdX`: the wanted one when free, else the first free letter, as a virtio guest names its disks."""
    if wanted and wanted not in taken:
        return wanted
    for number in range(26 * 27):
        first, last = divmod(number, 26)
        name = f"/dev/vd{chr(96 + first) if first else ''}{chr(97 + last)}"
        if name not in taken:
            return name
    raise DriverError("No device name is free.")
