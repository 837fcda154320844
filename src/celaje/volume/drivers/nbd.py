"""Volumes as files of one machine, opened to any host by NBD over TLS. Called by volume's worker.

Files, snapshots and clones are the file driver's; a qemu-storage-daemon (storage_daemon.py) exports what is
attached, with a pre-shared key of its own for every connection. Attached volumes are extended, copied and
snapshot by the daemon while guests write on.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from oslo_config import cfg

from celaje.common import errors
from celaje.common.qemu.qmp import QmpError
from celaje.volume.drivers import base, file
from celaje.volume.drivers.storage_daemon import COMMAND_TIMEOUT, START_TIMEOUT, StorageDaemon

OPTIONS = [
    *file.OPTIONS,
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

DAEMON = ".nbd"


class NbdDriver(file.FileDriver):
    options: ClassVar[list[cfg.Opt]] = OPTIONS
    protocol = "nbd"
    extends_attached_through_host = False
    copies_attached = True
    copies_attached_through_host = False
    waits: ClassVar[Mapping[str, tuple[tuple[str, float], ...]]] = {
        "initialize_connection": (
            ("the storage daemon's start", START_TIMEOUT),
            ("its answer to a command", COMMAND_TIMEOUT),
        ),
        "terminate_connection": (("the storage daemon's end of an export", COMMAND_TIMEOUT),),
    }

    def __init__(self, configuration: Any, *, backend: str, host: str | None = None):
        super().__init__(configuration, backend=backend, host=host)
        self.daemon = StorageDaemon(
            self._folder / DAEMON, configuration.target_ip_address, configuration.target_port
        )

    def explain(self) -> str:
        return f"{super().explain()} Hosts attach them by NBD with TLS at {self.daemon.address}."

    def check_for_setup_error(self) -> None:
        if self._qemu_img is None:
            raise errors.ConfigurationError(f"[{self.backend}] volume_driver nbd needs qemu-img.")
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
        return self.report(online_extend_support=True, multiattach=True, backend_state=state)

    def initialize_connection(self, volume: base.Volume, connector: base.Connector) -> dict[str, Any]:
        identifier = base.data_id(volume)
        path = self._existing(identifier)
        host = connector.get("host")
        if not host:
            raise base.BadMetadata(what="The connector", key="host")
        export = self.daemon.export(identifier, path, file.format_of(path), host)
        data = {
            "volume_id": volume["id"],
            "host": self.daemon.address,
            "port": export["port"],
            "export": export["name"],
            "auth_method": "TLS-PSK",
            "auth_username": export["user"],
            "auth_password": export["key"],
            "access_mode": "rw",
            "discard": True,
        }
        return {"driver_volume_type": "nbd", "data": data}

    def terminate_connection(self, volume: base.Volume, connector: base.Connector | None) -> None:
        host = connector.get("host") if connector else None
        self.daemon.withdraw(base.data_id(volume), host)

    def delete_volume(self, volume: base.Volume) -> None:
        self.daemon.withdraw(base.data_id(volume), None)
        super().delete_volume(volume)

    def extend_volume(self, volume: base.Volume, new_size: int) -> None:
        identifier = base.data_id(volume)
        if not self.daemon.exported(identifier):
            super().extend_volume(volume, new_size)
            return
        size = file.virtual_size(self._existing(identifier))
        base.refuse_shrinking(volume["id"], size / base.GIB, new_size)
        with self._told_as_full():
            self.daemon.resize(identifier, new_size * base.GIB)

    def is_written(self, identifier: str, path: Path) -> bool:
        return self.daemon.exported(identifier) or super().is_written(identifier, path)

    def _take(self, identifier: str, source: Path, target: Path, copy_id: str | None = None) -> None:
        if not self.daemon.exported(identifier):
            super()._take(identifier, source, target, copy_id)
            return
        size = file.virtual_size(source)
        file.write_empty(target, file.format_of(source), size)
        try:
            self.daemon.copy(
                identifier, target, file.format_of(source), self.configuration.image_conversion_timeout
            )
        except QmpError as error:
            if "No space left" in error.message:
                raise base.BackendFull(backend=self.backend_name) from error
            raise
