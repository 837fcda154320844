"""The simulated back end's disk: what survives a worker, and how it misbehaves, as data.

Made by tests and by the worker (with a path); used by FakeDriver only.
"""

import contextlib
import fcntl
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from celaje.common import clock, errors

DEFAULT_CAPACITY_GB = 1000.0


class InjectedFailure(errors.DriverError):
    """A rule said so."""

    text = "The simulated back end failed in {operation}."


class Rule(msgspec.Struct, forbid_unknown_fields=True):
    """How an operation behaves. The first rule that fits and is not used up applies.

    operation: a driver method's name, or `*`. identifier: only for this volume or snapshot id. latency:
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


class FakeVolume(msgspec.Struct):
    """content: where its data came from, carried along by clones: two equal contents are equal disks."""

    size: int
    content: str
    connections: list[str] = msgspec.field(default_factory=list)


class FakeSnapshot(msgspec.Struct):
    volume_id: str
    size: int
    content: str


class _Kept(msgspec.Struct):
    volumes: dict[str, FakeVolume] = msgspec.field(default_factory=dict)
    snapshots: dict[str, FakeSnapshot] = msgspec.field(default_factory=dict)
    rules: list[Rule] = msgspec.field(default_factory=list)


class FakeBackendState:
    """Outlives the driver objects that use it; with a path it outlives the process too.

    Every change is one `changing` block: with a path it is written to a new file that is renamed over the
    old, so that a kill at any moment leaves the state before or after, never half of one.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        total_gb: float = DEFAULT_CAPACITY_GB,
        rules: list[Rule] | None = None,
    ):
        self.total_gb = total_gb
        self.calls: list[tuple[str, str | None]] = []
        self._path = Path(path) if path is not None else None
        self._lock = threading.RLock()
        self._locked = False
        self._stamp = self._stamp_now()
        self._kept = self._load()
        self._kept.rules.extend(rules or [])

    @property
    def volumes(self) -> dict[str, FakeVolume]:
        return self._kept.volumes

    @property
    def snapshots(self) -> dict[str, FakeSnapshot]:
        return self._kept.snapshots

    @property
    def rules(self) -> list[Rule]:
        return self._kept.rules

    def add_rules(self, rules: list[dict[str, Any]] | list[Rule]) -> None:
        """Rules as objects or as the dicts that a JSON file holds; ConfigurationError for what is wrong."""
        with self.changing():
            self._kept.rules.extend(read_rules(rules))

    def clear_rules(self) -> None:
        with self.changing():
            self._kept.rules.clear()

    @contextlib.contextmanager
    def changing(self) -> Iterator[None]:
        with self._lock, self._file_lock():
            yield
            self._save()

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        with self._lock, self._file_lock():
            yield

    @contextlib.contextmanager
    def _file_lock(self) -> Iterator[None]:
        """Several workers may simulate one back end: each sees what the others did. Entered again by the
        thread that has it, it does nothing."""
        if self._path is None or self._locked:
            yield
            return
        with open(f"{self._path}.lock", "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            self._locked = True
            try:
                self._refresh()
                yield
            finally:
                self._locked = False

    def _refresh(self) -> None:
        if self._stamp != self._stamp_now():
            self._kept = self._load()
            self._stamp = self._stamp_now()

    def _stamp_now(self) -> tuple[int, int] | None:
        if self._path is None:
            return None
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns

    def take_rule(self, operation: str, identifier: str | None) -> Rule | None:
        """The rule that applies to this call, its counters moved on."""
        with self._lock, self._file_lock():
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

    def _load(self) -> _Kept:
        if self._path is None or not self._path.exists():
            return _Kept()
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=_Kept)
        except (msgspec.MsgspecError, OSError) as error:
            raise errors.ConfigurationError(
                f"The simulated back end's state in {self._path} cannot be read: {error}"
            ) from error

    def _save(self) -> None:
        if self._path is None:
            return
        written = self._path.with_name(f".{self._path.name}.{clock.new_uuid()}")
        written.write_bytes(msgspec.json.encode(self._kept))
        written.replace(self._path)
        self._stamp = self._stamp_now()


def read_rules(rules: Any) -> list[Rule]:
    try:
        return [rule if isinstance(rule, Rule) else msgspec.convert(rule, Rule) for rule in rules]
    except (msgspec.ValidationError, TypeError) as error:
        raise errors.ConfigurationError(f"A rule of the simulated back end is wrong: {error}") from error
