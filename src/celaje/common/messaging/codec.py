"""The msgpack copy that keeps sender and receiver from sharing an object.

Used by the in-process driver, so that what would not survive a broker fails in process too: only plain
values travel (None, bool, int, float, str, bytes, datetime, and lists, tuples and dictionaries of them).
"""

import datetime
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
        return _encode(_plain(value, name))
    except (OverflowError, ValueError, RecursionError) as error:
        raise TypeError(f"{name} cannot travel in a message: {error}") from error


def copy(value: Any, name: str = "value") -> Any:
    """`value` as the other side of a broker would see it."""
    return decode(encode(value, name))


def _plain(value: Any, path: str) -> Any:
    """`value` itself where msgpack keeps it as it is, else a copy with what needs a form of its own.

    Naive datetimes need one: msgpack would turn them into strings, and all our times are naive UTC.
    """
    kind = type(value)
    if kind in _SCALARS:
        return value
    if kind is dict and _KEYS.issuperset(map(type, value)) and _SCALARS.issuperset(map(type, value.values())):
        return value
    if isinstance(value, dict):
        changed = None
        for key, item in value.items():
            if type(key) is not str and not (isinstance(key, str) or type(key) is int):
                raise TypeError(f"{path} has the key {key!r}; only str and int travel as keys")
            if type(item) not in _SCALARS:
                plain = _plain(item, f"{path}.{key}")
                if plain is not item:
                    if changed is None:
                        changed = dict(value)
                    changed[key] = plain
        return value if changed is None else changed
    if isinstance(value, list | tuple):
        for index, item in enumerate(value):
            if type(item) not in _SCALARS and _plain(item, f"{path}[{index}]") is not item:
                return [_plain(part, path) for part in value]
        return value
    if isinstance(value, datetime.datetime):
        if value.tzinfo is not None:
            return value
        return msgspec.msgpack.Ext(_NAIVE_DATETIME, value.isoformat().encode())
    if isinstance(value, str | int | float | bytes):
        return value
    raise TypeError(f"{path} is a {kind.__name__}; only plain values travel in a message")
