"""What flows tell the outside: that one began, ended, or failed, with the resource as it was then.

Hung on the journal's first and last transaction by the engine; a service gives the engine a Teller (see
`compute/conductor/notifications.py`). Told after the commit, at most once: what dies between the two tells
nothing.
"""

import logging
from typing import Any, Protocol

from celaje.common.db import Transaction

log = logging.getLogger(__name__)

Row = dict[str, Any]

START, END, ERROR = "start", "end", "error"


class Teller(Protocol):
    def tells_of(self, flow: Row) -> bool:
        """Whether somebody wants to know of this flow. Asked once for each attempt: it must cost nothing."""

    def describe(self, tx: Transaction, flow: Row) -> Row | None:
        """The flow's resource as it is now; None when it is not there (any more)."""

    def tell(self, flow: Row, phase: str, resource: Row, error: Row | None) -> None:
        """`phase` is start, end or error; `error` is `CelajeError.to_dict()`."""


class Story:
    """One flow's, told by one attempt at it."""

    def __init__(self, teller: Teller, flow: Row):
        self._teller = teller
        self._flow = flow
        self._known: Row | None = None

    def begin(self, tx: Transaction) -> None:
        """In the first transaction of this attempt. What is to be deleted must be looked at now."""
        self._known = self._describe(tx)
        if self._flow["attempt"] == 1:
            self._after(tx, START, self._known, None)

    def end(self, tx: Transaction, failed: bool) -> None:
        """In the flow's last transaction, when the resource is in its final state."""
        now = self._describe(tx) or self._known
        self._after(tx, ERROR if failed else END, now, self._flow.get("error") if failed else None)

    def _describe(self, tx: Transaction) -> Row | None:
        return self._teller.describe(tx, self._flow)

    def _after(self, tx: Transaction, phase: str, resource: Row | None, error: Row | None) -> None:
        if resource is not None:
            tx.after_commit(lambda: self._tell(phase, resource, error))

    def _tell(self, phase: str, resource: Row, error: Row | None) -> None:
        try:
            self._teller.tell(self._flow, phase, resource, error)
        except Exception:
            # Nobody's work may fail since nobody could be told of it.
            log.exception("flow %s (%s): its %s was not told", self._flow["id"], self._flow["name"], phase)
