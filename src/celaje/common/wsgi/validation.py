"""Bodies and query strings against their JSON Schemas.

The compiled validator decides; only a refusal loads the Python one, to word it as clients know it.
"""

from collections.abc import Mapping
from typing import Any

from celaje.common.errors import Invalid


class ValidationFailed(Invalid):
    """`details['path']` is where in the body, as a list."""


def check_body(schema: Mapping[str, Any], validator: Any, body: Any, service_type: str) -> None:
    if not validator.is_valid(body):
        raise refusal(schema, body, service_type)


def check_query(schema: Mapping[str, Any], validator: Any, pairs: list[tuple[str, str]]) -> None:
    values = dict(pairs)
    if not validator.is_valid(values):
        raise refusal(schema, values, "")


def refusal(schema: Mapping[str, Any], body: Any, service_type: str) -> ValidationFailed:
    import jsonschema

    checker = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())
    found = jsonschema.exceptions.best_match(checker.iter_errors(body))
    if found is None:
        # The two validators differ on a corner (a format, a big number): refused all the same.
        return ValidationFailed("Invalid input received: the body does not fit its schema.", path=[])
    path = [str(part) for part in found.absolute_path]
    shown = _masked(found.instance, secret=any(_is_secret(part) for part in path))
    # The validator's words may quote the value.
    words = _short(found.message.replace(repr(found.instance), repr(shown)))
    if service_type == "placement":
        return ValidationFailed(f"JSON does not validate: {words}", path=path)
    if not path:
        return ValidationFailed(words, path=path)
    message = f"Invalid input for field/attribute {path[-1]}. Value: {_short(repr(shown))}. {words}"
    if service_type == "identity":
        message = f"Invalid input for field '{'/'.join(path)}': {words}"
    return ValidationFailed(message, path=path)


def _is_secret(key: Any) -> bool:
    return any(word in str(key).lower() for word in ("pass", "secret"))


def _masked(value: Any, secret: bool = False) -> Any:
    """A password in a refused body must not come back in the answer or a log."""
    if isinstance(value, dict):
        return {key: _masked(item, secret or _is_secret(key)) for key, item in value.items()}
    if isinstance(value, list):
        return [_masked(item, secret) for item in value]
    return "***" if secret else value


def _short(text: str, longest: int = 300) -> str:
    return text if len(text) <= longest else f"{text[:longest]}..."
