"""State tables: every state of a resource, who owns the passing ones, and how they end.

Each service's `states.py` declares them; handlers and flows change a status only through `StateTable.move`,
which is one UPDATE that states from where to where, so two requests can never both win.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table, Update, bindparam, case, update
from sqlalchemy.sql import ClauseElement

from celaje.common.db import Prepared, Transaction


@dataclass(frozen=True, slots=True)
class State:
    """A state that lasts. `name` as the API shows it."""

    name: str
    about: str = ""


@dataclass(frozen=True, slots=True)
class Passing(State):
    """A state that must end: `owner` is the flow that holds it, `deadline` the option that bounds the
    flow, `way_out` the state in which a failed flow leaves the resource."""

    owner: str | tuple[str, ...] = ()
    deadline: str = ""
    way_out: str | tuple[str, ...] = ()

    @property
    def owners(self) -> tuple[str, ...]:
        return (self.owner,) if isinstance(self.owner, str) else self.owner


class StateTable:
    """`column` holds the state in the resource's table; rows in a passing state hold the id of the owning
    flow in `flow_id`. `transitions` is the list of allowed (from, to) pairs."""

    def __init__(
        self,
        resource: str,
        states: Iterable[State],
        transitions: Iterable[tuple[str, str]],
        *,
        column: str = "status",
    ):
        self.resource = resource
        self.column = column
        self.states = {state.name: state for state in states}
        self.transitions = frozenset(transitions)
        # Constructing the UPDATE costs more than running it; there are few shapes of it.
        self._prepared: dict[tuple[Any, ...], Prepared] = {}
        for source, goal in self.transitions:
            if source not in self.states or goal not in self.states:
                raise ValueError(f"{resource}: transition {source} -> {goal} names an unknown state")
        for state in self.states.values():
            if isinstance(state, Passing) and not (state.owners and state.deadline and state.way_out):
                raise ValueError(f"{resource}: {state.name} lacks owner, deadline or way out")

    def passing(self, name: str) -> bool:
        return isinstance(self.states.get(name), Passing)

    def sources(self, goal: str) -> set[str]:
        return {source for source, end in self.transitions if end == goal}

    def move(
        self,
        tx: Transaction,
        table: Table,
        resource_id: Any,
        goal: str,
        *,
        sources: Collection[str] | None = None,
        flow_id: str | None = None,
        held_by: str | None = None,
        **values: Any,
    ) -> bool:
        """Bring the row into state `goal` if it is in one of `sources` (all that the table allows, if none
        are named), and, where `held_by` is given, if that flow owns it. A passing state takes its owner's
        `flow_id`; a lasting one has none. False: the row is in another state, or not there."""
        allowed = self.sources(goal)
        chosen = allowed if sources is None else set(sources)
        if not chosen <= allowed:
            raise ValueError(f"{self.resource}: no transition {sorted(chosen - allowed)} -> {goal}")
        if self.passing(goal) and not flow_id:
            raise ValueError(f"{self.resource}: {goal} needs an owner")
        if "flow_id" in table.c:
            values["flow_id"] = flow_id
        parameters = {"row": resource_id, "goal": goal}
        if held_by is not None:
            parameters["holder"] = held_by
        if any(isinstance(value, ClauseElement) for value in values.values()):
            statement = self._where(table, chosen, held_by is not None).values(values)
            return self._told(tx, resource_id, goal, tx.execute(statement, parameters).rowcount)
        key = (table.name, frozenset(chosen), held_by is not None)
        prepared = self._prepared.get(key)
        if prepared is None:
            prepared = self._prepared[key] = Prepared(self._where(table, chosen, held_by is not None))
        return self._told(tx, resource_id, goal, prepared.run(tx, **parameters, **values))

    def end_unowned(self, tx: Transaction, table: Table, *, since: Any, **values: Any) -> int:
        """Rows that have been in a passing state without a flow since the moment `since` (an operator set
        it) end as a failed flow would leave them. How many there were."""
        column = table.c[self.column]
        ways_out = {
            state.name: state.way_out if isinstance(state.way_out, str) else state.way_out[0]
            for state in self.states.values()
            if isinstance(state, Passing)
        }
        statement = (
            update(table)
            .where(column.in_(ways_out), table.c.flow_id.is_(None), table.c.updated_at <= since)
            .values({self.column: case(ways_out, value=column), **values})
        )
        return tx.execute(statement).rowcount

    def _told(self, tx: Transaction, resource_id: Any, goal: str, matched: int) -> bool:
        if matched == 1:
            tx.moved(self.resource, resource_id, goal)
        return matched == 1

    def _where(self, table: Table, sources: Collection[str], held: bool) -> Update:
        column = table.c[self.column]
        statement = update(table).where(table.c.id == bindparam("row"), column.in_(sorted(sources)))
        if held:
            statement = statement.where(table.c.flow_id == bindparam("holder"))
        if "deleted" in table.c:
            statement = statement.where(table.c.deleted.is_(False))
        return statement.values({self.column: bindparam("goal")})
