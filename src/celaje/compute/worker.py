"""The compute worker: takes steps of flows, holds the guest's lock, drives the driver, reports.

Called by conductors' flows (and by the API for a console); calls the driver. No database: what it has to
tell goes to the conductor by cast and to the schedulers by fanout.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from celaje.common import clock
from celaje.common.fences import Fences
from celaje.common.messaging.client import Client
from celaje.common.trail import watched
from celaje.compute.drivers.base import (
    ComputeDriver,
    Flavor,
    ImageSource,
    PowerState,
    Server,
    SwapStillPassing,
    UnknownServer,
    VolumeCopy,
)
from celaje.compute.drivers.metadata import metadata_files
from celaje.compute.rpc import ComputeWorkerMessages

log = logging.getLogger(__name__)

Body = dict[str, Any]

# A complete list of guests is told at start and at every so many looks.
_COMPLETE_EVERY = 6

# Seconds between two looks at a volume that is being copied: at first, and at most.
_COPY_LOOK, _COPY_LOOK_LONGEST = 0.05, 2.0
# Seconds for which one step looks at a volume that is being swapped, before it lets the flow sleep.
_SWAP_LOOK_FOR = 2.0


class ComputeWorker:
    """`name` is the worker's address; `hosts` maps each compute host that it serves to its nodes.
    `locate_image` brings an image's bytes here and says where they lie; `fetch_passphrase` asks the volume
    service what opens an encrypted volume, by its attachment."""

    def __init__(
        self,
        conf: Any,
        name: str,
        driver: ComputeDriver,
        hosts: dict[str, list[str]],
        *,
        conductor: Client,
        scheduler: Client,
        boot: str,
        locate_image: Callable[[Body], ImageSource],
        fetch_passphrase: Callable[[str], str],
    ):
        self.name = name
        self.driver = driver
        # The same, with its calls noted for the journal of who asked.
        self._driver = watched(driver)
        self.hosts = hosts
        self._conf = conf
        self._conductor = conductor
        self._scheduler = scheduler
        self._boot = boot
        self._locate_image = locate_image
        self._fetch_passphrase = fetch_passphrase
        self._fences = Fences()
        self._lock = threading.Lock()
        self._told: dict[str, int] = {}
        self._looks = 0

    # Steps of flows.

    def spawn(
        self,
        server: Server,
        image: Body | None,
        network_info: list[Body],
        block_device_info: list[Body],
        config_drive: bool,
    ) -> Body:
        with self._fences.step(server["uuid"]):
            source = self._locate_image(image) if image else None
            wanted = config_drive or self._conf.force_config_drive
            files = metadata_files(server, network_info, block_device_info) if wanted else None
            devices = [
                {**one, "connection_info": self._opened(one["connection_info"])} for one in block_device_info
            ]
            self._driver.spawn(server, source, network_info, devices, files)
            state = self._power(server)
        root = next((one["device_name"] for one in block_device_info if one.get("boot_index") == 0), None)
        return {"power_state": state, "root_device_name": root or "/dev/vda"}

    def destroy(self, server: Server) -> None:
        with self._fences.step(server["uuid"]):
            self._driver.destroy(server)
            with self._lock:
                self._told.pop(server["uuid"], None)

    def destroy_orphan(self, server_id: str, node: str | None) -> None:
        server = _named(server_id)
        if node:
            server["node"] = node
        self.destroy(server)

    def change_power(self, server: Server, operation: str, timeout: float) -> int:
        with self._fences.step(server["uuid"]):
            match operation:
                case "power_off":
                    self._driver.power_off(server, timeout)
                case "reboot":
                    self._driver.reboot(server, False, timeout)
                case "reboot_hard":
                    self._driver.reboot(server, True)
                case _:
                    getattr(self.driver, operation)(server)
            return self._power(server)

    def attach_volume(self, server: Server, block_device: Body) -> str:
        with self._fences.step(server["uuid"]):
            return self._driver.attach_volume(
                server,
                self._opened(block_device["connection_info"]),
                block_device.get("device_name"),
                block_device["volume_id"],
            )

    def detach_volume(self, server: Server, block_device: Body) -> None:
        with self._fences.step(server["uuid"]):
            self._driver.detach_volume(server, block_device["connection_info"])

    def extend_volume(self, server: Server, block_device: Body, new_size: int) -> None:
        with self._fences.step(server["uuid"]):
            self._driver.extend_volume(server, block_device["connection_info"], new_size << 30)

    def copy_volume(self, server: Server, block_device: Body, copy: VolumeCopy) -> None:
        connection = block_device["connection_info"]
        with self._fences.step(server["uuid"]):
            self._driver.begin_copy(server, connection, copy)
        pause = _COPY_LOOK
        while True:
            # The server is held only for each look: its other operations go on meanwhile.
            with self._fences.step(server["uuid"]):
                if self._driver.copy_is_done(server, connection, copy):
                    return
            clock.sleep(pause)
            pause = min(2 * pause, _COPY_LOOK_LONGEST)

    def begin_swap(self, server: Server, block_device: Body, new: Body, volume_id: str) -> None:
        with self._fences.step(server["uuid"]):
            self._driver.begin_swap(
                server, block_device["connection_info"], self._opened(new["connection_info"]), volume_id
            )

    def finish_swap(self, server: Server, block_device: Body, new: Body) -> None:
        old = block_device["connection_info"]
        end, pause = clock.monotonic() + _SWAP_LOOK_FOR, _COPY_LOOK
        while True:
            with self._fences.step(server["uuid"]):
                if self._driver.swap_is_done(server, old, new["connection_info"]):
                    return
            if clock.monotonic() >= end:
                raise SwapStillPassing(volume=block_device["volume_id"])
            clock.sleep(pause)
            pause = min(2 * pause, _COPY_LOOK_LONGEST)

    def undo_swap(self, server: Server, block_device: Body, new: Body, volume_id: str) -> None:
        old = block_device["connection_info"]
        with self._fences.step(server["uuid"]):
            if self._driver.abandon_swap(server, old, new["connection_info"]):
                return
        # The guest has written to the new one since: the way back is another swap.
        self.begin_swap(server, new, block_device, volume_id)
        self.finish_swap(server, new, block_device)

    def attach_interface(self, server: Server, port: Body) -> None:
        with self._fences.step(server["uuid"]):
            self._driver.attach_interface(server, port)

    def detach_interface(self, server: Server, port: Body) -> None:
        with self._fences.step(server["uuid"]):
            self._driver.detach_interface(server, port)

    # Reads, straight from the API.

    def console_output(self, server: Server, length: int | None) -> str:
        return self._driver.console_output(server, length)

    def power_state(self, server: Server) -> int:
        return int(self._driver.power_state(server))

    # Reports.

    def report_now(self) -> None:
        self.report_hosts()
        self.report_guests(complete=True)

    def report_hosts(self) -> None:
        """What the hosts have and use: to the conductor (rows, placement) and to the schedulers."""
        capabilities = self._driver.capabilities()
        connector = self._driver.volume_connector()
        reports = {
            host: {
                "nodes": {node: asdict(capabilities[node]) for node in nodes if node in capabilities},
                "connector": {**connector, "host": host},
                "ratios": {
                    "vcpus": self._conf.cpu_allocation_ratio,
                    "memory_mb": self._conf.ram_allocation_ratio,
                    "disk_gb": self._conf.disk_allocation_ratio,
                },
                "reserved": {
                    "vcpus": self._conf.reserved_host_cpus,
                    "memory_mb": self._conf.reserved_host_memory_mb,
                    "disk_gb": -(-self._conf.reserved_host_disk_mb // 1024),
                },
            }
            for host, nodes in self.hosts.items()
        }
        self._conductor.report_hosts(
            worker=self.name, boot=self._boot, hosts=reports, rpc_version=ComputeWorkerMessages.version
        )
        self._scheduler.update_hosts(worker=self.name, hosts=reports)

    def report_guests(self, complete: bool = False) -> None:
        """Power states that changed since they were last told; all of them now and then."""
        with self._lock:
            complete = complete or self._looks % _COMPLETE_EVERY == 0
            self._looks += 1
        states: dict[str, int] = {}
        for server_id in self._driver.list_servers():
            try:
                states[server_id] = int(self._driver.power_state(_named(server_id)))
            except UnknownServer:
                # Half built, or half gone: of a flow that runs, or an orphan.
                states[server_id] = int(PowerState.NOSTATE)
        with self._lock:
            changed = {uuid: state for uuid, state in states.items() if self._told.get(uuid) != state}
            self._told = dict(states)
        if complete or changed:
            told = states if complete else changed
            self._conductor.report_guests(worker=self.name, guests=told, complete=complete)

    def _opened(self, connection_info: Body) -> Body:
        """With what opens an encrypted volume: fetched here, where it is used, so that no message, journal or
        row of ours ever holds it."""
        data = connection_info.get("data", {})
        if not data.get("encrypted"):
            return connection_info
        passphrase = self._fetch_passphrase(data["attachment_id"])
        return {**connection_info, "data": {**data, "encryption_passphrase": passphrase}}

    def _power(self, server: Server) -> int:
        """The guest's state now; the conductor hears it by the step's result."""
        state = int(self._driver.power_state(server))
        with self._lock:
            self._told[server["uuid"]] = state
        return state


def _named(server_id: str) -> Server:
    """A guest of which no more is known: enough to look at it and to destroy it."""
    flavor = Flavor(vcpus=0, memory_mb=0, root_gb=0, ephemeral_gb=0, swap=0)
    return Server(uuid=server_id, name=server_id, flavor=flavor)
