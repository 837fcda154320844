"""The language of extra specs: does a capability satisfy what a volume type asks for.

`<is> True`, `<in> text`, `<or> a <or> b`, `= n` (at least), `== != >= <=` on numbers, `s== s!= s< s<= s> s>=`
on strings, anything else literally. Source: Cinder's administration guide, "Scheduler".
"""

import operator
from collections.abc import Callable
from typing import Any

_TRUE = frozenset(("1", "t", "true", "on", "y", "yes"))


def _truth(value: Any) -> bool:
    return str(value).strip().lower() in _TRUE


def _on_numbers(compare: Callable[[float, float], bool]) -> Callable[[Any, str], bool]:
    return lambda value, wanted: compare(float(value), float(wanted))


def _on_strings(compare: Callable[[str, str], bool]) -> Callable[[Any, str], bool]:
    return lambda value, wanted: compare(str(value), wanted)


_OPERATORS: dict[str, Callable[[Any, str], bool]] = {
    "=": _on_numbers(operator.ge),
    "==": _on_numbers(operator.eq),
    "!=": _on_numbers(operator.ne),
    ">=": _on_numbers(operator.ge),
    "<=": _on_numbers(operator.le),
    "s==": _on_strings(operator.eq),
    "s!=": _on_strings(operator.ne),
    "s<": _on_strings(operator.lt),
    "s<=": _on_strings(operator.le),
    "s>": _on_strings(operator.gt),
    "s>=": _on_strings(operator.ge),
    "<in>": lambda value, wanted: wanted in value if isinstance(value, list) else wanted in str(value),
    "<is>": lambda value, wanted: _truth(value) is _truth(wanted),
}


def matches(capability: Any, wanted: str | None) -> bool:
    """Whether one capability value satisfies the spec."""
    if wanted is None:
        return capability is None
    words = wanted.split()
    if words and words[0] == "<or>":
        return capability is not None and str(capability) in words[1::2]
    compare = _OPERATORS.get(words[0]) if words else None
    if compare is None:
        return capability == wanted or (capability is not None and str(capability) == wanted)
    if capability is None or len(words) < 2:
        return False
    try:
        return compare(capability, words[1])
    except (TypeError, ValueError):
        return False


def unmet(capabilities: dict[str, Any], extra_specs: dict[str, str]) -> str | None:
    """The first spec that the capabilities do not satisfy, in words; None when all are. Specs of another
    scope than `capabilities:` are for drivers and not looked at."""
    for key, wanted in extra_specs.items():
        scope, colon, rest = key.partition(":")
        if colon and scope != "capabilities":
            continue
        found: Any = capabilities
        for part in (rest if colon else key).split(":"):
            found = found.get(part) if isinstance(found, dict) else None
        if found is None:
            return f"{key} ({wanted}) is not among the capabilities"
        values = found if isinstance(found, list) else [found]
        if not any(matches(value, wanted) for value in values):
            return f"{key} must be {wanted}, it is {found}"
    return None
