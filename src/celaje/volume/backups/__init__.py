"""Backups: the archive's form (archive.py) and where archives are kept (store.py).

`open_archive` makes both from the configuration; the service calls it for its workers.
"""

from pathlib import Path
from typing import Any

from celaje.common.errors import ConfigurationError
from celaje.volume.backups.archive import Archive
from celaje.volume.backups.store import FileStore


def open_archive(conf: Any, state: Path) -> Archive:
    """Raises ConfigurationError."""
    if conf.backup_driver != "file":
        raise ConfigurationError(f"backup_driver: {conf.backup_driver} is not known; there is file.")
    folder = Path(conf.backup_posix_path) if conf.backup_posix_path else state / "backups"
    return Archive(
        FileStore(folder.absolute()),
        object_size=conf.backup_file_size,
        block_size=conf.backup_sha_block_size_bytes,
        compression=conf.backup_compression_algorithm,
    )
