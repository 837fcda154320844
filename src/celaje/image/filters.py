"""What a list of images is asked for: the query string read into a ListQuery. SQL is db/image_list.py's."""

import datetime
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from celaje.common.errors import Invalid

SORT_KEYS = (
    "name",
    "status",
    "container_format",
    "disk_format",
    "size",
    "id",
    "created_at",
    "updated_at",
)
_IN = ("name", "id", "status", "container_format", "disk_format")
_EXACT = ("owner", "checksum", "os_hash_value", "os_hash_algo")
_NUMBERS = ("size", "virtual_size", "min_ram", "min_disk")
_MOMENTS = ("created_at", "updated_at")
_OPERATORS = ("gt", "gte", "lt", "lte", "neq", "eq")
_VISIBILITIES = ("community", "public", "private", "shared", "all")
_MEMBER_STATUSES = ("pending", "accepted", "rejected", "all")
_BIGGEST = 2**63 - 1
_ITEM = re.compile(r'"((?:[^"\\]|\\.)*)"(?:,|$)|([^,"]*)(?:,|$)')


@dataclass
class ListQuery:
    """`conditions` are (column, operator, value) with the operators of the API and `in`."""

    conditions: list[tuple[str, str, Any]] = field(default_factory=list)
    properties: dict[str, str] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    visibility: str | None = None
    member_status: str = "accepted"
    os_hidden: bool = False
    sort: list[tuple[str, str]] = field(default_factory=list)
    marker: str | None = None
    limit: int | None = None


def parse(pairs: Iterable[tuple[str, str]]) -> ListQuery:
    """Raises Invalid for what cannot be a filter."""
    pairs = list(pairs)
    if any("\0" in key or "\0" in value for key, value in pairs):
        raise Invalid("The query string contains characters that cannot be searched for.")
    query = ListQuery(sort=_sort(pairs))
    query.tags = [value.strip() for key, value in pairs if key == "tag"]
    for key, value in dict(pairs).items():
        if key not in ("tag", "sort", "sort_key", "sort_dir"):
            _read(query, key, value)
    return query


def _read(query: ListQuery, key: str, value: str) -> None:
    bound = key[:-4] if key.endswith(("_min", "_max")) else ""
    if key == "limit":
        query.limit = _limit(value)
    elif key == "marker":
        query.marker = value
    elif key == "visibility":
        query.visibility = _one_of(value, _VISIBILITIES, "Invalid visibility value: {}") if value else None
    elif key == "member_status":
        query.member_status = _one_of(value, _MEMBER_STATUSES, "Invalid status: {}")
    elif key == "os_hidden":
        query.os_hidden = _flag(key, value)
    elif key == "protected":
        query.conditions.append((key, "eq", _flag(key, value)))
    elif key == "changes-since":
        raise Invalid('The "changes-since" filter is no longer available on v2.')
    elif bound in _NUMBERS:
        operator = "gte" if key.endswith("_min") else "lte"
        query.conditions.append((bound, operator, _number(value, "Unable to filter on a range with")))
    elif key in _NUMBERS:
        query.conditions.append((key, "eq", _number(value, f"Unable to filter {key} by")))
    elif key in _MOMENTS:
        query.conditions.append((key, *_moment(key, value)))
    elif key in _IN:
        query.conditions.append((key, *_choice(value)))
    elif key in _EXACT:
        query.conditions.append((key, "eq", value))
    else:
        query.properties[key] = value


def _one_of(value: str, allowed: tuple[str, ...], words: str) -> str:
    if value not in allowed:
        raise Invalid(words.format(value[:64]))
    return value


def _flag(key: str, value: str) -> bool:
    if value.lower() not in ("true", "false"):
        raise Invalid(f"Invalid value '{value[:64]}' for '{key}' filter. Valid values are 'true' or 'false'.")
    return value.lower() == "true"


def _limit(text: str) -> int:
    number = _integer(text)
    if number is None:
        raise Invalid("limit param must be an integer")
    if number < 0:
        raise Invalid("limit param must be positive")
    return number


def _number(text: str, words: str) -> int:
    number = _integer(text)
    if number is None:
        raise Invalid(f"{words} a non-numeric value.")
    return number


def _integer(text: str) -> int | None:
    """Within what a database compares with; a number beyond is as good as the nearest."""
    text = text.strip()
    if len(text) > 4000 or not re.fullmatch(r"[+-]?[0-9]+", text):
        return None
    return max(-_BIGGEST, min(_BIGGEST, int(text)))


def _moment(key: str, text: str) -> tuple[str, datetime.datetime]:
    moment = _parse_moment(text)
    if moment is not None:
        return "eq", moment
    operator, colon, rest = text.partition(":")
    moment = _parse_moment(rest) if colon else None
    if moment is None:
        raise Invalid(f'Bad "{key}" query filter format. Use ISO 8601 DateTime notation.')
    if operator not in _OPERATORS:
        raise Invalid("Unable to filter on a unknown operator.")
    return operator, moment


def _parse_moment(text: str) -> datetime.datetime | None:
    try:
        # A plus in a query string is a space when the client did not escape it.
        moment = datetime.datetime.fromisoformat(text.strip().replace(" ", "+"))
        if moment.tzinfo is not None:
            moment = moment.astimezone(datetime.UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        return None
    return moment


def _choice(text: str) -> tuple[str, Any]:
    operator, colon, rest = text.partition(":")
    if not colon:
        return "eq", text
    if operator == "in":
        return "in", _items(rest)
    if operator == "eq":
        return "eq", rest
    raise Invalid(f"Unable to filter by unknown operator '{operator[:64]}'.")


def _items(text: str) -> list[str]:
    """`a,"b,c",d`: values between commas; those that hold commas themselves in quotes."""
    found = []
    position = 0
    while position < len(text):
        match = _ITEM.match(text, position)
        if match is None:
            raise Invalid(f"Invalid filter value {text[:64]}. The quote is not closed.")
        found.append(match[1].replace('\\"', '"') if match[1] is not None else match[2])
        position = match.end()
    return found


def _sort(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    keys = [value.strip() for key, value in pairs if key == "sort_key"]
    directions = [value.strip() for key, value in pairs if key == "sort_dir"]
    combined = dict(pairs).get("sort")
    if combined is not None:
        if keys or directions:
            raise Invalid("Old and new sorting syntax cannot be combined")
        parts = [part.partition(":") for part in combined.strip().split(",")]
        keys = [key.strip() for key, _, _ in parts]
        directions = [direction.strip() or "desc" for _, _, direction in parts]
    if len(keys) > len(SORT_KEYS):
        raise Invalid("There are more sort keys than can be sorted by.")
    for key in keys:
        _one_of(
            key, SORT_KEYS, "Invalid sort key: {}. It must be one of the following: " + ", ".join(SORT_KEYS)
        )
    for direction in directions:
        _one_of(direction, ("asc", "desc"), "Invalid sort direction: {}")
    if len(directions) > 1 and len(directions) != len(keys):
        raise Invalid("Number of sort dirs does not match the number of sort keys")
    keys = keys or ["created_at"]
    directions = directions or ["desc"]
    if len(directions) == 1:
        directions *= len(keys)
    return list(dict(zip(keys, directions, strict=True)).items())
