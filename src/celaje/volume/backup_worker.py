"""The backup worker (Cinder's cinder-backup): takes a step, opens a volume by its connection, archives it.

Conductors' flows call it through VolumeBackupMessages, on any host: it knows no back end's driver, and no
database.
"""

import threading
from typing import Any

from celaje.common.fences import Fences
from celaje.common.service.log_levels import LogLevels
from celaje.volume.backups.archive import Archive
from celaje.volume.backups.store import BackupLost
from celaje.volume.connections import Connections
from celaje.volume.drivers.base import GIB

Row = dict[str, Any]


class BackupWorker(LogLevels):
    """`archive`: where backups go; `connections`: how volumes are opened here."""

    def __init__(self, archive: Archive, connections: Connections, fences: Fences | None = None):
        self.archive = archive
        self.connections = connections
        self._fences = fences or Fences()
        self._lock = threading.Lock()
        # Backups that are to be deleted: whoever is making one stops.
        self._unwanted: set[str] = set()

    def create_backup(self, connection: Row, size: int, backup: Row, parent: Row | None) -> Row:
        with self._fences.step(backup["id"]), self.connections.content(connection, size) as content:
            manifest = self.archive.write(
                backup["location"],
                backup["id"],
                backup["volume_id"],
                content,
                parent["location"] if parent else None,
                unwanted=lambda: backup["id"] in self._unwanted,
            )
        return {"object_count": len(manifest.objects) + 2}

    def restore_backup(self, connection: Row, size: int, backup: Row) -> None:
        with self._fences.step(connection["data"]["volume_id"]):
            self.connections.replace(
                connection, size, lambda target: self.archive.restore(backup["location"], target)
            )

    def delete_backup(self, backup: Row) -> None:
        with self._lock:
            self._unwanted.add(backup["id"])
        try:
            with self._fences.step(backup["id"]):
                self.archive.store.remove(backup["location"])
        finally:
            with self._lock:
                self._unwanted.discard(backup["id"])

    def look_at_backup(self, backup: Row) -> Row:
        manifest = self.archive.manifest(backup["location"])
        if manifest.volume_id != backup["volume_id"]:
            raise BackupLost(name=backup["location"], reason="it is another volume's")
        return {"size": -(-manifest.size // GIB), "object_count": len(manifest.objects) + 2}
