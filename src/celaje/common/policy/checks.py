"""Trees of the policy language to closures `check(target, credentials) -> bool`.

Called by `enforcer` once a load; what it returns runs on every request, so all parsing, literals and
paths are settled here. Meaning and corner cases are oslo.policy's, which is the oracle of the tests.
"""

import ast
import functools
import re
from collections.abc import Callable, Mapping
from typing import Any

from celaje.common.policy.parser import All, Constant, Either, Node, Not, SyntaxProblem, Term

Check = Callable[[Mapping[str, Any], Mapping[str, Any]], bool]
Render = Callable[[Mapping[str, Any]], str]

_PLACE = re.compile(r"%%|%\(([^()]+)\)s")

# Checks that real services accept and this one refuses, because silently denying would mislead.
_REFUSED = {
    "http": "a policy decision never leaves the process; use roles and attributes",
    "https": "a policy decision never leaves the process; use roles and attributes",
    "field": "write it as an attribute check, such as True:%(shared)s",
}


def compile_check(node: Node, resolve: Callable[[str], Check]) -> Check:
    """The closure of a tree; `resolve` gives the closure of a rule that the tree names.

    Raises SyntaxProblem for a check of a refused kind or with a broken `%(...)s`.
    """
    match node:
        case Constant(value):
            return (lambda target, credentials: True) if value else (lambda target, credentials: False)
        case Not(part):
            inner = compile_check(part, resolve)
            return lambda target, credentials: not inner(target, credentials)
        case All(parts):
            return _all([compile_check(part, resolve) for part in parts])
        case Either(parts):
            return _either([compile_check(part, resolve) for part in parts])
        case Term("rule", match):
            return resolve(match)
        case Term("role", match):
            return _role(match)
        case Term(kind, match):
            if kind in _REFUSED:
                raise SyntaxProblem(f"{kind}: checks are not accepted; {_REFUSED[kind]}")
            return _attribute(kind, match)


def _all(checks: list[Check]) -> Check:
    if len(checks) == 2:
        first, second = checks
        return lambda target, credentials: first(target, credentials) and second(target, credentials)

    def every(target: Mapping[str, Any], credentials: Mapping[str, Any]) -> bool:
        for check in checks:  # noqa: SIM110 (a generator would triple the cost of the common case)
            if not check(target, credentials):
                return False
        return True

    return every


def _either(checks: list[Check]) -> Check:
    if len(checks) == 2:
        first, second = checks
        return lambda target, credentials: first(target, credentials) or second(target, credentials)

    def some(target: Mapping[str, Any], credentials: Mapping[str, Any]) -> bool:
        for check in checks:  # noqa: SIM110 (as above)
            if check(target, credentials):
                return True
        return False

    return some


def _role(match: str) -> Check:
    """Roles compare without case, as in Keystone."""
    render = _renderer(match)
    if render is None:
        wanted = match.replace("%%", "%").lower()

        def has_role(target: Mapping[str, Any], credentials: Mapping[str, Any]) -> bool:
            return wanted in map(str.lower, credentials.get("roles") or ())

        return has_role

    def has_rendered_role(target: Mapping[str, Any], credentials: Mapping[str, Any]) -> bool:
        try:
            name = render(target).lower()
        except KeyError:
            return False
        return name in map(str.lower, credentials.get("roles") or ())

    return has_rendered_role


def _attribute(kind: str, match: str) -> Check:
    """A literal (`True`, `'text'`, `None`) or a credential (dotted, through mappings and lists) on the
    left, text with places for the target's keys on the right. An absent key on either side denies."""
    render = _renderer(match)
    literal = _literal(kind)
    if render is None:
        fixed = match.replace("%%", "%")
        if literal is not None:
            same = literal == fixed
            return lambda target, credentials: same
        path = tuple(kind.split("."))
        return lambda target, credentials: _holds(credentials, path, fixed)

    if literal is not None:

        def literal_equals(target: Mapping[str, Any], credentials: Mapping[str, Any]) -> bool:
            try:
                return render(target) == literal
            except KeyError:
                return False

        return literal_equals

    path = tuple(kind.split("."))

    def credential_equals(target: Mapping[str, Any], credentials: Mapping[str, Any]) -> bool:
        try:
            text = render(target)
        except KeyError:
            return False
        return _holds(credentials, path, text)

    return credential_equals


@functools.lru_cache(1024)
def _literal(kind: str) -> str | None:
    """The text of a Python literal, or None when `kind` names a credential."""
    try:
        return str(ast.literal_eval(kind))
    except (ValueError, SyntaxError, TypeError):
        return None


def _holds(value: Any, path: tuple[str, ...], wanted: str) -> bool:
    """Whether the value at `path` is `wanted`; with lists on the way (or at its end), whether one is."""
    if not path:
        return str(value) == wanted
    if not isinstance(value, Mapping) or path[0] not in value:
        return False
    found, rest = value[path[0]], path[1:]
    if isinstance(found, list | tuple):
        return any(_holds(item, rest, wanted) for item in found)
    return _holds(found, rest, wanted)


def _renderer(match: str) -> Render | None:
    """What fills `%(key)s` from the target, raising KeyError for an absent key; None for fixed text."""
    if "%" in _PLACE.sub("", match):
        raise SyntaxProblem(f"{match!r}: only %(name)s may follow a per cent sign (write %% for one)")
    keys = [key for key in _PLACE.findall(match) if key]
    if not keys:
        return None
    lookups = [_lookup(key) for key in keys]
    if match == f"%({keys[0]})s":
        only = lookups[0]
        return lambda target: str(only(target))
    template = _PLACE.sub(lambda place: "%s" if place[1] else "%%", match)
    return lambda target: template % tuple(str(lookup(target)) for lookup in lookups)


def _lookup(key: str) -> Callable[[Mapping[str, Any]], Any]:
    """A key of the target. A dotted one is first taken as it stands (targets may be flattened, as
    Keystone's are) and then as a path through nested mappings."""
    if "." not in key:
        return lambda target: target[key]
    path = key.split(".")

    def nested(target: Mapping[str, Any]) -> Any:
        if key in target:
            return target[key]
        value: Any = target
        for name in path:
            if not isinstance(value, Mapping):
                raise KeyError(key)
            value = value[name]
        return value

    return nested
