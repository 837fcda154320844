"""Puts another volume in the place of a plugged one, with its data, while the guest goes on: for migrations.

The driver calls it. QEMU mirrors (its job blockdev-mirror) what lies there and, at once on both sides, what
the guest writes meanwhile; once both are equal the guest's device changes over. The job lives in QEMU and the
order in the server's record, so whoever comes back after a crash knows what is done.
"""

from typing import Any

from celaje.common.errors import DriverError
from celaje.common.qemu.qmp import QmpClient, QmpError
from celaje.compute.drivers.base import PowerState, SwapStillPassing
from celaje.compute.drivers.qemu import hotplug, volumes
from celaje.compute.drivers.qemu.domain import Disk
from celaje.compute.drivers.qemu.guest import Guest

# Seconds that QEMU has to open the volume, to change over, and to cancel.
SETUP_TIMEOUT = 60.0
_PIVOT_TIMEOUT = 45.0


def begin(guest: Guest, old: str, key: str, source: volumes.Source, volume: str) -> None:
    """Begun already, or done: nothing. `key`: the new volume's id; `volume`: by which id the server will know
    it."""
    disk = _find(guest, old, key)
    if disk.lies_as == key:
        return
    if disk.swap is not None and disk.swap["key"] != key:
        raise DriverError(f"Volume {old} is being swapped for another already.")
    guest.require("have a volume swapped", PowerState.RUNNING, PowerState.PAUSED)
    if disk.swap is None:
        disk.swap = {"key": key, "volume": volume, "source": source.kept, "pivoting": False}
        guest.save()
    volumes.keep_secrets(guest.folder, key, source)
    target = disk.swapped()
    try:
        with guest.qmp() as qmp:
            if _job(qmp, disk) is not None:
                return
            hotplug.add_node(qmp, guest, target)
            asked = {
                "job-id": _name(disk),
                "device": disk.node,
                "target": target.node,
                "sync": "full",
                "copy-mode": "write-blocking",
                "auto-dismiss": False,
            }
            qmp.execute("blockdev-mirror", asked, timeout=SETUP_TIMEOUT)
    except QmpError:
        _withdraw(guest, disk)
        raise


def is_done(guest: Guest, old: str, key: str) -> bool:
    """Whether the guest uses the new volume; changes over once both sides are equal. DriverError when it came
    to nothing: the guest uses the old one then."""
    disk = _find(guest, old, key)
    if disk.lies_as == key:
        return True
    if not guest.is_running():
        guest.domain.settle_swaps()
        guest.save()
        if _find(guest, old, key).lies_as == key:
            return True
        raise DriverError(f"Server {guest.domain.uuid} stopped while its volume {old} was swapped.")
    if disk.swap is None:
        raise DriverError(f"The swapping of volume {old} was ended by another operation.")
    with guest.qmp(aside=True) as qmp:
        job = _job(qmp, disk)
        if job is not None and job["status"] == "ready":
            # From here on both sides have all the data, whatever ends first.
            disk.swap["pivoting"] = True
            guest.save()
            qmp.execute("job-complete", {"id": job["id"]})
            qmp.wait_event("JOB_STATUS_CHANGE", _PIVOT_TIMEOUT, id=job["id"], status="concluded")
            job = _job(qmp, disk)
        if job is not None and job["status"] != "concluded":
            return False
        if job is not None:
            qmp.execute("job-dismiss", {"id": job["id"]})
        if (job or {}).get("error") or not disk.swap["pivoting"]:
            _withdraw(guest, disk)
            cause = (job or {}).get("error") or "its job is gone"
            raise DriverError(f"Volume {old} could not be swapped: {cause}")
        _change_over(qmp, guest, disk)
    return True


def abandon(guest: Guest, old: str, key: str) -> bool:
    """The guest stays with the old volume, and nothing is left of the new one. False: it uses the new one."""
    disk = _find(guest, old, key)
    if disk.lies_as == key:
        return False
    if disk.swap is None:
        return True
    if disk.swap["pivoting"]:
        return _abandon_late(guest, old, key)
    if guest.is_running():
        with guest.qmp() as qmp:
            job = _job(qmp, disk)
            if job is not None:
                if job["status"] != "concluded":
                    qmp.execute("job-cancel", {"id": job["id"]})
                    qmp.wait_event("JOB_STATUS_CHANGE", SETUP_TIMEOUT, id=job["id"], status="concluded")
                qmp.execute("job-dismiss", {"id": job["id"]})
    _withdraw(guest, disk)
    return True


def _abandon_late(guest: Guest, old: str, key: str) -> bool:
    """It is changing over: let it end."""
    try:
        if not is_done(guest, old, key):
            raise SwapStillPassing(volume=old)
    except SwapStillPassing:
        raise
    except DriverError:
        return True
    return False


def _withdraw(guest: Guest, disk: Disk) -> None:
    """Nothing is left of the new volume."""
    target = disk.swapped()
    if guest.is_running():
        with guest.qmp() as qmp:
            hotplug.remove_node(qmp, guest, target)
    disk.swap = None
    guest.save()
    volumes.forget_secrets(guest.folder, str(target.lies_as))


def _change_over(qmp: QmpClient, guest: Guest, disk: Disk) -> None:
    """The old volume is closed, then the record names the new one."""
    hotplug.remove_node(qmp, guest, disk)
    target = disk.swapped()
    guest.domain.disks[guest.domain.disks.index(disk)] = target
    guest.save()
    volumes.forget_secrets(guest.folder, str(disk.lies_as))


def _find(guest: Guest, old: str, key: str) -> Disk:
    disks = guest.domain.disks
    found = (
        next((disk for disk in disks if disk.lies_as == key), None)
        or guest.domain.disk_of(old)
        or next((disk for disk in disks if disk.lies_as == old), None)
    )
    if found is not None:
        return found
    raise DriverError(f"Volume {old} is not attached to server {guest.domain.uuid}.")


def _name(disk: Disk) -> str:
    assert disk.swap is not None
    return f"swap-{disk.swap['key']}"


def _job(qmp: QmpClient, disk: Disk) -> dict[str, Any] | None:
    return next((job for job in qmp.execute("query-jobs") if job["id"] == _name(disk)), None)
