"""Copies a plugged volume, as it is at one moment, to a place beside its own, while the guest writes on.

The driver calls it. QEMU keeps what the guest overwrites meanwhile (its job blockdev-backup), and the job
lives in QEMU: whoever comes back after a crash finds it by its name.
"""

import re
from pathlib import Path
from typing import Any

from celaje.common.errors import DriverError
from celaje.common.qemu.qmp import QmpClient, QmpError
from celaje.compute.drivers.base import PowerState, VolumeCopy
from celaje.compute.drivers.qemu import volumes
from celaje.compute.drivers.qemu.domain import Disk
from celaje.compute.drivers.qemu.guest import Guest

_FILE = re.compile(r"copy-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.(raw|qcow2)")
# A file is opened and its first clusters are read.
_SETUP_TIMEOUT = 60.0


def begin(guest: Guest, disk: Disk, copy: VolumeCopy) -> None:
    """Returns once the moment is fixed. Begun already: nothing."""
    guest.require("have a volume copied", PowerState.RUNNING, PowerState.PAUSED)
    below = _target(disk, copy)
    with guest.qmp() as qmp:
        if _job(qmp, disk, copy) is not None:
            return
        _close(qmp, copy)  # of an attempt that died before its job began
        node = {"driver": copy["format"], "node-name": _node(copy), "file": below, "discard": "unmap"}
        qmp.execute("blockdev-add", node, timeout=_SETUP_TIMEOUT)
        asked = {
            "job-id": _name(disk, copy),
            "device": disk.stored,
            "target": _node(copy),
            "sync": "full",
            "auto-dismiss": False,
        }
        try:
            qmp.execute("blockdev-backup", asked, timeout=_SETUP_TIMEOUT)
        except QmpError:
            _close(qmp, copy)
            raise


def is_done(guest: Guest, disk: Disk, copy: VolumeCopy) -> bool:
    """Raises DriverError when the copy came to nothing."""
    if not guest.is_running():
        raise DriverError(f"Server {guest.domain.uuid} stopped while its volume {disk.volume} was copied.")
    with guest.qmp(aside=True) as qmp:
        job = _job(qmp, disk, copy)
        if job is None:
            raise DriverError(f"The copying of volume {disk.volume} was ended by another operation.")
        if job["status"] != "concluded":
            return False
        qmp.execute("job-dismiss", {"id": job["id"]})
        _close(qmp, copy)
    if job.get("error"):
        raise DriverError(f"Volume {disk.volume} could not be copied: {job['error']}")
    return True


def abandon(guest: Guest, disk: Disk) -> None:
    """End the volume's copies, since it is about to be unplugged. Their callers are told by `is_done`."""
    with guest.qmp() as qmp:
        mine = [job for job in qmp.execute("query-jobs") if job["id"].startswith(_prefix(disk))]
        for job in mine:
            if job["status"] != "concluded":
                qmp.execute("job-cancel", {"id": job["id"]})
                qmp.wait_event("JOB_STATUS_CHANGE", _SETUP_TIMEOUT, id=job["id"], status="concluded")
            qmp.execute("job-dismiss", {"id": job["id"]})
            qmp.execute("blockdev-del", {"node-name": job["id"].removeprefix(_prefix(disk))})


def _target(disk: Disk, copy: VolumeCopy) -> dict[str, Any]:
    """The node of a file beside the volume's, or of an iSCSI target beside its own, by the same account."""
    if not _FILE.fullmatch(copy["file"]) or copy["format"] != copy["file"].rpartition(".")[2]:
        raise DriverError(f"{copy['file']!r} is no name of a volume's copy.")
    if disk.iscsi:
        beside = disk.iscsi["target"].rpartition("volume-")[0] + copy["file"].removesuffix(".raw")
        return volumes.target_node(disk, f"{_node(copy)}-f", beside)
    if not disk.path:
        raise DriverError(f"Volume {disk.volume} is no file of this host: its back end copies it.")
    target = Path(disk.path).parent / copy["file"]
    if not target.is_file() or target.is_symlink():
        raise DriverError(f"There is no file {target} to copy volume {disk.volume} to.")
    return {"driver": "file", "filename": str(target), "discard": "unmap"}


def _prefix(disk: Disk) -> str:
    return f"copy-{disk.volume}-"


def _node(copy: VolumeCopy) -> str:
    """31 characters at most, with what names the node below it, and unlike those of disks."""
    return f"c-{copy['id'].replace('-', '')[:26]}"


def _name(disk: Disk, copy: VolumeCopy) -> str:
    return _prefix(disk) + _node(copy)


def _job(qmp: QmpClient, disk: Disk, copy: VolumeCopy) -> dict[str, Any] | None:
    name = _name(disk, copy)
    return next((job for job in qmp.execute("query-jobs") if job["id"] == name), None)


def _close(qmp: QmpClient, copy: VolumeCopy) -> None:
    try:
        qmp.execute("blockdev-del", {"node-name": _node(copy)})
    except QmpError as error:
        if error.details.get("error_class") != "GenericError":
            raise
