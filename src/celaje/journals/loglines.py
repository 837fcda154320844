"""Log files read back: the lines of one request, flow or resource, over files and rotations, in time order.

Both forms that `common/log/lines.py` writes are read. A line that begins no entry (a traceback's) belongs to
the entry above it.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_PLAIN = re.compile(
    r"^(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}) (?P<level>[A-Z]+) (?P<logger>\S+) "
    r"\[(?P<who>[^\]]*)\] (?P<message>.*)$"
)

# Characters of one entry: a line of a damaged file must not fill the memory.
_LONGEST = 1 << 20


@dataclass
class Entry:
    """`time` is UTC, as text that sorts; `ids` what the line bears: request_id, global_request_id, flow."""

    time: str
    level: str
    logger: str
    message: str
    component: str = ""
    ids: dict[str, str] = field(default_factory=dict)
    step: str = ""
    more: list[str] = field(default_factory=list)

    def plain(self) -> dict[str, Any]:
        """As a service's own JSON log has it."""
        found: dict[str, Any] = {"time": f"{self.time.replace(' ', 'T')}Z", "level": self.level}
        found |= {"logger": self.logger, "component": self.component, **self.ids, "message": self.message}
        if self.step:
            found["step"] = int(self.step) if self.step.isdecimal() else self.step
        if self.more:
            found["more"] = "\n".join(self.more)
        return found


def collect(files: Iterable[Path], identifier: str) -> list[Entry]:
    """The entries of `identifier`: a request's id (its own or the global one), a flow's, or whatever a line
    speaks of (a server's, a volume's): then all lines of the requests that speak of it."""
    files = list(files)
    bearing = list(_matching(files, lambda entry: identifier in entry.ids.values()))
    if bearing:
        flows = {entry.ids["flow"] for entry in bearing if "flow" in entry.ids}
        wanted = {identifier, *flows}
    else:
        speaking = _matching(files, lambda entry: identifier in entry.message)
        wanted = {value for entry in speaking for name, value in entry.ids.items() if name != "flow"}
    found = _matching(
        files, lambda entry: not wanted.isdisjoint(entry.ids.values()) or identifier in entry.message
    )
    return sorted(found, key=lambda entry: entry.time)


def of_folder(folder: Path, name: str = "celaje.log") -> list[Path]:
    """The log of a state directory with its older parts, the oldest first."""
    older = [path for path in folder.glob(f"{name}.*") if path.suffix[1:].isdigit()]
    parts = sorted(older, key=lambda path: -int(path.suffix[1:]))
    return [*parts, *([folder / name] if (folder / name).exists() else [])]


def _matching(files: Iterable[Path], wanted: Callable[[Entry], bool]) -> Iterator[Entry]:
    for path in files:
        for entry in _entries(path):
            if wanted(entry):
                yield entry


def _entries(path: Path) -> Iterator[Entry]:
    last: Entry | None = None
    with open(path, encoding="utf-8", errors="replace") as file:
        while line := file.readline(_LONGEST):
            line = line.rstrip("\n")
            entry = _json(line) if line.startswith("{") else _plain(line)
            if entry is None:
                if last is not None and len(last.more) < 500:
                    last.more.append(line)
                continue
            if last is not None:
                yield last
            last = entry
    if last is not None:
        yield last


def _plain(line: str) -> Entry | None:
    match = _PLAIN.match(line)
    if match is None:
        return None
    entry = Entry(match["time"], match["level"], match["logger"], match["message"])
    first, *words = match["who"].split(" ")
    if first != "-":
        entry.ids["request_id"] = first
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            continue
        match name:
            case "at":
                entry.component = value
            case "global":
                entry.ids["global_request_id"] = value
            case "flow":
                entry.ids["flow"] = value
            case "step":
                entry.step = value
    return entry


def _json(line: str) -> Entry | None:
    try:
        data = json.loads(line)
        time = str(data["time"]).replace("T", " ")[:23]
        entry = Entry(time, str(data["level"]), str(data["logger"]), str(data["message"]))
    except (ValueError, KeyError, TypeError):
        return None
    entry.component = str(data.get("component", ""))
    entry.step = str(data.get("step", ""))
    entry.ids = {
        name: str(data[name]) for name in ("request_id", "global_request_id", "flow") if data.get(name)
    }
    if data.get("traceback"):
        entry.more = str(data["traceback"]).splitlines()
    return entry
