"""What happens to resources, told to whoever listens outside: oslo.messaging's notifications.

Used by services (`notifier.info("compute.instance.create.end", {...})`); billing, search and audit tools
consume the queues `<topic>.<priority>`, by default `notifications.info`.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from celaje.common import clock, context
from celaje.common.errors import ConfigurationError
from celaje.common.messaging.driver import Bus

LOG = logging.getLogger(__name__)

PRIORITIES = frozenset(("audit", "debug", "info", "warn", "error", "critical", "sample"))
_MESSAGING = frozenset(("messagingv2", "messaging"))
_DRIVERS = _MESSAGING | {"log", "noop"}


class Notifier:
    """`publisher_id` is `<service>.<host>`, e.g. `compute.node1`. What `[oslo_messaging_notifications]` does
    not ask for costs nothing. A notification never fails or holds up the work that it tells of: it is handed
    to the bus, which goes on trying while the process lives."""

    def __init__(self, bus: Bus, publisher_id: str, conf: Any = None):
        """ConfigurationError for a driver that does not exist."""
        group = getattr(conf, "oslo_messaging_notifications", None)
        drivers = set(getattr(group, "driver", None) or ())
        unknown = drivers - _DRIVERS
        if unknown:
            raise ConfigurationError(
                f"[oslo_messaging_notifications] driver: {', '.join(sorted(unknown))} is none of "
                f"{', '.join(sorted(_DRIVERS))}"
            )
        self.publisher_id = publisher_id
        self._bus = bus
        self._topics = list(getattr(group, "topics", None) or ["notifications"])
        self._exchange = getattr(conf, "control_exchange", None) or "openstack"
        self._publishes = bool(drivers & _MESSAGING)
        self._logs = "log" in drivers

    @property
    def active(self) -> bool:
        """False: nobody wants to know; a payload that is dear to make need not be made."""
        return self._publishes or self._logs

    def info(self, event_type: str, payload: Mapping[str, Any]) -> None:
        self.notify("info", event_type, payload)

    def warn(self, event_type: str, payload: Mapping[str, Any]) -> None:
        self.notify("warn", event_type, payload)

    def error(self, event_type: str, payload: Mapping[str, Any]) -> None:
        self.notify("error", event_type, payload)

    def notify(
        self,
        priority: str,
        event_type: str,
        payload: Mapping[str, Any],
        *,
        publisher_id: str | None = None,
        topics: Sequence[str] | None = None,
    ) -> None:
        """`payload`: plain values only. `publisher_id` and `topics` take the place of the notifier's own.
        ValueError for a priority that oslo.messaging does not have."""
        if priority not in PRIORITIES:
            raise ValueError(f"{priority!r} is no priority of a notification")
        if not self.active:
            return
        body = {
            "message_id": clock.new_uuid(),
            "publisher_id": publisher_id or self.publisher_id,
            "event_type": event_type,
            "priority": priority.upper(),
            "payload": dict(payload),
            "timestamp": clock.now().isoformat(sep=" ", timespec="microseconds"),
        }
        if self._logs:
            LOG.info(
                "notification %s from %s: %s",
                event_type,
                body["publisher_id"],
                msgspec.json.encode(body).decode(),
            )
        if not self._publishes:
            return
        asker = context.current().to_dict()
        for topic in self._topics if topics is None else topics:
            try:
                self._bus.notify(self._exchange, f"{topic}.{priority}", body, asker)
            except Exception:
                # Whoever created a volume must not fail since nobody could be told of it.
                LOG.exception("notification %s was not sent", event_type)
