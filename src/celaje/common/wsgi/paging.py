"""Pages of a list: limit, marker and sort keys from the query, links to the next page.

Handlers read a Page from the request, hand it to their query (`common/db/paging.py` makes SQL of it) and
make the links in their service's form.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

from celaje.common.errors import Invalid
from celaje.common.wsgi.request import Request


@dataclass(slots=True)
class Page:
    """`limit` rows after the row with id `marker`, in the order of `sort`: (key, direction) pairs."""

    limit: int
    marker: str | None = None
    sort: list[tuple[str, str]] = field(default_factory=list)
    offset: int = 0
    backwards: bool = False
    # What was asked for; None: the client named no limit (then some services give no link).
    asked: int | None = None


def read_limit(request: Request, largest: int) -> tuple[int, int | None]:
    text = request.query.get("limit")
    if text is None or text == "":
        return largest, None
    if not text.lstrip("-").isdigit() or len(text) > 18:
        raise Invalid("limit param must be an integer")
    limit = int(text)
    if limit < 0:
        raise Invalid("limit param must be positive")
    return min(limit, largest), limit


def read_offset(request: Request) -> int:
    text = request.query.get("offset") or "0"
    if not text.isdigit() or len(text) > 18:
        raise Invalid("offset param must be an integer")
    return int(text)


def read_sort(
    request: Request,
    allowed: Mapping[str, str] | set[str],
    default: list[tuple[str, str]],
    *,
    default_direction: str = "desc",
) -> list[tuple[str, str]]:
    """`sort=key:asc,key2` or `sort_key=..&sort_dir=..` repeated; keys must be in `allowed`."""
    query = request.query
    pairs: list[tuple[str, str]] = []
    if "sort" in query and (request.query_all("sort_key") or request.query_all("sort_dir")):
        raise Invalid(
            "The 'sort_key' and 'sort_dir' parameters are deprecated and cannot be used with 'sort'."
        )
    if query.get("sort"):
        for part in query["sort"].split(","):
            key, _, direction = part.strip().partition(":")
            pairs.append((key, direction or default_direction))
    else:
        keys = request.query_all("sort_key")
        directions = request.query_all("sort_dir")
        if len(directions) > len(keys) and keys:
            raise Invalid("Sort direction array size exceeds sort key array size.")
        if directions and not keys:
            keys = [key for key, _ in default[: len(directions)]]
        for number, key in enumerate(keys):
            given = directions[number] if number < len(directions) else None
            pairs.append((key, given or (directions[-1] if directions else default_direction)))
    for key, direction in pairs:
        if key not in allowed:
            raise Invalid(f"Sort key supplied is invalid: {key[:64]}")
        if direction not in ("asc", "desc"):
            raise Invalid(f"Unknown sort direction, must be one of: asc, desc (not {direction[:16]})")
    return pairs or list(default)


def next_link(request: Request, page: Page, ids: list[str], more: bool | None = None) -> str | None:
    """The URL of the next page: there is one when this page is full (or `more` says so)."""
    full = more if more is not None else (len(ids) >= page.limit and page.limit > 0)
    if not full or not ids:
        return None
    pairs = [(key, value) for key, value in request.query_pairs if key not in ("marker",)]
    return f"{request.url}?{urlencode([*pairs, ('marker', ids[-1])])}"
