"""Volumes of a Ceph cluster as QEMU opens them: from a connection_info of Cinder's kind `rbd` to a node.

Called by volumes.py. The key of the Ceph user is this host's own: it comes from a keyring here, as Nova has
it in libvirt, and QEMU reads it from a file in the server's folder.
"""

import re
from pathlib import Path
from typing import Any

from celaje.common.errors import DriverError

#: Where Ceph's own clients look; {user} is the connection's.
KEYRING = "/etc/ceph/ceph.client.{user}.keyring"
#: The file of the key, beside the server's other secrets.
KEY = "cephx"
_NAME = re.compile(r"[^/@\s]{1,255}")
_USER = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_KEY = re.compile(r"^\s*key\s*=\s*([A-Za-z0-9+/=]+)\s*$", re.MULTILINE)


def source_of(data: dict[str, Any], keyring: str) -> tuple[dict[str, Any], dict[str, str]]:
    """What the record keeps of the connection, and its secrets by file."""
    pool, _, image = str(data.get("name", "")).partition("/")
    if not _NAME.fullmatch(pool) or not _NAME.fullmatch(image):
        raise DriverError(f"The volume's image {data.get('name')!r} is not POOL/IMAGE.")
    hosts, ports = data.get("hosts") or [], data.get("ports") or []
    if not hosts or len(hosts) != len(ports):
        raise DriverError("The volume's connection names no monitors of the Ceph cluster.")
    server = [{"host": str(host), "port": str(port)} for host, port in zip(hosts, ports, strict=True)]
    found: dict[str, Any] = {"pool": pool, "image": image, "server": server, "user": None}
    if not data.get("auth_enabled"):
        return found, {}
    user = str(data.get("auth_username"))
    if not _USER.fullmatch(user):
        raise DriverError(f"The volume's Ceph user {user!r} is not a name.")
    return {**found, "user": user}, {KEY: _key_of(user, keyring)}


def _key_of(user: str, keyring: str) -> str:
    path = Path(keyring.replace("{user}", user))
    try:
        text = path.read_text()
    except OSError as error:
        raise DriverError(
            f"The key of the Ceph user {user} cannot be read: {path}: {error.strerror}."
        ) from error
    section = re.search(rf"^\[client\.{re.escape(user)}\]$(.*?)(?=^\[|\Z)", text, re.MULTILINE | re.DOTALL)
    key = _KEY.search(section[1]) if section else None
    if key is None:
        raise DriverError(f"{path} has no key of the Ceph user {user}.")
    return key[1]


def secret(volume: str, place: Path) -> dict[str, Any]:
    """The QEMU object that holds the key."""
    return {"qom-type": "secret", "id": _secret(volume), "file": str(place / KEY), "format": "base64"}


def node(disk: Any, name: str) -> dict[str, Any]:
    rbd = disk.rbd
    auth: dict[str, Any] = {"auth-client-required": ["none"]}
    if rbd["user"]:
        auth = {"user": rbd["user"], "key-secret": _secret(disk.lies_as), "auth-client-required": ["cephx"]}
    return {
        "driver": "rbd",
        "node-name": name,
        "pool": rbd["pool"],
        "image": rbd["image"],
        "server": rbd["server"],
        "read-only": disk.read_only,
        "discard": "unmap",
        **auth,
    }


def _secret(volume: str) -> str:
    return f"ceph-{volume}"
