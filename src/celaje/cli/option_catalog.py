"""Every option there is, over all services: who declares it, which code reads it, what hangs on it.

Used by `celaje config` and `doctor`. Reads declarations, message tables and the source; starts nothing.
"""

import ast
import functools
import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import celaje
from celaje.cli.configured import SERVICES

_ROOT = Path(celaje.__file__).parent
# An attribute counts as a read option when it hangs on one of these names.
_HOLDERS = {"conf", "_conf", "options", "_options", "opts", "settings", "_settings"}
# Print, declare or check options, but do nothing by them.
_BYSTANDERS = ("cli/", "common/conf/")


@dataclass(frozen=True)
class Entry:
    """`section` None is [DEFAULT]; `services` declare it; `backend`: it stands in back ends' sections."""

    section: str | None
    option: Any
    services: tuple[str, ...]
    backend: bool = False

    @property
    def name(self) -> str:
        return f"[{'<back end>' if self.backend else self.section or 'DEFAULT'}] {self.option.dest}"


@dataclass(frozen=True)
class Reader:
    """One place in the code that reads an option; `part` is a service's folder, or `common`."""

    file: str
    line: int

    @property
    def part(self) -> str:
        return self.file.partition("/")[0]

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@functools.cache
def entries() -> tuple[Entry, ...]:
    from celaje.common.conf import common_options
    from celaje.image.stores.opening import store_options
    from celaje.volume.backends import backend_options

    found = [
        Entry(group, option, SERVICES) for group, several in common_options().items() for option in several
    ]
    own: dict[tuple[str | None, str], list[tuple[Any, list[str]]]] = {}
    for service in SERVICES:
        for group, several in importlib.import_module(f"celaje.{service}.conf").OPTIONS.items():
            for option in several:
                known = own.setdefault((group, option.dest), [])
                same = [services for other, services in known if other == option]
                if same:
                    same[0].append(service)
                else:
                    known.append((option, [service]))
    for (group, _), several in own.items():
        found += [Entry(group, option, tuple(services)) for option, services in several]
    for service, options in (("volume", backend_options()), ("image", store_options())):
        unique = {option.dest: option for option in options}
        found += [Entry(None, option, (service,), backend=True) for option in unique.values()]
    return tuple(found)


def named(key: str) -> list[Entry]:
    """Entries of `key`, `section.key`, `section/key` or `[section] key`; old names lead to new ones."""
    section, name = _split(key)
    return [entry for entry in entries() if _answers(entry, section, name)]


def nearest(key: str) -> str | None:
    """The name of a real option that looks like it."""
    import difflib

    name = _split(key)[1]
    close = difflib.get_close_matches(name, sorted({entry.option.dest for entry in entries()}), n=1)
    return close[0] if close else None


def _split(key: str) -> tuple[str | None, str]:
    text = key.strip().replace("]", ".").lstrip("[").replace("/", ".").replace(" ", "")
    section, _, name = text.rpartition(".")
    return section or None, name


def _answers(entry: Entry, section: str | None, name: str) -> bool:
    from celaje.common.conf.files import normal
    from celaje.common.conf.unknown import names_of

    for at, known in names_of(entry.section, entry.option):
        # A back end's section has a name of the operator's choice.
        fits = section is None or normal(section) == at or entry.backend
        if known == name and fits:
            return True
    return False


@functools.cache
def _sources() -> tuple[tuple[str, str], ...]:
    files = sorted(_ROOT.rglob("*.py"))
    named = ((path.relative_to(_ROOT).as_posix(), path) for path in files)
    return tuple((name, path.read_text()) for name, path in named if not name.startswith(_BYSTANDERS))


def readers(entry: Entry) -> list[Reader]:
    """The code that reads the option: as an attribute of a configuration, or by its name in a string."""
    key = entry.option.dest
    found = []
    for file, text in _sources():
        if file.partition("/")[0] in (*entry.services, "common") and key in text:
            lines = sorted(set(_uses(ast.parse(text), entry)))
            found += [Reader(file, line) for line in lines]
    return found


def _uses(tree: ast.AST, entry: Entry) -> Iterator[int]:
    key = entry.option.dest
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            # `timeout="key"`, `option("key")`: the option by its name.
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            by_name = [keyword.value for keyword in node.keywords if keyword.arg in ("timeout", "deadline")]
            by_name += node.args if name in ("option", "getattr", "deadline_of") else []
            yield from (one.lineno for one in by_name if isinstance(one, ast.Constant) and one.value == key)
        elif isinstance(node, ast.Attribute) and node.attr == key:
            nearest_holder = getattr(node.value, "attr", None)
            of_another = nearest_holder in _sections() - {entry.section}
            if (_holders(node.value) & _HOLDERS or _is_distinct(key)) and not of_another:
                yield node.lineno


def _is_distinct(key: str) -> bool:
    """Whether nothing but the option would be called so."""
    return "_" in key and len(key) >= 10


@functools.cache
def _sections() -> frozenset[str]:
    return frozenset(entry.section for entry in entries() if entry.section)


def _holders(node: ast.AST) -> set[str]:
    found = set()
    while isinstance(node, ast.Attribute | ast.Call):
        if isinstance(node, ast.Attribute):
            found.add(node.attr)
            node = node.value
        else:
            node = node.func
    if isinstance(node, ast.Name):
        found.add(node.id)
    return found


def hangs_on(key: str) -> list[tuple[str, list[str]]]:
    """What ends by the option: [("calls", ["compute: attach_volume", ...]), ("flows", ...), ...]."""
    from celaje.cli import anatomy

    calls, flows, states = [], [], []
    for service in SERVICES:
        calls += [
            f"{service}: {row['message']}" for row in anatomy.messages(service) if row["timeout"] == key
        ]
        flows += [row["flow"] for row in anatomy.flows(service) if row["deadline"] == key]
        states += [
            f"{row['resource']} {row['state']}" for row in anatomy.states(service) if row["deadline"] == key
        ]
    return [
        (kind, found) for kind, found in (("calls", calls), ("flows", flows), ("states", states)) if found
    ]
