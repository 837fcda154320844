"""How a story puts things: durations, shortened ids and paths, text that is safe for a terminal."""

import re

_UUID = re.compile(r"\b([0-9a-f]{8})-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
_HEX_ID = re.compile(r"\b([0-9a-f]{8})[0-9a-f]{24}\b")
_PREFIX = re.compile(r"^(\w+) (?:/[a-z_]+)?/v\d[\d.]*(?=/)")


def duration(seconds: float | None) -> str:
    """At most 7 characters: `0.4 ms`, `57 ms`, `1.24 s`, `3 min`, `2 h`, `30 d`."""
    if seconds is None:
        return ""
    for size, unit in ((1.0, "s"), (60.0, "min"), (3600.0, "h"), (86400.0, "d")):
        if size == 1.0 and seconds < 0.9995:
            milliseconds = seconds * 1000
            return f"{milliseconds:.1f} ms" if milliseconds < 99.95 else f"{milliseconds:.0f} ms"
        # What rounds to 60 min is 1 h.
        if unit == "d" or seconds < {"s": 60, "min": 3598, "h": 86350}[unit] or _is_odd(unit, seconds):
            amount = seconds / size
            exact = abs(amount - round(amount)) < 0.005
            return f"{amount:.0f} {unit}" if exact or amount >= 100 else f"{amount:.3g} {unit}"
    raise AssertionError("unreachable")


def _is_odd(unit: str, seconds: float) -> bool:
    """75 s is easier to read than 1.25 min, and what an option says."""
    return unit == "s" and seconds < 180 and seconds % 60 != 0


def short(text: str) -> str:
    """Ids by their first eight characters, paths without the service's mount point and version."""
    text = _HEX_ID.sub(r"\1…", _UUID.sub(r"\1…", text))
    return _PREFIX.sub(r"\1 ", text)


def safe(text: str) -> str:
    """What came from outside, without the characters that would steer a terminal."""
    return "".join(char if char.isprintable() else "?" for char in text)


def cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: max(0, width - 1)] + "…"
