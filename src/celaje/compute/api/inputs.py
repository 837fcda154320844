"""Readings of values that the bodies and query strings of many resources share; beside `parameters.py`,
which has the schemas."""

from collections.abc import Collection, Mapping
from typing import Any

from celaje.common.errors import Invalid
from celaje.common.wsgi import Request

LARGEST = 2147483647

# What counts as yes and no in a query string.
_YES = ("t", "true", "on", "y", "yes", "1")
_NO = ("f", "false", "off", "n", "no", "0")


def closed(properties: Mapping[str, Any], required: Collection[str] = (), **more: Any) -> dict[str, Any]:
    """An object with these properties and no others."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(required),
        "additionalProperties": False,
        **more,
    }


def integer(minimum: int, maximum: int = LARGEST) -> dict[str, Any]:
    """A number, or one in a string."""
    return {
        "type": ["integer", "string"],
        "pattern": "^-?[0-9]{1,18}$",
        "minimum": minimum,
        "maximum": maximum,
    }


def as_integer(name: str, value: Any, minimum: int, maximum: int = LARGEST) -> int:
    """The schema cannot bound a number in a string: here it is."""
    number = int(value)
    if not minimum <= number <= maximum:
        raise Invalid(
            f"Invalid input for field/attribute {name}. Value: {value}. {value} is not between {minimum} and "
            f"{maximum}."
        )
    return number


def as_boolean(value: Any) -> bool:
    """Of a value that the schema let through."""
    return value if isinstance(value, bool) else str(value).strip().lower() in _YES


def read_boolean(text: str) -> bool | None:
    """A word for yes or no; None for any other."""
    word = text.strip().lower()
    if word in _YES:
        return True
    return False if word in _NO else None


def query_boolean(request: Request, name: str) -> bool:
    """A boolean of the query string, false when it is absent. Raises Invalid."""
    text = request.query.get(name)
    value = False if text is None else read_boolean(text)
    if value is None:
        raise Invalid(f"Invalid input for query parameters {name}. It must be a boolean.")
    return value


def check_query(request: Request, known: Collection[str], since: tuple[int, int] = (2, 75)) -> None:
    """Refuse unknown query parameters, which older microversions ignore."""
    if not request.at_least(*since):
        return
    for name in request.query:
        if name not in known:
            raise Invalid(
                "Invalid input for query parameters. Additional properties are not allowed "
                f"('{name[:64]}' was unexpected)"
            )
