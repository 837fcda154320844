"""What checks look at, and what they find. Made by the command, handed to each check."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from celaje.cli.configured import SERVICES, Configured
from celaje.common.errors import ConfigurationError

ERROR, WARNING, NOTE = "error", "warning", "note"


@dataclass(frozen=True)
class Finding:
    """`what` is wrong, `where` ("file:line", a path, an option and its origin), `why` it matters, and what to
    `do`. An error keeps the cloud from working, a warning will hurt one day, a note is good to know."""

    severity: str
    what: str
    where: str
    why: str
    do: str = ""
    check: str = field(default="", compare=False)


class Examination:
    """Configurations by service, those that cannot be read left out: `broken` says why."""

    def __init__(self, configured: Configured):
        self.configured = configured
        self.confs: dict[str, Any] = {}
        self.broken: dict[str, ConfigurationError] = {}
        for name in SERVICES:
            try:
                self.confs[name] = configured.service(name)
            except ConfigurationError as error:
                self.broken[name] = error

    @property
    def state(self) -> Path | None:
        return self.configured.state

    @property
    def any_conf(self) -> Any:
        return next(iter(self.confs.values()), None)

    def folder(self, service: str) -> Path:
        """The service's own folder."""
        return self.state / service if self.state else Path(self.confs[service].state_path)

    def values(self, group: str | None, key: str) -> Iterator[tuple[Any, str, list[str]]]:
        """(value, origin, services) of an option, once for each value that differs."""
        found: dict[tuple[Any, str], list[str]] = {}
        for name, conf in self.confs.items():
            if (group, key) in set(conf):
                found.setdefault(conf.origin(group, key), []).append(name)
        for (value, origin), services in found.items():
            yield value, origin, services

    def where(self, service: str, group: str | None, key: str) -> str:
        """`[section] key (origin)`."""
        return f"[{group or 'DEFAULT'}] {key} ({self.confs[service].origin(group, key)[1]})"


_PLACE = re.compile(r"^(\S+:\d+): (.*)", re.DOTALL)


def placed(message: str) -> tuple[str, str]:
    """Where and what of an error's words that begin with `file:line: `."""
    match = _PLACE.match(message)
    return (match[1], match[2]) if match else ("the configuration", message)
