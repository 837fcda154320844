"""User messages: why a flow failed, as Cinder's messages API tells it. Written by ways out."""

import datetime
from typing import Any

from sqlalchemy import delete

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.common.errors import CelajeError
from celaje.volume.db.rows import Row, Rows
from celaje.volume.db.tables import MESSAGES

_rows = Rows(MESSAGES)
get, remove = _rows.get, _rows.remove

# Cinder's numbers and sentences (API reference, "Messages"): clients show "action:detail".
ACTIONS = {
    "001": "schedule allocate volume",
    "002": "attach volume",
    "003": "copy volume to image",
    "004": "update attachment",
    "005": "copy image to volume",
    "007": "extend volume",
    "008": "create volume from backend storage",
    "009": "create snapshot",
    "010": "delete snapshot",
    "006": "unmanage volume",
    "016": "reimage volume",
    "013": "create backup",
    "014": "delete backup",
    "015": "restore backup",
    "100": "delete volume",
    "101": "retype volume",
    "102": "migrate volume",
    "103": "revert volume to snapshot",
    "104": "manage existing volume",
    "105": "manage existing snapshot",
    "106": "create group",
    "107": "delete group",
    "108": "create group snapshot",
    "109": "delete group snapshot",
}
DETAILS = {
    "001": "An unknown error occurred.",
    "004": "Failed to upload volume to image at backend.",
    "003": "Could not find any available weighted backend.",
    "006": "Not enough quota resource for operation.",
    "007": "Image used for creating volume exceeds available space.",
    "009": "Compute service failed to extend volume.",
    "010": "Volume Driver failed to extend volume.",
    "012": "Driver failed to create the volume.",
    "013": "Snapshot failed to create.",
    "016": "Snapshot failed to delete.",
    "020": "Backup driver failed to create backup.",
    "025": "Backup driver failed to delete backup.",
    "026": "Backup failed to be restored.",
    "021": "Failed to attach volume.",
    "022": "Failed to detach volume.",
    "024": "Compute service rejected volume reimage operation.",
    "100": "The operation did not end by its deadline.",
}
TTL_SECONDS = 2592000


def from_failure(
    tx: Transaction,
    flow: dict[str, Any],
    error: CelajeError,
    *,
    resource: tuple[str, str],
    action: str,
    detail: str,
) -> None:
    """One message about a failed flow."""
    now = clock.now()
    if type(error).__name__ == "DeadlineExceeded":
        detail = "100"
    row: Row = {
        "id": clock.new_uuid(),
        "project_id": flow["project_id"],
        "request_id": flow["request_id"],
        "resource_type": resource[0],
        "resource_uuid": resource[1],
        "action_id": action,
        "detail_id": detail,
        "message_level": "ERROR",
        "cause": error.message[:2000],
        "created_at": now,
        "expires_at": now + datetime.timedelta(seconds=TTL_SECONDS),
    }
    _rows.insert(tx, row)


def words(message: Row, with_cause: bool) -> str:
    """Cinder's `action:detail`, and for operators what really happened: the cause names back ends, their
    room and their drivers' words, which are none of a project's business."""
    action = ACTIONS.get(message["action_id"], "unknown action")
    detail = DETAILS.get(message["detail_id"], DETAILS["001"])
    cause = f" ({message['cause']})" if message["cause"] and with_cause else ""
    return f"{action}:{detail}{cause}"


def forget_old(tx: Transaction, now: datetime.datetime) -> None:
    tx.execute(delete(MESSAGES).where(MESSAGES.c.expires_at < now))
