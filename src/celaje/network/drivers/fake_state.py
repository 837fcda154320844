"""The simulated network of one host: what survives a worker, and how it misbehaves, as data.

Made by tests and by the worker (with a path); used by FakeDriver only.
"""

import contextlib
import os
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from celaje.common import clock, errors


class InjectedFailure(errors.DriverError):
    """A rule said so."""

    text = "The simulated network failed in {operation}."


class Rule(msgspec.Struct, forbid_unknown_fields=True):
    """How an operation behaves. The first rule that fits and is not used up applies.

    operation: a driver method's name, or `*`. identifier: only for this port, network or router. latency:
    seconds before it acts. error: words to fail with; None: it succeeds. after_effect: fail when the work
    is done already, as if the answer was lost. skip, times: let so many pass first; apply so often
    (None: always).
    """

    operation: str
    identifier: str | None = None
    latency: float = 0.0
    error: str | None = None
    after_effect: bool = False
    skip: int = 0
    times: int | None = None


class _Kept(msgspec.Struct):
    ports: dict[str, dict[str, Any]] = msgspec.field(default_factory=dict)
    networks: dict[str, dict[str, Any]] = msgspec.field(default_factory=dict)
    routers: dict[str, dict[str, Any]] = msgspec.field(default_factory=dict)
    rules: list[Rule] = msgspec.field(default_factory=list)


class FakeNetworkState:
    """Outlives the driver objects that use it; with a path it outlives the process too. A change is written
    to a new file that is renamed over the old, so a kill leaves the state before or after."""

    def __init__(self, path: str | os.PathLike[str] | None = None, *, rules: Iterable[Rule] = ()):
        self.calls: list[tuple[str, str | None]] = []
        self._path = Path(path) if path is not None else None
        self._lock = threading.RLock()
        self._kept = self._load()
        self._kept.rules.extend(rules)

    @property
    def ports(self) -> dict[str, dict[str, Any]]:
        return self._kept.ports

    @property
    def networks(self) -> dict[str, dict[str, Any]]:
        return self._kept.networks

    @property
    def routers(self) -> dict[str, dict[str, Any]]:
        return self._kept.routers

    @property
    def rules(self) -> list[Rule]:
        return self._kept.rules

    def add_rules(self, rules: Iterable[Rule]) -> None:
        with self.changing():
            self._kept.rules.extend(rules)

    def clear_rules(self) -> None:
        with self.changing():
            self._kept.rules.clear()

    @contextlib.contextmanager
    def changing(self) -> Iterator[None]:
        with self._lock:
            yield
            if self._path is not None:
                written = self._path.with_name(f".{self._path.name}.{clock.new_uuid()}")
                written.write_bytes(msgspec.json.encode(self._kept))
                written.replace(self._path)

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        with self._lock:
            yield

    @contextlib.contextmanager
    def acting(self, operation: str, identifier: str | None) -> Iterator[None]:
        """Do the block's work on the state as the rules want it."""
        rule = self._take_rule(operation, identifier)
        if rule is not None and rule.latency:
            clock.sleep(rule.latency)
        if rule is not None and rule.error is not None and not rule.after_effect:
            raise InjectedFailure(rule.error, operation=operation)
        with self.changing():
            yield
        if rule is not None and rule.error is not None:
            raise InjectedFailure(rule.error, operation=operation)

    def _take_rule(self, operation: str, identifier: str | None) -> Rule | None:
        with self._lock:
            self.calls.append((operation, identifier))
            for rule in self._kept.rules:
                if rule.operation not in {"*", operation} or rule.identifier not in {None, identifier}:
                    continue
                if rule.skip:
                    rule.skip -= 1
                elif rule.times is None:
                    return rule
                elif rule.times:
                    rule.times -= 1
                    return rule
        return None

    def _load(self) -> _Kept:
        if self._path is None or not self._path.exists():
            return _Kept()
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=_Kept)
        except (msgspec.MsgspecError, OSError) as error:
            raise errors.ConfigurationError(
                f"The simulated network's state in {self._path} cannot be read: {error}"
            ) from error


def read_rules(text: str) -> list[Rule]:
    """The rules of option [network_fake] rules. Raises ConfigurationError."""
    try:
        return msgspec.json.decode(text, type=list[Rule])
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise errors.ConfigurationError(f"[network_fake] rules: {error}") from error
