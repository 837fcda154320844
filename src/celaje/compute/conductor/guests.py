"""What workers say of their guests, against the rows: a guest that shut itself down, one that nobody knows.

Called by the conductor's endpoint. Follows Nova's power state synchronisation: the rows say what should
be, a difference is written down or put right by a flow.
"""

import logging
from typing import Any

from sqlalchemy import or_, select, update

from celaje.common import clock
from celaje.common.db import Transaction, fetch_all
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
        orphans = self._conductor.database.write(self._unit, worker, guests, complete)
        for server_id, node in orphans:
            log.warning("worker %s has guest %s, which no row knows: it is destroyed", worker, server_id)
            self._conductor.worker.to(worker).destroy_orphan(server_id=server_id, node=node)

    def _unit(
        self, tx: Transaction, worker: str, guests: dict[str, int], complete: bool
    ) -> list[tuple[str, str | None]]:
        named = SERVERS.c.id.in_(list(guests)) if guests else SERVERS.c.id.is_(None)
        here = (SERVERS.c.worker == worker) & SERVERS.c.deleted.is_(False)
        known = {
            row["id"]: row
            for row in fetch_all(tx, select(SERVERS).where(or_(named, here) if complete else named))
        }
        orphans: list[tuple[str, str | None]] = []
        for server_id, power_state in guests.items():
            row = known.get(server_id)
            if row is None or row["deleted"]:
                orphans.append((server_id, row["node"] if row else None))
            elif row["task_state"] is None and row["worker"] == worker:
                self._put_right(tx, row, power_state)
        return orphans

    def _put_right(self, tx: Transaction, row: dict[str, Any], power_state: int) -> None:
        if row["vm_state"] == "active" and power_state in _DOWN:
            # It shut itself down: the row follows.
            tx.execute(
                update(SERVERS)
                .where(SERVERS.c.id == row["id"], SERVERS.c.task_state.is_(None))
                .values(vm_state="stopped", power_state=int(power_state), updated_at=clock.now())
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
            tx.execute(
                update(SERVERS)
                .where(SERVERS.c.id == row["id"], SERVERS.c.task_state.is_(None))
                .values(power_state=int(power_state))
            )
