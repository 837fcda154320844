"""What a volume worker asks of a back end. Called by volume's worker only; a driver never sees a database.

Every operation is idempotent, keyed by the volume's or snapshot's id: a worker that was killed runs its
step again, and finds its own work either done or not begun.
"""

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from oslo_config import cfg

from celaje.common import errors

GIB = 1024**3
UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

#: What every driver reads. Names, meanings and defaults as Cinder has them.
OPTIONS = [
    cfg.StrOpt("volume_backend_name", help="Name of the back end; default: its section's name."),
    cfg.IntOpt(
        "reserved_percentage",
        default=0,
        min=0,
        max=100,
        help="Part of the capacity that the scheduler leaves free, in per cent.",
    ),
    cfg.StrOpt(
        "max_over_subscription_ratio",
        default="20.0",
        regex=r"^(auto|\d+(\.\d+)?|\.\d+)$",
        help="How much more than its capacity thin volumes may promise; auto: from what is used.",
    ),
    cfg.StrOpt(
        "filter_function",
        help="Formula over stats, volume, extra and qos: may this back end have the volume. Needs "
        "DriverFilter in scheduler_default_filters.",
    ),
    cfg.StrOpt(
        "goodness_function",
        help="Formula that gives 0 to 100: how well the volume would lie here. Needs GoodnessWeigher in "
        "scheduler_default_weighers.",
    ),
]


class VolumeMissing(errors.NotFound):
    """The back end has no such volume."""

    text = "Volume {volume_id} was not found at the back end."


class SnapshotMissing(errors.NotFound):
    """The back end has no such snapshot."""

    text = "Snapshot {snapshot_id} was not found at the back end."


class VolumeInUse(errors.Conflict):
    """A hypervisor holds the volume open, and the back end cannot do this meanwhile."""

    text = "Volume {volume_id} is in use at the back end."


class VolumeWouldShrink(errors.Invalid):
    text = "Volume {volume_id} has {size} GiB and cannot become smaller ({new_size} GiB)."


class ImageDoesNotFit(errors.Invalid):
    """Cinder's words for an image whose virtual size is over the volume's."""

    text = "Size of specified image {image_size} GiB is larger than volume size {size} GiB."


class BackendFull(errors.DriverError):
    """No room left at the back end, whatever the scheduler thought."""

    text = "The back end {backend} has no room for this."


class BadIdentifier(errors.Invalid):
    text = "{identifier} is not an identifier: it must be a UUID."


class BadMetadata(errors.Invalid):
    """A volume, snapshot or connector lacks what the driver needs."""

    text = "{what} lacks {key}."


Volume = Mapping[str, Any]
Snapshot = Mapping[str, Any]
Image = Mapping[str, Any]
Connector = Mapping[str, Any]


class VolumeDriver:
    """One back end.

    volume: {"id", "name_id" (None, or the id that its data lies under after a migration), "size" in GiB,
    "volume_type", "metadata", "provider_location", ...}; snapshot: {"id", "volume_id", "volume_size"}; image:
    {"id", "disk_format", "path" of a local file}. A volume that is to be made encrypted has "encryption":
    {"provider", "cipher", "key_size", "passphrase"}; an image whose content is LUKS that is to be opened, too
    (the passphrase only). Without, content is copied as it is, encrypted or not. connector: {"host", "ip",
    "initiator", ...} as os-brick makes it. Methods that make a volume or snapshot return what the row is to
    keep, for example {"provider_location": ...}; an empty dict when there is nothing.
    """

    options: ClassVar[list[cfg.Opt]] = OPTIONS
    vendor: ClassVar[str] = "Celaje"
    version: ClassVar[str] = "1.0.0"
    protocol: ClassVar[str] = "unknown"

    #: How long an operation waits for what is behind the driver, beside its options: name -> (for what,
    #: seconds at most). Told by `celaje timeouts`.
    waits: ClassVar[Mapping[str, tuple[tuple[str, float], ...]]] = {}

    #: An attached volume is extended by the host that holds it open (Nova's server external event
    #: volume-extended, answered by os-extend_volume_completion), as with Cinder's NFS driver; then
    #: `extend_volume` is not called for it.
    extends_attached_through_host: ClassVar[bool] = False
    #: `create_snapshot` and `create_cloned_volume` are right while a guest writes.
    copies_attached: ClassVar[bool] = False
    #: They are not, but the host that has the volume open can copy it: see `prepare_copy`.
    copies_attached_through_host: ClassVar[bool] = False
    #: A volume's "encryption" is heeded. LUKS lies inside the volume, so nothing but making one needs the
    #: key.
    encrypts: ClassVar[bool] = False
    #: `create_snapshot` of several attached volumes, one after the other, is of one moment.
    copies_groups_attached: ClassVar[bool] = False
    #: Where an image's data lies is asked for before it is fetched: `clone_image` may need no transfer.
    clones_images: ClassVar[bool] = False

    def __init__(self, configuration: Any, *, backend: str, host: str | None = None):
        """configuration: the option group where `options` are registered. backend: its name (the part
        after @ of a Cinder host). host: this machine's name as connectors give it."""
        self.configuration = configuration
        self.backend = backend
        self.host = host

    @property
    def backend_name(self) -> str:
        return self.configuration.volume_backend_name or self.backend

    def explain(self) -> str:
        """One sentence for the start banner: what it stores where, and what it does without."""
        raise NotImplementedError

    def check_for_setup_error(self) -> None:
        """Raises ConfigurationError, told at start, when the back end cannot be used. Also the place to
        remove what a killed predecessor left half made."""
        raise NotImplementedError

    def close(self) -> None:
        """The worker ends in good order. What attached volumes need goes on."""

    def capabilities(self) -> dict[str, Any]:
        """Cinder's get_volume_stats: see capacity.report. Asked for every report to the scheduler."""
        raise NotImplementedError

    def create_volume(self, volume: Volume) -> dict[str, Any]:
        """An empty volume of `size` GiB. BackendFull."""
        raise NotImplementedError

    def create_volume_from_image(self, volume: Volume, image: Image) -> dict[str, Any]:
        """A volume with the image's content, independent of the image. ImageDoesNotFit, UnsafeImage,
        FormatMismatch (celaje.common.disk_format), BackendFull."""
        raise NotImplementedError

    def clone_image(self, volume: Volume, image: Image) -> dict[str, Any] | None:
        """The same without a transfer, where the image's data lies at this back end already; None: it does
        not. image: {"id", "disk_format", "locations" as the image service tells them to services}."""
        return None

    def create_volume_from_snapshot(self, volume: Volume, snapshot: Snapshot) -> dict[str, Any]:
        """A volume with the snapshot's content, at least as large. SnapshotMissing, VolumeWouldShrink."""
        raise NotImplementedError

    def create_cloned_volume(self, volume: Volume, source: Volume) -> dict[str, Any]:
        """A volume with the source's content, at least as large. VolumeMissing, VolumeWouldShrink."""
        raise NotImplementedError

    def delete_volume(self, volume: Volume) -> None:
        """Nothing happens when it is gone. Whether it is still attached is the flow's business."""
        raise NotImplementedError

    def extend_volume(self, volume: Volume, new_size: int) -> None:
        """Grow a volume that is not attached to `new_size` GiB. VolumeMissing, VolumeWouldShrink."""
        raise NotImplementedError

    def create_snapshot(self, snapshot: Snapshot) -> dict[str, Any]:
        """Keep the present content of snapshot["volume_id"] (under snapshot["volume_name_id"] if that is
        given). VolumeMissing."""
        raise NotImplementedError

    def delete_snapshot(self, snapshot: Snapshot) -> None:
        """Nothing happens when it is gone."""
        raise NotImplementedError

    def revert_to_snapshot(self, volume: Volume, snapshot: Snapshot) -> None:
        """Give a volume that is not attached the snapshot's content again; both have one size, and the
        snapshot stays. VolumeMissing, SnapshotMissing."""
        raise errors.NotImplementedHere(f"{self.backend_name} cannot revert a volume to a snapshot.")

    def initialize_connection(self, volume: Volume, connector: Connector) -> dict[str, Any]:
        """What the host of `connector` needs to open the volume: {"driver_volume_type": str, "data": {}}.
        VolumeMissing."""
        raise NotImplementedError

    def terminate_connection(self, volume: Volume, connector: Connector | None) -> None:
        """Take it back; None: from all hosts. Nothing happens when there is none."""
        raise NotImplementedError

    def copy_volume_to_image(self, volume: Volume, path: str, disk_format: str) -> None:
        """Write the volume's content to the local file `path` in a Glance disk_format. VolumeMissing."""
        raise NotImplementedError

    def prepare_copy(self, volume: Volume, copy_id: str) -> dict[str, Any] | None:
        """For a volume that a guest writes to: an empty file beside it, {"file": its name, "format"}, which
        the guest's host fills with the volume's content of one moment. Operations that read the volume and
        get "copy_id" with it (or with the snapshot to make) then read that file. None when there is no need.
        VolumeMissing."""
        raise errors.NotImplementedHere(f"{self.backend_name} cannot copy a volume that is attached.")

    def discard_copy(self, copy_id: str) -> None:
        """Nothing happens when it is gone."""
        raise NotImplementedError

    def list_volumes(self) -> list[dict[str, Any]]:
        """All that lies at the back end, [{"id" (a name_id), "size" in GiB}], for the orphan check."""
        raise NotImplementedError

    def list_snapshots(self) -> list[dict[str, Any]]:
        """Likewise [{"id", "size"}]."""
        raise NotImplementedError


def data_id(volume: Volume) -> str:
    """The id that the volume's data lies under: its name_id after a migration, else its id."""
    return checked(volume.get("name_id") or volume["id"])


def source_id(snapshot: Snapshot) -> str:
    """The id that the data of the snapshot's volume lies under."""
    return checked(snapshot.get("volume_name_id") or snapshot["volume_id"])


def checked(identifier: str) -> str:
    if not isinstance(identifier, str) or not UUID.fullmatch(identifier):
        raise BadIdentifier(identifier=identifier)
    return identifier


def refuse_shrinking(volume_id: str, size: float, new_size: int) -> None:
    if new_size < size:
        raise VolumeWouldShrink(volume_id=volume_id, size=size, new_size=new_size)
