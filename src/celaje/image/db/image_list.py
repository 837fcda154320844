"""The list of images in SQL: who sees what, filters, order and page. Called by the handler of GET images."""

import operator
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, false, or_, select

from celaje.common.db import Transaction, fetch_all
from celaje.common.db.paging import page
from celaje.image.db import images
from celaje.image.db.tables import IMAGES, MEMBERS, PROPERTIES, TAGS
from celaje.image.filters import ListQuery

Row = dict[str, Any]

_COLUMNS: dict[str, ColumnElement[Any]] = {name: IMAGES.c[name] for name in IMAGES.c.keys()}  # noqa: SIM118
_COMPARE = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
    "neq": operator.ne,
    "eq": operator.eq,
}


def find(
    tx: Transaction,
    query: ListQuery,
    *,
    project_id: str | None,
    is_admin: bool,
    limit: int,
    marker: Row | None = None,
) -> list[Row]:
    """At most `limit` images with tags and properties, behind the row `marker`."""
    statement = select(IMAGES).where(
        *_seen_by(query, project_id, is_admin), *_filtered(query), IMAGES.c.os_hidden == query.os_hidden
    )
    last = query.sort[-1][1]
    sort = [*query.sort]
    if "created_at" not in dict(sort):
        sort.append(("created_at", last))
    statement = page(statement, _COLUMNS, sort, IMAGES.c.id, limit=limit, marker=marker)
    found = fetch_all(tx, statement)
    images.complete(tx, found)
    return found


def _seen_by(query: ListQuery, project_id: str | None, is_admin: bool) -> list[ColumnElement[bool]]:
    mine = IMAGES.c.owner == project_id if project_id is not None else false()
    seen: list[ColumnElement[bool]] = []
    if not is_admin:
        ways = [IMAGES.c.visibility.in_(("public", "community")), mine]
        if project_id is not None:
            ways.append(and_(IMAGES.c.visibility == "shared", _shared_with(project_id, query.member_status)))
        seen.append(or_(*ways))
    if query.visibility is None:
        # Other projects' community images are shown only when asked for.
        seen.append(or_(IMAGES.c.visibility != "community", mine))
    elif query.visibility != "all":
        seen.append(IMAGES.c.visibility == query.visibility)
    return seen


def _shared_with(project_id: str, status: str) -> ColumnElement[bool]:
    conditions = [MEMBERS.c.image_id == IMAGES.c.id, MEMBERS.c.member_id == project_id]
    if status != "all":
        conditions.append(MEMBERS.c.status == status)
    return exists().where(*conditions)


def _filtered(query: ListQuery) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    for name, comparison, value in query.conditions:
        column = IMAGES.c[name]
        found.append(column.in_(value) if comparison == "in" else _COMPARE[comparison](column, value))
    for name, value in query.properties.items():
        found.append(
            exists().where(
                PROPERTIES.c.image_id == IMAGES.c.id, PROPERTIES.c.name == name, PROPERTIES.c.value == value
            )
        )
    for tag in query.tags:
        found.append(exists().where(TAGS.c.image_id == IMAGES.c.id, TAGS.c.value == tag))
    return found
