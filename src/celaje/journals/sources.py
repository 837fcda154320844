"""Where the journals lie: every service's database, of a state directory or as configuration files name it.

Opened by the commands that tell of requests and flows, and only read. The tables are those that each service
declares alike (`common/flow/tables.py`, `common/wsgi/request_pages.py`).
"""

import datetime
import importlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Text, inspect, or_, select, type_coerce

from celaje.common.db import Database, Transaction, fetch_all, new_metadata
from celaje.common.errors import NotFound
from celaje.common.flow import flow_tables
from celaje.common.service import service_table
from celaje.common.wsgi import request_pages

Row = dict[str, Any]

# As celaje.cloud.SERVICES and what may run beside it, in the order in which a request meets them.
SERVICES = (
    *("compute", "volume", "network", "image", "placement", "identity"),
    *("object_store", "container_infra"),
)

_METADATA = new_metadata()
FLOWS = flow_tables(_METADATA)
REQUESTS = request_pages.request_table(_METADATA)
_COMPONENTS = service_table(_METADATA)


class NoJournal(NotFound):
    text = "There is no cloud's journal in {where}."


class Journals:
    """`databases` by service."""

    def __init__(self, databases: dict[str, Database]):
        self._databases = databases
        there = {name: set(inspect(found.engine).get_table_names()) for name, found in databases.items()}
        self._with_flows = [name for name, tables in there.items() if "flows" in tables]
        # Identity's table of that name is another one, and it has no flows.
        self._with_components = [name for name in self._with_flows if "services" in there[name]]
        self._with_requests = [name for name, tables in there.items() if "requests" in tables]

    @property
    def services(self) -> list[str]:
        return list(self._databases)

    def close(self) -> None:
        for database in self._databases.values():
            database.close()

    def requests(
        self, word: str, fits: Callable[[Row], bool], *, service: str | None = None, newest: int = 0
    ) -> list[tuple[str, Row]]:
        """(service, row) of the requests that name `word` (an id) somewhere and that `fits` takes, in the
        order of their arrival; `newest`: only so many of a service, the latest."""
        found: list[tuple[str, Row]] = []
        for name in self._with_requests:
            if service in (None, name):
                there = self._databases[name].read(_asked, word, fits, newest)
                found += [(name, row) for row in there]
        return sorted(found, key=lambda entry: entry[1]["received_at"])

    def flows(
        self, *conditions: ColumnElement[bool], service: str | None = None, newest: int = 0
    ) -> list[tuple[str, Row]]:
        """As `requests`, in the order in which they were submitted."""
        flows = FLOWS.flows
        # Neither the user's token nor what was submitted: nobody who looks on needs it.
        shown = [column for column in flows.c if column.name not in ("token", "arguments", "result")]
        statement = select(*shown).where(*conditions).order_by(flows.c.created_at.desc())
        if newest:
            statement = statement.limit(newest)
        found = [
            (name, row)
            for name in self._with_flows
            if service in (None, name)
            for row in self._databases[name].read(fetch_all, statement)
        ]
        return sorted(found, key=lambda entry: entry[1]["created_at"])

    def steps(self, service: str, flow_id: str) -> list[Row]:
        steps = FLOWS.steps
        statement = select(steps).where(steps.c.flow_id == flow_id).order_by(steps.c.number)
        return self._databases[service].read(fetch_all, statement)

    def signals(self, service: str, flow_id: str) -> list[Row]:
        signals = FLOWS.signals
        statement = select(signals.c.name, signals.c.created_at).where(signals.c.flow_id == flow_id)
        return self._databases[service].read(fetch_all, statement)

    def of_request(self, request_id: str) -> tuple[list[tuple[str, Row]], list[tuple[str, Row]]]:
        """Requests and flows that bear the id, as their own or as the global one."""
        flows = FLOWS.flows
        return (
            self.requests(
                request_id, lambda row: request_id in (row["request_id"], row["global_request_id"])
            ),
            self.flows(or_(flows.c.request_id == request_id, flows.c.global_request_id == request_id)),
        )

    def states(self, resource_id: str) -> list[tuple[datetime.datetime, str, str]]:
        """(when, state, by whose request) of a resource, as far as the journals still hold them."""
        asked = self.requests(resource_id, lambda row: _is_named(row["trail"], resource_id))
        found = [(row["received_at"], row["trail"], row["request_id"]) for _, row in asked]
        for service, row in self.of_resource(resource_id) + self.flows(
            _names(FLOWS.flows.c.trail, resource_id)
        ):
            if row["trail"]:
                found.append((row["finished_at"], row["trail"], row["request_id"]))
            steps = self.steps(service, row["id"])
            found += [
                (step["started_at"], step["trail"], row["request_id"]) for step in steps if step["trail"]
            ]
        told = {
            (moment, number, hop["state"], request_id)
            for moment, trail, request_id in found
            for number, hop in enumerate(trail)
            if hop["kind"] == "state" and hop["id"] == resource_id
        }
        return [
            (moment, state, request_id)
            for moment, _, state, request_id in sorted(told, key=lambda one: one[:2])
        ]

    def roots_of(self, resource_id: str) -> list[str]:
        """The requests (by their global id, where they have one) that did something to a resource, the latest
        last: as a flow of it, or by changing its state."""
        asked = self.requests(resource_id, lambda row: _is_named(row["trail"], resource_id))
        found = [(row["received_at"], row) for _, row in asked]
        found += [(row["created_at"], row) for _, row in self.of_resource(resource_id)]
        found.sort(key=lambda entry: entry[0])
        return list(
            dict.fromkeys(row["global_request_id"] or row["request_id"] or row["id"] for _, row in found)
        )

    def component(self, waiting_on: str) -> tuple[str, Row] | None:
        """(service, record) of the component for which a flow waits, `topic.host`."""
        topic, _, host = waiting_on.partition(".")
        for name in self._with_components:
            statement = select(_COMPONENTS).where(_COMPONENTS.c.topic == topic)
            if host:
                statement = statement.where(_COMPONENTS.c.host == host)
            rows = self._databases[name].read(
                fetch_all, statement.order_by(_COMPONENTS.c.last_seen_at.desc())
            )
            if rows:
                return name, rows[0]
        return None

    def of_resource(self, resource_id: str) -> list[tuple[str, Row]]:
        return self.flows(FLOWS.flows.c.resource_id == resource_id)


def _asked(tx: Transaction, word: str, fits: Callable[[Row], bool], newest: int) -> list[Row]:
    """Of one service, the latest first."""
    found: list[Row] = []
    for page in tx.execute(request_pages.naming(REQUESTS, word)).scalars():
        rows = map(msgspec.structs.asdict, reversed(request_pages.entries(page)))
        found += [row for row in rows if fits(row)]
        if newest and len(found) >= newest:
            return found[:newest]
    return found


def _is_named(trail: Any, resource_id: str) -> bool:
    return trail is not None and resource_id in msgspec.json.encode(trail).decode()


def _names(column: Any, resource_id: str) -> ColumnElement[bool]:
    return type_coerce(column, Text).contains(resource_id, autoescape=True)


def of_state(state: Path) -> Journals:
    """The journals of a state directory, whether a cloud runs on it or not. Raises NoJournal."""
    found = {
        name: Database(f"sqlite:///{path}", service=name)
        for name in SERVICES
        if (path := state / name / f"{name}.db").exists()
    }
    if not found:
        raise NoJournal(where=state)
    return Journals(found)


def configured(files: Iterable[Path], dirs: Iterable[Path]) -> Journals:
    """The journals that the configuration of a cluster's services names."""
    from celaje.common.conf import load

    files, dirs, found = list(files), list(dirs), {}
    for name in SERVICES:
        try:
            options = importlib.import_module(f"celaje.{name}.conf").OPTIONS
        except ModuleNotFoundError:
            continue
        conf = load(name, options, files, dirs)
        url = conf.database.connection or f"sqlite:///{Path(conf.state_path) / name / f'{name}.db'}"
        if url.startswith("sqlite") and not Path(url.replace("{service}", name).partition("///")[2]).exists():
            continue
        found[name] = Database(url, service=name)
    if not found:
        raise NoJournal(where=", ".join(map(str, [*files, *dirs])))
    return Journals(found)
