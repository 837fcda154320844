"""Flows: durable functions that a conductor runs (design, section 5).

    @flow("volume.create", deadline="volume_create_deadline", way_out=creation_failed)
    def create_volume(run, volume_id):
        volume = run.write(queries.get_volume, volume_id)
        run.undo(worker.delete_volume, volume)
        run.step(worker.create_volume, volume)
        run.done(queries.volume_available, volume_id)

The API submits a flow in the transaction that changes the resource (`Flows.submit`); a conductor's Engine
claims it by a lease and runs it; every step's result is journalled, so that any conductor can take the flow
up where another left it.
"""

from celaje.common.flow.definition import Flow, flow
from celaje.common.flow.engine import Engine
from celaje.common.flow.errors import DeadlineExceeded, FlowGaveUp, FlowMismatch, FlowTimeout
from celaje.common.flow.flows import Flows
from celaje.common.flow.run import Run
from celaje.common.flow.tables import FlowTables, flow_tables

__all__ = [
    "DeadlineExceeded",
    "Engine",
    "Flow",
    "FlowGaveUp",
    "FlowMismatch",
    "FlowTables",
    "FlowTimeout",
    "Flows",
    "Run",
    "flow",
    "flow_tables",
]
