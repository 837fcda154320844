"""Extensions, as v2's clients still ask for them."""

from typing import Any

from celaje.common.errors import NotFound
from celaje.common.wsgi import Request

Row = dict[str, Any]

# Alias -> (name, what it is), for what this service has.
_EXTENSIONS = {
    "cgsnapshots": ("Cgsnapshots", "Snapshots of consistency groups."),
    "consistencygroups": ("Consistencygroups", "Consistency groups, which groups have taken the place of."),
    "backups": ("Backups", "Copies of volumes where backups are kept."),
    "os-admin-actions": ("AdminActions", "What administrators may force."),
    "capabilities": ("Capabilities", "What a back end can."),
    "encryption": ("VolumeTypeEncryption", "How volumes of a type are encrypted."),
    "os-hosts": ("Hosts", "Hosts, and what lies on them."),
    "os-snapshot-actions": ("SnapshotActions", "How a snapshot gets on that a host makes."),
    "os-snapshot-manage": ("SnapshotManage", "Taking over snapshots that are there."),
    "os-snapshot-unmanage": ("SnapshotUnmanage", "Leaving snapshots where they are."),
    "os-volume-encryption-metadata": ("VolumeEncryptionMetadata", "How a volume is encrypted."),
    "os-volume-manage": ("VolumeManage", "Taking over volumes that are there."),
    "os-volume-transfer": ("VolumeTransfer", "Handing volumes to other projects."),
    "os-volume-unmanage": ("VolumeUnmanage", "Leaving volumes where they are."),
    "OS-SCH-HNT": ("SchedulerHints", "Hints to the scheduler."),
    "qos-specs": ("Qos_specs_manage", "Limits for the volumes of a type."),
    "os-availability-zone": ("AvailabilityZones", "The availability zones."),
    "os-extended-services": ("ExtendedServices", "Disabling a service with a reason."),
    "os-extended-snapshot-attributes": ("ExtendedSnapshotAttributes", "Project and progress of snapshots."),
    "os-quota-class-sets": ("QuotaClasses", "The default quotas."),
    "os-quota-sets": ("Quotas", "The quotas of projects."),
    "os-services": ("Services", "The services behind this API."),
    "os-types-extra-specs": ("TypesExtraSpecs", "Extra specs of volume types."),
    "os-types-manage": ("TypesManage", "Creating and deleting volume types."),
    "os-used-limits": ("UsedLimits", "Usage beside the limits."),
    "os-vol-host-attr": ("VolumeHostAttribute", "Where a volume lies."),
    "os-vol-image-meta": ("VolumeImageMetadata", "Metadata of the image that a volume was made from."),
    "os-vol-mig-status-attr": ("VolumeMigStatusAttribute", "Whether a volume migrates."),
    "os-vol-tenant-attr": ("VolumeTenantAttribute", "The project of a volume."),
    "os-volume-actions": ("VolumeActions", "Attaching, extending and flags of volumes."),
    "os-volume-type-access": ("VolumeTypeAccess", "Who may use a private volume type."),
    "scheduler-stats": ("Scheduler_stats", "The pools that the scheduler knows."),
}
_UPDATED = "2026-01-01T00:00:00+00:00"


def _view(alias: str) -> Row:
    name, about = _EXTENSIONS[alias]
    return {"alias": alias, "name": name, "description": about, "updated": _UPDATED, "links": []}


def index(request: Request) -> Row:
    return {"extensions": [_view(alias) for alias in _EXTENSIONS]}


def show(request: Request, alias: str) -> Row:
    if alias not in _EXTENSIONS:
        raise NotFound("The resource could not be found.")
    return {"extension": _view(alias)}
