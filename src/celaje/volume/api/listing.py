"""What the lists of this API have in common: filters, sorting, pages with links, counts.

The handlers of volumes, snapshots, attachments, types and messages use it; the SQL is `common/db/paging`'s.
"""

import ast
import datetime
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, and_, false, func, select, true

from celaje.common.db import Transaction, fetch_all
from celaje.common.db.paging import page
from celaje.common.errors import Invalid, NotFound
from celaje.common.wsgi import Request
from celaje.common.wsgi.paging import Page, next_link, read_limit, read_offset, read_sort
from celaje.volume.api import lookup
from celaje.volume.api.schemas import flag
from celaje.volume.db.json_value import json_value

Row = dict[str, Any]
Condition = ColumnElement[bool]

# What is no filter in a list's query string.
_PAGING = ("limit", "marker", "offset", "sort", "sort_key", "sort_dir", "all_tenants", "with_count")
# What says how a list is shown, not what is in it.
_SHOWN_BY = ("list_volume",)


class Listing:
    """`filters`: name in the query -> a function of (value, request) to an SQL condition; `admin_filters`
    those that only administrators may ever use. Which of `filters` others may use the table of the resource
    filters says, for a list that it names by `resource`. `missing` makes the error of an unknown marker."""

    def __init__(
        self,
        table: Table,
        sort_keys: Mapping[str, str],
        filters: Mapping[str, Callable[[str, Request], Condition]],
        admin_filters: Mapping[str, Callable[[str, Request], Condition]],
        *,
        default_sort: tuple[str, str] = ("created_at", "desc"),
        resource: str | None = None,
        missing: Callable[[str], NotFound] = lambda marker: NotFound(f"marker [{marker}] not found"),
    ):
        self._resource = resource
        self._missing = missing
        self.table = table
        self._default_sort = default_sort
        self.sort_columns = {key: table.c[name] for key, name in sort_keys.items()}
        self._filters = filters
        self._admin_filters = {**filters, **admin_filters}

    def read(
        self, request: Request, tx: Transaction, restrict: Callable[[Request], list[Condition]]
    ) -> tuple[list[Row], Row]:
        """The rows of the asked page, and what belongs beside them in the answer: `<name>_links`, count."""
        limit, asked = read_limit(request, request.service.conf.api.max_limit)
        sort = read_sort(request, set(self.sort_columns), [self._default_sort])
        wanted = Page(limit, request.query.get("marker"), sort, read_offset(request), asked=asked)
        conditions = [*restrict(request), *self._conditions(request)]
        statement: Select[Any] = select(self.table).where(*conditions)
        marker = self._marker(tx, wanted, conditions)
        rows = fetch_all(
            tx,
            page(
                statement,
                self.sort_columns,
                wanted.sort,
                self.table.c.id,
                limit=limit,
                marker=marker,
                offset=wanted.offset,
            ),
        )
        beside: Row = {}
        link = next_link(request, wanted, [row["id"] for row in rows])
        if link:
            beside["links"] = [{"rel": "next", "href": link}]
        if request.at_least(3, 45) and flag(request.query.get("with_count"), "with_count"):
            count = select(func.count()).select_from(self.table).where(*conditions)
            beside["count"] = tx.execute(count).scalar()
        return rows, beside

    def _marker(self, tx: Transaction, wanted: Page, conditions: list[Condition]) -> Row | None:
        if not wanted.marker:
            return None
        found = fetch_all(tx, select(self.table).where(self.table.c.id == wanted.marker))
        if not found:
            raise self._missing(wanted.marker[:64])
        row = found[0]
        names = {key: column.name for key, column in self.sort_columns.items()}
        return {**row, **{key: row[name] for key, name in names.items()}}

    def _conditions(self, request: Request) -> list[Condition]:
        admin = request.context.is_admin
        known = self._admin_filters if admin else self._filters
        allowed = set(known)
        if not admin and self._resource:
            allowed = set(request.service.resource_filters.get(self._resource, ()))
        found: list[Condition] = []
        refused: list[str] = []
        for key, value in request.query.items():
            if key in _PAGING or key in _SHOWN_BY:
                continue
            name = key.removesuffix("~")
            like = key.endswith("~") and request.at_least(3, 34)
            if not (name in allowed or f"{name}~" in allowed) or (key.endswith("~") and not like):
                refused.append(key)
            elif name not in known:
                found.append(false())
            elif like:
                if name not in self.table.c:
                    raise Invalid(f"{name} cannot be matched by a part.")
                found.append(self.table.c[name].contains(value, autoescape=True))
            else:
                found.append(known[name](value, request))
        if refused and admin:
            # As in Cinder: what is asked for of an administrator's list, and nothing has, nothing fits.
            found.append(false())
        elif refused and request.at_least(3, 31):
            raise Invalid(f"Invalid filters {','.join(refused)[:255]} are found in query options.")
        return found


def of_project(table: Table) -> Callable[[Request], list[Condition]]:
    """The caller's project only; administrators may ask for all with `all_tenants`, or for one."""

    def restrict(request: Request) -> list[Condition]:
        if request.context.is_admin and flag(request.query.get("all_tenants"), "all_tenants"):
            return []
        if request.context.is_admin and request.context.project_id is None:
            return []
        return [table.c.project_id == (lookup.scope_of(request) or request.context.project_id)]

    return restrict


def equals(column: ColumnElement[Any]) -> Callable[[str, Request], Condition]:
    return lambda value, request: column == value


def is_true(column: ColumnElement[Any], name: str) -> Callable[[str, Request], Condition]:
    return lambda value, request: column.is_(flag(value, name))


def is_number(column: ColumnElement[Any], name: str) -> Callable[[str, Request], Condition]:
    def condition(value: str, request: Request) -> Condition:
        if not value.isdigit() or len(value) > 10:
            raise Invalid(f"{name} must be an integer")
        return column == int(value)

    return condition


def has_items(column: ColumnElement[Any]) -> Callable[[str, Request], Condition]:
    """`metadata={'key': 'value'}`: the form that Cinder's clients send, a Python dictionary's."""

    def condition(value: str, request: Request) -> Condition:
        try:
            wanted = ast.literal_eval(value)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            raise Invalid("metadata must be a dictionary of strings") from None
        if not isinstance(wanted, dict) or not all(
            isinstance(part, str) and '"' not in part for pair in wanted.items() for part in pair
        ):
            raise Invalid("metadata must be a dictionary of strings")
        conditions = [json_value(column, key) == item for key, item in wanted.items()]
        return conditions[0] if len(conditions) == 1 else _and(conditions)

    return condition


def _and(conditions: list[Condition]) -> Condition:
    return and_(true(), *conditions)


_COMPARISONS: dict[str, Callable[[Any, Any], Condition]] = {
    "gt": lambda column, value: column > value,
    "gte": lambda column, value: column >= value,
    "eq": lambda column, value: column == value,
    "neq": lambda column, value: column != value,
    "lt": lambda column, value: column < value,
    "lte": lambda column, value: column <= value,
}


def in_time(column: ColumnElement[Any], name: str) -> Callable[[str, Request], Condition]:
    """`created_at=gt:2026-01-01T00:00:00,lt:...`, since 3.60."""

    def condition(value: str, request: Request) -> Condition:
        if not request.at_least(3, 60):
            return _and([])
        found = []
        for part in value.split(","):
            operator, colon, text = part.partition(":")
            if operator not in _COMPARISONS or not colon:
                raise Invalid(f"Invalid {name} operator")
            try:
                moment = datetime.datetime.fromisoformat(text)
            except ValueError:
                raise Invalid(f"Invalid {name} value") from None
            if moment.tzinfo is not None:
                moment = moment.astimezone(datetime.UTC).replace(tzinfo=None)
            found.append(_COMPARISONS[operator](column, moment))
        return _and(found)

    return condition
