"""The QEMU driver itself: the compute driver's interface over guests in folders.

The compute worker calls it. State: `<state>/servers/<uuid>/` holds all of one server; the folder is the
truth about it on this host, so that a restarted driver knows its guests without asking anybody.
"""

import fcntl
import re
import shutil
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, ClassVar

from celaje.common.errors import DriverError
from celaje.common.qemu import qmp
from celaje.compute.drivers.base import (
    BlockDevice,
    ComputeDriver,
    ConfigDrive,
    ConnectionInfo,
    ImageRefused,
    ImageSource,
    NodeResources,
    Port,
    PowerState,
    Server,
    UnknownServer,
    VolumeCopy,
    free_device,
    volume_id,
)
from celaje.compute.drivers.qemu import block_copy, block_swap, ceph, disks, domain, hotplug, network, volumes
from celaje.compute.drivers.qemu import host as machine
from celaje.compute.drivers.qemu.config_drive import write_config_drive
from celaje.compute.drivers.qemu.domain import CONSOLE, Disk, Domain, Nic
from celaje.compute.drivers.qemu.guest import Guest, Host
from celaje.compute.drivers.qemu.probe import Findings, probe

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
CONSOLE_LIMIT = 100 * 1024


class QemuDriver(ComputeDriver):
    """state: folder for everything; hotplug_ports: devices that can be plugged into a server beyond those
    it starts with (each costs the guest's firmware a moment); max_tcg_vcpus: processors of a guest without
    KVM, whatever its flavor says; accelerator: overrules the probe."""

    name = "qemu"
    waits: ClassVar[Mapping[str, tuple[tuple[str, float], ...]]] = {
        "spawn": (
            ("qemu-img, making a disk", disks.TIMEOUT),
            ("QEMU's first answer", Host.start_timeout),
        ),
        "attach_volume": (
            ("QEMU, opening the disk (blockdev-add)", hotplug.BLOCK_TIMEOUT),
            ("QEMU, plugging it in (device_add)", qmp.COMMAND_TIMEOUT),
        ),
        "detach_volume": (("the guest, letting go of the disk", hotplug.DETACH_TIMEOUT),),
        "extend_volume": (("QEMU (block_resize)", hotplug.BLOCK_TIMEOUT),),
        "begin_swap": (("QEMU, opening the other disk (blockdev-add)", hotplug.BLOCK_TIMEOUT),),
        "attach_interface": (("QEMU, plugging it in (device_add)", qmp.COMMAND_TIMEOUT),),
        "detach_interface": (("the guest, letting go of the card", hotplug.DETACH_TIMEOUT),),
    }

    def __init__(
        self,
        state: Path,
        *,
        node: str | None = None,
        my_ip: str = "127.0.0.1",
        hotplug_ports: int = 8,
        max_tcg_vcpus: int = 1,
        accelerator: str | None = None,
        ceph_keyring: str = ceph.KEYRING,
    ):
        self.state = state.resolve()
        self.node = node or socket.gethostname()
        self.my_ip = my_ip
        self.hotplug_ports = hotplug_ports
        self.accelerator = accelerator
        self._ceph_keyring = ceph_keyring
        self.findings = Findings()
        self.host = Host(max_tcg_vcpus=max_tcg_vcpus)
        self._locks: dict[str, threading.RLock] = {}
        self._guard = threading.Lock()
        self._claim: IO[str] | None = None

    @property
    def servers(self) -> Path:
        return self.state / "servers"

    def init_host(self) -> None:
        self.servers.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self._claim is None:
            claim = (self.state / "lock").open("w")
            try:
                # Released by the kernel when we die, however we die.
                fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                claim.close()
                raise DriverError(f"Another compute worker uses {self.state}.") from None
            self._claim = claim
        self.findings = probe(self.state)
        if not self.findings.usable or self.findings.program is None:
            raise DriverError(" ".join(self.findings.words))
        self.host.program = self.findings.program
        self.host.accelerator = self.accelerator or self.findings.accelerator
        for uuid in self.list_servers():
            guest = self._find(uuid)
            if guest is not None:
                guest.is_running()
                guest.save()  # with a process that was started just before we died

    def cleanup_host(self, stop_guests: bool = False) -> None:
        if stop_guests:
            for uuid in self.list_servers():
                with self._lock(uuid):
                    guest = self._find(uuid)
                    if guest is not None:
                        guest.cut_power()
        if self._claim is not None:
            self._claim.close()
            self._claim = None

    def nodes(self) -> list[str]:
        return [self.node]

    def capabilities(self) -> dict[str, NodeResources]:
        guests = [guest for uuid in self.list_servers() if (guest := self._find(uuid))]
        running = sum(guest.is_running() for guest in guests)
        records = [guest.domain for guest in guests]
        return {self.node: machine.resources(self.state, self.findings, records, running)}

    def list_servers(self) -> set[str]:
        if not self.servers.exists():
            return set()
        return {path.name for path in self.servers.iterdir() if UUID.fullmatch(path.name)}

    def spawn(
        self,
        server: Server,
        image: ImageSource | None,
        network_info: Sequence[Port] = (),
        block_device_info: Sequence[BlockDevice] = (),
        config_drive: ConfigDrive | None = None,
    ) -> None:
        folder = self._folder(server["uuid"])
        with self._lock(server["uuid"]):
            guest = self._find(server["uuid"])
            if guest is None:
                built = self._design(server, image, network_info, block_device_info)
                folder.mkdir(exist_ok=True, mode=0o700)
                self._build_disks(built, image, folder)
                for item in block_device_info:
                    info = item["connection_info"]
                    volumes.keep_secrets(folder, volume_id(info), self._source(info))
                if config_drive is not None:
                    write_config_drive(folder / "config.iso", config_drive)
                    built.config_drive = True
                domain.save(built, folder)
                guest = Guest(self.host, folder, built)
            if not guest.domain.saved:
                guest.start()

    def _source(self, connection_info: ConnectionInfo) -> volumes.Source:
        return volumes.source_of(connection_info, self._ceph_keyring)

    def _design(
        self,
        server: Server,
        image: ImageSource | None,
        network_info: Sequence[Port],
        block_device_info: Sequence[BlockDevice],
    ) -> Domain:
        """The record of the server as ordered; refuses what cannot be plugged before anything is built."""
        flavor = server["flavor"]
        folder = self._folder(server["uuid"])
        built = Domain(server["uuid"], server["name"], dict(flavor), slots=64)

        def add(path: str, format: str, **more: Any) -> None:
            taken = [disk.device for disk in built.disks]
            built.disks.append(Disk(path, format, free_device(taken), built.free_slot(), **more))

        given = {volume_id(item["connection_info"]): item for item in block_device_info}
        root = next((item for item in block_device_info if item.get("boot_index") == 0), None)
        if image is not None:
            add(str(folder / "root.qcow2"), "qcow2", boot=True)
        elif root is None:
            raise ImageRefused(image=None, reason="neither an image nor a volume with boot_index 0")
        else:
            volume = volume_id(root["connection_info"])
            add(volume=volume, boot=True, **self._source(root["connection_info"]).kept)
            del given[volume]
        if flavor["ephemeral_gb"]:
            add(str(folder / "ephemeral.qcow2"), "qcow2")
        if flavor["swap"]:
            add(str(folder / "swap.raw"), "raw")
        for volume, item in given.items():
            add(volume=volume, **self._source(item["connection_info"]).kept)
        for port in network_info:
            network.netdev_of(port)
            built.nics.append(Nic(dict(port), built.free_slot()))
        built.slots = len(built.disks) + len(built.nics) + self.hotplug_ports
        return built

    @staticmethod
    def _build_disks(built: Domain, image: ImageSource | None, folder: Path) -> None:
        if image is not None:
            disks.create_root(image, built.flavor["root_gb"], folder / "root.qcow2")
        if built.flavor["ephemeral_gb"]:
            disks.create_blank(folder / "ephemeral.qcow2", built.flavor["ephemeral_gb"] * disks.GIB)
        if built.flavor["swap"]:
            disks.create_swap(folder / "swap.raw", built.flavor["swap"])

    def destroy(self, server: Server) -> None:
        folder = self._folder(server["uuid"])
        with self._lock(server["uuid"]):
            if not folder.exists():
                return
            guest = self._find(server["uuid"])
            if guest is not None:
                guest.cut_power()
            # The record goes last: as long as it is there, a repeated call finds the process.
            for path in folder.iterdir():
                if path.name != domain.RECORD:
                    path.unlink() if not path.is_dir() else shutil.rmtree(path)
            (folder / domain.RECORD).unlink(missing_ok=True)
            folder.rmdir()
        with self._guard:
            self._locks.pop(server["uuid"], None)

    def power_on(self, server: Server) -> None:
        with self._guest(server) as guest:
            state = guest.require(
                "be powered on", PowerState.RUNNING, PowerState.SHUTDOWN, PowerState.CRASHED
            )
            if state == PowerState.CRASHED:
                guest.cut_power()
            guest.start()

    def power_off(self, server: Server, timeout: float = 0) -> None:
        with self._guest(server) as guest:
            if timeout > 0 and guest.state() == PowerState.RUNNING:
                guest.shut_down(timeout)
            guest.cut_power()
            guest.forget_memory()

    def reboot(self, server: Server, hard: bool = False, timeout: float = 60) -> None:
        with self._guest(server) as guest:
            if not hard and guest.state() == PowerState.RUNNING:
                guest.shut_down(timeout)
            guest.cut_power()
            guest.forget_memory()
            guest.start()

    def pause(self, server: Server) -> None:
        with self._guest(server) as guest:
            if guest.require("pause", PowerState.RUNNING, PowerState.PAUSED) == PowerState.RUNNING:
                with guest.qmp() as qmp:
                    qmp.execute("stop")

    def unpause(self, server: Server) -> None:
        with self._guest(server) as guest:
            if guest.require("unpause", PowerState.RUNNING, PowerState.PAUSED) == PowerState.PAUSED:
                with guest.qmp() as qmp:
                    qmp.execute("cont")

    def suspend(self, server: Server) -> None:
        with self._guest(server) as guest:
            # Paused is accepted: an attempt that died half-way left the guest so.
            state = guest.require("be suspended", PowerState.RUNNING, PowerState.PAUSED, PowerState.SUSPENDED)
            if state != PowerState.SUSPENDED:
                guest.suspend()

    def resume(self, server: Server) -> None:
        with self._guest(server) as guest:
            if guest.domain.saved:
                guest.resume()
            else:
                guest.require("resume", PowerState.RUNNING)

    def power_state(self, server: Server) -> PowerState:
        # Without the lock, like the console: both are asked most while something else takes long.
        guest = self._find(server["uuid"])
        if guest is None:
            raise UnknownServer(server=server["uuid"])
        return guest.state()

    def console_output(self, server: Server, length: int | None = None) -> str:
        path = self._folder(server["uuid"]) / CONSOLE
        if server["uuid"] not in self.list_servers():
            raise UnknownServer(server=server["uuid"])
        try:
            with path.open("rb") as file:
                file.seek(max(0, file.seek(0, 2) - CONSOLE_LIMIT))
                text = file.read().decode("utf-8", "replace").replace("\r\n", "\n")
        except FileNotFoundError:
            return ""
        if length is None:
            return text
        lines = text.splitlines(keepends=True)
        return "".join(lines[max(0, len(lines) - length) :])

    def attach_volume(
        self,
        server: Server,
        connection_info: ConnectionInfo,
        device: str | None = None,
        serial: str | None = None,
    ) -> str:
        # `device` is a wish that a guest's kernel does not hear: it takes the first free letter.
        source = self._source(connection_info)
        with self._guest(server) as guest:
            return hotplug.plug_volume(guest, serial or volume_id(connection_info), source)

    def detach_volume(self, server: Server, connection_info: ConnectionInfo) -> None:
        with self._guest(server) as guest:
            hotplug.unplug_volume(guest, volume_id(connection_info))

    def extend_volume(self, server: Server, connection_info: ConnectionInfo, new_size_bytes: int) -> None:
        with self._guest(server) as guest:
            hotplug.extend_volume(guest, volume_id(connection_info), new_size_bytes)

    def begin_copy(self, server: Server, connection_info: ConnectionInfo, copy: VolumeCopy) -> None:
        with self._guest(server) as guest:
            block_copy.begin(guest, hotplug.plugged(guest, volume_id(connection_info)), copy)

    def copy_is_done(self, server: Server, connection_info: ConnectionInfo, copy: VolumeCopy) -> bool:
        with self._guest(server) as guest:
            return block_copy.is_done(guest, hotplug.plugged(guest, volume_id(connection_info)), copy)

    def begin_swap(
        self, server: Server, old: ConnectionInfo, new: ConnectionInfo, volume: str | None = None
    ) -> None:
        source, key = self._source(new), volume_id(new)
        with self._guest(server) as guest:
            block_swap.begin(guest, volume_id(old), key, source, volume or key)

    def swap_is_done(self, server: Server, old: ConnectionInfo, new: ConnectionInfo) -> bool:
        with self._guest(server) as guest:
            return block_swap.is_done(guest, volume_id(old), volume_id(new))

    def abandon_swap(self, server: Server, old: ConnectionInfo, new: ConnectionInfo) -> bool:
        with self._guest(server) as guest:
            return block_swap.abandon(guest, volume_id(old), volume_id(new))

    def attach_interface(self, server: Server, port: Port) -> None:
        with self._guest(server) as guest:
            hotplug.plug_interface(guest, port)

    def detach_interface(self, server: Server, port: Port) -> None:
        with self._guest(server) as guest:
            hotplug.unplug_interface(guest, port["port_id"])

    def volume_connector(self) -> dict[str, Any]:
        return {
            "host": self.node,
            "ip": self.my_ip,
            "initiator": f"iqn.2026-01.org.celaje:{self.node}",
            "multipath": False,
            "platform": machine.os.uname().machine,
            "os_type": "linux",
        }

    def _folder(self, uuid: str) -> Path:
        if not UUID.fullmatch(uuid):
            raise DriverError(f"{uuid!r} is not a server's uuid.")
        return self.servers / uuid

    def _find(self, uuid: str) -> Guest | None:
        folder = self._folder(uuid)
        record = domain.load(folder)
        return Guest(self.host, folder, record) if record else None

    @contextmanager
    def _lock(self, uuid: str) -> Iterator[None]:
        with self._guard:
            lock = self._locks.setdefault(uuid, threading.RLock())
        with lock:
            yield

    @contextmanager
    def _guest(self, server: Server) -> Iterator[Guest]:
        with self._lock(server["uuid"]):
            guest = self._find(server["uuid"])
            if guest is None:
                raise UnknownServer(server=server["uuid"])
            yield guest
