"""Volumes as files of one machine that a daemon offers to any host: what the nbd and iscsi drivers share.

Files, snapshots and clones are the file driver's; the daemon (kept_daemon.py) offers what is attached, with a
login of its own for every connection. Called by volume's worker.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from oslo_config import cfg

from celaje.common import errors
from celaje.volume.drivers import base, file
from celaje.volume.drivers.kept_daemon import COMMAND_TIMEOUT, START_TIMEOUT, Login, Offer

TARGET_OPTIONS = [
    cfg.StrOpt(
        "target_ip_address",
        default="127.0.0.1",
        help="Address at which compute hosts reach this machine's exports; they listen there only.",
    ),
    cfg.PortOpt(
        "target_port",
        default=0,
        help="Port of the exports; 0: a free one, chosen once and kept.",
    ),
]


class ExportedFileDriver(file.FileDriver):
    """`daemon`: a KeptDaemon that also has `resize(identifier, size in bytes)` for what is open. `network`:
    how hosts reach it, in words. `features`: what it can besides, for its reports."""

    daemon: Any
    network: ClassVar[str]
    features: ClassVar[Mapping[str, Any]] = {}
    extends_attached_through_host = False
    waits: ClassVar[Mapping[str, tuple[tuple[str, float], ...]]] = {
        "initialize_connection": (
            ("the exporting daemon's start", START_TIMEOUT),
            ("its answer to a command", COMMAND_TIMEOUT),
        ),
        "terminate_connection": (("the exporting daemon's end of an export", COMMAND_TIMEOUT),),
    }

    def connection(self, port: int, offer: Offer, login: Login) -> dict[str, Any]:
        """The data of a connection_info, but for its volume and credentials."""
        raise NotImplementedError

    def explain(self) -> str:
        return f"{super().explain()} Hosts attach them by {self.network} at {self.daemon.address}."

    def check_for_setup_error(self) -> None:
        super().check_for_setup_error()
        try:
            self.daemon.prepare(os.uname().nodename)
            self.daemon.restore()
        except errors.DriverError as error:
            raise errors.ConfigurationError(f"[{self.backend}]: {error.message}") from error

    def close(self) -> None:
        self.daemon.end()

    def capabilities(self) -> dict[str, Any]:
        """Asked with every report: also the moment at which a daemon that died is noticed and comes back."""
        state = "up"
        try:
            self.daemon.restore()
        except errors.DriverError:
            state = "down"
        return self.report(online_extend_support=True, backend_state=state, **self.features)

    def initialize_connection(self, volume: base.Volume, connector: base.Connector) -> dict[str, Any]:
        identifier = base.data_id(volume)
        path = self._existing(identifier)
        host = connector.get("host")
        if not host:
            raise base.BadMetadata(what="The connector", key="host")
        port, offer, login = self.daemon.offer(identifier, path, file.format_of(path), host)
        data = {
            "volume_id": volume["id"],
            "auth_username": login.user,
            "auth_password": login.secret,
            "access_mode": "rw",
            **self.connection(port, offer, login),
        }
        return {"driver_volume_type": self.protocol.lower(), "data": data}

    def terminate_connection(self, volume: base.Volume, connector: base.Connector | None) -> None:
        self.daemon.withdraw(base.data_id(volume), connector.get("host") if connector else None)

    def delete_volume(self, volume: base.Volume) -> None:
        self.daemon.withdraw(base.data_id(volume), None)
        super().delete_volume(volume)

    def extend_volume(self, volume: base.Volume, new_size: int) -> None:
        identifier = base.data_id(volume)
        if not self.daemon.offered(identifier):
            super().extend_volume(volume, new_size)
            return
        size = file.virtual_size(self._existing(identifier))
        base.refuse_shrinking(volume["id"], size / base.GIB, new_size)
        with self._told_as_full():
            self.daemon.resize(identifier, new_size * base.GIB)

    def is_written(self, identifier: str, path: Path) -> bool:
        return self.daemon.offered(identifier) or super().is_written(identifier, path)
