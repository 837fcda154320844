"""What happens to volumes and snapshots, told outside in Cinder's words: volume.create.start, .end ...

A Teller of the engine (`common/flow/story.py`); events and payloads are those of Cinder's notifications
(`volume_utils.notify_about_volume_usage`), where an extension is a resize.
"""

from typing import Any

from celaje.common.db import Transaction
from celaje.common.messaging.notifications import Notifier
from celaje.volume.db import attachments, snapshots, volumes

Row = dict[str, Any]

# Flow -> the event, to which .start, .end or .error is added.
EVENTS = {
    "volume.create": "volume.create",
    "volume.delete": "volume.delete",
    "volume.extend": "volume.resize",
    "attachment.connect": "volume.attach",
    "attachment.disconnect": "volume.detach",
    "snapshot.create": "snapshot.create",
    "snapshot.delete": "snapshot.delete",
}


class VolumeNotifications:
    def __init__(self, notifier: Notifier):
        self._notifier = notifier

    def tells_of(self, flow: Row) -> bool:
        return self._notifier.active and flow["name"] in EVENTS

    def describe(self, tx: Transaction, flow: Row) -> Row | None:
        if flow["resource_type"] == "snapshot":
            snapshot = snapshots.get(tx, flow["resource_id"])
            if snapshot is None:
                return None
            volume = volumes.get(tx, snapshot["volume_id"])
            return {"host": volume and volume["host"], "payload": _snapshot_usage(snapshot, volume)}
        volume_id = flow["resource_id"]
        if flow["resource_type"] == "attachment":
            volume_id = flow["arguments"]["volume"]["id"]
        volume = volumes.get(tx, volume_id)
        if volume is None:
            return None
        return {"host": volume["host"], "payload": volume_usage(volume, attachments.of_volume(tx, volume_id))}

    def tell(self, flow: Row, phase: str, resource: Row, error: Row | None) -> None:
        payload = resource["payload"]
        if flow["name"] in ("volume.delete", "snapshot.delete") and phase == "end":
            payload = {**payload, "status": "deleted"}
            if "deleted" in payload:
                payload["deleted"] = True
        if error is not None:
            payload = {**payload, "error": error["message"]}
        # The pool is no part of a service's name.
        host = (resource["host"] or "").partition("#")[0]
        self._notifier.notify(
            "error" if phase == "error" else "info",
            f"{EVENTS[flow['name']]}.{phase}",
            payload,
            publisher_id=f"{flow['resource_type'].replace('attachment', 'volume')}.{host}" if host else None,
        )


def volume_usage(volume: Row, attached: list[Row]) -> Row:
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


def _snapshot_usage(snapshot: Row, volume: Row | None) -> Row:
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


def _moment(moment: Any) -> str:
    """As Cinder writes times here: UTC with its offset, empty for never."""
    return "" if moment is None else f"{moment.isoformat(sep=' ', timespec='seconds')}+00:00"
