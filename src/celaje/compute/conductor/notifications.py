"""What happens to servers, told outside in Nova's words, in its legacy form, its versioned one, or both.

A Teller of the engine (`common/flow/story.py`); `[notifications] notification_format` chooses. Payloads are
made in `compute/conductor/notified.py`.
"""

from typing import Any, NamedTuple

from celaje.common import context
from celaje.common.db import Transaction
from celaje.common.messaging.notifications import Notifier
from celaje.compute.conductor import notified
from celaje.compute.db import servers

Row = dict[str, Any]


class Event(NamedTuple):
    """Names to which .start, .end or .error is added; `at_end` is one that Nova sends once, without."""

    legacy: str
    versioned: str
    at_end: bool = False


def _power(name: str, versioned: str | None = None) -> Event:
    return Event(f"compute.instance.{name}", f"instance.{versioned or name}")


EVENTS = {
    "server.create": Event("compute.instance.create", "instance.create"),
    "server.delete": Event("compute.instance.delete", "instance.delete"),
    "server.start": _power("power_on"),
    "server.stop": _power("power_off"),
    "server.reboot": _power("reboot"),
    "server.pause": _power("pause"),
    "server.unpause": _power("unpause"),
    "server.suspend": _power("suspend"),
    "server.resume": _power("resume"),
    "server.attach_volume": Event("compute.instance.volume.attach", "instance.volume_attach", True),
    "server.detach_volume": Event("compute.instance.volume.detach", "instance.volume_detach", True),
    "server.attach_interface": Event("compute.instance.interface.attach", "instance.interface_attach", True),
    "server.detach_interface": Event("compute.instance.interface.detach", "instance.interface_detach", True),
}


class ServerNotifications:
    """`format_` is unversioned, versioned or both; `versioned_topics` are the queues of the versioned ones
    (`<topic>.info`)."""

    def __init__(self, notifier: Notifier, format_: str, versioned_topics: list[str]):
        self._notifier = notifier
        self._legacy = format_ in ("unversioned", "both")
        self._versioned = format_ in ("versioned", "both")
        self._topics = versioned_topics

    def tells_of(self, flow: Row) -> bool:
        return self._notifier.active and flow["name"] in EVENTS

    def describe(self, tx: Transaction, flow: Row) -> Row | None:
        server_id = flow["resource_id"]
        row = servers.get(tx, server_id)
        if row is None:
            return None
        return {
            "row": row,
            "metadata": servers.metadata(tx, server_id),
            "interfaces": servers.interfaces(tx, server_id),
            "devices": servers.devices(tx, server_id),
        }

    def tell(self, flow: Row, phase: str, resource: Row, error: Row | None) -> None:
        event = EVENTS[flow["name"]]
        priority = "error" if phase == "error" else "info"
        host = resource["row"]["host"]
        volume_id = (flow["arguments"].get("device") or {}).get("volume_id")
        if self._legacy and not (event.at_end and phase != "end"):
            self._notifier.notify(
                priority,
                event.legacy if event.at_end else f"{event.legacy}.{phase}",
                notified.legacy(resource, phase, volume_id, error),
                publisher_id=f"compute.{host}" if host else None,
            )
        if self._versioned:
            self._notifier.notify(
                priority,
                f"{event.versioned}.{phase}",
                notified.versioned(resource, volume_id, error, context.current()),
                publisher_id=f"nova-compute:{host}" if host else None,
                topics=self._topics,
            )
