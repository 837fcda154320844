"""The language of the scheduler hint `query`: a JSON list, an operator and what it is applied to.

`["and", [">=", "$free_capacity_gb", 100], ["=", "$capabilities.vendor_name", "Celaje"]]`. For JsonFilter.
Source: Cinder's administration guide, "Scheduler", JsonFilter.
"""

import json
import operator
from collections.abc import Callable, Mapping
from typing import Any

from celaje.common.errors import Invalid

LONGEST = 4096
DEEPEST = 32

_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}


class QueryError(Invalid):
    """The query is no JSON, or not of this language."""


def fits(query: str, names: Mapping[str, Any]) -> bool:
    """`names` is what `$name` and `$name.part` speak of. Raises QueryError."""
    if len(query) > LONGEST:
        raise QueryError(f"A query may have {LONGEST} characters, this one has {len(query)}.")
    try:
        parsed = json.loads(query)
    except (ValueError, RecursionError) as error:
        raise QueryError(f"The query is no JSON: {error}") from error
    found = _value(parsed, names, 0)
    return any(found) if isinstance(found, list) else bool(found)


def _value(query: Any, names: Mapping[str, Any], depth: int) -> Any:
    if depth > DEEPEST:
        raise QueryError("The query is nested too deeply.")
    if isinstance(query, str):
        return _look_up(query, names) if query.startswith("$") else query
    if not isinstance(query, list):
        return query
    if not query:
        return True
    sign, *rest = query
    arguments = [_value(each, names, depth + 1) for each in rest]
    if sign == "and":
        return all(arguments)
    if sign == "or":
        return any(arguments)
    if sign == "not":
        return [not each for each in arguments]
    if len(arguments) < 2:
        return False
    first, *others = arguments
    if sign == "in":
        return first in others
    if not isinstance(sign, str) or sign not in _COMPARISONS:
        raise QueryError(f"{str(sign)[:32]} is no operator of a query.")
    try:
        return all(_COMPARISONS[sign](first, other) for other in others)
    except TypeError:  # a number and a word, or what the back end does not know
        return False


def _look_up(word: str, names: Mapping[str, Any]) -> Any:
    found: Any = names
    for part in word[1:].split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found
