"""Volumes as raw files of one machine, opened to any host by iSCSI with CHAP. Called by volume's worker.

Files, snapshots and clones are the file driver's; a tgtd (iscsi_target.py) offers what is attached, each
volume as a target of its own, with an account for every host. tgtd never looks at a file's size again, and
QEMU's initiator cannot be told of a new one: an attached volume is neither extended nor copied.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from oslo_config import cfg

from celaje.common import errors
from celaje.volume.drivers import base, file
from celaje.volume.drivers.iscsi_target import COMMAND_TIMEOUT, START_TIMEOUT, TargetDaemon

OPTIONS = [
    *(option for option in file.OPTIONS if option.name != "file_volume_format"),
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
    cfg.StrOpt(
        "target_prefix",
        default="iqn.2010-10.org.openstack:",
        help="What the names of iSCSI targets begin with.",
    ),
]

DAEMON = ".iscsi"


class IscsiDriver(file.FileDriver):
    options: ClassVar[list[cfg.Opt]] = OPTIONS
    protocol = "iSCSI"
    extends_attached_through_host = False
    copies_attached_through_host = False
    waits: ClassVar[Mapping[str, tuple[tuple[str, float], ...]]] = {
        "initialize_connection": (("tgtd's start", START_TIMEOUT), ("its answer", COMMAND_TIMEOUT)),
        "terminate_connection": (("tgtd's answer", COMMAND_TIMEOUT),),
    }

    def __init__(self, configuration: Any, *, backend: str, host: str | None = None):
        super().__init__(configuration, backend=backend, host=host)
        self.daemon = TargetDaemon(
            self._folder / DAEMON,
            configuration.target_ip_address,
            configuration.target_port,
            configuration.target_prefix,
        )

    def new_format(self) -> str:
        return "raw"

    def explain(self) -> str:
        return f"{super().explain()} Hosts attach them by iSCSI with CHAP at {self.daemon.address}."

    def check_for_setup_error(self) -> None:
        if "," in str(self._folder):
            raise errors.ConfigurationError(f"[{self.backend}] volumes_dir: tgtd takes no path with a comma.")
        super().check_for_setup_error()
        try:
            self.daemon.prepare()
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
        return self.report(online_extend_support=False, backend_state=state)

    def initialize_connection(self, volume: base.Volume, connector: base.Connector) -> dict[str, Any]:
        identifier = base.data_id(volume)
        path = self._existing(identifier)
        host = connector.get("host")
        if not host:
            raise base.BadMetadata(what="The connector", key="host")
        if file.format_of(path) != "raw":
            raise errors.NotImplementedHere(f"{path} is no raw file, and tgtd opens nothing else.")
        export = self.daemon.export(identifier, path, host)
        data = {
            "volume_id": volume["id"],
            "target_discovered": False,
            "target_portal": export["portal"],
            "target_iqn": export["target"],
            "target_lun": export["lun"],
            "auth_method": "CHAP",
            "auth_username": export["user"],
            "auth_password": export["password"],
            "access_mode": "rw",
            "discard": False,
        }
        return {"driver_volume_type": "iscsi", "data": data}

    def terminate_connection(self, volume: base.Volume, connector: base.Connector | None) -> None:
        self.daemon.withdraw(base.data_id(volume), connector.get("host") if connector else None)

    def delete_volume(self, volume: base.Volume) -> None:
        self.daemon.withdraw(base.data_id(volume), None)
        super().delete_volume(volume)

    def prepare_copy(self, volume: base.Volume, copy_id: str) -> dict[str, Any] | None:
        """The host that has it open cannot reach our files."""
        return None

    def is_open(self, identifier: str, path: Path) -> bool:
        return self.daemon.exported(identifier) or super().is_open(identifier, path)

    def is_written(self, identifier: str, path: Path) -> bool:
        return self.daemon.exported(identifier) or super().is_written(identifier, path)
