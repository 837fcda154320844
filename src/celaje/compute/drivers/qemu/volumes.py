"""Volumes as QEMU opens them: from a connection_info to block nodes, and the secrets beside them.

Called by the driver and by hotplug. A volume is a file of this host (`local`), an NBD export of another one
(TLS with a pre-shared key), or an image of a Ceph cluster (`rbd`, ceph.py). Each may hold LUKS, opened
here, so that the back end never sees clear data. Secrets lie in files of the server's folder, never on a
command line or in the record.
"""

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from celaje.common.errors import DriverError
from celaje.common.vault import write_secret
from celaje.compute.drivers.base import ConnectionInfo, UnsupportedConnection
from celaje.compute.drivers.qemu import ceph, disks

# Seconds for which a guest's requests wait when the export's daemon is restarted, or extends the volume.
RECONNECT = 60
SECRETS = "secrets"
PSK, PASSPHRASE, CHAP = "keys.psk", "passphrase", "chap"
IQN = re.compile(r"[A-Za-z0-9.:_-]{1,223}")


@dataclass(frozen=True)
class Source:
    """`path` of a local file, or `nbd`: {"host", "port", "export", "user"}, or `iscsi`: {"portal", "target",
    "lun", "user"}, or `rbd`: see ceph.source_of. `secrets`: contents by file."""

    path: str = ""
    format: str = "raw"
    read_only: bool = False
    nbd: dict[str, Any] | None = None
    iscsi: dict[str, Any] | None = None
    rbd: dict[str, Any] | None = None
    luks: bool = False
    secrets: dict[str, str] = field(default_factory=dict)

    @property
    def kept(self) -> dict[str, Any]:
        """What the record keeps of it: no secrets."""
        return {
            "path": self.path,
            "format": self.format,
            "read_only": self.read_only,
            "nbd": self.nbd,
            "iscsi": self.iscsi,
            "rbd": self.rbd,
            "luks": self.luks,
        }


def source_of(connection_info: ConnectionInfo, keyring: str = ceph.KEYRING) -> Source:
    """What a connection_info opens; refuses kinds and values that this driver cannot plug. `keyring`: where
    this host has the keys of Ceph users."""
    kind = connection_info.get("driver_volume_type")
    data = connection_info.get("data", {})
    path, form, nbd, iscsi, rbd = "", "raw", None, None, None
    secrets: dict[str, str] = {}
    if kind == "local":
        path, form = _file(data)
    elif kind == "nbd":
        nbd, secrets = _export(data)
    elif kind == "iscsi":
        iscsi, secrets = _target(data)
    elif kind == "rbd":
        rbd, secrets = ceph.source_of(data, keyring)
    else:
        raise UnsupportedConnection(driver_volume_type=kind)
    passphrase = data.get("encryption_passphrase")
    if data.get("encrypted") and not passphrase:
        raise DriverError(f"Volume {data.get('volume_id')} is encrypted, and its passphrase is not here.")
    if passphrase:
        secrets[PASSPHRASE] = passphrase
    read_only = data.get("access_mode", "rw") == "ro"
    return Source(path, form, read_only, nbd, iscsi, rbd, bool(passphrase), secrets)


def _file(data: dict[str, Any]) -> tuple[str, str]:
    path, form = Path(str(data.get("device_path", ""))), data.get("format", "raw")
    if not path.is_absolute() or ".." in path.parts:
        raise DriverError(f"The volume's device_path {str(path)!r} is not an absolute path.")
    if form not in disks.FORMATS:
        raise DriverError(f"The volume's format {form!r} is none of {', '.join(disks.FORMATS)}.")
    if not path.exists():
        raise DriverError(f"The volume's file {path} does not exist on this host.")
    return str(path), form


def _export(data: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    try:
        nbd = {"host": str(data["host"]), "port": int(data["port"]), "export": str(data["export"])}
    except (KeyError, ValueError) as error:
        raise DriverError(f"The volume's NBD connection lacks {error}.") from None
    if data.get("auth_method") != "TLS-PSK":
        raise DriverError("A volume is attached by NBD with TLS-PSK only.")
    user, key = str(data.get("auth_username", "")), str(data.get("auth_password", ""))
    if not user or set(user) & set(":,\n") or not key or set(key) - set("0123456789abcdef"):
        raise DriverError("The volume's NBD connection has no usable pre-shared key.")
    nbd["user"] = user
    return nbd, {PSK: f"{user}:{key}\n"}


def _target(data: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    try:
        iscsi = {
            "portal": str(data["target_portal"]),
            "target": str(data["target_iqn"]),
            "lun": int(data["target_lun"]),
            "user": str(data["auth_username"]),
        }
    except (KeyError, ValueError) as error:
        raise DriverError(f"The volume's iSCSI connection lacks {error}.") from None
    if data.get("auth_method") != "CHAP" or not data.get("auth_password"):
        raise DriverError("A volume is attached by iSCSI with CHAP only.")
    if not IQN.fullmatch(str(iscsi["target"])):
        raise DriverError(f"{iscsi['target']!r} is no name of an iSCSI target.")
    return iscsi, {CHAP: str(data["auth_password"])}


def keep_secrets(folder: Path, volume: str, source: Source) -> None:
    """Put a volume's secrets where QEMU reads them, on this and every later start of the guest."""
    if source.secrets:
        place = _place(folder, volume)
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        for name, content in source.secrets.items():
            write_secret(place / name, content.encode())


def forget_secrets(folder: Path, volume: str) -> None:
    shutil.rmtree(_place(folder, volume), ignore_errors=True)


def _place(folder: Path, volume: str) -> Path:
    return folder / SECRETS / volume


def objects(disk: Any, folder: Path) -> Iterator[dict[str, Any]]:
    """QEMU objects that the disk's nodes refer to, as arguments of `-object` and `object-add`."""
    if disk.nbd:
        yield {
            "qom-type": "tls-creds-psk",
            "id": f"psk-{disk.lies_as}",
            "endpoint": "client",
            "dir": str(_place(folder, disk.lies_as)),
            "username": disk.nbd["user"],
        }
    if disk.iscsi:
        file = str(_place(folder, disk.lies_as) / CHAP)
        yield {"qom-type": "secret", "id": f"chap-{disk.lies_as}", "file": file, "format": "raw"}
    if disk.rbd and disk.rbd["user"]:
        yield ceph.secret(disk.lies_as, _place(folder, disk.lies_as))
    if disk.luks:
        file = str(_place(folder, disk.lies_as) / PASSPHRASE)
        yield {"qom-type": "secret", "id": _secret(disk), "file": file, "format": "raw"}


def node(disk: Any) -> dict[str, Any]:
    """Arguments of `-blockdev` and `blockdev-add` of a disk."""
    if disk.nbd:
        below = export_node(disk, f"{disk.node}-f")
        return {**top_node(disk), "file": below}
    if disk.iscsi:
        return {**top_node(disk), "file": target_node(disk, f"{disk.node}-f")}
    if disk.rbd:
        return {**top_node(disk), "file": ceph.node(disk, f"{disk.node}-f")}
    if disk.luks:
        return {**top_node(disk), "file": disks.blockdev(disk.stored, disk.path, disk.format)}
    return disks.blockdev(disk.node, disk.path, disk.format, disk.read_only)


def top_node(disk: Any) -> dict[str, Any]:
    """The node that the guest's device uses, without what it stands on."""
    shared = {"node-name": disk.node, "read-only": disk.read_only, "discard": "unmap"}
    if disk.luks:
        return {"driver": "luks", "key-secret": _secret(disk), **shared}
    return {"driver": "raw", **shared}


def export_node(disk: Any, name: str) -> dict[str, Any]:
    nbd = disk.nbd
    return {
        "driver": "nbd",
        "node-name": name,
        "server": {"type": "inet", "host": nbd["host"], "port": str(nbd["port"])},
        "export": nbd["export"],
        "tls-creds": f"psk-{disk.lies_as}",
        "reconnect-delay": RECONNECT,
        "read-only": disk.read_only,
        "discard": "unmap",
    }


def target_node(disk: Any, name: str, target: str | None = None) -> dict[str, Any]:
    """`target`: another one at the same portal, for the same account."""
    iscsi = disk.iscsi
    return {
        "driver": "iscsi",
        "node-name": name,
        "transport": "tcp",
        "portal": iscsi["portal"],
        "target": target or iscsi["target"],
        "lun": iscsi["lun"],
        "user": iscsi["user"],
        "password-secret": f"chap-{disk.lies_as}",
        "read-only": disk.read_only,
    }


def _secret(disk: Any) -> str:
    return f"luks-{disk.lies_as}"
