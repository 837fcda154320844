"""The conductor's side of every service with messages: it runs flows and hears heartbeats.

A service's `rpc.py` derives its conductor's message table from ConductorMessages, its `conductor/` derives
the endpoint from Conductor and gives it what its flows work with.
"""

import logging
from typing import Any

from celaje.common.db import Database
from celaje.common.flow import Engine, Flows
from celaje.common.messaging.table import Messages, call, cast
from celaje.common.service.records import ServiceRecords

log = logging.getLogger(__name__)


class ConductorMessages(Messages):
    """What APIs and workers say to a conductor. Casts, since the truth is in the rows; and one question."""

    topic = "conductor"

    @cast(may_be_lost=True)
    def run_flow(self, flow_id: str) -> None:
        """Look at this flow now. May be lost: the engine's scan finds the flow a little later."""

    @cast(may_be_lost=True)
    def report_service(
        self, binary: str, host: str, topic: str, availability_zone: str, details: dict[str, Any]
    ) -> None:
        """A scheduler or worker lives; `details` has its boot id and what its service list shows."""

    @cast(may_be_lost=True)
    def note_late_outcome(self, flow_id: str, number: int, outcome: str, seconds: float) -> None:
        """A step ended after its caller had given up."""

    @call(timeout=10.0)
    def list_receivers(self, topic: str) -> list[list[Any]]:
        """What those who listen to `topic` understand, as `Receiver`'s fields; for who has no database."""
        raise NotImplementedError


class Conductor:
    """Endpoint of ConductorMessages, and `run.conductor` of the service's flows."""

    def __init__(self, database: Database, flows: Flows, records: ServiceRecords):
        self.database = database
        self.flows = flows
        self.records = records
        self.engine: Engine | None = None  # set by the Service, which makes the engine of this conductor

    def run_flow(self, flow_id: str) -> None:
        if self.engine:
            self.engine.nudge(flow_id)

    def report_service(
        self, binary: str, host: str, topic: str, availability_zone: str, details: dict[str, Any]
    ) -> None:
        def unit(tx):
            came_up = self.records.report(
                tx,
                binary=binary,
                host=host,
                topic=topic,
                availability_zone=availability_zone,
                details=details,
            )
            if came_up:
                # The names under which flows wait: one server of the topic, or any of it.
                for name in filter(None, (host, details.get("cluster"))):
                    self.flows.wake(tx, f"{topic}.{name}")
                self.flows.wake(tx, topic)
            return came_up

        if self.database.write(unit):
            log.info("%s on %s is up", binary, host)

    def list_receivers(self, topic: str) -> list[list[Any]]:
        return [list(each) for each in self.database.read(self.records.receivers, topic)]

    def note_late_outcome(self, flow_id: str, number: int, outcome: str, seconds: float) -> None:
        steps = self.flows.tables.steps
        note = f"finished after the caller left: {outcome} after {seconds:.1f} s"

        def unit(tx):
            key = (steps.c.flow_id == flow_id, steps.c.number == number)
            tx.execute(steps.update().where(*key).values(note=note))

        self.database.write(unit)
        log.warning("flow %s step %s %s", flow_id, number, note)
