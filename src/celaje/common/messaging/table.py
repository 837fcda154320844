"""The table of a service's messages: `rpc.py` in every service is one, and reads as documentation.

    class Worker(Messages):
        topic = "volume-worker"
        version = "1.3"

        @call(timeout="rpc_response_timeout", since="1.0", added={"image": "1.2"})
        def create_volume(self, volume: dict, image: dict | None = None) -> dict:
            "Makes the volume, from the image if one is given."

Clients send by it, servers serve by it, `check` holds a sender and a receiver together in a test.
"""

import inspect
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from celaje.common.messaging.envelope import CALL, CAST, FANOUT
from celaje.common.messaging.target import Target, accepts, newest, parse_version

_OWN_NAMES = frozenset(("to", "messages", "topic", "exchange", "version", "namespace"))


@dataclass(frozen=True)
class Message:
    """One row of a table. `timeout` is an option's name or seconds, for calls only; `since` is the version
    of the table that the receiver must speak at least; `added` the same for arguments that came later, all of
    which have a default; `may_be_lost`: its sender does not wait for the bus."""

    name: str
    kind: str
    timeout: str | float | None
    since: str
    signature: inspect.Signature
    doc: str
    required: frozenset[str]
    accepted: frozenset[str]
    may_be_lost: bool = False
    added: Mapping[str, str] = field(default_factory=dict)

    @property
    def has_grown(self) -> bool:
        """Whether an older receiver may lack it, or a part of it."""
        return bool(self.added) or parse_version(self.since)[1] > 0

    def fitted(self, arguments: dict[str, Any], spoken: str | None) -> tuple[dict[str, Any], str]:
        """What goes to receivers that all speak `spoken` (None: this table's version), and the version that
        it needs of them. An argument that they do not know is left out where it says no more than its
        default; the version is beyond `spoken` when it says more, or the message itself is too new."""
        needed = self.since
        kept = arguments
        for name, since in self.added.items():
            if name not in arguments:
                continue
            says_nothing = arguments[name] == self.signature.parameters[name].default
            if says_nothing and spoken is not None and not accepts(spoken, since):
                kept = {key: value for key, value in kept.items() if key != name}
            else:
                needed = newest(needed, since)
        return kept, needed

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
    kind, timeout, since, may_be_lost, added = function.celaje_message
    where = f"{cls.__name__}.{name}"
    if name.startswith("_") or name in _OWN_NAMES:
        raise TypeError(f"{where}: a message cannot have this name")
    for version in (since, *added.values()):
        if not accepts(cls.version, version):
            raise TypeError(f"{where}: since {version}, but the table is {cls.version}")
    signature = inspect.signature(function)
    parameters = list(signature.parameters.values())[1:]
    for parameter in parameters:
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise TypeError(f"{where}: {parameter} cannot travel by name")
    required = frozenset(p.name for p in parameters if p.default is p.empty)
    for each in added:
        if each in required or each not in signature.parameters:
            # Whoever does not know of it must be able to go on without.
            raise TypeError(f"{where}: {each} was added later, so it must be a parameter with a default")
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
        added=dict(added),
    )


_Function = typing.TypeVar("_Function", bound=Callable[..., Any])


def _mark(
    kind: str,
    timeout: str | float | None,
    since: str,
    may_be_lost: bool = False,
    added: Mapping[str, str] | None = None,
) -> Callable[[_Function], _Function]:
    def mark(function: _Function) -> _Function:
        function.celaje_message = (kind, timeout, since, may_be_lost, added or {})  # type: ignore[attr-defined]
        return function

    return mark


def call(
    *,
    timeout: str | float = "rpc_response_timeout",
    since: str = "1.0",
    added: Mapping[str, str] | None = None,
) -> Callable[[_Function], _Function]:
    """The sender waits for the reply, at most for the option `timeout`, or that many seconds. `added`: the
    table's version since which an argument is there, if later than `since`."""
    return _mark(CALL, timeout, since, added=added)


def cast(
    *, since: str = "1.0", may_be_lost: bool = False, added: Mapping[str, str] | None = None
) -> Callable[[_Function], _Function]:
    """The sender goes on when the bus has it; the message waits in its queue until a server takes it.

    `may_be_lost`: the sender does not wait for the bus either, and never fails. For what something else makes
    good soon: a nudge whose truth is in a row, a report that is repeated. An API sends nothing else, so that
    it answers while the broker is away."""
    return _mark(CAST, None, since, may_be_lost, added)


def fanout(
    *, since: str = "1.0", may_be_lost: bool = False, added: Mapping[str, str] | None = None
) -> Callable[[_Function], _Function]:
    """A copy for every server that listens to the topic now; nothing waits for those that are not there.
    `may_be_lost` as for a cast."""
    return _mark(FANOUT, None, since, may_be_lost, added)


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
