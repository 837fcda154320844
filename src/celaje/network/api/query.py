"""Filters, fields, sorting and pages of lists, in Neutron's form. Called by `collection.py`."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import Boolean, ColumnElement, Integer, Select

from celaje.common.db.paging import page as keyset
from celaje.common.db.types import Json, Moment
from celaje.common.errors import Invalid
from celaje.common.wsgi import Request
from celaje.common.wsgi.paging import Page
from celaje.network.errors import HTTPBadRequest

_CONTROLS = ("fields", "limit", "marker", "page_reverse", "sort_key", "sort_dir")
_TAGS = ("tags", "tags-any", "not-tags", "not-tags-any")

Special = Callable[[list[str]], ColumnElement[bool]]


class BadMarker(Invalid):
    text = "Invalid marker: {marker}"


def read_page(request: Request, columns: Mapping[str, Any], default_sort: Iterable[str]) -> Page:
    query = request.query
    keys = request.query_all("sort_key")
    directions = request.query_all("sort_dir")
    if len(keys) != len(directions):
        raise HTTPBadRequest("The number of sort_keys and sort_dirs must be same")
    for key in keys:
        if key not in columns or isinstance(columns[key].type, Json):
            raise HTTPBadRequest(f"['{key[:64]}'] is invalid attribute for sort_keys")
    for direction in directions:
        if direction not in ("asc", "desc"):
            raise HTTPBadRequest(f"'{direction[:16]}' is no sort direction, it is asc or desc")
    limit, asked = _limit(request)
    return Page(
        limit=limit,
        marker=query.get("marker") or None,
        sort=list(zip(keys, directions, strict=True)) or [(key, "asc") for key in default_sort],
        backwards=query.get("page_reverse", "").lower() in ("true", "1"),
        asked=asked,
    )


def _limit(request: Request) -> tuple[int, int | None]:
    """`limit=0` asks for no limit, as in Neutron; then the service's own stands."""
    text = request.query.get("limit")
    largest = request.service.conf.api.max_limit
    if text is None or text == "":
        return largest, None
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise HTTPBadRequest(
            f"Bad limit request: Limit must be an integer 0 or greater and not '{text[:16]}'."
        )
    asked = int(text)
    return (min(asked, largest), asked) if asked else (largest, None)


def page_of(
    statement: Select[Any],
    columns: Mapping[str, Any],
    page: Page,
    unique: Any,
    marker: Mapping[str, Any] | None,
) -> Select[Any]:
    sort = page.sort
    if page.backwards:
        turned = {"asc": "desc", "desc": "asc"}
        sort = [(key, turned[direction]) for key, direction in sort]
    return keyset(statement, columns, sort, unique, limit=page.limit, marker=marker)


def marker_values(row: Mapping[str, Any], columns: Mapping[str, Any]) -> dict[str, Any]:
    values = {name: row[column.key] for name, column in columns.items() if column.key in row}
    values["id"] = row["id"]
    return values


def links(request: Request, page: Page, ids: list[str]) -> list[dict[str, str]]:
    """`<collection>_links`: only where a limit was asked for, or the service's own cut the list."""
    if not ids or (page.asked is None and len(ids) < page.limit):
        return []
    full = len(ids) >= page.limit
    found = []
    if full or page.backwards:
        found.append({"rel": "next", "href": _href(request, ids[-1], False)})
    if page.marker is not None and (full or not page.backwards):
        found.append({"rel": "previous", "href": _href(request, ids[0], True)})
    return found


def _href(request: Request, marker: str, backwards: bool) -> str:
    pairs = [(key, value) for key, value in request.query_pairs if key not in ("marker", "page_reverse")]
    pairs.append(("marker", marker))
    if backwards:
        pairs.append(("page_reverse", "True"))
    return f"{request.url}?{urlencode(pairs)}"


def read_filters(
    request: Request, columns: Mapping[str, Any], special: Mapping[str, Special], *, tagged: bool
) -> list[Any] | None:
    """The conditions; values of one name are alternatives. None: nothing can fit. An unknown name is
    refused (extension filter-validation)."""
    values: dict[str, list[str]] = {}
    for name, value in request.query_pairs:
        if name in _CONTROLS or (tagged and name in _TAGS):
            continue
        values.setdefault("project_id" if name == "tenant_id" else name, []).append(value)
    unknown = [name for name in values if name not in columns and name not in special]
    if unknown:
        raise HTTPBadRequest(f"{[name[:64] for name in unknown]} is invalid attribute for filtering")
    where: list[Any] = []
    for name, given in values.items():
        if name in special:
            where.append(special[name](given))
            continue
        column = columns[name]
        chosen = [found for value in given for found in _value(column, name, value)]
        if not chosen:
            return None
        nulls = [column.is_(None)] if None in chosen else []
        rest = [value for value in chosen if value is not None]
        condition = column.in_(rest) if len(rest) != 1 else column == rest[0]
        where.append(nulls[0] if nulls and not rest else (nulls[0] | condition if nulls else condition))
    return where


def _value(column: Any, name: str, text: str) -> list[Any]:
    """The value to compare the column with; an empty list when no row can have it."""
    if "\x00" in text:
        return []
    if isinstance(column.type, Boolean):
        if text.lower() in ("true", "1"):
            return [True]
        if text.lower() in ("false", "0"):
            return [False]
        raise HTTPBadRequest(
            f"Invalid input for {name}. Reason: '{text[:64]}' cannot be converted to boolean."
        )
    if isinstance(column.type, Integer):
        digits = text.removeprefix("-")
        if text in ("", "None", "null"):
            return [None]
        if not (digits.isascii() and digits.isdigit()) or len(digits) > 10 or int(digits) >= 2**31:
            raise HTTPBadRequest(f"Invalid input for {name}. Reason: '{text[:64]}' is not an integer.")
        return [int(text)]
    if isinstance(column.type, Moment | Json):
        raise HTTPBadRequest(f"['{name}'] is invalid attribute for filtering")
    # Neutron's clients say `device_owner=` or `qos_policy_id=` for "none".
    return [text, None] if text == "" and column.nullable else [text]


def chosen(item: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """The attributes that `fields` names; all when it names none."""
    wanted = {name for name in names if name}
    return {key: value for key, value in item.items() if key in wanted} if wanted else item
