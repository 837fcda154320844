"""What processes of two versions share: message tables, flows as their journals hold them, the journal.

`python tools/protocol_record.py` writes it to tests/protocol.json; tests/test_protocol.py compares. What
older processes or journals could not bear is refused until it has a version of its own. Before the first
release nothing older exists: `--anew` writes whatever there is.
"""

import argparse
import importlib
import inspect
import json
import pkgutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Column

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "src"))
sys.path.insert(0, str(ROOT / "tools"))
import flow_reading  # noqa: E402

from celaje.cli import anatomy  # noqa: E402
from celaje.common import revocation_feed  # noqa: E402
from celaje.common.db import new_metadata  # noqa: E402
from celaje.common.flow import flow_tables  # noqa: E402
from celaje.common.messaging.table import Messages  # noqa: E402
from celaje.common.messaging.target import parse_version  # noqa: E402

RECORD = ROOT / "tests" / "protocol.json"

# What a replay meets by its number; a question is recorded as a step, a note as a write.
_NUMBERED = {"step": "step", "ask": "step", "write": "write", "note": "write", "wait": "wait"}
_UNDOING = {"undo": "undo", "undo_write": "undo"}

Record = dict[str, Any]


def record() -> Record:
    return {"messages": _messages(), "flows": _flows(), "journal": _journal()}


def _messages() -> Record:
    return {table.__name__: describe(table) for table in sorted(_tables(), key=lambda one: one.__name__)}


def _tables() -> set[type[Messages]]:
    modules = [revocation_feed]
    for service in sorted(anatomy.SERVICES):
        package = importlib.import_module(f"celaje.{service}")
        if "rpc" in {module.name for module in pkgutil.iter_modules(package.__path__)}:
            modules.append(importlib.import_module(f"celaje.{service}.rpc"))
    return {
        value
        for module in modules
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, Messages) and value.__module__ == module.__name__
    }


def describe(table: type[Messages]) -> Record:
    """A table as it goes over the bus."""
    return {
        "address": f"{table.exchange}/{table.topic}/{table.namespace or ''}",
        "version": table.version,
        "messages": {
            message.name: {
                "kind": message.kind,
                "since": message.since,
                "arguments": {
                    name: f"{message.added.get(name, message.since)} {parameter}"
                    for name, parameter in message.signature.parameters.items()
                },
            }
            for message in sorted(table.messages(), key=lambda one: one.name)
        },
    }


def _flows() -> Record:
    found = {}
    for service, flow in flow_reading.flows():
        items = flow_reading.read(service, flow)
        parameters = list(inspect.signature(flow.function).parameters.values())[1:]
        found[f"{service}: {flow.name} version {flow.version}"] = {
            "arguments": [str(parameter) for parameter in parameters],
            "steps": [f"{_NUMBERED[one.kind]} {one.name}" for one in items if one.kind in _NUMBERED],
            "undos": [f"{_UNDOING[one.kind]} {one.name}" for one in items if one.kind in _UNDOING],
        }
    return dict(sorted(found.items()))


def _journal() -> Record:
    tables = flow_tables(new_metadata())
    return {
        table.name: {column.name: _kind(column) for column in table.columns}
        for table in (tables.flows, tables.steps, tables.signals)
    }


def _kind(column: Column[Any]) -> str:
    return f"{column.type!r}{'' if column.nullable else ' NOT NULL'}"


def broken(old: Record, new: Record) -> list[str]:
    """What a process or a journal of the recorded version could not bear, and what to do, a sentence each."""
    return [
        *_broken_messages(old["messages"], new["messages"]),
        *_broken_flows(old["flows"], new["flows"]),
        *_broken_journal(old["journal"], new["journal"]),
    ]


def _broken_messages(old: Record, new: Record) -> Iterator[str]:
    for name, before in old.items():
        after = new.get(name)
        if after is None:
            yield f"{name} is gone: older processes still send it. Keep the table for a release."
            continue
        was, is_now = parse_version(before["version"]), parse_version(after["version"])
        if before == after or is_now[0] > was[0]:
            continue
        if is_now <= was:
            yield (
                f"{name} changed without a version: raise it from {before['version']}, and give what is new "
                f"`since=` (a message) or `added=` (an argument, which needs a default)."
            )
            continue
        for problem in _lost(before, after, was):
            yield f"{name}: {problem}. Receivers of {before['version']} cannot bear it: raise its major."


def _lost(before: Record, after: Record, was: tuple[int, int]) -> Iterator[str]:
    if before["address"] != after["address"]:
        yield f"its address {before['address']} is now {after['address']}"
    for name, message in before["messages"].items():
        now = after["messages"].get(name)
        if now is None:
            yield f"{name} is gone"
            continue
        if (message["kind"], message["since"]) != (now["kind"], now["since"]):
            yield f"{name} is a {now['kind']} since {now['since']}"
        for argument, said in message["arguments"].items():
            if now["arguments"].get(argument) != said:
                yield f"{name} has no longer {said.partition(' ')[2]}"
        for argument in now["arguments"].keys() - message["arguments"].keys():
            if parse_version(now["arguments"][argument].partition(" ")[0]) <= was:
                yield f"{name} has {argument}, not `added` in a newer version"
    for name in after["messages"].keys() - before["messages"].keys():
        if parse_version(after["messages"][name]["since"]) <= was:
            yield f"{name} is new, not `since` a newer version"


def _broken_flows(old: Record, new: Record) -> Iterator[str]:
    for name, before in old.items():
        if name not in new:
            yield f"{name} is gone: flows of it may be under way. Keep its function for a release."
        elif new[name] != before:
            parts = ", ".join(part for part in before if new[name][part] != before[part])
            yield (
                f"{name} has other {parts}: a flow that an older conductor began would be replayed against "
                "them. Keep the function as it was, and declare the changed one as the next version."
            )


def _broken_journal(old: Record, new: Record) -> Iterator[str]:
    for table, columns in old.items():
        for name, kind in columns.items():
            now = new.get(table, {}).get(name)
            if now != kind:
                yield f"{table}.{name} was {kind}, is {now or 'gone'}: conductors of both versions write it."
        for name in new.get(table, {}).keys() - columns.keys():
            if "NOT NULL" in new[table][name]:
                yield f"{table}.{name} is new and NOT NULL: an older conductor does not write it."


def text(found: Record) -> str:
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--anew", action="store_true", help="nothing older is in use: write it as it is")
    asked = parser.parse_args()
    found = record()
    if not asked.anew and RECORD.exists():
        problems = broken(json.loads(RECORD.read_text()), found)
        if problems:
            sys.exit("\n".join(problems))
    RECORD.write_text(text(found))


if __name__ == "__main__":
    main()
