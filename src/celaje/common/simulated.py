"""What simulated drivers keep and how they misbehave, as data: a state that outlives them, with rules.

The simulated back ends' own states derive from it. Several workers may simulate one back end: with a path
each sees what the others did, and a kill at any moment leaves the state before a change or after it.
"""

import contextlib
import fcntl
import os
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import msgspec

from celaje.common import clock, errors


class InjectedFailure(errors.DriverError):
    """A rule said so."""

    text = "The simulated driver failed in {operation}."


class Rule(msgspec.Struct, forbid_unknown_fields=True):
    """How an operation behaves. The first rule that fits and is not used up applies.

    operation: a driver method's name, or `*`. identifier: only for this resource. latency: seconds before it
    acts. error: words to fail with; None: it succeeds. after_effect: fail when the work is done already, as
    if the answer was lost. skip, times: let so many pass first; apply so often (None: always).
    """

    operation: str
    identifier: str | None = None
    latency: float = 0.0
    error: str | None = None
    after_effect: bool = False
    skip: int = 0
    times: int | None = None


class Kept(msgspec.Struct):
    """What a state keeps; subclasses add what their drivers know."""

    rules: list[Rule] = msgspec.field(default_factory=list)


KeptT = TypeVar("KeptT", bound=Kept)
IdT = TypeVar("IdT", str, None)


class SimulatedState(Generic[KeptT]):
    """Outlives the driver objects that use it; with a path it outlives the process too. Every change is one
    `changing` block. `calls` is what this object was asked to do, in order."""

    keeps: ClassVar[type[Any]]

    def __init__(self, path: str | os.PathLike[str] | None = None, *, rules: Iterable[Rule] = ()):
        self.calls: list[tuple[str, str | None]] = []
        self._path = Path(path) if path is not None else None
        self._lock = threading.RLock()
        self._locked = False
        self._stamp = self._stamp_now()
        self._kept: KeptT = self._load()
        self._kept.rules.extend(rules)

    @property
    def rules(self) -> list[Rule]:
        return self._kept.rules

    def add_rules(self, rules: Iterable[Rule | dict[str, Any]]) -> None:
        """Rules as objects, or as the records that JSON has. ConfigurationError for what is wrong."""
        with self.changing():
            self._kept.rules.extend(_rule(each) for each in rules)

    def clear_rules(self) -> None:
        with self.changing():
            self._kept.rules.clear()

    @contextlib.contextmanager
    def changing(self) -> Iterator[None]:
        with self.reading():
            yield
            self._save()

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        with self._lock, self._file_lock():
            yield

    @contextlib.contextmanager
    def acting(self, operation: str, identifier: IdT) -> Iterator[IdT]:
        """Do the block's work on the state as the rules want it. Yields the identifier."""
        lost_answer = self.misbehave(operation, identifier)
        with self.changing():
            yield identifier
        if lost_answer is not None:
            raise lost_answer

    def misbehave(self, operation: str, identifier: str | None) -> InjectedFailure | None:
        """Wait and fail as the rule says; returns the failure that is due after the effect, if any."""
        rule = self._take_rule(operation, identifier)
        if rule is None:
            return None
        if rule.latency:
            clock.sleep(rule.latency)
        if rule.error is None:
            return None
        failure = InjectedFailure(rule.error or None, operation=operation)
        if rule.after_effect:
            return failure
        raise failure

    def _take_rule(self, operation: str, identifier: str | None) -> Rule | None:
        """The rule that applies to this call, its counters moved on."""
        with self.reading():
            self.calls.append((operation, identifier))
            for rule in self._kept.rules:
                if rule.operation not in {"*", operation} or rule.identifier not in {None, identifier}:
                    continue
                if rule.skip:
                    rule.skip -= 1
                    self._save()
                elif rule.times is None:
                    return rule
                elif rule.times:
                    rule.times -= 1
                    self._save()
                    return rule
        return None

    @contextlib.contextmanager
    def _file_lock(self) -> Iterator[None]:
        """Entered again by the thread that has it, it does nothing."""
        if self._path is None or self._locked:
            yield
            return
        with open(f"{self._path}.lock", "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            self._locked = True
            try:
                if self._stamp != self._stamp_now():
                    self._kept = self._load()
                    self._stamp = self._stamp_now()
                yield
            finally:
                self._locked = False

    def _stamp_now(self) -> tuple[int, int] | None:
        if self._path is None:
            return None
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns

    def _load(self) -> KeptT:
        if self._path is None or not self._path.exists():
            return self.keeps()
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=self.keeps)
        except (msgspec.MsgspecError, OSError) as error:
            raise errors.ConfigurationError(
                f"The simulated state in {self._path} cannot be read: {error}"
            ) from error

    def _save(self) -> None:
        if self._path is None:
            return
        written = self._path.with_name(f".{self._path.name}.{clock.new_uuid()}")
        written.write_bytes(msgspec.json.encode(self._kept))
        written.replace(self._path)
        self._stamp = self._stamp_now()


def _rule(given: Rule | dict[str, Any]) -> Rule:
    try:
        return given if isinstance(given, Rule) else msgspec.convert(given, Rule)
    except msgspec.ValidationError as error:
        raise errors.ConfigurationError(f"A rule of a simulated driver is wrong: {error}") from error


def read_rules(text: str, option: str) -> list[Rule]:
    """The rules in the JSON list that is the value of `option`. ConfigurationError."""
    try:
        rules: list[Rule] = msgspec.json.decode(text, type=list[Rule])
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise errors.ConfigurationError(f"{option} is no list of rules: {error}") from error
    return rules
