"""What is kept of a flow that has ended: at its end no secret, and after some days nothing.

`without_secrets` is used by the Journal, `Retention` by the Engine's scan. What the journal is shown as
(instance actions) ends with it, as it does with Nova's `db purge`.
"""

import datetime
import functools
import logging
from typing import Any

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.common.flow.flows import Flows
from celaje.common.log.mask import MASK, is_secret

log = logging.getLogger(__name__)

# Seconds between two looks for flows that are old enough, and how many are deleted in one transaction:
# whoever else writes waits no longer than that. While there are more, each scan of the engine goes on.
INTERVAL = 3600.0
AT_ONCE = 500

# Secret by what people put in, not by name.
_USERS_OWN = frozenset({"user_data", "personality"})


@functools.lru_cache(4096)
def _hidden(name: str) -> bool:
    return name in _USERS_OWN or is_secret(name)


def without_secrets(data: Any) -> Any:
    """`data` (JSON's types) with *** for the values of secret fields: passwords of connections, user data.
    The very same object when there is none, so that nothing has to be written."""
    if isinstance(data, dict):
        changed = {}
        for name, value in data.items():
            kept = MASK if value is not None and _hidden(name) else without_secrets(value)
            if kept is not value and kept != value:
                changed[name] = kept
        return {**data, **changed} if changed else data
    if isinstance(data, list):
        kept_items = [without_secrets(item) for item in data]
        return data if all(new is old for new, old in zip(kept_items, data, strict=True)) else kept_items
    return data


class Retention:
    """Deletes flows that ended more than `days` days ago, with their steps and signals; 0 keeps them all.
    Any number of conductors may do it at once."""

    def __init__(self, flows: Flows, days: float):
        self._flows = flows
        self._days = days
        self._next = clock.monotonic()

    def when_due(self) -> None:
        """Called with each scan."""
        if not self._days or clock.monotonic() < self._next:
            return
        deleted = self._purge()
        if deleted < AT_ONCE:
            self._next = clock.monotonic() + INTERVAL
        if deleted:
            log.info("%d flows that ended more than %g days ago are deleted", deleted, self._days)

    def _purge(self) -> int:
        before = self._flows.now() - datetime.timedelta(days=self._days)
        statements = self._flows.statements
        old = self._flows.database.read(statements.ended_before.all, moment=before, most=AT_ONCE)
        if not old:
            return 0

        def unit(tx: Transaction) -> None:
            for row in old:
                statements.delete_steps.run(tx, row=row["id"])
                statements.delete_signals.run(tx, row=row["id"])
                statements.delete_flow.run(tx, row=row["id"])

        self._flows.database.write(unit)
        return len(old)
