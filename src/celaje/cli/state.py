"""The state directory of an all-in-one cloud: where it is, and that one process at a time has it."""

import fcntl
import json
import os
from pathlib import Path
from typing import Any

from celaje.cli.failure import Failure


def default_state() -> Path:
    """$CELAJE_STATE, or the user's XDG state folder."""
    given = os.environ.get("CELAJE_STATE")
    if given:
        return Path(given)
    base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(base) / "celaje"


class StateDirectory:
    """The folder, locked for as long as this object (or a child process) holds it open."""

    def __init__(self, path: Path):
        self.path = path.absolute()
        self._lock: Any = None

    @property
    def record(self) -> Path:
        """Who has the folder, and where it serves."""
        return self.path / "running.json"

    @property
    def clouds_yaml(self) -> Path:
        return self.path / "clouds.yaml"

    def lock(self) -> None:
        """Take the folder, making it at need. Raises Failure if another process has it."""
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = open(self.path / "lock", "a+")  # noqa: SIM115 - held until the process ends
        except OSError as error:
            raise Failure(
                f"The state directory {self.path} cannot be used: {error.strerror}.",
                "Name another one with --state DIR, or use --ephemeral.",
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            found = read_record(self.path) or {}
            by = f" by process {found['pid']} at {found['url']}" if "pid" in found else ""
            raise Failure(
                f"The state directory {self.path} is in use{by}.",
                "Stop that cloud first (Ctrl-C in its terminal), or start another one: "
                "celaje up --state DIR --port PORT",
            ) from error

    def held(self) -> bool:
        """Whether some process holds the lock now."""
        try:
            with open(self.path / "lock", "a+") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False


def read_record(path: Path) -> dict[str, Any] | None:
    try:
        return json.loads((path / "running.json").read_text())
    except (OSError, ValueError):
        return None
