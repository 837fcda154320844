"""The table of a service's messages: `rpc.py` in every service is one, and reads as documentation.

    class Worker(Messages):
        topic = "volume-worker"
        version = "1.3"

        @call(timeout="rpc_response_timeout", since="1.0")
        def create_volume(self, volume: dict, image: dict | None = None) -> dict:
            "Makes the volume, from the image if one is given."

Clients send by it, servers serve by it, `check` holds a sender and a receiver together in a test.
"""

import inspect
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from celaje.common.messaging.envelope import CALL, CAST, FANOUT
from celaje.common.messaging.target import Target, accepts, parse_version

_OWN_NAMES = frozenset(("to", "messages", "topic", "exchange", "version", "namespace"))


@dataclass(frozen=True)
class Message:
    """One row of a table. `timeout` is an option's name or seconds, for calls only; `since` is the version
    of the table that the receiver must speak at least; `may_be_lost`: its sender does not wait for the
    bus."""

    name: str
    kind: str
    timeout: str | float | None
    since: str
    signature: inspect.Signature
    doc: str
    required: frozenset[str]
    accepted: frozenset[str]
    may_be_lost: bool = False

    def arguments(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """The arguments by name, those given only. TypeError when they do not fit the signature."""
        if not args and self.required <= kwargs.keys() <= self.accepted:
            return kwargs
        try:
            return self.signature.bind(*args, **kwargs).arguments
        except TypeError as error:
            raise TypeError(f"{self.name}{self.signature}: {error}") from None


class Messages:
    """Base of the tables. A class has a topic, a version, and methods marked call, cast or fanout."""

    topic: ClassVar[str]
    version: ClassVar[str] = "1.0"
    exchange: ClassVar[str] = "celaje"
    namespace: ClassVar[str | None] = None
    _table: ClassVar[dict[str, Message]] = {}

    def __init_subclass__(cls, **kwargs: Any):
        super().__init_subclass__(**kwargs)
        parse_version(cls.version)
        table = dict(cls._table)
        for name, function in vars(cls).items():
            mark = getattr(function, "celaje_message", None)
            if mark is not None:
                table[name] = _row(cls, name, function)
        cls._table = table

    @classmethod
    def messages(cls) -> list[Message]:
        """All rows, in the order of definition."""
        return list(cls._table.values())

    @classmethod
    def message(cls, name: str) -> Message | None:
        return cls._table.get(name)

    @classmethod
    def target(cls, server: str | None = None) -> Target:
        """Where a server of this table listens; without a server, where its topic is."""
        return Target(cls.topic, server, exchange=cls.exchange, version=cls.version, namespace=cls.namespace)


def _row(cls: type["Messages"], name: str, function: Any) -> Message:
    kind, timeout, since, may_be_lost = function.celaje_message
    where = f"{cls.__name__}.{name}"
    if name.startswith("_") or name in _OWN_NAMES:
        raise TypeError(f"{where}: a message cannot have this name")
    if not accepts(cls.version, since):
        raise TypeError(f"{where}: since {since}, but the table is {cls.version}")
    signature = inspect.signature(function)
    parameters = list(signature.parameters.values())[1:]
    for parameter in parameters:
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise TypeError(f"{where}: {parameter} cannot travel by name")
    required = frozenset(p.name for p in parameters if p.default is p.empty)
    return Message(
        name=name,
        kind=kind,
        timeout=timeout,
        since=since,
        signature=signature.replace(parameters=parameters),
        doc=inspect.getdoc(function) or "",
        required=required,
        accepted=frozenset(p.name for p in parameters),
        may_be_lost=may_be_lost,
    )


_Function = typing.TypeVar("_Function", bound=Callable[..., Any])


def _mark(
    kind: str, timeout: str | float | None, since: str, may_be_lost: bool = False
) -> Callable[[_Function], _Function]:
    def mark(function: _Function) -> _Function:
        function.celaje_message = (kind, timeout, since, may_be_lost)  # type: ignore[attr-defined]
        return function

    return mark


def call(
    *, timeout: str | float = "rpc_response_timeout", since: str = "1.0"
) -> Callable[[_Function], _Function]:
    """The sender waits for the reply, at most for the option `timeout`, or that many seconds."""
    return _mark(CALL, timeout, since)


def cast(*, since: str = "1.0", may_be_lost: bool = False) -> Callable[[_Function], _Function]:
    """The sender goes on when the bus has it; the message waits in its queue until a server takes it.

    `may_be_lost`: the sender does not wait for the bus either, and never fails. For what something else makes
    good soon: a nudge whose truth is in a row, a report that is repeated. An API sends nothing else, so that
    it answers while the broker is away."""
    return _mark(CAST, None, since, may_be_lost)


def fanout(*, since: str = "1.0", may_be_lost: bool = False) -> Callable[[_Function], _Function]:
    """A copy for every server that listens to the topic now; nothing waits for those that are not there.
    `may_be_lost` as for a cast."""
    return _mark(FANOUT, None, since, may_be_lost)


def check(table: type[Messages], implementation: type) -> list[str]:
    """What the receiver's methods do not hold of the table, one sentence each; empty when they agree."""
    problems = []
    for message in table.messages():
        where = f"{implementation.__name__}.{message.name}"
        method = getattr(implementation, message.name, None)
        if not callable(method):
            problems.append(f"{where} is missing")
            continue
        received = inspect.signature(method).parameters
        taken = dict(list(received.items())[1:])
        if isinstance(inspect.getattr_static(implementation, message.name), staticmethod | classmethod):
            taken = dict(received)
        everything = any(p.kind is p.VAR_KEYWORD for p in taken.values())
        for name, sent in message.signature.parameters.items():
            parameter = taken.get(name)
            if parameter is None or parameter.kind in (
                parameter.POSITIONAL_ONLY,
                parameter.VAR_POSITIONAL,
                parameter.VAR_KEYWORD,
            ):
                if not everything:
                    problems.append(f"{where} does not take {name}")
            elif parameter.default != sent.default:
                problems.append(f"{where} has {parameter}, the table has {sent}")
        for name, parameter in taken.items():
            variable = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
            if name not in message.accepted and parameter.default is parameter.empty and not variable:
                problems.append(f"{where} needs {name}, which nobody sends")
        problems.extend(_type_problems(where, table, message, method))
    return problems


def _type_problems(where: str, table: type[Messages], message: Message, method: Callable) -> list[str]:
    """Annotations that both sides give and that differ."""
    sent = _hints(getattr(table, message.name))
    received = _hints(method)
    return [
        f"{where}: {name} is {received[name]}, in the table {sent[name]}"
        for name in sent
        if name in received
        and (name == "return" or name in message.accepted)
        and sent[name] != received[name]
    ]


def _hints(function: Callable) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function)
    except NameError:
        # Names imported only for type checking: compare what is written.
        return dict(inspect.get_annotations(function))
