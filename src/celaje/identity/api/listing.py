"""Lists: filters of the query string to SQL, pages by marker, and what was left out.

Source: the Identity API's filters (`name=`, `name__contains=` and its sisters, booleans where an empty
value means true), `limit` and `marker`, and the `truncated` of lists that the service cuts by itself.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import ColumnElement, Select, Table, func, literal, select

from celaje.common.db import Transaction, fetch_all, fetch_one
from celaje.common.db.paging import page
from celaje.common.errors import Invalid
from celaje.common.wsgi import Request
from celaje.identity.api import views
from celaje.identity.errors import MarkerNotFound

Row = dict[str, Any]

_TRUE = ("1", "true", "t", "yes", "y", "on")
_FALSE = ("0", "false", "f", "no", "n", "off")


def is_true(value: str) -> bool:
    """A flag of the query string: whatever its value it is set, but for 0, as Keystone reads it."""
    return value != "0"


def boolean(name: str, value: str) -> bool:
    """A filter's value, which unlike a flag's must be a word for yes or no; none means yes."""
    word = value.strip().lower()
    if word not in ("", *_TRUE, *_FALSE):
        raise Invalid(f"Invalid input for field/attribute {name}. Value: {value[:32]} is not a boolean.")
    return word not in _FALSE


def flag(request: Request, name: str) -> bool:
    return name in request.query and is_true(request.query[name])


# Before and behind a name: in none.
_EDGE = literal("\n")


def _holds(text: Any, part: Any) -> ColumnElement[bool]:
    """Case counts, whatever the database's LIKE and collation say."""
    return func.replace(text, part, "") != text


_INEXACT: dict[str, Callable[[Any, str], ColumnElement[bool]]] = {
    "contains": _holds,
    "icontains": lambda column, value: column.icontains(value, autoescape=True),
    "startswith": lambda column, value: _holds(_EDGE + column, _EDGE + value),
    "istartswith": lambda column, value: column.istartswith(value, autoescape=True),
    "endswith": lambda column, value: _holds(column + _EDGE, value + _EDGE),
    "iendswith": lambda column, value: column.iendswith(value, autoescape=True),
}


def conditions(
    request: Request, texts: Mapping[str, Any], booleans: Mapping[str, Any] | None = None
) -> list[ColumnElement[bool]]:
    """`texts` and `booleans` map filters to columns; unknown parameters are not looked at."""
    found: list[ColumnElement[bool]] = []
    for key, value in request.query_pairs:
        name, _, comparator = key.partition("__")
        if booleans and key in booleans:
            found.append(booleans[key].is_(boolean(key, value)))
        elif key in texts:
            found.append(texts[key] == value)
        elif name in texts and comparator in _INEXACT:
            found.append(_INEXACT[comparator](texts[name], value))
    return found


@dataclass(slots=True)
class Listed:
    rows: list[Row]
    next_link: str | None = None
    truncated: bool = False


def run(
    request: Request,
    tx: Transaction,
    table: Table,
    where: list[ColumnElement[bool]],
    *,
    statement: Select[Any] | None = None,
    sort: tuple[str, ...] = ("name",),
) -> Listed:
    """One page of `table`'s rows, in the order of `sort` or of what the request asks for."""
    base = select(table) if statement is None else statement
    keys = _sort(request, table, sort)
    limit = _limit(request)
    marker = None
    if marker_id := request.query.get("marker"):
        marker = fetch_one(tx, select(table).where(table.c.id == marker_id))
        if marker is None:
            raise MarkerNotFound(marker=marker_id[:64])
    columns = {name: table.c[name] for name, _ in keys}
    rows = fetch_all(tx, page(base.where(*where), columns, keys, table.c.id, limit=limit + 1, marker=marker))
    if len(rows) <= limit:
        return Listed(rows)
    rows = rows[:limit]
    pairs = [(k, v) for k, v in request.query_pairs if k not in ("marker", "limit")]
    query = urlencode([*pairs, ("marker", rows[-1]["id"]), ("limit", limit)])
    return Listed(rows, f"{request.url}?{query}", truncated=True)


def answer(request: Request, name: str, listed: Listed, view: Callable[[Request, Row], Row]) -> Row:
    return views.collection(
        request,
        name,
        (view(request, row) for row in listed.rows),
        next_link=listed.next_link,
        truncated=listed.truncated,
    )


def _limit(request: Request) -> int:
    conf = request.service.conf
    text = request.query.get("limit")
    if not text:
        return min(conf.list_limit or conf.max_db_limit, conf.max_db_limit)
    if not text.isdigit() or len(text) > 9 or int(text) == 0:
        raise Invalid(f"Invalid input for field 'limit': {text[:32]!r} is not a positive integer")
    return min(int(text), conf.max_db_limit)


def _sort(request: Request, table: Table, default: tuple[str, ...]) -> list[tuple[str, str]]:
    key = request.query.get("sort_key")
    if not key:
        return [(name, "asc") for name in default]
    direction = request.query.get("sort_dir", "asc")
    if key not in table.c or key in ("extra", "options", "password_hash"):
        raise Invalid(f"Invalid input for field 'sort_key': {key[:64]!r} is not a key to sort by")
    if direction not in ("asc", "desc"):
        raise Invalid(f"Invalid input for field 'sort_dir': {direction[:16]!r} is not one of asc, desc")
    return [(key, direction)]
