"""Fences that several workers of one back end share: files in a folder that all of them reach.

`[coordination] backend_url = file:///folder` names it (a shared file system, or one machine's). A file a
resource is locked while a step runs, and holds the newest step that was let in, so that neither two workers
at once nor an overtaken step on either of them touches a resource.
"""

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from celaje.common import clock, context
from celaje.common.errors import ConfigurationError, Unavailable
from celaje.common.fences import Fences, StepOvertaken
from celaje.common.messaging import work

# Flows that a resource's file remembers.
_REMEMBERED = 16
# A step that nobody waits for is not kept longer from its resource than this (seconds).
_PATIENCE = 60.0
_LOOK_EVERY = 0.02
# Files of resources that nobody has touched for so long go (seconds); looked at each so many steps.
_KEPT = 7 * 86400.0
_SWEEP_EVERY = 1000


class ResourceHeld(Unavailable):
    """Another worker is at it, perhaps one that hangs: the step waits, it never runs beside that."""

    text = "Another worker of this back end holds {resource}."


def fences(backend_url: str | None, name: str) -> Fences:
    """As [coordination] backend_url says; `name` is the back end's. Raises ConfigurationError."""
    if not backend_url:
        return Fences()
    parts = urlsplit(backend_url)
    if parts.scheme != "file" or not parts.path.startswith("/"):
        raise ConfigurationError(
            f"[coordination] backend_url is {parts.scheme}://...; workers here share locks by file:///folder."
        )
    return SharedFences(Path(parts.path) / name.replace("/", "_"))


class SharedFences(Fences):
    def __init__(self, folder: Path):
        super().__init__()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(f"[coordination] backend_url: {folder}: {error.strerror}.") from error
        self._folder = folder
        self._steps = 0

    @contextmanager
    def step(self, resource_id: str) -> Iterator[None]:
        """Raises StepOvertaken, ResourceHeld."""
        # The lock of this process first: one thread of it at a time asks for the file's.
        with super().step(resource_id), self._locked(resource_id) as descriptor:
            _admit(descriptor)
            yield

    @contextmanager
    def _locked(self, resource_id: str) -> Iterator[int]:
        path = self._folder / hashlib.sha256(resource_id.encode()).hexdigest()[:40]
        end = clock.monotonic() + _patience()
        while True:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                if _lock(descriptor) and _is_still(descriptor, path):
                    break
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)
            if clock.monotonic() >= end:
                raise ResourceHeld(resource=resource_id)
            clock.sleep(_LOOK_EVERY)
        try:
            yield descriptor
        finally:
            os.close(descriptor)
            self._sweep()

    def _sweep(self) -> None:
        self._steps += 1
        if self._steps % _SWEEP_EVERY:
            return
        with os.scandir(self._folder) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    # The folder's server and this machine may differ in the time; a week covers that.
                    if entry.stat().st_mtime < _wall_clock() - _KEPT:
                        os.unlink(entry.path)


def _patience() -> float:
    ends = work.expires()
    return _PATIENCE if ends is None else min(_PATIENCE, max(0.0, (ends - clock.now()).total_seconds()))


def _wall_clock() -> float:
    from celaje.common.tokens import seconds

    return seconds(clock.now())


def _lock(descriptor: int) -> bool:
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except PermissionError:
        # What some systems say for "held by another".
        return False
    return True


def _is_still(descriptor: int, path: Path) -> bool:
    """Whether the locked file is the one that others will find: it may have been swept away meanwhile."""
    try:
        return os.fstat(descriptor).st_ino == os.stat(path).st_ino
    except FileNotFoundError:
        return False


def _admit(descriptor: int) -> None:
    step = context.current().step
    if step is None:
        return
    latest = _read(descriptor)
    mine = [step.attempt, step.number]
    if mine < latest.get(step.flow_id, mine):
        raise StepOvertaken(number=step.number, flow=step.flow_id, attempt=step.attempt)
    latest.pop(step.flow_id, None)
    latest[step.flow_id] = mine
    for flow_id in list(latest)[:-_REMEMBERED]:
        del latest[flow_id]
    content = msgspec.json.encode(latest)
    os.pwrite(descriptor, content, 0)
    os.ftruncate(descriptor, len(content))


def _read(descriptor: int) -> dict[str, Any]:
    content = os.pread(descriptor, 1 << 16, 0)
    if not content:
        return {}
    try:
        return msgspec.json.decode(content)
    except msgspec.DecodeError:
        # Half written by a machine that died: the step that it admitted is repeated under a newer attempt.
        return {}
