"""A volume over its connection, as one raw file: how the backup worker reads and writes it, on whatever host.

Called by backup_worker.py with what a driver's `initialize_connection` answered. A local raw file is read
where it lies; all else passes through a scratch file, read and written by qemu-img: local qcow2 files, NBD
with TLS-PSK, iSCSI with CHAP, Ceph. What a volume holds is taken as it lies there: LUKS stays LUKS.
"""

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from celaje.common import clock, processes, simulated_disks
from celaje.common.errors import DriverError
from celaje.common.vault import write_secret
from celaje.volume.drivers import local_files
from celaje.volume.drivers.base import GIB

Row = dict[str, Any]

_FORMATS = ("raw", "qcow2")


class Connections:
    """`scratch`: a folder of the worker's own with room for the largest volume's data; `timeout`: seconds for
    one copy; `ceph_conf`: where Ceph's clients find their cluster and keys."""

    def __init__(self, scratch: Path, *, timeout: int, ceph_conf: str = ""):
        self._scratch = scratch
        self._timeout = timeout
        self._ceph_conf = ceph_conf
        scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
        local_files.sweep(scratch)

    @contextlib.contextmanager
    def content(self, connection: Row, size: int) -> Iterator[Path]:
        """A raw file with the volume's content; nobody writes to the volume meanwhile. `size` in GiB."""
        kind, data = connection["driver_volume_type"], connection["data"]
        if kind == "local" and data.get("format", "raw") == "raw":
            yield _local(data)
            return
        with local_files.partial(self._scratch, "content") as raw:
            if kind == "fake":
                words = simulated_disks.read(data).encode()
                with open(raw, "rb+") as file:
                    file.write(words)
                    file.truncate(size * GIB)
            else:
                with self._opened(kind, data) as (node, objects):
                    self._convert(*objects, f"json:{json.dumps(node)}", "-O", "raw", str(raw.absolute()))
            yield raw

    def replace(self, connection: Row, size: int, write: Callable[[Path], Any]) -> None:
        """Give the volume, which nobody has open, what `write` puts into a raw file that is empty before. It
        is whole before the first byte goes to the volume; what breaks there is to be repeated."""
        kind, data = connection["driver_volume_type"], connection["data"]
        with local_files.partial(self._scratch, "content") as raw:
            with open(raw, "rb+") as file:
                file.truncate(size * GIB)
            write(raw)
            if kind == "fake":
                with open(raw, "rb") as file:
                    words = file.read(65536).rstrip(b"\0").decode(errors="replace")
                simulated_disks.write(data, words)
                return
            if kind == "local" and data.get("format", "raw") == "raw":
                target = _local(data)
                local_files.copy(raw, target, reflinks=False)
                local_files.flush(target)
                return
            with self._opened(kind, data) as (node, objects):
                given = ["-n", "--target-image-opts", *objects, "-f", "raw", str(raw.absolute())]
                self._convert(*given, ",".join(_options(node)))

    def _convert(self, *words: str) -> None:
        processes.run(["qemu-img", "convert", "-m", "16", "-W", *words], timeout=self._timeout)

    @contextlib.contextmanager
    def _opened(self, kind: str, data: Row) -> Iterator[tuple[Row, list[str]]]:
        """The volume's node as QEMU describes it, and the objects that hold its secrets, in files."""
        place = self._scratch / f"secrets-{clock.new_uuid()}"
        place.mkdir(mode=0o700)
        try:
            match kind:
                case "local":
                    node: Row = {"driver": data["format"], "file": str(_local(data))}
                    node["file"] = {"driver": "file", "filename": node["file"]}
                    objects: list[str] = []
                case "nbd":
                    node, objects = _export(data, place)
                case "iscsi":
                    node, objects = _target(data, place)
                case "rbd":
                    node, objects = self._image(data), []
                case _:
                    raise DriverError(f"Backups are not made over connections of type {kind!r}.")
            yield node, objects
        finally:
            shutil.rmtree(place, ignore_errors=True)

    def _image(self, data: Row) -> Row:
        pool, _, image = str(data["name"]).partition("/")
        conf = self._ceph_conf or f"/etc/ceph/{data.get('cluster_name') or 'ceph'}.conf"
        user = {"user": data["auth_username"]} if data.get("auth_enabled") else {}
        return {
            "driver": "raw",
            "file": {"driver": "rbd", "pool": pool, "image": image, "conf": conf, **user},
        }


def _options(node: Row, prefix: str = "") -> Iterator[str]:
    """The node in the form of --target-image-opts: a target whose format is told takes no JSON."""
    for key, value in node.items():
        if isinstance(value, dict):
            yield from _options(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}={str(value).replace(',', ',,')}"


def _local(data: Row) -> Path:
    path, form = Path(str(data.get("device_path", ""))), data.get("format", "raw")
    if not path.is_absolute() or ".." in path.parts or form not in _FORMATS:
        raise DriverError(f"The volume's connection names no file that can be opened: {str(path)!r}.")
    if not path.is_file() or path.is_symlink():
        raise DriverError(f"The volume's file {path} is not on {os.uname().nodename}.")
    return path


def _export(data: Row, place: Path) -> tuple[Row, list[str]]:
    user, key = str(data["auth_username"]), str(data["auth_password"])
    write_secret(place / "keys.psk", f"{user}:{key}\n".encode())
    psk = {"qom-type": "tls-creds-psk", "id": "psk", "endpoint": "client", "dir": str(place.absolute())}
    server = {"type": "inet", "host": str(data["host"]), "port": str(data["port"])}
    export = {"driver": "nbd", "server": server, "export": str(data["export"]), "tls-creds": "psk"}
    return {"driver": "raw", "file": export}, ["--object", json.dumps({**psk, "username": user})]


def _target(data: Row, place: Path) -> tuple[Row, list[str]]:
    write_secret(place / "chap", str(data["auth_password"]).encode())
    chap = {"qom-type": "secret", "id": "chap", "file": str((place / "chap").absolute()), "format": "raw"}
    target = {
        "driver": "iscsi",
        "transport": "tcp",
        "portal": str(data["target_portal"]),
        "target": str(data["target_iqn"]),
        "lun": int(data["target_lun"]),
        "user": str(data["auth_username"]),
        "password-secret": "chap",
    }
    return {"driver": "raw", "file": target}, ["--object", json.dumps(chap)]
