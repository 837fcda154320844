"""Lists of servers: filters, order and pages in SQL, and what belongs to the servers, one query each.

Called by the API's list handlers.
"""

import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Table,
    Text,
    and_,
    bindparam,
    exists,
    func,
    select,
    type_coerce,
)

from celaje.common.db import Prepared, Transaction, fetch_all
from celaje.common.db.paging import page
from celaje.common.errors import Invalid
from celaje.compute import states
from celaje.compute.db.tables import (
    BLOCK_DEVICES,
    INTERFACES,
    SERVER_METADATA,
    SERVER_TAGS,
    SERVERS,
)

Row = dict[str, Any]
S = SERVERS.c

# What the API calls the columns by which one may sort and filter.
SORT_KEYS: dict[str, Any] = {
    "access_ip_v4": S.access_ip_v4,
    "access_ip_v6": S.access_ip_v6,
    "auto_disk_config": S.disk_config,
    "availability_zone": S.availability_zone,
    "config_drive": S.config_drive,
    "created_at": S.created_at,
    "display_description": S.description,
    "display_name": S.name,
    "host": S.host,
    "hostname": S.hostname,
    "image_ref": S.image_id,
    "instance_type_id": S.flavorid,
    "key_name": S.key_name,
    "launch_index": S.launch_index,
    "launched_at": S.launched_at,
    "locked": S.locked,
    "locked_by": S.locked_by,
    "node": S.node,
    "power_state": S.power_state,
    "progress": S.progress,
    "project_id": S.project_id,
    "root_device_name": S.root_device_name,
    "task_state": S.task_state,
    "terminated_at": S.terminated_at,
    "updated_at": S.updated_at,
    "user_id": S.user_id,
    "uuid": S.id,
    "vm_state": S.vm_state,
}
_EXACT: dict[str, Any] = {
    "user_id": S.user_id,
    "image": S.image_id,
    "flavor": S.flavorid,
    "host": S.host,
    "node": S.node,
    "reservation_id": S.reservation_id,
    "availability_zone": S.availability_zone,
    "key_name": S.key_name,
    "uuid": S.id,
    "vm_state": S.vm_state,
    "task_state": S.task_state,
    "root_device_name": S.root_device_name,
    "locked_by": S.locked_by,
}
_NUMBERS: dict[str, Any] = {
    "power_state": S.power_state,
    "launch_index": S.launch_index,
    "progress": S.progress,
}
_PATTERNS: dict[str, Any] = {
    "name": S.name,
    "description": S.description,
    "hostname": S.hostname,
    "access_ip_v4": S.access_ip_v4,
    "access_ip_v6": S.access_ip_v6,
}
_MOMENTS: dict[str, Any] = {
    "created_at": S.created_at,
    "launched_at": S.launched_at,
    "terminated_at": S.terminated_at,
}
FILTERS = frozenset((*_EXACT, *_NUMBERS, *_PATTERNS, *_MOMENTS, "config_drive", "ip", "ip6", "locked"))


@dataclass(slots=True)
class Question:
    """Which servers; `filters` by the names above, all of them text as the client wrote it."""

    project_id: str | None = None
    deleted: bool = False
    statuses: list[str] = field(default_factory=list)
    changes_since: datetime.datetime | None = None
    changes_before: datetime.datetime | None = None
    filters: dict[str, str] = field(default_factory=dict)
    tags: dict[str, list[str]] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)


def find(
    tx: Transaction,
    question: Question,
    sort: Sequence[tuple[str, str]],
    *,
    limit: int,
    marker: str | None = None,
) -> list[Row]:
    statement = select(SERVERS).where(*_conditions(question))
    behind: Row | None = None
    if marker is not None:
        rows = fetch_all(tx, select(SERVERS).where(S.id == marker))
        if not rows or (question.project_id and rows[0]["project_id"] != question.project_id):
            raise Invalid(f"marker [{marker[:64]}] not found")
        behind = {**{key: rows[0][column.key] for key, column in SORT_KEYS.items()}, "id": rows[0]["id"]}
    return fetch_all(tx, page(statement, SORT_KEYS, sort, S.id, limit=limit, marker=behind))


def _conditions(question: Question) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if question.project_id is not None:
        found.append(S.project_id == question.project_id)
    if question.changes_since is None and question.changes_before is None:
        found.append(S.deleted.is_(question.deleted))
    else:
        # Whoever asks for changes wants to hear of deletions too.
        if question.changes_since is not None:
            found.append(func.coalesce(S.updated_at, S.created_at) >= question.changes_since)
        if question.changes_before is not None:
            found.append(func.coalesce(S.updated_at, S.created_at) <= question.changes_before)
    if question.statuses:
        vm_states, tasks = states.states_of(question.statuses)
        plain = {name for name in vm_states if states.status(name, None) in question.statuses}
        with_task = S.vm_state.in_(sorted(vm_states)) & S.task_state.in_(sorted(tasks))
        among = S.vm_state.in_(sorted(plain))
        found.append(among | with_task if tasks else among)
    for key, value in question.filters.items():
        found.append(_condition(key, value))
    for key, names in question.tags.items():
        found.append(_tagged(key, names))
    for key, value in question.metadata.items():
        m = SERVER_METADATA.c
        found.append(exists().where(m.server_id == S.id, m.key == key, m.value == value))
    return found


def _condition(key: str, value: str) -> ColumnElement[bool]:
    if key in _EXACT:
        return _EXACT[key] == value
    if key in _NUMBERS:
        if not value.lstrip("-").isdigit():
            raise Invalid(f"Invalid filter value for {key}: {value[:64]}")
        return _NUMBERS[key] == int(value)
    if key in _PATTERNS:
        return matches(_PATTERNS[key], value)
    if key in _MOMENTS:
        return _MOMENTS[key] == moment(key, value)
    if key in ("config_drive", "locked"):
        column = S.config_drive if key == "config_drive" else S.locked
        return column.is_(value.lower() in ("true", "1", "yes", "on", "t", "y"))
    # An address of one of its ports that begins so.
    return exists().where(
        INTERFACES.c.server_id == S.id,
        matches(type_coerce(INTERFACES.c.info, Text), '"ip_address":"' + value.removeprefix("^")),
    )


def matches(column: Any, pattern: str) -> ColumnElement[bool]:
    """A regular expression, as Nova lets one filter; plain words are looked for without its machinery."""
    if re.fullmatch(r"[\w @:\"-]*", pattern):
        return column.contains(pattern, autoescape=True)
    try:
        re.compile(pattern)
    except re.error as error:
        raise Invalid(f"{pattern[:64]!r} is not a regular expression: {error}") from error
    return column.regexp_match(pattern)


def moment(key: str, text: str) -> datetime.datetime:
    """An ISO 8601 time as naive UTC."""
    try:
        found = datetime.datetime.fromisoformat(text.strip().replace(" ", "+"))
    except ValueError as error:
        raise Invalid(f"Invalid input for query parameters {key}. Value: {text[:64]}.") from error
    return found.astimezone(datetime.UTC).replace(tzinfo=None) if found.tzinfo else found


def _tagged(key: str, names: list[str]) -> ColumnElement[bool]:
    t = SERVER_TAGS.c

    def has(tag: str) -> ColumnElement[bool]:
        return exists().where(t.server_id == S.id, t.tag == tag)

    every = and_(*(has(name) for name in names))
    some = exists().where(t.server_id == S.id, t.tag.in_(names))
    return {"tags": every, "tags-any": some, "not-tags": ~every, "not-tags-any": ~some}[key]


def _of_servers(table: Table, *order: Column[Any]) -> Prepared:
    """`ids`"""
    some = table.c.server_id.in_(bindparam("ids", expanding=True))
    return Prepared(select(table).where(some).order_by(*order))


_belonging = {
    "metadata": _of_servers(SERVER_METADATA),
    "interfaces": _of_servers(INTERFACES, INTERFACES.c.position),
    "devices": _of_servers(BLOCK_DEVICES, BLOCK_DEVICES.c.created_at),
    "tags": _of_servers(SERVER_TAGS, SERVER_TAGS.c.tag),
}


def belongings(tx: Transaction, ids: list[str], *, tags: bool) -> dict[str, dict[str, list[Row]]]:
    """metadata, tags, interfaces and devices of many servers: one query for each."""
    found: dict[str, dict[str, list[Row]]] = {name: {} for name in _belonging}
    for name, query in _belonging.items():
        if tags or name != "tags":
            for row in query.all(tx, ids=ids):
                found[name].setdefault(row["server_id"], []).append(row)
    return found
