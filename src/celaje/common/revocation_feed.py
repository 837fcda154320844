"""How revocation events reach every process that checks tokens: by fanout at once, by REST now and then.

Identity sends `RevocationMessages`; each process starts one RevocationFeed for the Revocations that its
services share. A message may be lost: the periodic read of identity's events closes that gap.
"""

import datetime
import logging
import threading
from typing import Any

from celaje.common import clock
from celaje.common.errors import CelajeError
from celaje.common.messaging.driver import Bus
from celaje.common.messaging.server import Server
from celaje.common.messaging.table import Messages, fanout
from celaje.common.periodic import Periodic
from celaje.common.rest.client import RestClient
from celaje.common.revocations import RevocationEvent, Revocations
from celaje.common.tokens import seconds

log = logging.getLogger(__name__)

# Seconds until a read that failed is tried again.
_TRY_AGAIN = 2.0
_OVERLAP = datetime.timedelta(seconds=120)
# Seconds for which a process that starts waits for its bus.
_PATIENCE = 5.0


class RevocationMessages(Messages):
    """From identity to every process that opens tokens."""

    topic = "identity-revocations"

    @fanout(may_be_lost=True)
    def revoked(self, events: list[dict[str, Any]]) -> None:
        """These events count from now on; their form is that of `GET /v3/OS-REVOKE/events`."""


class IdentityEvents(RestClient):
    """Identity's list of events, read as this service itself."""

    service_type = "identity"

    def events(self, since: str | None = None) -> list[dict[str, Any]]:
        return self.request("GET", "/v3/OS-REVOKE/events", query={"since": since}).body["events"]


class RevocationFeed:
    """One a process. `name` is unique among processes (host and boot id). `identity` None: nothing is read
    (the process of identity itself, whose service reads its own rows). `poll_interval` in seconds."""

    def __init__(
        self,
        bus: Bus,
        revocations: Revocations,
        *,
        name: str,
        identity: IdentityEvents | None = None,
        poll_interval: float = 30.0,
        token_lifetime: float = 86400.0,
    ):
        self._revocations = revocations
        self._identity = identity
        self._token_lifetime = token_lifetime
        self._last: str | None = None
        self._due = clock.monotonic()
        self._server = Server(bus, RevocationMessages.target(name), self, RevocationMessages, threads=1)
        self._changed = threading.Condition()
        # Of the ear: it hears, or why it never will.
        self._listens = False
        self._refused: CelajeError | None = None
        self._periodic = Periodic("revocations")
        if identity is not None:
            self._poll_interval = poll_interval
            self._periodic.every(min(poll_interval, _TRY_AGAIN), self._catch_up_when_due, at_once=True)
        self._periodic.every(600.0, self.forget)

    def start(self) -> None:
        """Hear and read from now on. A bus that is away is no reason for an API not to answer: it is waited
        for behind the scenes, and until then events are read. Raises what the bus says of a wrong
        configuration."""
        # The ear first: what is revoked between the first read and the listening would be missed for a while.
        threading.Thread(target=self._listen, name="revocations' ear", daemon=True).start()
        with self._changed:
            clock.wait_for(self._changed, lambda: self._listens or self._refused is not None, _PATIENCE)
            if self._refused is not None:
                raise self._refused
            if not self._listens:
                log.warning("the message bus is away: until it is back revocations are only read")
        self._periodic.start()

    def _listen(self) -> None:
        refused = None
        try:
            self._server.start()
        except CelajeError as error:
            refused = error
            log.error("revocations are only read, not heard: %s", error.message)
        with self._changed:
            self._refused, self._listens = refused, refused is None
            # What was revoked before is read at once, however late this is.
            self._due = clock.monotonic()
            self._changed.notify_all()

    def stop(self) -> None:
        self._periodic.stop()
        self._server.stop(1.0)

    def revoked(self, events: list[dict[str, Any]]) -> None:
        """Endpoint of RevocationMessages."""
        for event in events:
            self._revocations.add(RevocationEvent.from_api(event))

    def _catch_up_when_due(self) -> None:
        """A read that failed is tried again soon: until then a revocation may be missing here."""
        if clock.monotonic() >= self._due and self.catch_up():
            self._due = clock.monotonic() + self._poll_interval

    def catch_up(self) -> bool:
        """Read what identity has written since the last read (with an overlap: clocks differ); false when
        it did not answer."""
        assert self._identity is not None
        asked_at = clock.now()
        try:
            events = self._identity.events(self._last)
        except CelajeError as error:
            log.warning("the revocation events could not be read: %s", error.message)
            return False
        self.revoked(events)
        self._last = clock.iso(asked_at - _OVERLAP, microseconds=True, zulu=True)
        return True

    def forget(self) -> None:
        """Drop events about tokens that have all expired."""
        self._revocations.forget_before(seconds(clock.now()) - self._token_lifetime)
