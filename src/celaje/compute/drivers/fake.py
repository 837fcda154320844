"""The simulated hypervisor: any number of nodes in one process, latency and failures given as data.

The compute worker drives it in the simulated cloud and in most tests. What it has "running" is a
FakeCloudState, which outlives the driver object, and the process too when it has a file.
"""

import copy
import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from celaje.common import clock, simulated_disks
from celaje.common.errors import DriverError
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
    PowerStateRefused,
    Server,
    UnknownServer,
    UnsupportedConnection,
    free_device,
    volume_id,
)

CONSOLE_LIMIT = 100 * 1024


@dataclass
class Failure:
    """When an operation fails: at its nth calls (counted from 1), by chance, or both.

    `after` lets the operation do its work first and fail then, as when an answer is lost."""

    calls: Sequence[int] = ()
    probability: float = 0.0
    message: str = "simulated failure"
    after: bool = False


@dataclass
class Behaviour:
    """Latency in seconds and failures, by operation name (`spawn`, `attach_volume` ...); `*` is for all
    others."""

    latency: Mapping[str, float] = field(default_factory=dict)
    failures: Mapping[str, Failure | Sequence[int] | float] = field(default_factory=dict)

    def delay(self, operation: str) -> float:
        return self.latency.get(operation, self.latency.get("*", 0.0))

    def failure(self, operation: str) -> Failure | None:
        found = self.failures.get(operation, self.failures.get("*"))
        if found is None or isinstance(found, Failure):
            return found
        if isinstance(found, int | float):
            return Failure(probability=float(found))
        return Failure(calls=tuple(found))


class FakeCloudState:
    """The simulated guests, `servers`: {uuid: {...}}, and how often each operation was called, `calls`.

    With a `folder` each guest is one JSON file there, replaced (never half-written) before an operation
    returns, so that a killed process finds its guests again. No fsync: it is to survive the process, not
    the machine."""

    def __init__(self, folder: Path | None = None):
        self.folder = folder
        self.lock = threading.RLock()
        self.servers: dict[str, dict[str, Any]] = {}
        self.calls: dict[str, int] = {}
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            for path in folder.glob("*.json"):
                self.servers[path.stem] = json.loads(path.read_text())

    def save(self, uuid: str) -> None:
        """Write one guest down, or remove its file when it is gone. Called with the lock held."""
        if self.folder is None:
            return
        path = self.folder / f"{uuid}.json"
        guest = self.servers.get(uuid)
        if guest is None:
            path.unlink(missing_ok=True)
            return
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(guest))
        fresh.replace(path)


class FakeDriver(ComputeDriver):
    """`hosts`: node names, or node names with their sizes; several drivers may share one state."""

    name = "fake"

    def __init__(
        self,
        hosts: Sequence[str] | Mapping[str, NodeResources] = ("fake-host",),
        state: FakeCloudState | None = None,
        behaviour: Behaviour | None = None,
    ):
        if not isinstance(hosts, Mapping):
            hosts = {host: NodeResources(vcpus=64, memory_mb=262_144, disk_gb=10_000) for host in hosts}
        if not hosts:
            raise DriverError("A simulated hypervisor needs at least one node.")
        self.hosts = dict(hosts)
        self.state = state or FakeCloudState()
        self.behaviour = behaviour or Behaviour()

    def init_host(self) -> None:
        """The guests are in the state; nothing else has to be found."""

    def cleanup_host(self, stop_guests: bool = False) -> None:
        if not stop_guests:
            return
        with self.state.lock:
            for uuid, guest in self.state.servers.items():
                if guest["node"] in self.hosts and guest["power_state"] in (
                    PowerState.RUNNING,
                    PowerState.PAUSED,
                ):
                    guest["power_state"] = PowerState.SHUTDOWN
                    self.state.save(uuid)

    def nodes(self) -> list[str]:
        return list(self.hosts)

    def capabilities(self) -> dict[str, NodeResources]:
        found = {node: copy.deepcopy(resources) for node, resources in self.hosts.items()}
        with self.state.lock:
            for guest in self.state.servers.values():
                node = found.get(guest["node"])
                if node is None:
                    continue
                flavor = guest["flavor"]
                node.vcpus_used += flavor["vcpus"]
                node.memory_mb_used += flavor["memory_mb"]
                node.disk_gb_used += flavor["root_gb"] + flavor["ephemeral_gb"]
                node.running_servers += guest["power_state"] == PowerState.RUNNING
        return found

    def list_servers(self) -> set[str]:
        with self.state.lock:
            return {uuid for uuid, guest in self.state.servers.items() if guest["node"] in self.hosts}

    def spawn(
        self,
        server: Server,
        image: ImageSource | None,
        network_info: Sequence[Port] = (),
        block_device_info: Sequence[BlockDevice] = (),
        config_drive: ConfigDrive | None = None,
    ) -> None:
        with self._operation("spawn", server), self.state.lock:
            node = server.get("node") or next(iter(self.hosts))
            if node not in self.hosts:
                raise DriverError(f"This driver has no node {node!r}.")
            if server["uuid"] in self.state.servers:
                return
            if image is None and not any(item.get("boot_index") == 0 for item in block_device_info):
                raise ImageRefused(image=None, reason="neither an image nor a volume with boot_index 0")
            guest: dict[str, Any] = {
                "node": node,
                "name": server["name"],
                "flavor": dict(server["flavor"]),
                "image": image["id"] if image else None,
                "power_state": PowerState.RUNNING,
                "root": "/dev/vda" if image else None,
                "volumes": {},
                "interfaces": {},
                "config_drive": sorted(config_drive) if config_drive is not None else None,
                "console": "",
            }
            for item in sorted(block_device_info, key=_boot_order):
                self._plug(guest, item["connection_info"], item.get("device_name"))
            for port in network_info:
                guest["interfaces"][port["port_id"]] = port["mac_address"]
            self._boot(guest)
            self.state.servers[server["uuid"]] = guest

    def destroy(self, server: Server) -> None:
        with self._operation("destroy", server), self.state.lock:
            self.state.servers.pop(server["uuid"], None)

    def power_on(self, server: Server) -> None:
        with self._operation("power_on", server), self.state.lock:
            guest = self._guest(server)
            if guest["power_state"] == PowerState.SHUTDOWN:
                self._boot(guest)
            elif guest["power_state"] != PowerState.RUNNING:
                raise _refused(server, "be powered on", guest)

    def power_off(self, server: Server, timeout: float = 0) -> None:
        with self._operation("power_off", server), self.state.lock:
            self._guest(server)["power_state"] = PowerState.SHUTDOWN

    def reboot(self, server: Server, hard: bool = False, timeout: float = 60) -> None:
        with self._operation("reboot", server), self.state.lock:
            self._boot(self._guest(server))

    def pause(self, server: Server) -> None:
        with self._operation("pause", server):
            self._change(server, "pause", PowerState.RUNNING, PowerState.PAUSED)

    def unpause(self, server: Server) -> None:
        with self._operation("unpause", server):
            self._change(server, "unpause", PowerState.PAUSED, PowerState.RUNNING)

    def suspend(self, server: Server) -> None:
        with self._operation("suspend", server):
            self._change(server, "be suspended", PowerState.RUNNING, PowerState.SUSPENDED, PowerState.PAUSED)

    def resume(self, server: Server) -> None:
        with self._operation("resume", server):
            self._change(server, "resume", PowerState.SUSPENDED, PowerState.RUNNING)

    def power_state(self, server: Server) -> PowerState:
        with self.state.lock:
            return PowerState(self._guest(server)["power_state"])

    def console_output(self, server: Server, length: int | None = None) -> str:
        with self._operation("console_output", server), self.state.lock:
            lines = self._guest(server)["console"].splitlines(keepends=True)
            return "".join(lines if length is None else lines[max(0, len(lines) - length) :])

    def attach_volume(
        self,
        server: Server,
        connection_info: ConnectionInfo,
        device: str | None = None,
        serial: str | None = None,
    ) -> str:
        with self._operation("attach_volume", server), self.state.lock:
            return self._plug(self._guest(server), connection_info, device)

    def detach_volume(self, server: Server, connection_info: ConnectionInfo) -> None:
        with self._operation("detach_volume", server), self.state.lock:
            self._guest(server)["volumes"].pop(volume_id(connection_info), None)

    def extend_volume(self, server: Server, connection_info: ConnectionInfo, new_size_bytes: int) -> None:
        with self._operation("extend_volume", server), self.state.lock:
            volume = self._guest(server)["volumes"].get(volume_id(connection_info))
            if volume is None:
                raise DriverError(f"Volume {volume_id(connection_info)} is not attached to {server['uuid']}.")
            volume["size"] = max(new_size_bytes, volume.get("size", 0))

    def begin_swap(
        self, server: Server, old: ConnectionInfo, new: ConnectionInfo, volume: str | None = None
    ) -> None:
        with self._operation("begin_swap", server), self.state.lock:
            found = self._swapped(server, old, new)
            if found["key"] != volume_id(new):
                _check_connection(new)
                found["swap"] = {"key": volume_id(new), "volume": volume or volume_id(new)}

    def swap_is_done(self, server: Server, old: ConnectionInfo, new: ConnectionInfo) -> bool:
        with self._operation("swap_is_done", server), self.state.lock:
            volumes, found = self._guest(server)["volumes"], self._swapped(server, old, new)
            if found["key"] == volume_id(new):
                return True
            if not found.get("swap"):
                raise DriverError(f"The swapping of volume {volume_id(old)} was ended by another operation.")
            simulated_disks.copy(old.get("data", {}), new.get("data", {}))
            swap = found.pop("swap")
            found["key"] = swap["key"]
            name = next(name for name, one in volumes.items() if one is found)
            volumes[swap["volume"]] = volumes.pop(name)
            return True

    def abandon_swap(self, server: Server, old: ConnectionInfo, new: ConnectionInfo) -> bool:
        with self._operation("abandon_swap", server), self.state.lock:
            found = self._swapped(server, old, new)
            found.pop("swap", None)
            return bool(found["key"] != volume_id(new))

    def _swapped(self, server: Server, old: ConnectionInfo, new: ConnectionInfo) -> dict[str, Any]:
        volumes = self._guest(server)["volumes"]
        for name, found in volumes.items():
            found.setdefault("key", name)
        by_key: dict[str, dict[str, Any]] = {one["key"]: one for one in volumes.values()}
        was, becomes = volume_id(old), volume_id(new)
        found = by_key.get(becomes) or volumes.get(was) or by_key.get(was)
        if found is None:
            raise DriverError(f"Volume {volume_id(old)} is not attached to {server['uuid']}.")
        return found

    def attach_interface(self, server: Server, port: Port) -> None:
        with self._operation("attach_interface", server), self.state.lock:
            self._guest(server)["interfaces"][port["port_id"]] = port["mac_address"]

    def detach_interface(self, server: Server, port: Port) -> None:
        with self._operation("detach_interface", server), self.state.lock:
            self._guest(server)["interfaces"].pop(port["port_id"], None)

    def volume_connector(self) -> dict[str, Any]:
        host = next(iter(self.hosts))
        return {
            "host": host,
            "ip": "127.0.0.1",
            "initiator": f"iqn.2026-01.org.celaje:{host}",
            "multipath": False,
            "platform": "x86_64",
            "os_type": "linux",
        }

    def _operation(self, operation: str, server: Server) -> "_Operation":
        return _Operation(self.state, self.behaviour, operation, server["uuid"])

    def _guest(self, server: Server) -> dict[str, Any]:
        guest = self.state.servers.get(server["uuid"])
        if guest is None or guest["node"] not in self.hosts:
            raise UnknownServer(server=server["uuid"])
        return guest

    def _change(
        self, server: Server, words: str, before: PowerState, after: PowerState, *also: PowerState
    ) -> None:
        with self.state.lock:
            guest = self._guest(server)
            if guest["power_state"] not in (before, after, *also):
                raise _refused(server, words, guest)
            guest["power_state"] = after

    def _plug(self, guest: dict[str, Any], connection_info: ConnectionInfo, device: str | None) -> str:
        encrypted = _check_connection(connection_info)
        volumes, volume = guest["volumes"], volume_id(connection_info)
        if volume not in volumes:
            taken = [entry["device"] for entry in volumes.values()] + [guest["root"]]
            volumes[volume] = {"device": free_device(taken, device), "encrypted": encrypted}
        return str(volumes[volume]["device"])

    @staticmethod
    def _boot(guest: dict[str, Any]) -> None:
        guest["power_state"] = PowerState.RUNNING
        disks = [guest["root"], *(volume["device"] for volume in guest["volumes"].values())]
        shown = " ".join(disk for disk in disks if disk)
        guest["console"] += f"[{clock.iso(clock.now())}] boot of {guest['name']}\nDISKS {shown}\nREADY\n"
        guest["console"] = guest["console"][-CONSOLE_LIMIT:]


class _Operation:
    """Around one operation: counts it, waits its latency, fails it when the behaviour says so, saves the
    guest."""

    def __init__(self, state: FakeCloudState, behaviour: Behaviour, operation: str, uuid: str):
        self.state, self.operation, self.uuid = state, operation, uuid
        self.delay = behaviour.delay(operation)
        self.failure = behaviour.failure(operation)
        self.fails = False

    def __enter__(self) -> None:
        with self.state.lock:
            count = self.state.calls[self.operation] = self.state.calls.get(self.operation, 0) + 1
        if self.failure:
            chance = self.failure.probability
            self.fails = count in self.failure.calls or (chance > 0 and clock.random_fraction() < chance)
        # Outside the lock: a slow operation must not stop the other guests.
        if self.delay:
            clock.sleep(self.delay)
        if self.failure and self.fails and not self.failure.after:
            raise DriverError(f"{self.operation}: {self.failure.message}")

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if error is not None:
            return
        if self.operation != "console_output":
            with self.state.lock:
                self.state.save(self.uuid)
        if self.failure and self.fails:
            raise DriverError(f"{self.operation}: {self.failure.message}")


def _check_connection(connection_info: ConnectionInfo) -> bool:
    """Whether the volume is encrypted."""
    kind = connection_info.get("driver_volume_type")
    if kind not in ("fake", "local"):
        raise UnsupportedConnection(driver_volume_type=kind)
    data = connection_info.get("data", {})
    encrypted = bool(data.get("encrypted"))
    if encrypted and not data.get("encryption_passphrase"):
        raise DriverError(
            f"Volume {volume_id(connection_info)} is encrypted, and its passphrase is not here."
        )
    return encrypted


def _refused(server: Server, operation: str, guest: dict[str, Any]) -> PowerStateRefused:
    state = PowerState(guest["power_state"]).name.lower()
    return PowerStateRefused(server=server["uuid"], operation=operation, state=state)


def _boot_order(item: BlockDevice) -> int:
    """boot_index 0 first; devices that do not boot (None, negative) last."""
    index = item.get("boot_index")
    return index if isinstance(index, int) and index >= 0 else 1000
