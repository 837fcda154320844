"""Which backup worker does what is asked: one that is up, near the volume if there is one.

Called by the handlers of backups; follows Cinder's choice (backup/api.py), but prefers the volume's own host.
"""

from typing import Any

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.common.wsgi import Request
from celaje.volume import errors

Row = dict[str, Any]

BINARY = "cinder-backup"


def for_new(request: Request, tx: Transaction, zone: str | None, volume: Row | None = None) -> str:
    """NoBackupService."""
    near = (volume["host"] or "").partition("@")[0] if volume else ""
    found = _choose(request, tx, zone, near)
    if found is None:
        raise errors.NoBackupService
    return found


def of_backup(request: Request, tx: Transaction, backup: Row) -> str:
    """Its own if that is up, else another, unless `backup_use_same_host` forbids. BackupServiceNotFound."""
    own = backup["host"]
    found = _choose(request, tx, backup["availability_zone"], own or "")
    if found is None or (own and found != own and request.service.conf.backup_use_same_host):
        raise errors.BackupServiceNotFound
    return found


def _choose(request: Request, tx: Transaction, zone: str | None, preferred: str) -> str | None:
    service, records = request.service, request.service.records
    rows = records.list(tx, binary=BINARY)
    hosts = [
        str(row["host"])
        for row in rows
        if records.is_up(row) and not row["disabled"] and zone in (None, "", row["availability_zone"])
    ]
    here = service.ground.host
    if service.backup_worker is not None and here not in {row["host"] for row in rows}:
        hosts.append(here)  # of this very process, and about to report itself
    if preferred in hosts:
        return preferred
    return hosts[int(clock.random_fraction() * len(hosts))] if hosts else None
