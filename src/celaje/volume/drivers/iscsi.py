"""Volumes as raw files of one machine, opened to any host by iSCSI with CHAP. Called by volume's worker.

A tgtd (iscsi_target.py) offers what is attached, each volume as a target of its own, with an account for
every host. An attached volume is extended here; the host that has it open copies it, into a target beside it.
"""

from pathlib import Path
from typing import Any, ClassVar

from oslo_config import cfg

from celaje.common import errors
from celaje.volume.drivers import base, file
from celaje.volume.drivers.exported_files import TARGET_OPTIONS, ExportedFileDriver
from celaje.volume.drivers.iscsi_target import LUN, TargetDaemon
from celaje.volume.drivers.kept_daemon import Login, Offer

OPTIONS = [
    *(option for option in file.OPTIONS if option.name != "file_volume_format"),
    *TARGET_OPTIONS,
    cfg.StrOpt(
        "target_prefix",
        default="iqn.2010-10.org.openstack:",
        help="What the names of iSCSI targets begin with.",
    ),
]

DAEMON = ".iscsi"


class IscsiDriver(ExportedFileDriver):
    options: ClassVar[list[cfg.Opt]] = OPTIONS
    protocol = "iSCSI"
    network = "iSCSI with CHAP"

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

    def check_for_setup_error(self) -> None:
        if "," in str(self._folder):
            raise errors.ConfigurationError(f"[{self.backend}] volumes_dir: tgtd takes no path with a comma.")
        super().check_for_setup_error()

    def initialize_connection(self, volume: base.Volume, connector: base.Connector) -> dict[str, Any]:
        path = self._existing(base.data_id(volume))
        if file.format_of(path) != "raw":
            raise errors.NotImplementedHere(f"{path} is no raw file, and tgtd opens nothing else.")
        return super().initialize_connection(volume, connector)

    def connection(self, port: int, offer: Offer, login: Login) -> dict[str, Any]:
        return {
            "target_discovered": False,
            "target_portal": self.daemon.portal(port),
            "target_iqn": offer.name,
            "target_lun": LUN,
            "auth_method": "CHAP",
            "discard": True,
        }

    def prepare_copy(self, volume: base.Volume, copy_id: str) -> dict[str, Any] | None:
        identifier = base.data_id(volume)
        target = super().prepare_copy(volume, copy_id)
        if target is not None and self.daemon.offered(identifier):
            self.daemon.lend(copy_id, self._folder / target["file"], identifier)
        return target

    def discard_copy(self, copy_id: str) -> None:
        self.daemon.withdraw(base.checked(copy_id), None)
        super().discard_copy(copy_id)

    def is_open(self, identifier: str, path: Path) -> bool:
        return self.daemon.offered(identifier) or super().is_open(identifier, path)
