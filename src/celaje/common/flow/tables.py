"""The flow engine's tables, declared in every service's own database, so that a resource's row and its
flow commit together."""

from dataclasses import dataclass

from sqlalchemy import Column, Index, Integer, LargeBinary, MetaData, String, Table, Text

from celaje.common.db.types import Json, Moment


@dataclass(frozen=True, slots=True)
class FlowTables:
    flows: Table
    steps: Table
    signals: Table


def flow_tables(metadata: MetaData) -> FlowTables:
    flows = Table(
        "flows",
        metadata,
        Column("id", String(36), primary_key=True),
        Column("name", String(64), nullable=False),
        Column("version", Integer, nullable=False),
        Column("resource_type", String(32)),
        Column("resource_id", String(64)),
        Column("project_id", String(64)),
        Column("user_id", String(64)),
        Column("request_id", String(64)),
        Column("global_request_id", String(64)),
        Column("context", Json, nullable=False),
        # The user's token, encrypted with the service's vault key; wiped when the flow ends.
        Column("token", LargeBinary),
        Column("arguments", Json, nullable=False),
        # pending -> running <-> waiting -> done, or -> undoing -> failed
        Column("state", String(16), nullable=False),
        Column("step", String(96)),
        Column("checkpoint", String(64)),
        Column("waiting_on", String(255)),
        Column("attempt", Integer, nullable=False),
        Column("owner", String(128)),
        # When somebody has to look at the flow next: now for pending, the end of the lease for running,
        # the next try for waiting; NULL for ended. One index serves every scan.
        Column("due_at", Moment),
        Column("deadline_at", Moment, nullable=False),
        Column("result", Json),
        Column("error", Json),
        Column("created_at", Moment, nullable=False),
        # When a conductor took it up for the first time: until then it waited for one.
        Column("claimed_at", Moment),
        Column("updated_at", Moment),
        Column("finished_at", Moment),
        # State changes of its last transaction (common/trail.py).
        Column("trail", Json),
        Index(None, "due_at"),
        Index(None, "resource_id"),
        Index(None, "request_id"),
        Index(None, "global_request_id"),
        Index(None, "waiting_on"),
        Index(None, "finished_at"),
    )
    steps = Table(
        "flow_steps",
        metadata,
        Column("flow_id", String(36), primary_key=True),
        Column("number", Integer, primary_key=True),
        # step: a message or a REST call; write: SQL in the journal's transaction; wait: for a signal;
        # undo: takes back an earlier step
        Column("kind", String(8), nullable=False),
        Column("name", String(96), nullable=False),
        Column("target", String(255)),
        Column("timeout", Integer),
        Column("attempt", Integer, nullable=False),
        Column("tries", Integer, nullable=False),
        Column("started_at", Moment, nullable=False),
        Column("finished_at", Moment),
        # ok, error, or NULL while it runs or waits
        Column("outcome", String(8)),
        Column("result", Json),
        Column("error", Json),
        Column("note", Text),
        # What the step has called and changed (common/trail.py).
        Column("trail", Json),
    )
    signals = Table(
        "flow_signals",
        metadata,
        Column("flow_id", String(36), primary_key=True),
        Column("name", String(64), primary_key=True),
        Column("data", Json),
        Column("created_at", Moment, nullable=False),
    )
    return FlowTables(flows, steps, signals)
