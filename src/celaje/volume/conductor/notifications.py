"""What happens to volumes, snapshots, backups, groups, told in Cinder's words: volume.create.start ...

A Teller of the engine (`common/flow/story.py`); events and payloads are those of Cinder's notifications
(`volume/usage.py`), where an extension is a resize. Of a migration Cinder tells nothing.
"""

from typing import Any, NamedTuple

from celaje.common.db import Transaction
from celaje.common.messaging.notifications import Notifier
from celaje.volume import usage

Row = dict[str, Any]


class Event(NamedTuple):
    """A name to which .start, .end or .error is added; `once`: Cinder tells its end alone, without."""

    name: str
    once: bool = False


EVENTS = {
    "volume.create": Event("volume.create"),
    "volume.delete": Event("volume.delete"),
    "volume.extend": Event("volume.resize"),
    "volume.retype": Event("volume.retype", once=True),
    "volume.revert": Event("volume.revert"),
    "attachment.connect": Event("volume.attach"),
    "attachment.disconnect": Event("volume.detach"),
    "snapshot.create": Event("snapshot.create"),
    "snapshot.delete": Event("snapshot.delete"),
    "backup.create": Event("backup.create"),
    "backup.delete": Event("backup.delete"),
    "backup.restore": Event("backup.restore"),
    "group.create": Event("group.create"),
    "group.create_from_source": Event("group.create"),
    "group.delete": Event("group.delete"),
    "group_snapshot.create": Event("group_snapshot.create"),
    "group_snapshot.delete": Event("group_snapshot.delete"),
}


class VolumeNotifications:
    def __init__(self, notifier: Notifier):
        self._notifier = notifier

    def tells_of(self, flow: Row) -> bool:
        return self._notifier.active and flow["name"] in EVENTS

    def describe(self, tx: Transaction, flow: Row) -> Row | None:
        if flow["resource_type"] == "attachment":
            return usage.describe(tx, "volume", flow["arguments"]["volume"]["id"])
        return usage.describe(tx, flow["resource_type"], flow["resource_id"])

    def tell(self, flow: Row, phase: str, resource: Row, error: Row | None) -> None:
        event = EVENTS[flow["name"]]
        if event.once and phase == "start":
            return
        payload = resource["payload"]
        if event.name.endswith(".delete") and phase == "end":
            payload = usage.gone(payload)
        if error is not None:
            payload = {**payload, "error": error["message"]}
        kind = event.name.partition(".")[0]
        self._notifier.notify(
            "error" if phase == "error" else "info",
            event.name if event.once and phase == "end" else f"{event.name}.{phase}",
            payload,
            publisher_id=usage.publisher(kind, resource["host"]),
        )
