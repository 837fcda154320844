"""Keyset paging in SQL: the rows behind a marker, in the order of the sort keys, never by an offset scan.

Called by the services' list queries with the page that `common/wsgi/paging.py` read.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, or_

from celaje.common.errors import Invalid


class MarkerNotFound(Invalid):
    text = "marker [{marker}] not found"


def page(
    statement: Select[Any],
    columns: Mapping[str, ColumnElement[Any]],
    sort: Sequence[tuple[str, str]],
    unique: ColumnElement[Any],
    *,
    limit: int | None,
    marker: Mapping[str, Any] | None = None,
    offset: int = 0,
) -> Select[Any]:
    """Order `statement` by `sort` (keys of `columns`), ties by the `unique` column, and begin behind the
    `marker` row (a mapping that holds every sort key and the unique column by its name)."""
    order: list[tuple[ColumnElement[Any], bool, str]] = [
        (columns[key], direction == "desc", key) for key, direction in sort
    ]
    last_descending = order[-1][1] if order else False
    unique_name = str(getattr(unique, "key", unique))
    order.append((unique, last_descending, unique_name))
    if marker is not None:
        statement = statement.where(_behind(order, marker))
    for column, descending, _ in order:
        # NULLs are smallest everywhere: databases differ unless told.
        if getattr(column, "nullable", True):
            statement = statement.order_by(column.is_not(None) if not descending else column.is_(None))
        statement = statement.order_by(column.desc() if descending else column.asc())
    if offset:
        statement = statement.offset(offset)
    return statement.limit(limit) if limit is not None else statement


def _behind(order: list[tuple[ColumnElement[Any], bool, str]], marker: Mapping[str, Any]) -> Any:
    """(a > x) or (a = x and b > y) or ..., with NULL as the smallest value."""
    ways = []
    equal: list[Any] = []
    for column, descending, key in order:
        value = marker[key]
        later: Any
        same: Any
        if value is None:
            later = None if descending else column.is_not(None)
            same = column.is_(None)
        elif descending:
            later, same = or_(column < value, column.is_(None)), column == value
        else:
            later, same = column > value, column == value
        if later is not None:
            ways.append(and_(*equal, later))
        equal.append(same)
    return or_(*ways)
