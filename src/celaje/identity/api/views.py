"""What all of identity's answers have in common: links, collections, attributes that clients made up."""

from collections.abc import Iterable, Sequence
from typing import Any

from celaje.common.wsgi import Request

Row = dict[str, Any]


def linked(request: Request, path: str, body: Row) -> Row:
    """With its link to itself; `path` is below /v3."""
    body["links"] = {"self": f"{request.base_url}/v3/{path}/{body['id']}"}
    return body


def address(request: Request) -> str:
    """Of what was asked for, with its query."""
    query = request.http.query_string
    return f"{request.url}?{query}" if query else request.url


def collection(
    request: Request,
    name: str,
    items: Iterable[Row],
    *,
    next_link: str | None = None,
    truncated: bool = False,
) -> Row:
    body: Row = {
        name: list(items),
        "links": {"next": next_link, "self": address(request), "previous": None},
    }
    if truncated:
        body["truncated"] = True
    return body


def with_extra(body: Row, row: Row) -> Row:
    """The attributes that clients made up come beside the known ones and never hide them."""
    return {**(row["extra"] or {}), **body}


def updated(body: Row, row: Row) -> Row:
    """As Keystone answers to a change of a user or a project: what clients made up comes twice."""
    return {**body, "extra": row["extra"] or {}}


def extra_of(body: Row, known: Sequence[str]) -> Row:
    """What a request's body holds beside the known attributes."""
    return {name: value for name, value in body.items() if name not in known and name not in ("id", "links")}
