"""Writing revocation events: every change after which some token must not be accepted any more.

Called by the queries of users, projects, grants ... inside their unit, so that change and event commit
together. This process applies the event before the request is answered; others hear of it by fanout
(`common/revocation_feed.py`), or when they read the events the next time.
"""

import logging
from collections.abc import Iterable
from typing import Any

import msgspec
from sqlalchemy import bindparam, delete, insert, select

from celaje.common import clock
from celaje.common.db import Transaction, fetch_all
from celaje.common.messaging.client import Client
from celaje.common.revocations import RevocationEvent, Revocations, new_event
from celaje.common.tokens import moment, seconds
from celaje.identity.db.statements import tuples
from celaje.identity.db.tables import REVOCATION_EVENTS

log = logging.getLogger(__name__)

_INSERT = insert(REVOCATION_EVENTS)
_SINCE = (
    select(REVOCATION_EVENTS.c.event, REVOCATION_EVENTS.c.revoked_at)
    .where(REVOCATION_EVENTS.c.revoked_at >= bindparam("since"))
    .order_by(REVOCATION_EVENTS.c.revoked_at)
)


class Revoking:
    def __init__(self, revocations: Revocations, messages: Client):
        self._revocations = revocations
        self._messages = messages

    def revoke(self, tx: Transaction, *changes: dict[str, Any]) -> None:
        """One event a change; a change holds the fields of RevocationEvent that must match. Tokens issued
        until now are out."""
        if not changes:
            return
        now = round(seconds(clock.now()), 6)
        # The same change twice at one moment is the same event.
        events = list(
            {event.id: event for event in (new_event(now, **change) for change in changes)}.values()
        )
        known = {
            row["id"]
            for row in fetch_all(
                tx,
                select(REVOCATION_EVENTS.c.id).where(REVOCATION_EVENTS.c.id.in_([e.id for e in events])),
            )
        }
        rows = [
            {"id": event.id, "revoked_at": now, "event": event.to_api()}
            for event in events
            if event.id not in known
        ]
        if rows:
            tx.execute(_INSERT, rows)
        tx.after_commit(lambda: self._tell(events))

    def _tell(self, written: Iterable[RevocationEvent]) -> None:
        # A login that began before the commit has not seen the change, even if it began after the event was
        # written. Its id is kept, so that reading the row later does not bring it a second time.
        now = round(seconds(clock.now()), 6)
        events = [msgspec.structs.replace(event, issued_before=now) for event in written]
        for event in events:
            self._revocations.add(event)
        try:
            self._messages.revoked(events=[event.to_api() for event in events])
        except Exception as error:
            # The rows are there; the others read them at their next turn.
            log.warning("revocation events were not sent to the other processes: %s", error)

    def catch_up(self, tx: Transaction) -> None:
        """Take up every event that is stored: at start, and what other identity processes have written."""
        for event in events_since(tx, 0.0):
            self._revocations.add(RevocationEvent.from_api(event))


def events_since(tx: Transaction, since: float) -> list[dict[str, Any]]:
    """Events in the API's form, oldest first. `since`: seconds since 1970."""
    return [
        {**row[0], "revoked_at": clock.iso(moment(row[1]), microseconds=True, zulu=True)}
        for row in tuples(tx, _SINCE, since=since)
    ]


def prune(tx: Transaction, before: float) -> int:
    """Drop events about tokens that have expired by now."""
    return tx.execute(delete(REVOCATION_EVENTS).where(REVOCATION_EVENTS.c.revoked_at < before)).rowcount
