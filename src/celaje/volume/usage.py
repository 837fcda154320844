"""What is told outside of volumes, snapshots, backups and groups: payloads as Cinder's notifications have
them (`volume_utils._usage_from_volume` and its like), and changes that are no flow.

Used by the conductor's teller (`conductor/notifications.py`) and by API handlers.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from celaje.common.db import Transaction
from celaje.common.messaging.notifications import Notifier
from celaje.volume.db import attachments, backups, groups, snapshots, volumes

Row = dict[str, Any]


def describe(tx: Transaction, kind: str, row_id: str) -> Row | None:
    """{"host", "payload"} of a resource as it is now; None when it is not there (any more)."""
    match kind:
        case "volume":
            volume = volumes.get(tx, row_id)
            if volume is None:
                return None
            return {"host": volume["host"], "payload": _volume(volume, attachments.of_volume(tx, row_id))}
        case "snapshot":
            snapshot = snapshots.get(tx, row_id)
            if snapshot is None:
                return None
            volume = volumes.get(tx, snapshot["volume_id"])
            return {"host": volume and volume["host"], "payload": _snapshot(snapshot, volume)}
        case "backup":
            backup = backups.get(tx, row_id)
            return backup and {"host": backup["host"], "payload": _backup(backup)}
        case "group":
            group = groups.get(tx, row_id)
            return group and {"host": group["host"], "payload": _group(group)}
        case "group_snapshot":
            found = groups.get_snapshot(tx, row_id)
            return found and {"host": None, "payload": _group_snapshot(found)}
    return None


class Changes:
    """What an API handler does at once. Cinder tells a start and an end of it, and so do we: both after the
    commit, since until then nothing has happened."""

    def __init__(self, notifier: Notifier):
        self._notifier = notifier

    @contextmanager
    def told(self, tx: Transaction, event: str, kind: str, row_id: str) -> Iterator[None]:
        """Around the change, in its transaction."""
        if not self._notifier.active:
            yield
            return
        before = describe(tx, kind, row_id)
        yield
        after = describe(tx, kind, row_id) or (before and {**before, "payload": gone(before["payload"])})
        if before is not None and after is not None:
            tx.after_commit(lambda: self._tell(event, kind, before, after))

    def _tell(self, event: str, kind: str, before: Row, after: Row) -> None:
        for phase, found in (("start", before), ("end", after)):
            self._notifier.notify(
                "info", f"{event}.{phase}", found["payload"], publisher_id=publisher(kind, found["host"])
            )


def publisher(kind: str, host: str | None) -> str | None:
    """`volume.host@backend`: the pool is no part of a service's name."""
    name = (host or "").partition("#")[0]
    return f"{kind}.{name}" if name else None


def gone(payload: Row) -> Row:
    """The payload of what was deleted."""
    return {**payload, "status": "deleted", **({"deleted": True} if "deleted" in payload else {})}


def _volume(volume: Row, attached: list[Row]) -> Row:
    return {
        "tenant_id": volume["project_id"],
        "host": volume["host"],
        "user_id": volume["user_id"],
        "availability_zone": volume["availability_zone"],
        "volume_id": volume["id"],
        "volume_type": volume["volume_type_id"],
        "display_name": volume["name"],
        "launched_at": _moment(volume["launched_at"]),
        "created_at": _moment(volume["created_at"]),
        "status": volume["status"],
        "snapshot_id": volume["snapshot_id"],
        "size": volume["pending_size"] or volume["size"],
        "replication_status": None,
        "replication_extended_status": None,
        "replication_driver_data": None,
        "metadata": volume["metadata"],
        "volume_attachment": [
            {
                "id": one["id"],
                "volume_id": one["volume_id"],
                "instance_uuid": one["instance_uuid"],
                "attached_host": one["attached_host"],
                "mountpoint": one["mountpoint"],
                "attach_mode": one["attach_mode"],
                "attach_status": one["attach_status"],
                "attach_time": _moment(one["attach_time"]),
            }
            for one in attached
        ],
    }


def _snapshot(snapshot: Row, volume: Row | None) -> Row:
    return {
        "tenant_id": snapshot["project_id"],
        "user_id": snapshot["user_id"],
        "availability_zone": volume["availability_zone"] if volume else "",
        "volume_id": snapshot["volume_id"],
        "volume_size": snapshot["volume_size"],
        "snapshot_id": snapshot["id"],
        "display_name": snapshot["name"],
        "created_at": _moment(snapshot["created_at"]),
        "status": snapshot["status"],
        "deleted": False,
        "metadata": snapshot["metadata"],
    }


def _backup(backup: Row) -> Row:
    return {
        "tenant_id": backup["project_id"],
        "user_id": backup["user_id"],
        "availability_zone": backup["availability_zone"],
        "backup_id": backup["id"],
        "host": backup["host"],
        "display_name": backup["name"],
        "created_at": _moment(backup["created_at"]),
        "status": backup["status"],
        "volume_id": backup["volume_id"],
        "size": backup["size"],
        "service_metadata": None,
        "service": None,
        "fail_reason": backup["fail_reason"],
        "parent_id": backup["parent_id"],
        "snapshot_id": backup["snapshot_id"],
    }


def _group(group: Row) -> Row:
    return {
        "tenant_id": group["project_id"],
        "user_id": group["user_id"],
        "availability_zone": group["availability_zone"],
        "group_id": group["id"],
        "group_type": group["group_type_id"],
        "name": group["name"],
        "created_at": _moment(group["created_at"]),
        "status": group["status"],
    }


def _group_snapshot(found: Row) -> Row:
    return {
        "tenant_id": found["project_id"],
        "user_id": found["user_id"],
        "group_snapshot_id": found["id"],
        "name": found["name"],
        "group_id": found["group_id"],
        "group_type": found["group_type_id"],
        "created_at": _moment(found["created_at"]),
        "status": found["status"],
    }


def _moment(moment: Any) -> str:
    """As Cinder writes times here: UTC with its offset, empty for never."""
    return "" if moment is None else f"{moment.isoformat(sep=' ', timespec='seconds')}+00:00"
