"""The msgpack copy that keeps sender and receiver from sharing an object.

Used by the in-process driver, so that what would not survive a broker fails in process too: only plain
values travel (None, bool, int, float, str, bytes, datetime, and lists, tuples and dictionaries of them).
"""

import datetime
import operator
from typing import Any

import msgspec

_SCALARS = frozenset((type(None), bool, int, float, str, bytes))
_KEYS = frozenset((str, int))
_NAIVE_DATETIME = 1


def _extension(code: int, data: memoryview) -> Any:
    if code == _NAIVE_DATETIME:
        return datetime.datetime.fromisoformat(bytes(data).decode())
    raise ValueError(f"unknown msgpack extension {code}")


_encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(ext_hook=_extension).decode


def encode(value: Any, name: str = "value") -> bytes:
    """`value` as msgpack; tuples arrive as lists. TypeError names the part that cannot travel."""
    try:
        return _encode(_plain(value))
    except _Unfit:
        raise TypeError(_blame(value, name)) from None
    except (OverflowError, ValueError, RecursionError) as error:
        raise TypeError(f"{name} cannot travel in a message: {error}") from error


def copy(value: Any, name: str = "value") -> Any:
    """`value` as the other side of a broker would see it."""
    return decode(encode(value, name))


def _plain(value: Any) -> Any:
    """`value` itself where msgpack keeps it as it is, else a copy with what needs a form of its own.

    Naive datetimes need one: msgpack would turn them into strings, and all our times are naive UTC.
    """
    kind = type(value)
    if kind in _SCALARS:
        return value
    if isinstance(value, dict):
        if not _KEYS.issuperset(map(type, value)) and not all(map(_is_key, value)):
            raise _Unfit
        if _SCALARS.issuperset(map(type, value.values())):
            return value
        changed = None
        for key, item in value.items():
            if type(item) not in _SCALARS:
                plain = _plain(item)
                if plain is not item:
                    if changed is None:
                        changed = dict(value)
                    changed[key] = plain
        return value if changed is None else changed
    if isinstance(value, list | tuple):
        if _SCALARS.issuperset(map(type, value)):
            return value
        parts = [_plain(part) for part in value]
        return value if all(map(operator.is_, parts, value)) else parts
    if isinstance(value, datetime.datetime):
        if value.tzinfo is not None:
            return value
        return msgspec.msgpack.Ext(_NAIVE_DATETIME, value.isoformat().encode())
    if isinstance(value, str | int | float | bytes):
        return value
    raise _Unfit


def _is_key(key: Any) -> bool:
    return isinstance(key, str) or type(key) is int


class _Unfit(Exception):
    """Something inside cannot travel. Where it is, `_blame` finds: paths cost too much on every message."""


def _blame(value: Any, path: str) -> str | None:
    """The first part that cannot travel, in words."""
    if isinstance(value, dict):
        for key, item in value.items():
            if not _is_key(key):
                return f"{path} has the key {key!r}; only str and int travel as keys"
            if found := _blame(item, f"{path}.{key}"):
                return found
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            if found := _blame(item, f"{path}[{index}]"):
                return found
    elif value is not None and not isinstance(value, str | int | float | bytes | datetime.datetime):
        return f"{path} is a {type(value).__name__}; only plain values travel in a message"
    return None
