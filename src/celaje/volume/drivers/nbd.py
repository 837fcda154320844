"""Volumes as files of one machine, opened to any host by NBD over TLS. Called by volume's worker.

A qemu-storage-daemon (storage_daemon.py) exports what is attached, with a pre-shared key of its own for every
connection. Attached volumes are extended, copied and snapshot by the daemon while guests write on.
"""

from pathlib import Path
from typing import Any, ClassVar

from oslo_config import cfg

from celaje.common import errors
from celaje.common.qemu.qmp import QmpError
from celaje.volume.drivers import base, file
from celaje.volume.drivers.exported_files import TARGET_OPTIONS, ExportedFileDriver
from celaje.volume.drivers.kept_daemon import Login, Offer
from celaje.volume.drivers.storage_daemon import StorageDaemon

DAEMON = ".nbd"


class NbdDriver(ExportedFileDriver):
    options: ClassVar[list[cfg.Opt]] = [*file.OPTIONS, *TARGET_OPTIONS]
    protocol = "nbd"
    network = "NBD with TLS"
    features: ClassVar[dict[str, Any]] = {"multiattach": True}
    copies_attached = True
    copies_attached_through_host = False

    def __init__(self, configuration: Any, *, backend: str, host: str | None = None):
        super().__init__(configuration, backend=backend, host=host)
        self.daemon = StorageDaemon(
            self._folder / DAEMON, configuration.target_ip_address, configuration.target_port
        )

    def check_for_setup_error(self) -> None:
        if self._qemu_img is None:
            raise errors.ConfigurationError(f"[{self.backend}] volume_driver nbd needs qemu-img.")
        super().check_for_setup_error()

    def connection(self, port: int, offer: Offer, login: Login) -> dict[str, Any]:
        where = {"host": self.daemon.address, "port": port, "export": login.user}
        return {**where, "auth_method": "TLS-PSK", "discard": True}

    def _take(self, identifier: str, source: Path, target: Path, copy_id: str | None = None) -> None:
        if not self.daemon.offered(identifier):
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
