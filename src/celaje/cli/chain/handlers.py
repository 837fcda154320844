"""What an API's handler does with a flow: which one it submits, and which option bounds its wait for it.

Read from the handler's source and the functions of its service that it names; the route table leads to it.
"""

import ast
import functools
import importlib
import inspect
import re
import types
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from celaje.cli import anatomy


@dataclass
class Handling:
    """`flows` are submitted, `waits` (section or None, key) bound the wait for one, `checkpoint` ends it
    before the flow's own end."""

    route: str
    flows: list[str] = field(default_factory=list)
    waits: list[tuple[str | None, str]] = field(default_factory=list)
    checkpoint: str | None = None
    where: str = ""


def handling(service: str, method: str, path: str, action: str | None = None) -> Handling:
    """Of the route that serves the path (as a client sends it, ids filled in). Raises LookupError."""
    for route in anatomy.route_table(service):
        # An id is any word; literal parts come first in the tables, as in the router.
        pattern = re.sub(r"\\\{[^}]+\\\}", "[^/]+", re.escape(route.path))
        if route.method == method and re.fullmatch(pattern, path) and route.action == action:
            return _read(service, route)
    raise LookupError(f"no route of {service} serves {method} {path}")


def _read(service: str, route: Any) -> Handling:
    found = Handling(f"{route.method} {route.path}")
    names = {flow.name for flow in anatomy.declared_flows(service)}
    handler = inspect.unwrap(route.handler)
    found.where = f"{handler.__module__}.{handler.__name__}"
    for node, scope in _closure(handler, f"celaje.{service}."):
        for part in ast.walk(node):
            value = part.value if isinstance(part, ast.Constant) else None
            if isinstance(value, str) and value in names and value not in found.flows:
                found.flows.append(value)
            elif isinstance(part, ast.Call):
                _note_call(part, scope, found)
    return found


def _note_call(call: ast.Call, scope: dict[str, Any], found: Handling) -> None:
    name = getattr(call.func, "attr", getattr(call.func, "id", ""))
    if name in ("wait", "result"):
        for argument in call.args:
            option = _option(argument)
            if option and option not in found.waits:
                found.waits.append(option)
    if name == "result" and len(call.args) > 2:
        found.checkpoint = _text(call.args[2], scope) or found.checkpoint


def _text(node: ast.expr, scope: dict[str, Any]) -> str | None:
    """A string written there, or a constant of the module."""
    value = node.value if isinstance(node, ast.Constant) else scope.get(getattr(node, "id", ""))
    return value if isinstance(value, str) else None


def _option(node: ast.AST) -> tuple[str | None, str] | None:
    """`service.conf.volume.x` is ("volume", "x"), `conf.x` is (None, "x")."""
    chain: list[str] = []
    while isinstance(node, ast.Attribute):
        chain.insert(0, node.attr)
        node = node.value
    if isinstance(node, ast.Name):
        chain.insert(0, node.id)
    if "conf" not in chain:
        return None
    after = chain[chain.index("conf") + 1 :]
    return (after[0], after[1]) if len(after) > 1 else (None, after[0]) if after else None


def _closure(function: Any, package: str) -> Iterator[tuple[ast.AST, dict[str, Any]]]:
    """The function's definition, and those of all functions and classes of the package that it names."""
    todo, seen = [function], set()
    while todo:
        thing = todo.pop()
        if thing in seen or not getattr(thing, "__module__", "").startswith(package):
            continue
        seen.add(thing)
        node = _definition(thing)
        if node is None:
            continue
        scope = vars(importlib.import_module(thing.__module__))
        yield node, scope
        for part in ast.walk(node):
            value = scope.get(part.id) if isinstance(part, ast.Name) else None
            if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name):
                owner = scope.get(part.value.id)
                value = getattr(owner, part.attr, None) if isinstance(owner, types.ModuleType) else None
            if isinstance(value, types.FunctionType | type):
                todo.append(value)


def _definition(thing: Any) -> ast.AST | None:
    wanted = (ast.ClassDef,) if isinstance(thing, type) else (ast.FunctionDef,)
    for node in ast.walk(_tree(thing.__module__)):
        if isinstance(node, wanted) and node.name == thing.__name__:
            return node
    return None


@functools.cache
def _tree(module: str) -> ast.AST:
    return ast.parse(inspect.getsource(importlib.import_module(module)))
