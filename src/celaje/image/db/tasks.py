"""Tasks: the flows that bring data, as the tasks API shows them. Called by its handlers.

There is no table of tasks: a flow's row and the uploads that belong to it say all.
"""

import datetime
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, case, or_, select

from celaje.common.db import Transaction, fetch_all, fetch_one
from celaje.common.db.paging import page
from celaje.image.db import uploads
from celaje.image.db.tables import FLOWS

Row = dict[str, Any]

#: Flow -> the task's type.
TYPES = {
    "image.import": "api_image_import",
    "image.copy": "api_image_import",
    "image.task_import": "import",
    "image.add_location": "location_import",
}
_F = FLOWS.flows.c
_STATUS = case(
    (_F.state == "pending", "pending"),
    (_F.state == "done", "success"),
    (_F.state == "failed", "failure"),
    else_="processing",
)
_TYPE = case(TYPES, value=_F.name, else_="")
_COLUMNS: dict[str, ColumnElement[Any]] = {
    "id": _F.id,
    "type": _TYPE.label("type"),
    "status": _STATUS.label("status"),
    "owner": _F.project_id.label("owner"),
    "created_at": _F.created_at,
    "updated_at": _F.updated_at,
}
_TASKS = select(
    *_COLUMNS.values(),
    _F.arguments,
    _F.result,
    _F.error,
    _F.finished_at,
    _F.resource_id.label("image_id"),
    _F.user_id,
    _F.request_id,
).where(_F.name.in_(sorted(TYPES)))


def find(
    tx: Transaction,
    *,
    owner: str | None,
    filters: dict[str, str],
    sort: Sequence[tuple[str, str]],
    limit: int,
    marker: Row | None,
    since: datetime.datetime,
) -> list[Row]:
    """`owner` None: everybody's. Ended before `since`: not shown."""
    statement = _TASKS.where(or_(_F.finished_at.is_(None), _F.finished_at >= since))
    if owner is not None:
        statement = statement.where(_F.project_id == owner)
    for name, value in filters.items():
        statement = statement.where(_COLUMNS[name] == value)
    return fetch_all(tx, page(statement, _COLUMNS, sort, _F.id, limit=limit, marker=marker))


def get(tx: Transaction, task_id: str, since: datetime.datetime) -> Row | None:
    shown = or_(_F.finished_at.is_(None), _F.finished_at >= since)
    return fetch_one(tx, _TASKS.where(_F.id == task_id, shown))


def of_image(tx: Transaction, image_id: str, since: datetime.datetime) -> list[Row]:
    shown = or_(_F.finished_at.is_(None), _F.finished_at >= since)
    return fetch_all(tx, _TASKS.where(_F.resource_id == image_id, shown).order_by(_F.created_at, _F.id))


def received(tx: Transaction, task_ids: list[str]) -> dict[str, int]:
    """How many bytes have come so far, by task."""
    found: dict[str, int] = {}
    for row in uploads.of_flows(tx, task_ids) if task_ids else []:
        found[row["flow_id"]] = max(found.get(row["flow_id"], 0), row["size"] or 0)
    return found
