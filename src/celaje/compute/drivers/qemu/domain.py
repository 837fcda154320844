"""The record of one server on this host, and QEMU's command line made from it.

The driver keeps it as `domain.json` in the server's folder: all that is needed to start the guest again, to
take it up after a restart, and to know what is plugged where.
"""

import json
import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from celaje.common.errors import DriverError
from celaje.compute.drivers.qemu import disks, network, volumes
from celaje.compute.drivers.qemu.probe import cpu_of

RECORD = "domain.json"
CONSOLE = "console.log"
AGENT, RESCUE = "agent.qmp", "rescue.qmp"
PIDFILE = "qemu.pid"
MINIMUM_MEMORY = 64
NAME_LIMIT = 20  # of a virtio disk's serial


@dataclass
class Disk:
    """`volume`: the volume's id; None for a disk of the server's own. `slot`: number of its PCIe port. `nbd`,
    `iscsi`, `rbd`, `luks`: see volumes.Source. `key`: under which QEMU knows its nodes, where that is not the
    volume's id; `named`: likewise its device; `swap`: the volume that is to take its place, see
    block_swap.py."""

    path: str
    format: str
    device: str
    slot: int
    volume: str | None = None
    read_only: bool = False
    boot: bool = False
    nbd: dict[str, Any] | None = None
    iscsi: dict[str, Any] | None = None
    rbd: dict[str, Any] | None = None
    luks: bool = False
    key: str | None = None
    named: str | None = None
    swap: dict[str, Any] | None = None

    @property
    def lies_as(self) -> str | None:
        """What its nodes and secrets are named after: since a swap, the volume that it was swapped for."""
        return self.key or self.volume

    def swapped(self) -> "Disk":
        """The disk that it becomes: the guest keeps its device."""
        assert self.swap is not None
        gained = {"key": self.swap["key"], "volume": self.swap["volume"], **self.swap["source"]}
        return replace(self, **gained, named=self.device_id, swap=None)

    @property
    def remote(self) -> bool:
        """Its back end changes its size, not this host."""
        return not self.path

    @property
    def node(self) -> str:
        """The block node's name, at most 31 characters with what QEMU and we put behind it."""
        return f"v{self.lies_as.replace('-', '')[:26]}" if self.lies_as else f"own{self.slot}"

    @property
    def stored(self) -> str:
        """The node with the data as they lie in the file: LUKS is opened above it."""
        if not self.luks:
            return self.node
        return f"{self.node}-f" if self.remote else f"{self.node}-l"

    @property
    def device_id(self) -> str:
        return self.named or f"disk-{self.volume or self.slot}"

    def qemu_device(self) -> dict[str, Any]:
        device: dict[str, Any] = {
            "driver": "virtio-blk-pci",
            "id": self.device_id,
            "bus": port_name(self.slot),
            "drive": self.node,
        }
        if self.volume:
            device["serial"] = self.volume[:NAME_LIMIT]
        if self.boot:
            device["bootindex"] = 1
        return device


@dataclass
class Nic:
    port: dict[str, Any]
    slot: int


@dataclass
class Domain:
    """`flavor` as it was at spawn; `process`: see process.identify; `saved`: its memory is on disk
    (suspended)."""

    uuid: str
    name: str
    flavor: dict[str, Any]
    slots: int
    disks: list[Disk] = field(default_factory=list)
    nics: list[Nic] = field(default_factory=list)
    config_drive: bool = False
    process: dict[str, Any] | None = None
    saved: bool = False

    def free_slot(self) -> int:
        taken = {disk.slot for disk in self.disks} | {nic.slot for nic in self.nics}
        for slot in range(self.slots):
            if slot not in taken:
                return slot
        raise DriverError(f"Server {self.uuid}: all {self.slots} PCIe ports are in use.")

    def disk_of(self, volume: str) -> Disk | None:
        return next((disk for disk in self.disks if disk.volume == volume), None)

    def settle_swaps(self) -> None:
        """QEMU has ended. A disk that was about to change over has all its data on either side by then."""
        for number, disk in enumerate(self.disks):
            if disk.swap is not None:
                self.disks[number] = disk.swapped() if disk.swap["pivoting"] else replace(disk, swap=None)

    def nic_of(self, port_id: str) -> Nic | None:
        return next((nic for nic in self.nics if nic.port["port_id"] == port_id), None)


def load(folder: Path) -> Domain | None:
    """The record in a server's folder; None when it has none (we died while building it)."""
    try:
        data = json.loads((folder / RECORD).read_text())
    except FileNotFoundError:
        return None
    data["disks"] = [Disk(**disk) for disk in data["disks"]]
    data["nics"] = [Nic(**nic) for nic in data["nics"]]
    return Domain(**data)


def save(domain: Domain, folder: Path) -> None:
    fresh = folder / f"{RECORD}.new"
    with fresh.open("w") as file:
        json.dump(asdict(domain), file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(folder / RECORD)


def port_name(slot: int) -> str:
    return f"rp{slot}"


def vcpus_of(domain: Domain, accelerator: str, max_tcg_vcpus: int) -> int:
    """Emulated CPUs beyond the first slow a guest down; the flavor's number then only counts in the books."""
    wanted = int(domain.flavor["vcpus"])
    return wanted if accelerator == "kvm" else min(wanted, max_tcg_vcpus)


def command_line(
    domain: Domain,
    folder: Path,
    *,
    program: str,
    accelerator: str,
    max_tcg_vcpus: int,
    incoming: int | None = None,
) -> list[str]:
    """QEMU's arguments. Sockets are relative to `folder`, the process's current one; disks are absolute.

    incoming: a descriptor that QEMU inherits and reads the guest's saved memory from."""
    accel = "kvm" if accelerator == "kvm" else "tcg,tb-size=64"
    memory = max(MINIMUM_MEMORY, int(domain.flavor["memory_mb"]))
    words = [
        program, "-name", f"server-{domain.uuid}", "-uuid", domain.uuid, "-nodefaults", "-no-user-config",
        "-machine", "q35", "-accel", accel, "-cpu", cpu_of(accelerator), "-m", str(memory),
        "-smp", str(vcpus_of(domain, accelerator, max_tcg_vcpus)), "-display", "none", "-pidfile", PIDFILE,
        "-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
        "-rtc", "base=utc", "-boot", "menu=off,strict=on",
        "-chardev", f"socket,id=agent,path={AGENT},server=on,wait=off",
        "-mon", "chardev=agent,mode=control",
        "-chardev", f"socket,id=rescue,path={RESCUE},server=on,wait=off",
        "-mon", "chardev=rescue,mode=control",
        # QEMU writes the log, so that it goes on without us; appended, as Nova keeps it over a stop.
        "-chardev", f"socket,id=serial,path=serial.sock,server=on,wait=off,logfile={CONSOLE},logappend=on",
        "-serial", "chardev:serial",
        "-object", "rng-random,id=rng,filename=/dev/urandom",
    ]  # fmt: skip
    for slot in range(domain.slots):
        # Eight functions share a device of the root bus, or 31 slots would be its end.
        device, function = divmod(slot, 8)
        multi = ",multifunction=on" if function == 0 else ""
        place = f"addr=0x{0x10 + device:x}.0x{function:x}{multi}"
        words += [
            "-device",
            f"pcie-root-port,id={port_name(slot)},chassis={slot + 1},slot={slot + 1},{place}",
        ]
    words += ["-device", "virtio-rng-pci,rng=rng,bus=pcie.0,addr=0x4"]
    for disk in domain.disks:
        for each in volumes.objects(disk, folder):
            words += ["-object", json.dumps(each)]
        words += ["-blockdev", json.dumps(volumes.node(disk))]
        words += ["-device", json.dumps(disk.qemu_device())]
    if domain.config_drive:
        # A CD behind virtio-scsi: it takes no /dev/vdX letter, and guests without AHCI see it too.
        drive = disks.blockdev("config", str(folder / "config.iso"), "raw", read_only=True)
        words += ["-device", "virtio-scsi-pci,id=scsi,bus=pcie.0,addr=0x5", "-blockdev", json.dumps(drive)]
        words += ["-device", "scsi-cd,bus=scsi.0,drive=config,id=config-drive"]
    for nic in domain.nics:
        netdev = network.netdev_of(nic.port)
        if netdev:
            words += ["-netdev", json.dumps(netdev)]
        words += ["-device", json.dumps(network.nic_of(nic.port, port_name(nic.slot), netdev is not None))]
    if incoming is not None:
        words += ["-incoming", f"fd:{incoming}"]
    return words
