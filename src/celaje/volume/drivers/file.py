"""Volumes as files in a folder, qcow2 or raw, attached by path on the same host. Called by volume's worker.

A volume's format stands in its file's name, never in its content: the content belongs to the guest, who
could write another format's header into a raw disk. Snapshots and clones are full, independent copies,
which cost nothing where the file system shares blocks (xfs, btrfs).
"""

import contextlib
import errno
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

from oslo_config import cfg

from celaje.common import disk_format, errors, processes
from celaje.volume.drivers import base, capacity, image_source, local_files, luks

OPTIONS = [
    *base.OPTIONS,
    cfg.StrOpt("volumes_dir", help="Folder in which the volumes lie."),
    cfg.BoolOpt(
        "volumes_dir_shared",
        default=False,
        help="The folder is mounted at the same path on every compute host; else only guests on this host "
        "can attach its volumes.",
    ),
    cfg.StrOpt(
        "file_volume_format", default="qcow2", choices=["qcow2", "raw"], help="Format of new volumes."
    ),
    cfg.IntOpt(
        "image_conversion_timeout", default=3300, min=1, help="Seconds after which a conversion is ended."
    ),
    cfg.IntOpt(
        "image_conversion_address_space_limit",
        # Cinder's default is 1; qemu-img 7.2 runs out of that now and then when it converts VMDK, since
        # every thread's allocation arena reserves 64 MiB of addresses.
        default=4,
        min=1,
        help="Address space of qemu-img while it converts an image, GiB.",
    ),
]

RESIZE_TIMEOUT = 60
FORMATS = ("qcow2", "raw")
VOLUME, SNAPSHOT, COPY = "volume", "snapshot", "copy"
FULL = {errno.ENOSPC, errno.EDQUOT}


class FileDriver(base.VolumeDriver):
    options: ClassVar[list[cfg.Opt]] = OPTIONS
    protocol = "file"
    extends_attached_through_host = True
    copies_attached_through_host = True
    encrypts = True

    def __init__(self, configuration: Any, *, backend: str, host: str | None = None):
        super().__init__(configuration, backend=backend, host=host)
        if not configuration.volumes_dir:
            raise errors.ConfigurationError(f"volumes_dir is not set in [{backend}].")
        self._folder = Path(configuration.volumes_dir).absolute()
        self._qemu_img = processes.find("qemu-img")
        self._format = self.new_format() if self._qemu_img else "raw"
        self._reflinks = False

    def new_format(self) -> str:
        """The format of new volumes, where qemu-img is there to make it."""
        return str(self.configuration.file_volume_format)

    def explain(self) -> str:
        sharing = "share blocks (reflink)" if self._reflinks else "are full copies (no reflink here)"
        text = f"Volumes of {self.backend_name} are {self._format} files in {self._folder}; clones {sharing}."
        if self._qemu_img is None:
            text += " qemu-img is not installed: only raw images can become volumes and volumes raw images."
        return text

    def check_for_setup_error(self) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o750)
            local_files.sweep(self._folder)
            self._reflinks = local_files.can_reflink(self._folder)
        except OSError as error:
            raise errors.ConfigurationError(
                f"volumes_dir {self._folder} cannot be used: {error.strerror}. Make it writable."
            ) from error

    def capabilities(self) -> dict[str, Any]:
        return self.report()

    def report(self, **features: Any) -> dict[str, Any]:
        """The folder's numbers, with what the driver can besides."""
        total, free = capacity.of_folder(self._folder)
        sizes = [volume["size"] for volume in self.list_volumes()]
        allocated = sum(sizes)
        numbers = capacity.Capacity(total, free, allocated, allocated, len(sizes))
        return capacity.report(self, numbers, **features)

    def create_volume(self, volume: base.Volume) -> dict[str, Any]:
        size = volume["size"] * base.GIB
        encrypted = self._encryption(volume)

        def write(partial: Path) -> None:
            self._write_empty(partial, size, encrypted)

        return self._make(VOLUME, base.data_id(volume), self._format, write)

    def _write_empty(self, partial: Path, size: int, encrypted: luks.Luks | None) -> None:
        if encrypted is not None and self._format == "raw":
            luks.create(partial, size, encrypted)
        elif encrypted is not None:
            with local_files.partial(self._folder, partial.name.lstrip(".")) as raw:
                luks.create(raw, size, encrypted)
                self._convert(raw, "raw", partial, self._format)
        else:
            write_empty(partial, self._format, size)

    def create_volume_from_image(self, volume: base.Volume, image: base.Image) -> dict[str, Any]:
        inspection = image_source.inspected(volume, image)
        source = disk_format.qemu_format(image["disk_format"])
        encrypted, opened_with = self._encryption(volume), (image.get("encryption") or {}).get("passphrase")
        if encrypted is not None and opened_with is None:
            encrypted.check_room(inspection.virtual_size or 0, volume["size"])

        def write(partial: Path) -> None:
            if encrypted is not None or opened_with is not None:
                self._write_empty(partial, volume["size"] * base.GIB, encrypted)
                form, bounds = self._format, self._bounds()
                luks.fill(Path(image["path"]), source, opened_with, partial, form, luks=encrypted, **bounds)
                return
            self._convert(Path(image["path"]), source, partial, self._format)
            # Asked of the result, since QEMU has its own rounding (VHD's geometry).
            size = virtual_size(partial, self._format)
            if size > volume["size"] * base.GIB:
                raise base.ImageDoesNotFit(image_size=-(-size // base.GIB), size=volume["size"])
            self._grow(partial, self._format, size, volume["size"])

        return self._make(VOLUME, base.data_id(volume), self._format, write)

    def create_volume_from_snapshot(self, volume: base.Volume, snapshot: base.Snapshot) -> dict[str, Any]:
        if self._find(VOLUME, base.data_id(volume)) is not None:
            return self._location(VOLUME, base.data_id(volume))
        source = self._find(SNAPSHOT, base.checked(snapshot["id"]))
        if source is None:
            raise base.SnapshotMissing(snapshot_id=snapshot["id"])
        return self._copy_volume(volume, source, None)

    def create_cloned_volume(self, volume: base.Volume, source: base.Volume) -> dict[str, Any]:
        if self._find(VOLUME, base.data_id(volume)) is not None:
            return self._location(VOLUME, base.data_id(volume))
        path = self._existing(base.data_id(source))
        return self._copy_volume(volume, path, base.data_id(source), source.get("copy_id"))

    def delete_volume(self, volume: base.Volume) -> None:
        self._remove(VOLUME, base.data_id(volume))

    def extend_volume(self, volume: base.Volume, new_size: int) -> None:
        path = self._existing(base.data_id(volume))
        size = virtual_size(path)
        base.refuse_shrinking(volume["id"], size / base.GIB, new_size)
        if size == new_size * base.GIB:
            return
        if self.is_open(base.data_id(volume), path):
            raise base.VolumeInUse(volume_id=volume["id"])
        with self._told_as_full():
            self._grow(path, format_of(path), size, new_size)

    def create_snapshot(self, snapshot: base.Snapshot) -> dict[str, Any]:
        identifier = base.checked(snapshot["id"])
        if self._find(SNAPSHOT, identifier) is not None:
            return self._location(SNAPSHOT, identifier)
        volume_id = base.source_id(snapshot)
        source = self._existing(volume_id)

        def write(partial: Path) -> None:
            self._take(volume_id, source, partial, snapshot.get("copy_id"))

        return self._make(SNAPSHOT, identifier, format_of(source), write)

    def delete_snapshot(self, snapshot: base.Snapshot) -> None:
        self._remove(SNAPSHOT, base.checked(snapshot["id"]))

    def revert_to_snapshot(self, volume: base.Volume, snapshot: base.Snapshot) -> None:
        path = self._existing(base.data_id(volume))
        source = self._find(SNAPSHOT, base.checked(snapshot["id"]))
        if source is None:
            raise base.SnapshotMissing(snapshot_id=snapshot["id"])
        if self.is_open(base.data_id(volume), path):
            raise base.VolumeInUse(volume_id=volume["id"])
        with (
            local_files.partial(self._folder, f"{VOLUME}-{base.data_id(volume)}") as partial,
            self._told_as_full(),
        ):
            self._copy(source, partial)
            partial.chmod(0o660)
            local_files.flush(partial)
            # Another attempt's copy is the same copy, so the last one may win here.
            partial.replace(path)
            local_files.flush(self._folder)

    def initialize_connection(self, volume: base.Volume, connector: base.Connector) -> dict[str, Any]:
        path = self._existing(base.data_id(volume))
        asking = connector.get("host")
        if not self.configuration.volumes_dir_shared and self.host is not None and asking != self.host:
            raise errors.NotImplementedHere(
                f"Volumes of {self.backend_name} are files on {self.host}; {asking} cannot reach them. "
                "Share the folder (volumes_dir_shared) or use a back end with a network."
            )
        data = {
            "device_path": str(path),
            "format": format_of(path),
            "access_mode": "rw",
            "volume_id": volume["id"],
            "discard": True,
        }
        return {"driver_volume_type": "local", "data": data}

    def terminate_connection(self, volume: base.Volume, connector: base.Connector | None) -> None:
        """A path is not a session: there is nothing to take back."""
        base.data_id(volume)

    def copy_volume_to_image(self, volume: base.Volume, path: str, disk_format: str) -> None:
        identifier = base.data_id(volume)
        source = self._existing(identifier)
        form = image_source.qemu_target(disk_format)
        target = Path(path).absolute()
        with (
            self._told_as_full(),
            local_files.partial(target.parent, target.name) as partial,
            self.still(identifier, source, volume.get("copy_id")) as held,
        ):
            self._convert(held, format_of(source), partial, form)
            partial.replace(target)

    @contextlib.contextmanager
    def still(self, identifier: str, path: Path, copy_id: str | None = None) -> Iterator[Path]:
        """The volume's file, or a copy of it as it is now if a guest writes to it. VolumeInUse."""
        if copy_id is not None:
            yield self._copy_of(copy_id, identifier)
            return
        if not self.is_written(identifier, path):
            yield path
            return
        with local_files.partial(self._folder, f"{VOLUME}-{identifier}") as copy:
            self._take(identifier, path, copy)
            yield copy

    def prepare_copy(self, volume: base.Volume, copy_id: str) -> dict[str, Any] | None:
        path = self._existing(base.data_id(volume))
        copy = self._find(COPY, base.checked(copy_id))
        if copy is None:
            if not self.is_written(base.data_id(volume), path):
                return None
            form, size = format_of(path), virtual_size(path)
            self._make(COPY, copy_id, form, lambda partial: write_empty(partial, form, size))
        return {"file": f"{COPY}-{copy_id}.{format_of(path)}", "format": format_of(path)}

    def discard_copy(self, copy_id: str) -> None:
        self._remove(COPY, base.checked(copy_id))

    def list_volumes(self) -> list[dict[str, Any]]:
        return self._list(VOLUME)

    def list_snapshots(self) -> list[dict[str, Any]]:
        return self._list(SNAPSHOT)

    def _copy_volume(
        self, volume: base.Volume, source: Path, of: str | None, copy_id: str | None = None
    ) -> dict[str, Any]:
        """`of`: the volume that `source` is; None for a snapshot, to which nobody writes."""
        size = virtual_size(source)
        base.refuse_shrinking(volume["id"], size / base.GIB, volume["size"])
        form = format_of(source)

        def write(partial: Path) -> None:
            if of is None:
                self._copy(source, partial)
            else:
                self._take(of, source, partial, copy_id)
            self._grow(partial, form, size, volume["size"])

        return self._make(VOLUME, base.data_id(volume), form, write)

    def _make(self, kind: str, identifier: str, form: str, write: Callable[[Path], None]) -> dict[str, Any]:
        """Write under a temporary name, then publish; nothing to do when it is there."""
        if self._find(kind, identifier) is None:
            with self._told_as_full(), local_files.partial(self._folder, f"{kind}-{identifier}") as partial:
                write(partial)
                partial.chmod(0o660)
                local_files.publish(partial, self._folder / f"{kind}-{identifier}.{form}")
        return self._location(kind, identifier)

    def _location(self, kind: str, identifier: str) -> dict[str, Any]:
        path = self._find(kind, identifier)
        return {"provider_location": str(path)} if path is not None else {}

    def _find(self, kind: str, identifier: str) -> Path | None:
        paths = (self._folder / f"{kind}-{identifier}.{form}" for form in FORMATS)
        return next((path for path in paths if path.exists()), None)

    def _existing(self, identifier: str) -> Path:
        path = self._find(VOLUME, identifier)
        if path is None:
            raise base.VolumeMissing(volume_id=identifier)
        return path

    def _remove(self, kind: str, identifier: str) -> None:
        for form in FORMATS:
            (self._folder / f"{kind}-{identifier}.{form}").unlink(missing_ok=True)
        for left in self._folder.glob(f".{kind}-{identifier}.*{local_files.PARTIAL}"):
            left.unlink(missing_ok=True)

    def _list(self, kind: str) -> list[dict[str, Any]]:
        found = []
        for path in sorted(self._folder.glob(f"{kind}-*")):
            identifier = path.stem.removeprefix(f"{kind}-")
            if path.suffix[1:] in FORMATS and base.UUID.fullmatch(identifier):
                with contextlib.suppress(FileNotFoundError):  # deleted meanwhile
                    found.append({"id": identifier, "size": -(-virtual_size(path) // base.GIB)})
        return found

    def is_open(self, identifier: str, path: Path) -> bool:
        """Whether a host holds the volume open."""
        return local_files.is_open_by_qemu(path)

    def is_written(self, identifier: str, path: Path) -> bool:
        """Whether a guest holds the volume open for writing."""
        return local_files.is_open_by_qemu(path, writing=True)

    def _take(self, identifier: str, source: Path, target: Path, copy_id: str | None = None) -> None:
        """Copy a volume as it is at one moment. VolumeInUse when a guest writes to it meanwhile."""
        if copy_id is not None:
            self._copy(self._copy_of(copy_id, identifier), target)
            return
        if self.is_written(identifier, source):
            raise base.VolumeInUse(volume_id=identifier)
        self._copy(source, target)

    def _copy_of(self, copy_id: str, volume_id: str) -> Path:
        path = self._find(COPY, base.checked(copy_id))
        if path is None:
            raise errors.DriverError(f"The copy of volume {volume_id} that a host made is gone.")
        return path

    def _copy(self, source: Path, target: Path) -> None:
        local_files.copy(source, target, reflinks=self._reflinks)

    def _convert(self, source: Path, source_format: str, target: Path, target_format: str) -> None:
        if source_format == target_format == "raw":
            self._copy(source, target)
            return
        processes.run(
            ["qemu-img", "convert", "-f", source_format, "-O", target_format, _safe(source), _safe(target)],
            **self._bounds(),
        )

    def _bounds(self) -> dict[str, Any]:
        """What a conversion may take."""
        timeout = self.configuration.image_conversion_timeout
        space = self.configuration.image_conversion_address_space_limit * base.GIB
        return {
            "timeout": timeout,
            "limits": processes.Limits(cpu_seconds=timeout, address_space=space),
        }

    def _encryption(self, volume: base.Volume) -> luks.Luks | None:
        encrypted = luks.wanted(volume)
        if encrypted is not None and self._qemu_img is None:
            raise processes.ProgramMissing(program="qemu-img")
        return encrypted

    def _grow(self, path: Path, form: str, size: int, new_size_gib: int) -> None:
        new_size = new_size_gib * base.GIB
        if new_size <= size:
            return
        if form == "raw":
            with open(path, "rb+") as file:
                file.truncate(new_size)
        else:
            processes.run(
                ["qemu-img", "resize", "-q", "-f", form, _safe(path), str(new_size)], timeout=RESIZE_TIMEOUT
            )

    @contextlib.contextmanager
    def _told_as_full(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno not in FULL:
                raise errors.DriverError(f"Writing in {self._folder} failed: {error.strerror}") from error
            raise base.BackendFull(backend=self.backend_name) from error
        except processes.ProcessFailed as error:
            if "No space left" not in error.message:
                raise
            raise base.BackendFull(backend=self.backend_name) from error


def write_empty(path: Path, form: str, size: int) -> None:
    if form == "qcow2":
        path.write_bytes(disk_format.empty_qcow2(size))
    else:
        with open(path, "wb") as file:
            file.truncate(size)


def format_of(path: Path) -> str:
    return path.suffix[1:]


def virtual_size(path: Path, form: str | None = None) -> int:
    """Bytes. The format is the one in the name, if not given; a qcow2's size is read from its header."""
    if (form or format_of(path)) == "raw":
        return path.stat().st_size
    inspection = disk_format.inspect_file(path)
    if inspection.format != "qcow2" or inspection.virtual_size is None:
        raise errors.DriverError(f"{path} is damaged: it has no qcow2 header.")
    return inspection.virtual_size


def _safe(path: Path) -> str:
    """An absolute path starts with / and has no protocol: QEMU takes `name:rest` as `protocol:rest`."""
    return str(path.absolute())
