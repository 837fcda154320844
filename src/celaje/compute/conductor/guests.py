"""What workers say of their guests, against the rows: a guest that shut itself down, one that nobody knows.

Called by the conductor's endpoint. Follows Nova's power state synchronisation: the rows say what should
be, a difference is written down or put right by a flow.
"""

import logging
from typing import Any

from sqlalchemy import or_, select, update

from celaje.common import clock
from celaje.common.db import Transaction, fetch_all
from celaje.common.errors import CelajeError, NotFound
from celaje.compute import states
from celaje.compute.db import servers
from celaje.compute.db.tables import SERVERS
from celaje.compute.drivers.base import PowerState

log = logging.getLogger(__name__)

_DOWN = (PowerState.SHUTDOWN, PowerState.CRASHED)


class GuestReports:
    def __init__(self, conductor: Any):
        self._conductor = conductor

    def compare(self, worker: str, guests: dict[str, int], complete: bool) -> None:
        orphans, differing = self._conductor.database.read(self._differences, worker, guests, complete)
        for server_id, node in orphans:
            log.warning("worker %s has guest %s, which no row knows: it is destroyed", worker, server_id)
            self._conductor.worker.to(worker).destroy_orphan(server_id=server_id, node=node)
        for row in differing:
            self._look_again(worker, row)

    def _differences(
        self, tx: Transaction, worker: str, guests: dict[str, int], complete: bool
    ) -> tuple[list[tuple[str, str | None]], list[dict[str, Any]]]:
        """Guests that no row knows, with their nodes, and the rows that guests differ from."""
        named = SERVERS.c.id.in_(list(guests)) if guests else SERVERS.c.id.is_(None)
        here = (SERVERS.c.worker == worker) & SERVERS.c.deleted.is_(False)
        known = {
            row["id"]: row
            for row in fetch_all(tx, select(SERVERS).where(or_(named, here) if complete else named))
        }
        orphans: list[tuple[str, str | None]] = []
        differing = []
        for server_id, power_state in guests.items():
            row = known.get(server_id)
            if row is None or row["deleted"]:
                orphans.append((server_id, row["node"] if row else None))
            elif row["task_state"] is None and row["worker"] == worker and _differs(row, power_state):
                differing.append(row)
        return orphans, differing

    def _look_again(self, worker: str, row: dict[str, Any]) -> None:
        """The report may be older than the row: a flow may have ended between. What the worker says now
        counts, if no flow comes between this and the write."""
        try:
            power_state = self._conductor.worker.to(worker).power_state(server=servers.for_driver(row))
        except NotFound:
            power_state = int(PowerState.NOSTATE)
        except CelajeError as error:
            log.info("server %s differs from its row, but cannot be looked at: %s", row["id"], error)
            return
        self._conductor.database.write(self._put_right, row, power_state)

    def _put_right(self, tx: Transaction, seen: dict[str, Any], power_state: int) -> None:
        row = servers.get(tx, seen["id"])
        if row is None or any(row[key] != seen[key] for key in ("updated_at", "task_state", "vm_state")):
            return
        unchanged = update(SERVERS).where(
            SERVERS.c.id == row["id"],
            SERVERS.c.task_state.is_(None),
            SERVERS.c.vm_state == row["vm_state"],
            SERVERS.c.deleted.is_(False),
        )
        if row["vm_state"] == "active" and power_state in _DOWN:
            # It shut itself down: the row follows.
            tx.execute(
                unchanged.values(vm_state="stopped", power_state=int(power_state), updated_at=clock.now())
            )
            log.info("server %s was shut down from inside", row["id"])
        elif row["vm_state"] == "stopped" and power_state == PowerState.RUNNING:
            flow_id = self._conductor.flows.submit(
                tx,
                "server.stop",
                resource=("server", row["id"]),
                arguments={"server": servers.for_driver(row), "worker": row["worker"], "force": True},
                project_id=row["project_id"],
            )
            states.begin(tx, row["id"], "powering-off", flow_id, vm_states=("stopped",))
        elif row["power_state"] != power_state:
            tx.execute(unchanged.values(power_state=int(power_state)))


def _differs(row: dict[str, Any], power_state: int) -> bool:
    return (
        row["power_state"] != power_state
        or (row["vm_state"] == "active" and power_state in _DOWN)
        or (row["vm_state"] == "stopped" and power_state == PowerState.RUNNING)
    )
