"""Where backups are kept: named objects, written once, listed and removed by prefix. Called by archive.py.

Four operations that an object store has as well as a folder; a store never looks into what it keeps.
"""

import re
import shutil
from pathlib import Path

from celaje.common import clock, errors
from celaje.volume.drivers.local_files import flush

_NAME = re.compile(r"[\w.\-%]{1,255}(/[\w.\-%]{1,255}){0,3}")


class BackupLost(errors.DriverError):
    """The store lacks something that a backup needs, or it is not what was written."""

    text = "Backup data {name} is lost or damaged: {reason}."


class BackupUnwanted(errors.DriverError):
    """Somebody deletes the backup that is being made."""

    text = "Backup data {name} is not wanted any more."


class BackupStore:
    def put(self, name: str, data: bytes) -> None:
        """Whole or not at all; replaces what was there."""
        raise NotImplementedError

    def get(self, name: str) -> bytes:
        """Raises BackupLost."""
        raise NotImplementedError

    def has(self, name: str) -> bool:
        raise NotImplementedError

    def remove(self, prefix: str) -> None:
        """Everything below prefix/; nothing happens when there is nothing."""
        raise NotImplementedError


class FileStore(BackupStore):
    """Files in a folder. Several backup workers use one folder if it is on a file system that all of them
    mount at the same path: then any of them restores what another one wrote."""

    def __init__(self, folder: Path):
        self._folder = folder
        for left in folder.glob("*/.*.gone"):  # of a worker that was killed while it removed
            shutil.rmtree(left, ignore_errors=True)

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name) or {".", ".."} & set(name.split("/")):
            raise errors.Invalid(f"{name!r} is not a name of backup data.")
        return self._folder / name

    def put(self, name: str, data: bytes) -> None:
        path = self._path(name)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = path.with_name(f".{clock.new_uuid()}.new")
        try:
            fresh.write_bytes(data)
            flush(fresh)
            fresh.replace(path)
        except OSError as error:
            raise errors.DriverError(f"Backup data cannot be written: {error.strerror}.") from error
        finally:
            fresh.unlink(missing_ok=True)
        flush(path.parent)

    def get(self, name: str) -> bytes:
        try:
            return self._path(name).read_bytes()
        except OSError as error:
            raise BackupLost(name=name, reason=error.strerror or "it cannot be read") from error

    def has(self, name: str) -> bool:
        return self._path(name).exists()

    def remove(self, prefix: str) -> None:
        path = self._path(prefix)
        if path.exists():
            # Under another name first: half a removal must not look like a backup.
            gone = path.with_name(f".{clock.new_uuid()}.gone")
            path.rename(gone)
            shutil.rmtree(gone, ignore_errors=True)
