"""What a flow does, read from its function: steps, writes, waits, undo steps, checkpoints, in their order.

Static: every branch is seen, also those that a good day never takes; what cannot be told where it goes is an
error, not left out. `tests/test_flow_pages.py` holds the reading to journals of flows that really ran.
"""

import ast
import importlib
import importlib.util
import inspect
import pkgutil
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from celaje.cli import anatomy
from celaje.common import clients
from celaje.common.conf.options import common_options
from celaje.common.messaging.table import Message, Messages
from celaje.common.rest import RestClient

KINDS = ("step", "ask", "write", "note", "wait", "undo", "undo_write", "checkpoint", "done")
# Beside them: "end", where the flow's function returns before its last line without having said `done`.


class Unreadable(Exception):
    """A call of `run` that the reading does not understand: write it plainer, or teach the reading."""


@dataclass
class Item:
    """`name` as the journal has it, `where` it goes, `timeout` (an option or seconds, None: none of its own),
    `default` its seconds, `when` the loops and conditions around it, the outermost first."""

    kind: str
    name: str
    where: str = ""
    timeout: str | float | None = None
    default: float | None = None
    when: list[str] = field(default_factory=list)


def read(service: str, flow: Any) -> list[Item]:
    """The flow's items in the order of its function."""
    return list(_Reader(service, flow.name).function(flow.function, {}, []))


class _Reader:
    def __init__(self, service: str, flow: str):
        self._flow = flow
        self._service = service
        rpc = importlib.import_module(f"celaje.{service}.rpc") if _has(service, "rpc") else None
        tables = [value for value in vars(rpc).values() if _is_table(value)] if rpc else []
        own = [table for table in tables if table.__module__ == f"celaje.{service}.rpc"]
        self._tables = {
            "scheduler": [table for table in own if "Scheduler" in table.__name__],
            "worker": [table for table in own if "Worker" in table.__name__],
            "backup": [table for table in own if "Backup" in table.__name__],
        }
        self._depth = 0

    def function(self, function: Any, bound: dict[str, str], when: list[str]) -> Iterator[Item]:
        self._depth += 1
        if self._depth > 8:
            raise Unreadable(f"{self._flow}: {function.__qualname__} calls itself")
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
        (definition,) = tree.body
        assert isinstance(definition, ast.FunctionDef)
        scope = _Scope(function.__globals__, dict(bound))
        yield from self._block(definition.body, scope, when)
        self._depth -= 1

    def _block(self, body: list[ast.stmt], scope: "_Scope", when: list[str]) -> Iterator[Item]:
        ended = False
        for statement in body:
            if isinstance(statement, ast.Return) and self._depth == 1 and not ended and when:
                for child in ast.iter_child_nodes(statement):
                    if isinstance(child, ast.expr):
                        yield from self._expression(child, scope, when)
                yield Item("end", "nothing more to do", when=list(when))
                return
            for item in self._statement(statement, scope, when):
                ended = item.kind == "done"
                yield item
            if self._depth > 1 and _leaves(statement):
                # Whatever follows in a part of the flow is done otherwise only.
                assert isinstance(statement, ast.If)
                when = [*when, f"unless {_words(statement.test)}"]

    def _statement(self, node: ast.stmt, scope: "_Scope", when: list[str]) -> Iterator[Item]:
        match node:
            case ast.FunctionDef():
                return
            case ast.If():
                yield from self._expression(node.test, scope, when)
                condition = _words(node.test)
                yield from self._block(node.body, scope, [*when, f"if {condition}"])
                yield from self._block(node.orelse, scope, [*when, f"unless {condition}"])
            case ast.For():
                yield from self._expression(node.iter, scope, when)
                around = [*when, f"for each {_words(node.target)} of {_words(node.iter)}"]
                yield from self._block(node.body, scope, around)
            case ast.While():
                yield from self._expression(node.test, scope, when)
                until = "again and again" if _words(node.test) == "True" else f"while {_words(node.test)}"
                yield from self._block(node.body, scope, [*when, until])
            case ast.Try():
                yield from self._block(node.body, scope, when)
                for handler in node.handlers:
                    name = _words(handler.type).rpartition(".")[2] if handler.type else "any error"
                    yield from self._block(handler.body, scope, [*when, f"on {name}"])
                yield from self._block(node.orelse + node.finalbody, scope, when)
            case ast.With():
                for entered in node.items:
                    yield from self._expression(entered.context_expr, scope, when)
                yield from self._block(node.body, scope, when)
            case ast.Match():
                yield from self._expression(node.subject, scope, when)
                for case in node.cases:
                    pattern = ast.unparse(case.pattern)
                    which = f"{_words(node.subject)} is {'anything else' if pattern == '_' else pattern}"
                    yield from self._block(case.body, scope, [*when, f"if {which}"])
            case _:
                for child in ast.iter_child_nodes(node):
                    if isinstance(child, ast.expr):
                        yield from self._expression(child, scope, when)
                if isinstance(node, ast.Assign) and len(node.targets) == 1:
                    scope.assign(node.targets[0], node.value)

    def _expression(self, node: ast.expr, scope: "_Scope", when: list[str]) -> Iterator[Item]:
        """Inner calls before outer ones, as they are evaluated."""
        if isinstance(node, ast.ListComp | ast.GeneratorExp | ast.SetComp | ast.DictComp):
            (loop, *_) = node.generators
            yield from self._expression(loop.iter, scope, when)
            around = [*when, f"for each {_words(loop.target)} of {_words(loop.iter)}"]
            parts = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
            for part in parts:
                yield from self._expression(part, scope, around)
            return
        if isinstance(node, ast.IfExp):
            yield from self._expression(node.test, scope, when)
            yield from self._expression(node.body, scope, [*when, f"if {_words(node.test)}"])
            yield from self._expression(node.orelse, scope, [*when, f"unless {_words(node.test)}"])
            return
        if isinstance(node, ast.Lambda):
            return
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                yield from self._expression(child, scope, when)
            elif isinstance(child, ast.keyword):
                yield from self._expression(child.value, scope, when)
        if isinstance(node, ast.Call):
            yield from self._call(node, scope, when)

    def _call(self, node: ast.Call, scope: "_Scope", when: list[str]) -> Iterator[Item]:
        called = ast.unparse(node.func)
        if called.startswith("run.") and called.removeprefix("run.") in KINDS:
            yield self._item(called.removeprefix("run."), node, scope, when)
            return
        hands_on = any(isinstance(each, ast.Name) and each.id == "run" for each in node.args)
        if not hands_on or called.startswith(("run.", "self.")):
            return
        function = scope.resolve(called)
        if not inspect.isfunction(function):
            raise Unreadable(f"{self._flow}: {called} gets the run, and is no function")
        names = list(inspect.signature(function).parameters)
        given = dict(zip(names, node.args, strict=False))
        given |= {each.arg: each.value for each in node.keywords if each.arg}
        bound = {name: scope.whole(value) for name, value in given.items() if name != "run"}
        yield from self.function(function, bound, when)

    def _item(self, kind: str, node: ast.Call, scope: "_Scope", when: list[str]) -> Item:
        first = node.args[0] if node.args else None
        if kind in ("checkpoint", "wait"):
            if isinstance(first, ast.Call):  # a name made for this run, from a row's id
                return Item(kind, _words(first.func), when=list(when))
            name = first.value if isinstance(first, ast.Constant) else scope.resolve(_words(first))
            if not isinstance(name, str):
                raise Unreadable(f"{self._flow}: which {kind} is {_words(first)}?")
            return Item(kind, name, when=list(when))
        if kind in ("write", "note", "undo_write", "done"):
            if isinstance(first, ast.Lambda):
                first = first.body.func if isinstance(first.body, ast.Call) else first
            name = _words(first).rpartition(".")[2] if first is not None else ""
            return Item(kind, name, f"{self._service} database", when=list(when))
        assert first is not None
        name, where, timeout = self._target(scope.whole(first), scope)
        return Item(kind, name, where, timeout, self._seconds(timeout), list(when))

    def _target(self, called: str, scope: "_Scope") -> tuple[str, str, str | float | None]:
        """(name in the journal, where it goes, timeout) of a step's call."""
        of_conductor = called.startswith("run.conductor.")
        called = called.removeprefix("run.conductor.")
        receiver, _, name = called.rpartition(".")
        if receiver.startswith("clients."):
            client = receiver.split(".")[1]
            operation = getattr(_client(client), name)
            return operation.step_name, f"{client} API", None
        for role, tables in self._tables.items():
            if receiver.startswith((f"{role}.to(", f"{role}_of(")) or receiver == role:
                for table in tables:
                    message: Message | None = table.message(name)
                    if message is not None:
                        return f"{table.topic}.{name}", f"{self._service} {role}", message.timeout
        function = self._of_conductor(name) if of_conductor else scope.resolve(called)
        if not callable(function):
            raise Unreadable(f"{self._flow}: where does {called} go?")
        target = getattr(function, "step_target", None)
        where = f"{target.replace('-', ' ')}" if target else f"{self._service} conductor"
        if target and "-" not in target:
            where = f"{target} API"
        return (
            getattr(function, "step_name", function.__name__),
            where,
            getattr(function, "step_timeout", None),
        )

    def _of_conductor(self, name: str) -> Any:
        """The method of the conductor, or of one of its parts, which all lie in the service's folder."""
        package = importlib.import_module(f"celaje.{self._service}.conductor")
        for found in pkgutil.iter_modules(package.__path__):
            module = importlib.import_module(f"{package.__name__}.{found.name}")
            for value in vars(module).values():
                if inspect.isclass(value) and value.__module__ == module.__name__ and name in vars(value):
                    return vars(value)[name]
        return None

    def _seconds(self, timeout: str | float | None) -> float | None:
        return seconds(self._service, timeout)


def seconds(service: str, option: str | float | None, group: str | None = None) -> float | None:
    """The default of an option of the service, by name or `group.name`; a number is itself."""
    if not isinstance(option, str):
        return option
    group, _, name = option.rpartition(".") if "." in option else (group, "", option)
    declared = importlib.import_module(f"celaje.{service}.conf").OPTIONS
    for options in (declared, common_options()):
        for each in options.get(group or None, ()):
            if each.dest == name:
                return float(each.default)
    raise Unreadable(f"{service} has no option {option}")


class _Scope:
    """Names of a function while it is read: local ones as the expressions that they stand for."""

    def __init__(self, names: dict[str, Any], local: dict[str, str]):
        self._globals = names
        self._local = local

    def assign(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            for each, its in zip(target.elts, value.elts, strict=False):
                self.assign(each, its)
        elif isinstance(target, ast.Name) and isinstance(value, ast.Attribute | ast.Call | ast.Name):
            self._local[target.id] = self.whole(value)

    def whole(self, node: ast.expr) -> str:
        """The expression with local names written out."""
        return ast.unparse(_WriteOut(self._local).visit(ast.parse(ast.unparse(node), mode="eval")))

    def resolve(self, called: str) -> Any:
        first, *others = called.split(".")
        value = self._globals.get(first)
        for name in others:
            value = getattr(value, name, None)
        return value


class _WriteOut(ast.NodeTransformer):
    def __init__(self, local: dict[str, str]):
        self._local = local

    def visit_Name(self, node: ast.Name) -> ast.expr:
        known = self._local.get(node.id)
        return ast.parse(known, mode="eval").body if known else node


def _client(name: str) -> type[RestClient]:
    found = getattr(clients.Clients, name)
    return inspect.signature(found.func).return_annotation


def _leaves(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.If) and not statement.orelse and isinstance(statement.body[-1], ast.Return)
    )


def _words(node: ast.expr | None) -> str:
    return "" if node is None else " ".join(ast.unparse(node).split())


def _is_table(value: Any) -> bool:
    return inspect.isclass(value) and issubclass(value, Messages) and value is not Messages


def _has(service: str, module: str) -> bool:
    return importlib.util.find_spec(f"celaje.{service}.{module}") is not None


def flows() -> list[tuple[str, Any]]:
    """(service, flow) of all services."""
    return [
        (service, flow)
        for service in sorted(anatomy.SERVICES)
        if _has(service, "conductor")
        for flow in importlib.import_module(f"celaje.{service}.conductor").FLOWS
    ]
