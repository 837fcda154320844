"""Plugs volumes and NICs into a guest, running or not, and takes them out.

The driver calls it with the server's lock held. The record changes first when something is plugged and last
when it is taken out, so that after a crash the same call finds what is left to do.
"""

from typing import Any

from celaje.common import clock
from celaje.common.errors import DriverError
from celaje.common.qemu.qmp import QmpClient, QmpError
from celaje.compute.drivers.base import Port, PowerState, free_device
from celaje.compute.drivers.qemu import block_copy, disks, network, volumes
from celaje.compute.drivers.qemu.domain import Disk, Nic, port_name
from celaje.compute.drivers.qemu.guest import Guest

DETACH_TIMEOUT = 40.0
# Seconds that QEMU has to open or resize a disk: shorter than rpc_response_timeout, so that it is QEMU of
# which the caller hears.
BLOCK_TIMEOUT = 45.0
RETRY_INTERVAL = 2.0
PLUGGABLE = (PowerState.RUNNING, PowerState.PAUSED, PowerState.SHUTDOWN)


def plug_volume(guest: Guest, volume: str, source: volumes.Source) -> str:
    """The device's path; see ComputeDriver.attach_volume."""
    state = guest.require("have a volume attached", *PLUGGABLE)
    domain = guest.domain
    disk = domain.disk_of(volume)
    fresh = disk is None
    if disk is None:
        taken = [entry.device for entry in domain.disks]
        disk = Disk(device=free_device(taken), slot=domain.free_slot(), volume=volume, **source.kept)
        if any(other.device_id == disk.device_id for other in domain.disks):
            # What was swapped for this volume still has its device.
            disk.named = f"{disk.device_id}-{disk.slot}"
        domain.disks.append(disk)
        guest.save()
    elif (disk.nbd, disk.iscsi) != (source.nbd, source.iscsi) and state == PowerState.SHUTDOWN:
        # Connected anew, by another export; a running guest keeps the one that it has open.
        disk.nbd, disk.iscsi = source.nbd, source.iscsi
        guest.save()
    volumes.keep_secrets(guest.folder, str(disk.lies_as), source)
    if state != PowerState.SHUTDOWN:
        try:
            with guest.qmp() as qmp:
                if disk.node not in nodes_of(qmp):
                    add_node(qmp, guest, disk)
                if disk.device_id not in devices_of(qmp):
                    qmp.execute("device_add", disk.qemu_device())
        except QmpError:
            if fresh:
                _withdraw(guest, disk)
            raise
    return disk.device


def add_node(qmp: QmpClient, guest: Guest, disk: Disk) -> None:
    remove_node(qmp, guest, disk)  # objects of an attempt that died half-way
    for each in volumes.objects(disk, guest.folder):
        qmp.execute("object-add", each)
    # An export may be far away, and the handshake of TLS takes its time.
    qmp.execute("blockdev-add", volumes.node(disk), timeout=BLOCK_TIMEOUT)


def remove_node(qmp: QmpClient, guest: Guest, disk: Disk) -> None:
    """The disk's node, what it stood on, and the objects that hold its secrets."""
    there = nodes_of(qmp)
    if disk.node in there:
        qmp.execute("blockdev-del", {"node-name": disk.node})
        there = nodes_of(qmp)
    for name in _below(disk):
        if name in there:
            qmp.execute("blockdev-del", {"node-name": name})
    objects = {entry["name"] for entry in qmp.execute("qom-list", {"path": "/objects"})}
    for each in volumes.objects(disk, guest.folder):
        if each["id"] in objects:
            qmp.execute("object-del", {"id": each["id"]})


def _below(disk: Disk) -> list[str]:
    """The names that an export's node takes in turn, whenever the volume is extended."""
    return [f"{disk.node}-f", f"{disk.node}-g"] if disk.nbd else []


def _withdraw(guest: Guest, disk: Disk) -> None:
    """QEMU refused the volume: leave nothing of it."""
    with guest.qmp() as qmp:
        remove_node(qmp, guest, disk)
    _forget(guest, disk)


def _forget(guest: Guest, disk: Disk) -> None:
    guest.domain.disks.remove(disk)
    guest.save()
    volumes.forget_secrets(guest.folder, str(disk.lies_as))


def unplug_volume(guest: Guest, volume: str) -> None:
    disk = guest.domain.disk_of(volume)
    if disk is None:
        return
    if disk.boot:
        raise DriverError(
            f"Volume {volume} is the root disk of server {guest.domain.uuid}; it cannot be detached."
        )
    if guest.require("have a volume detached", PowerState.RUNNING, PowerState.SHUTDOWN) == PowerState.RUNNING:
        block_copy.abandon(guest, disk)
        with guest.qmp() as qmp:
            remove_device(qmp, disk.device_id, guest.domain.uuid)
            remove_node(qmp, guest, disk)
    _forget(guest, disk)


def plugged(guest: Guest, volume: str) -> Disk:
    disk = guest.domain.disk_of(volume)
    if disk is None:
        raise DriverError(f"Volume {volume} is not attached to server {guest.domain.uuid}.")
    return disk


def extend_volume(guest: Guest, volume: str, size: int) -> None:
    disk = plugged(guest, volume)
    if guest.require("have a volume extended", *PLUGGABLE) == PowerState.SHUTDOWN:
        if not disk.remote:
            disks.grow(disk.path, disk.format, size)
        return
    with guest.qmp() as qmp:
        if disk.nbd:
            _reopen(qmp, disk)
        payload = _payload(qmp, disk, size)
        # The node over a new export has its size already, and the guest is told only by a resize.
        if disk.nbd or disk.rbd or nodes_of(qmp)[disk.node]["image"]["virtual-size"] < payload:
            qmp.execute("block_resize", {"node-name": disk.node, "size": payload}, timeout=BLOCK_TIMEOUT)


def _payload(qmp: QmpClient, disk: Disk, size: int) -> int:
    """What the guest gets of `size` bytes: LUKS keeps its header before them."""
    if not disk.luks:
        return size
    told = nodes_of(qmp)[disk.node]["image"].get("format-specific", {}).get("data", {})
    return size - int(told.get("payload-offset", 0))


def _reopen(qmp: QmpClient, disk: Disk) -> None:
    """QEMU never asks an export for its size again: a second node of the same export takes the place of the
    first, while the guest goes on."""
    first, second = _below(disk)
    old, new = (first, second) if first in nodes_of(qmp) else (second, first)
    if new in nodes_of(qmp):
        qmp.execute("blockdev-del", {"node-name": new})
    qmp.execute("blockdev-add", volumes.export_node(disk, new), timeout=BLOCK_TIMEOUT)
    qmp.execute(
        "blockdev-reopen", {"options": [{**volumes.top_node(disk), "file": new}]}, timeout=BLOCK_TIMEOUT
    )
    if old in nodes_of(qmp):
        qmp.execute("blockdev-del", {"node-name": old})


def plug_interface(guest: Guest, port: Port) -> None:
    domain = guest.domain
    state = guest.require("have an interface attached", *PLUGGABLE)
    netdev = network.netdev_of(port)
    nic = domain.nic_of(port["port_id"])
    if nic is None:
        nic = Nic(dict(port), domain.free_slot())
        domain.nics.append(nic)
        guest.save()
    if state == PowerState.SHUTDOWN:
        return
    device = network.nic_of(port, port_name(nic.slot), netdev is not None)
    try:
        with guest.qmp() as qmp:
            if device["id"] in devices_of(qmp):
                return
            if netdev is not None:
                _remove_netdev(qmp, netdev["id"])  # of an attempt that died half-way
                qmp.execute("netdev_add", netdev)
            qmp.execute("device_add", device)
    except QmpError:
        domain.nics.remove(nic)
        guest.save()
        raise


def unplug_interface(guest: Guest, port_id: str) -> None:
    nic = guest.domain.nic_of(port_id)
    if nic is None:
        return
    if (
        guest.require("have an interface detached", PowerState.RUNNING, PowerState.SHUTDOWN)
        == PowerState.RUNNING
    ):
        with guest.qmp() as qmp:
            remove_device(qmp, network.nic_id(port_id), guest.domain.uuid)
            _remove_netdev(qmp, network.netdev_id(port_id))
    guest.domain.nics.remove(nic)
    guest.save()


def _remove_netdev(qmp: QmpClient, name: str) -> None:
    try:
        qmp.execute("netdev_del", {"id": name})
    except QmpError as error:
        if error.details.get("error_class") != "DeviceNotFound":
            raise


def remove_device(qmp: QmpClient, name: str, server: str) -> None:
    """Ask the guest to let go of a device until it does. Asked before its PCI driver is up it does not hear
    it, so the request is repeated; QEMU refuses a repetition while the first may still be answered, which
    is no failure."""
    deadline = clock.monotonic() + DETACH_TIMEOUT
    while clock.monotonic() < deadline:
        if name not in devices_of(qmp):
            return
        try:
            qmp.execute("device_del", {"id": name})
        except QmpError as error:
            if error.details.get("error_class") == "DeviceNotFound":
                return
        if qmp.wait_event("DEVICE_DELETED", RETRY_INTERVAL, device=name):
            return
    raise DriverError(f"The guest of server {server} did not let go of {name} within {DETACH_TIMEOUT:g} s.")


def nodes_of(qmp: QmpClient) -> dict[str, dict[str, Any]]:
    """QEMU's block nodes by name."""
    return {node["node-name"]: node for node in qmp.execute("query-named-block-nodes", {"flat": True})}


def devices_of(qmp: QmpClient) -> set[str]:
    """The ids of the devices that have one."""
    return {entry["name"] for entry in qmp.execute("qom-list", {"path": "/machine/peripheral"})}
