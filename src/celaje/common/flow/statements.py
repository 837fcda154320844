"""The flow engine's SQL, made once for a service's tables; used by Flows, Engine and Journal.

A parameter that is no column of its table says which row is meant; of the columns the given ones are set.
"""

from collections.abc import Iterable
from functools import cached_property

from sqlalchemy import and_, bindparam, case, delete, false, func, insert, or_, select, update

from celaje.common.db import Prepared
from celaje.common.flow.definition import Flow
from celaje.common.flow.tables import FlowTables


class Statements:
    """Each is made when it is first needed: most processes need a part of them only."""

    def __init__(self, tables: FlowTables):
        self._flows = tables.flows
        self._steps = tables.steps
        self._signals = tables.signals

    @cached_property
    def submit(self) -> Prepared:
        return Prepared(insert(self._flows))

    @cached_property
    def flow(self) -> Prepared:
        """`row`"""
        return Prepared(select(self._flows).where(self._flows.c.id == bindparam("row")))

    @cached_property
    def hold(self) -> Prepared:
        """`row`: nobody else changes the flow until this transaction ends. See `Flows.hold`."""
        return Prepared(
            select(self._flows.c.id).where(self._flows.c.id == bindparam("row")).with_for_update()
        )

    @cached_property
    def open(self) -> Prepared:
        """How many flows of each name and state have not ended."""
        columns = self._flows.c
        counted = select(columns.name, columns.state, func.count().label("number"))
        # Only what has ended is never due again: this index holds few rows, that of finished_at all.
        return Prepared(counted.where(columns.due_at.is_not(None)).group_by(columns.name, columns.state))

    @cached_property
    def claim(self) -> Prepared:
        """`row`, `seen` (the attempt that was looked at), `moment`; sets columns. Matches while nobody else
        has claimed the flow since, and it is free: pending, or due with nobody's lease on it."""
        columns = self._flows.c
        due = columns.due_at <= bindparam("moment", type_=columns.due_at.type)
        return Prepared(
            update(self._flows).where(
                columns.id == bindparam("row"),
                columns.attempt == bindparam("seen"),
                columns.finished_at.is_(None),
                or_(due, and_(columns.owner.is_(None), columns.state == "pending")),
            )
        )

    @cached_property
    def change(self) -> Prepared:
        """`row`, `held` (the attempt's number); sets columns. Matches while the attempt has the flow."""
        columns = self._flows.c
        return Prepared(
            update(self._flows).where(
                columns.id == bindparam("row"),
                columns.attempt == bindparam("held"),
                columns.finished_at.is_(None),
            )
        )

    @cached_property
    def say_for_whom(self) -> Prepared:
        """`row`; sets columns of a flow that nobody has."""
        columns = self._flows.c
        return Prepared(
            update(self._flows).where(
                columns.id == bindparam("row"),
                columns.owner.is_(None),
                columns.waiting_on.is_(None),
                columns.finished_at.is_(None),
            )
        )

    @cached_property
    def renew(self) -> Prepared:
        """`row`, `holder`; sets columns."""
        columns = self._flows.c
        return Prepared(
            update(self._flows).where(
                columns.id == bindparam("row"),
                columns.owner == bindparam("holder"),
                columns.finished_at.is_(None),
            )
        )

    @cached_property
    def wait_for_signal(self) -> Prepared:
        """`row`, `held`, `signal`, `moment`, `later`, `awaited`: as `change`, into waiting; due at `later`,
        but at once when the signal has come: between the look and this write it must not be slept through."""
        columns, signals = self._flows.c, self._signals.c
        arrived = (
            select(signals.name)
            .where(signals.flow_id == bindparam("row"), signals.name == bindparam("signal"))
            .exists()
        )
        moment = bindparam("moment", type_=columns.due_at.type)
        later = bindparam("later", type_=columns.due_at.type)
        return Prepared(
            update(self._flows)
            .where(
                columns.id == bindparam("row"),
                columns.attempt == bindparam("held"),
                columns.finished_at.is_(None),
            )
            .values(
                state=bindparam("next_state"),
                waiting_on=bindparam("awaited"),
                owner=None,
                due_at=case((arrived, moment), else_=later),
                updated_at=moment,
            )
        )

    @cached_property
    def steps(self) -> Prepared:
        """`row`: the flow's steps in order."""
        columns = self._steps.c
        return Prepared(
            select(self._steps).where(columns.flow_id == bindparam("row")).order_by(columns.number)
        )

    @cached_property
    def add_step(self) -> Prepared:
        return Prepared(insert(self._steps))

    @cached_property
    def change_step(self) -> Prepared:
        """`row`, `place`; sets columns."""
        columns = self._steps.c
        return Prepared(
            update(self._steps).where(
                columns.flow_id == bindparam("row"), columns.number == bindparam("place")
            )
        )

    @cached_property
    def submitted(self) -> Prepared:
        """`called`, `kind`, `of`, `asked`"""
        columns = self._flows.c
        return Prepared(
            select(columns.id)
            .where(
                columns.resource_id == bindparam("of"),
                columns.resource_type == bindparam("kind"),
                columns.name == bindparam("called"),
                columns.global_request_id == bindparam("asked"),
            )
            .limit(1)
        )

    @cached_property
    def signal(self) -> Prepared:
        """`row`, `called`"""
        columns = self._signals.c
        return Prepared(
            select(self._signals).where(
                columns.flow_id == bindparam("row"), columns.name == bindparam("called")
            )
        )

    @cached_property
    def add_signal(self) -> Prepared:
        return Prepared(insert(self._signals))

    @cached_property
    def wake_for_signal(self) -> Prepared:
        """`row`, `awaited`; sets columns."""
        columns = self._flows.c
        return Prepared(
            update(self._flows).where(
                columns.id == bindparam("row"),
                columns.state == "waiting",
                columns.waiting_on == bindparam("awaited"),
            )
        )

    @cached_property
    def waiting(self) -> Prepared:
        """`awaited`: the flows that wait for it."""
        columns = self._flows.c
        return Prepared(
            select(columns.id, columns.resource_type, columns.resource_id).where(
                columns.waiting_on == bindparam("awaited"), columns.owner.is_(None)
            )
        )

    @cached_property
    def wake(self) -> Prepared:
        """`awaited`, `moment`"""
        columns = self._flows.c
        return Prepared(
            update(self._flows)
            .where(columns.waiting_on == bindparam("awaited"), columns.owner.is_(None))
            .values(due_at=bindparam("moment"))
        )

    def due(self, known: Iterable[Flow]) -> Prepared:
        """`moment`, `most`: the flows that somebody has to look at, the longest due first. Others than the
        `known` ones wait for newer conductors, and would only be in the way of these."""
        columns = self._flows.c
        names: dict[int, list[str]] = {}
        for flow in known:
            names.setdefault(flow.version, []).append(flow.name)
        run_here = [and_(columns.version == each, columns.name.in_(names[each])) for each in sorted(names)]
        return Prepared(
            select(columns.id)
            .where(
                columns.due_at <= bindparam("moment"), columns.finished_at.is_(None), or_(false(), *run_here)
            )
            .order_by(columns.due_at)
            .limit(bindparam("most"))
        )

    @cached_property
    def ended_before(self) -> Prepared:
        """`moment`, `most`: flows that ended before it, the oldest first."""
        columns = self._flows.c
        return Prepared(
            select(columns.id)
            .where(columns.finished_at < bindparam("moment"))
            .order_by(columns.finished_at, columns.id)
            .limit(bindparam("most"))
        )

    @cached_property
    def delete_flow(self) -> Prepared:
        """`row`, as the next two."""
        return Prepared(delete(self._flows).where(self._flows.c.id == bindparam("row")))

    @cached_property
    def delete_steps(self) -> Prepared:
        return Prepared(delete(self._steps).where(self._steps.c.flow_id == bindparam("row")))

    @cached_property
    def delete_signals(self) -> Prepared:
        return Prepared(delete(self._signals).where(self._signals.c.flow_id == bindparam("row")))

    @cached_property
    def release(self) -> Prepared:
        """Sets columns of every flow that has an owner."""
        columns = self._flows.c
        return Prepared(update(self._flows).where(columns.owner.is_not(None), columns.finished_at.is_(None)))
