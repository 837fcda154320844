"""Volumes as block images of a Ceph cluster. Called by volume's worker; calls `rbd`, `ceph` and qemu-img.

A volume is `volume-ID`, a snapshot of it `snapshot-ID`, as Cinder names them. Copies share blocks: a clone
stands on a snapshot of its source. A volume that is deleted while others stand on it becomes
`volume-ID.deleted`, and goes with the last of them.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote

from oslo_config import cfg

from celaje.common import disk_format, errors, processes
from celaje.common.ceph import Connection, ImageBusy, ImageMissing, Pool
from celaje.volume.drivers import base, capacity, image_source

#: Names, meanings and defaults as Cinder's RBD driver has them, where it has them.
OPTIONS = [
    *base.OPTIONS,
    cfg.StrOpt("rbd_cluster_name", default="ceph", help="Name of the Ceph cluster."),
    cfg.StrOpt("rbd_pool", default="rbd", help="Pool of the volumes."),
    cfg.StrOpt("rbd_user", help="Ceph user, without `client.`; its keyring is named in rbd_ceph_conf."),
    cfg.StrOpt("rbd_ceph_conf", default="", help="Ceph's configuration file."),
    cfg.BoolOpt(
        "rbd_flatten_volume_from_snapshot",
        default=False,
        help="Volumes from snapshots share no blocks with them.",
    ),
    cfg.StrOpt("rbd_secret_uuid", help="libvirt's name of the user's key, for computes that use libvirt."),
    cfg.IntOpt(
        "rbd_max_clone_depth",
        default=5,
        min=0,
        help="Clones of clones of ...: beyond this a clone shares no blocks. 0: none does.",
    ),
    cfg.IntOpt("rbd_store_chunk_size", default=4, min=1, max=32, help="MiB of an object of a volume."),
    cfg.IntOpt(
        "rados_connect_timeout",
        default=-1,
        help="Seconds in which the cluster must answer; negative: as Ceph has it.",
    ),
    cfg.IntOpt("rados_connection_retries", default=3, min=1, help="Attempts when it does not answer."),
    cfg.IntOpt("rados_connection_interval", default=5, min=0, help="Seconds between them."),
    cfg.BoolOpt(
        "report_dynamic_total_capacity",
        default=True,
        help="Report as total what is stored and what is free in the pool; else what was so at start.",
    ),
    cfg.StrOpt("image_conversion_dir", help="Folder for whole copies of volumes while a backup reads them."),
    cfg.IntOpt(
        "image_conversion_timeout",
        default=3600,
        min=1,
        help="Seconds after which a step that moves a volume's data is ended.",
    ),
]

VOLUME, SNAPSHOT = "volume-", "snapshot-"
DELETED, CLONE, FRESH = ".deleted", ".clone_snap", ".new"
MIB = 1 << 20


class RbdDriver(base.VolumeDriver):
    options: ClassVar[list[cfg.Opt]] = OPTIONS
    protocol = "ceph"
    copies_attached = True
    clones_images = True

    def __init__(self, configuration: Any, *, backend: str, host: str | None = None):
        super().__init__(configuration, backend=backend, host=host)
        connection = Connection(
            conf=configuration.rbd_ceph_conf,
            user=configuration.rbd_user or "",
            cluster="" if configuration.rbd_ceph_conf else configuration.rbd_cluster_name,
            connect_timeout=configuration.rados_connect_timeout,
            attempts=configuration.rados_connection_retries,
            interval=configuration.rados_connection_interval,
        )
        self._pool = Pool(configuration.rbd_pool, connection)
        self._object = configuration.rbd_store_chunk_size * MIB
        self._timeout = configuration.image_conversion_timeout
        self._fsid = ""
        self._total = 0

    def explain(self) -> str:
        return (
            f"Volumes of {self.backend_name} are block images in the pool {self._pool.name} of the Ceph "
            f"cluster {self._fsid}; clones share blocks."
        )

    def check_for_setup_error(self) -> None:
        try:
            self._fsid = self._pool.fsid()
            self._total = sum(self._pool.room())
            for name in self._names():
                if name.endswith(FRESH) and not self._pool.is_open(name):
                    self._pool.remove(name, self._timeout)
        except errors.CelajeError as error:
            raise errors.ConfigurationError(
                f"[{self.backend}]: the Ceph pool {self._pool.name} cannot be used: {error.message}"
            ) from error
        said = processes.run(
            ["qemu-img", "info", "--image-opts", self._pool.qemu("none")], timeout=60, accept=(0, 1)
        )
        if b"nknown driver" in said.stderr:
            raise errors.ConfigurationError(
                f"[{self.backend}]: QEMU's driver for Ceph is missing (Debian: qemu-block-extra)."
            )

    def capabilities(self) -> dict[str, Any]:
        stored, free = self._pool.room()
        total = stored + free if self.configuration.report_dynamic_total_capacity else self._total
        sizes = [volume["size"] for volume in self.list_volumes()]
        allocated = sum(sizes)
        numbers = capacity.Capacity(total / base.GIB, free / base.GIB, allocated, allocated, len(sizes))
        return capacity.report(self, numbers, online_extend_support=True, multiattach=True)

    # Volumes.

    def create_volume(self, volume: base.Volume) -> dict[str, Any]:
        self._pool.create(_name(volume), volume["size"] * base.GIB, self._object)
        return {}

    def create_volume_from_image(self, volume: base.Volume, image: base.Image) -> dict[str, Any]:
        image_source.inspected(volume, image)
        form = disk_format.qemu_format(image["disk_format"])
        name = _name(volume)
        if self._pool.info(name) is not None:
            return {}
        with self._fresh(name, volume["size"] * base.GIB) as fresh:
            # Of an empty image nothing needs to be written where the source is empty.
            self._convert(
                "-n", "--target-is-zero", "-f", form, _safe(image["path"]),
                "--target-image-opts", self._pool.qemu(fresh),
            )  # fmt: skip
        return {}

    def clone_image(self, volume: base.Volume, image: base.Image) -> dict[str, Any] | None:
        """From a snapshot in this cluster, where the image service keeps the image as one, sharing its
        blocks; None where it does not."""
        if image["disk_format"] != "raw":
            return None
        for location in image["locations"]:
            place = _place(location["url"])
            if place is None or place[0] != self._fsid:
                continue
            _, pool, name, snapshot = place
            source = Pool(pool, self._pool.connection)
            found = source.info(name, snapshot)
            if found is None:
                continue
            size = volume["size"] * base.GIB
            if found["size"] > size:
                raise base.ImageDoesNotFit(image_size=-(-found["size"] // base.GIB), size=volume["size"])
            self._pool.clone(pool, name, snapshot, _name(volume))
            self._grow(_name(volume), size)
            return {}
        return None

    def create_volume_from_snapshot(self, volume: base.Volume, snapshot: base.Snapshot) -> dict[str, Any]:
        name, kept = _name(volume), SNAPSHOT + base.checked(snapshot["id"])
        if self._pool.info(name) is None:
            holder = self._holder(snapshot)
            if holder is None:
                raise base.SnapshotMissing(snapshot_id=snapshot["id"])
            found = self._pool.snapshots(holder)[kept]
            base.refuse_shrinking(volume["id"], found["size"] / base.GIB, volume["size"])
            self._pool.clone(self._pool.name, holder, kept, name)
        self._grow(name, volume["size"] * base.GIB)
        if self.configuration.rbd_flatten_volume_from_snapshot:
            self._pool.flatten(name, self._timeout)
        return {}

    def create_cloned_volume(self, volume: base.Volume, source: base.Volume) -> dict[str, Any]:
        name, origin = _name(volume), _name(source)
        made = f"{name}{CLONE}"
        if self._pool.info(name) is None:
            found = self._existing(source)
            base.refuse_shrinking(volume["id"], found["size"] / base.GIB, volume["size"])
            self._pool.snap(origin, made)
            self._pool.clone(self._pool.name, origin, made, name)
        self._grow(name, volume["size"] * base.GIB)
        if self._depth(name) > self.configuration.rbd_max_clone_depth:
            self._pool.flatten(name, self._timeout)
            self._pool.unsnap(origin, made)
        return {}

    def delete_volume(self, volume: base.Volume) -> None:
        name = _name(volume)
        self._pool.remove(name + FRESH, self._timeout)
        found = self._pool.info(name)
        if found is None:
            return
        left = False
        for snapshot in self._pool.snapshots(name):
            left = not self._gone(name, snapshot) or left
        try:
            if left:
                self._pool.rename(name, name + DELETED)
                return
            self._pool.remove(name, self._timeout)
        except ImageBusy as error:
            raise base.VolumeInUse(volume_id=volume["id"]) from error
        self._release(found.get("parent"))

    def extend_volume(self, volume: base.Volume, new_size: int) -> None:
        found = self._existing(volume)
        base.refuse_shrinking(volume["id"], found["size"] / base.GIB, new_size)
        self._grow(_name(volume), new_size * base.GIB)

    def revert_to_snapshot(self, volume: base.Volume, snapshot: base.Snapshot) -> None:
        self._existing(volume)
        kept = SNAPSHOT + base.checked(snapshot["id"])
        if kept not in self._pool.snapshots(_name(volume)):
            raise base.SnapshotMissing(snapshot_id=snapshot["id"])
        self._refuse_open(volume)
        self._pool.rollback(_name(volume), kept, self._timeout)

    # Snapshots.

    def create_snapshot(self, snapshot: base.Snapshot) -> dict[str, Any]:
        identifier = base.checked(snapshot["id"])
        try:
            self._pool.snap(VOLUME + base.source_id(snapshot), SNAPSHOT + identifier)
        except ImageMissing as error:
            raise base.VolumeMissing(volume_id=snapshot["volume_id"]) from error
        return {}

    def delete_snapshot(self, snapshot: base.Snapshot) -> None:
        """Clones that stand on it get blocks of their own first."""
        holder = self._holder(snapshot)
        if holder is None:
            return
        kept = SNAPSHOT + base.checked(snapshot["id"])
        for pool, child in self._pool.children(holder, kept):
            Pool(pool, self._pool.connection).flatten(child, self._timeout)
        self._pool.unsnap(holder, kept)
        self._sweep(holder)

    # Attaching.

    def initialize_connection(self, volume: base.Volume, connector: base.Connector) -> dict[str, Any]:
        self._existing(volume)
        hosts, ports = self._pool.monitors()
        options = self.configuration
        data = {
            "name": f"{self._pool.name}/{_name(volume)}",
            "hosts": hosts,
            "ports": ports,
            "cluster_name": options.rbd_cluster_name,
            "auth_enabled": options.rbd_user is not None,
            "auth_username": options.rbd_user,
            "secret_type": "ceph",
            "secret_uuid": options.rbd_secret_uuid,
            "volume_id": volume["id"],
            "discard": True,
            "access_mode": "rw",
        }
        return {"driver_volume_type": "rbd", "data": data}

    def terminate_connection(self, volume: base.Volume, connector: base.Connector | None) -> None:
        """The cluster keeps no list of who may open an image."""
        base.data_id(volume)

    # Contents.

    def copy_volume_to_image(self, volume: base.Volume, path: str, disk_format: str) -> None:
        form = image_source.qemu_target(disk_format)
        self._existing(volume)
        with self._held(volume) as kept:
            self._convert("--image-opts", self._pool.qemu(_name(volume), kept), "-O", form, _safe(path))

    def list_volumes(self) -> list[dict[str, Any]]:
        return self._listed(VOLUME, "image", [each for each in self._pool.rows() if "snapshot" not in each])

    def list_snapshots(self) -> list[dict[str, Any]]:
        return self._listed(SNAPSHOT, "snapshot", [each for each in self._pool.rows() if "snapshot" in each])

    @staticmethod
    def _listed(prefix: str, key: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        found = [(row[key].removeprefix(prefix), row) for row in rows if row[key].startswith(prefix)]
        return [
            {"id": name, "size": -(-row["size"] // base.GIB)}
            for name, row in found
            if base.UUID.fullmatch(name)
        ]

    # What the operations are made of.

    def _names(self) -> list[str]:
        return [each["image"] for each in self._pool.rows() if "snapshot" not in each]

    def _existing(self, volume: base.Volume) -> dict[str, Any]:
        found = self._pool.info(_name(volume))
        if found is None:
            raise base.VolumeMissing(volume_id=volume["id"])
        return found

    def _refuse_open(self, volume: base.Volume) -> None:
        if self._pool.is_open(_name(volume)):
            raise base.VolumeInUse(volume_id=volume["id"])

    def _holder(self, snapshot: base.Snapshot) -> str | None:
        """The image that the snapshot is of, be it deleted."""
        name = VOLUME + base.source_id(snapshot)
        wanted = SNAPSHOT + base.checked(snapshot["id"])
        for image in (name, name + DELETED):
            with contextlib.suppress(ImageMissing):
                if wanted in self._pool.snapshots(image):
                    return image
        return None

    def _grow(self, name: str, size: int) -> None:
        found = self._pool.info(name)
        if found is not None and found["size"] < size:
            self._pool.resize(name, size)

    def _depth(self, name: str) -> int:
        """How many images one stands on."""
        depth, found = 0, self._pool.info(name)
        while found is not None and found.get("parent"):
            depth += 1
            parent = found["parent"]
            found = Pool(parent["pool"], self._pool.connection).info(parent["image"])
        return depth

    def _gone(self, image: str, snapshot: str) -> bool:
        """Remove a snapshot that only a clone needed, and needs no more; False: it stays."""
        if not snapshot.endswith(CLONE):
            return False
        try:
            self._pool.unsnap(image, snapshot)
        except ImageBusy:
            return False
        return True

    def _release(self, parent: dict[str, Any] | None) -> None:
        """What a removed image stood on, if nothing else needs it."""
        if not parent or parent["pool"] != self._pool.name:
            return
        image, snapshot = parent["image"], parent["snapshot"]
        if not image.startswith(VOLUME):
            return
        if snapshot.endswith(CLONE):
            self._gone(image, snapshot)
        self._sweep(image)

    def _sweep(self, image: str) -> None:
        """A deleted volume goes when nothing stands on it any more."""
        if not image.endswith(DELETED):
            return
        found = self._pool.info(image)
        if found is None or not all(self._gone(image, each) for each in self._pool.snapshots(image)):
            return
        self._pool.remove(image, self._timeout)
        self._release(found.get("parent"))

    @contextlib.contextmanager
    def _fresh(self, name: str, size: int) -> Iterator[str]:
        """An image under another name, which gets its own at the end; of a dead attempt nothing is kept."""
        fresh = name + FRESH
        self._pool.remove(fresh, self._timeout)
        self._pool.create(fresh, size, self._object)
        try:
            yield fresh
            self._pool.rename(fresh, name)
        except BaseException:
            self._pool.remove(fresh, self._timeout)
            raise

    @contextlib.contextmanager
    def _held(self, volume: base.Volume) -> Iterator[str]:
        """A snapshot for the time of a copy: guests may write on."""
        name, kept = _name(volume), "copied"
        with contextlib.suppress(ImageMissing):
            self._pool.unsnap(name, kept)
        self._pool.snap(name, kept)
        try:
            yield kept
        finally:
            self._pool.unsnap(name, kept)

    def _convert(self, *words: str) -> None:
        try:
            processes.run(["qemu-img", "convert", *words], timeout=self._timeout)
        except processes.ProcessFailed as error:
            if "No space left" not in error.message:
                raise
            raise base.BackendFull(backend=self.backend_name) from error


def _name(volume: base.Volume) -> str:
    return VOLUME + base.data_id(volume)


def _place(url: str) -> tuple[str, str, str, str] | None:
    """(fsid, pool, image, snapshot) of an image's location in a Ceph cluster."""
    if not url.startswith("rbd://"):
        return None
    parts = [unquote(part) for part in url.removeprefix("rbd://").split("/")]
    if len(parts) != 4 or not all(parts) or any(set(part) & set("/@\0") for part in parts):
        return None
    return parts[0], parts[1], parts[2], parts[3]


def _safe(path: str) -> str:
    return str(Path(path).absolute())
