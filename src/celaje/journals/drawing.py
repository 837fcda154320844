"""A story as a tree for a terminal: what, when it began, how long it took, what would have ended it.

Made for 80 columns; colour says only what the words say too. `celaje flow show` prints it.
"""

import datetime
import re
import textwrap
from collections.abc import Iterator
from typing import Any

import click

from celaje.common import clock
from celaje.journals.node import Node
from celaje.journals.words import cut, duration, safe, short

# Columns of the numbers on the right: at, took, limit, with two spaces before each.
_NUMBERS = 27
_NARROWEST = 60

_LEGEND = "limit: the timeout that would have ended it; empty: the caller's own"

_MARKS = {"ok": "", "error": "✗", "running": "…", "waiting": "…", "left": "?"}
_COLOURS = {"error": "red", "running": "yellow", "waiting": "yellow"}


def tree(nodes: list[Node], width: int) -> list[str]:
    """Lines for all stories, each with its head."""
    width = max(_NARROWEST, width)
    lines: list[str] = []
    for node in nodes:
        lines += ["", *_head(node, width), ""]
        lines.append(click.style(f"{'':{width - _NUMBERS}}{'at':>9}{'took':>9}{'limit':>9}", dim=True))
        start = node.at or clock.now()
        lines += _branch(node, "", "", start, width)
    return [*lines, "", click.style(_LEGEND, dim=True), ""]


def _head(node: Node, width: int) -> Iterator[str]:
    facts = node.facts
    identity = facts.get("request_id") or facts.get("id") or ""
    yield click.style(identity, bold=True)
    if node.kind == "request":
        status = click.style(str(facts["status"]), fg="red" if facts["status"] >= 400 else "green")
        yield from _path(safe(node.what), width)
        yield f"{status} in {duration(node.took)}, {facts['sql']} SQL statements"
    else:
        resource = f" of {facts['resource']} {facts['resource_id']}" if facts.get("resource_id") else ""
        yield f"{node.what}{resource}: {facts.get('state', node.outcome)}"
    told = [f"{node.at.isoformat(' ', timespec='milliseconds')} UTC" if node.at else ""]
    told += [f"{name} {facts[key]}" for name, key in (("project", "project_id"),) if facts.get(key)]
    yield click.style("  ".join(part for part in told if part), dim=True)
    if facts.get("global_request_id"):
        yield click.style(f"global {facts['global_request_id']}", dim=True)


def _path(text: str, width: int) -> Iterator[str]:
    """A long path is broken before a slash."""
    line = ""
    for part in re.split(r"(?=/)", text):
        if line and len(line) + len(part) > width:
            yield line
            line = "    "
        line += part
    yield line


def _branch(  # noqa: PLR0917
    node: Node, first: str, rest: str, start: datetime.datetime, width: int, within: str = ""
) -> Iterator[str]:
    yield _line(node, first, start, width, within)
    children = [child for child in node.children if not _said_already(node, child)]
    more = list(_remarks(node, width - len(rest) - 4))
    stem = "│  " if children else "   "
    for text, colour in more:
        yield click.style(rest + stem, dim=True) + click.style(text, fg=colour, dim=colour is None)
    for child in children:
        last = child is children[-1]
        yield from _branch(
            child,
            rest + ("└─ " if last else "├─ "),
            rest + ("   " if last else "│  "),
            start,
            width,
            node.who,
        )


def _line(node: Node, lead: str, start: datetime.datetime, width: int, within: str) -> str:
    room = width - _NUMBERS - len(lead)
    mark = _MARKS.get(node.outcome, "")
    # Within one component its name is not said again.
    who = f"{node.who}  " if node.who and node.who != within else ""
    before = f"{mark + ' ' if mark else ''}{who}"
    text = cut(before + _fitting(node, room - len(before)), room)
    begins = duration(max(0.0, (node.at - start).total_seconds())) if node.at else ""
    numbers = f"{begins:>9}{duration(node.took):>9}{duration(node.limit):>9}".rstrip()
    shown = text.ljust(room) if numbers else text
    if node.outcome in _COLOURS:
        shown = click.style(shown, fg=_COLOURS[node.outcome])
    elif node.kind in ("request", "flow"):
        shown = click.style(shown, bold=True)
    elif node.kind in ("state", "cast", "lock", "wait"):
        shown = click.style(shown, dim=True)
    return click.style(lead, dim=True) + shown + click.style(numbers, dim=True)


def _fitting(node: Node, room: int) -> str:
    """The title; a flow's gives up its attempt first, then its kind, then that it is done."""
    text = title(node)
    if node.kind == "flow" and len(text) > room:
        text = text.partition(", attempt")[0]
        if len(text) > room:
            text = text.removeprefix("flow ")
        if len(text) > room and node.outcome == "ok":
            text = text.removesuffix(": done")
    return text


def title(node: Node) -> str:
    """What is done, in one line and without the component."""
    facts = node.facts
    what = short(safe(node.what))
    match node.kind:
        case "flow":
            attempt = f", attempt {facts['attempt']}" if facts.get("attempt", 1) > 1 else ""
            return f"flow {what}: {facts['state']}{attempt}"
        case "request":
            return f"{what}  {facts['status']}"
        case "rest":
            return f"{what}  {facts.get('status') or node.error}"
        case "state":
            return f"{what} → {facts['state']}"
        case "wait" if str(facts.get("target", "")).startswith("signal:"):
            return f'waits for "{what}"'
        case "write":
            return f"write {what.lstrip('_')}"
        case "undo":
            return f"undo {_method(what)}"
        case "step" | "call" | "cast":
            return _method(what)
    return what


def _method(what: str) -> str:
    """`compute.spawn` beside `compute worker celaje` is `spawn`."""
    _, dot, name = what.partition(".")
    return name if dot else what


def _said_already(node: Node, child: Node) -> bool:
    return child.kind == "rest" and child.what == node.facts.get("request")


def _remarks(node: Node, room: int) -> Iterator[tuple[str, str | None]]:
    """Below the line: how long a message lay, who was tried, what went wrong, how a scheduler decided."""
    facts = node.facts
    if node.waited is not None:
        worked = f", worked {duration(facts['worked'])}" if facts.get("worked") is not None else ""
        yield f"lay {duration(node.waited)} before it was begun{worked}", None
    elif facts.get("request_id") and node.kind in ("step", "undo", "rest"):
        yield from _request(node, room)
    if facts.get("tries"):
        yield f"{facts['tries']} tries", "yellow"
    if facts.get("note"):
        yield from _wrapped(str(facts["note"]), room, "yellow")
    if facts.get("verdict"):
        yield from verdict(facts["verdict"], room)
        return
    if node.error and node.kind not in ("call", "driver"):
        name = facts.get("error_class") or (facts.get("failure") or {}).get("class", "").rpartition(".")[2]
        yield from _wrapped(f"{name}: {node.error}" if name else node.error, room, "red")
    elif node.error:
        yield node.error, "red"


def _request(node: Node, room: int) -> Iterator[tuple[str, str | None]]:
    """Of a REST hop: what was asked, how it was answered, under which id the other service tells of it."""
    facts = node.facts
    asked = f"{short(safe(facts['request']))}  {facts['status']}" if facts.get("request") else ""
    sql = f"{facts['sql']} SQL" if facts.get("sql") is not None else ""
    words = ", ".join(part for part in (asked, sql) if part)
    whole = f"{words}  {facts['request_id']}".strip()
    if len(whole) <= room:
        yield whole, None
        return
    if words:
        yield cut(words, room), None
    if len(facts["request_id"]) <= room:
        yield facts["request_id"], None


def verdict(data: dict[str, Any], room: int) -> Iterator[tuple[str, str | None]]:
    """Each filter: hosts in, hosts out, why. Filters that removed nobody share a line."""
    idle: list[str] = []
    size = max((len(one["name"]) for one in data["filters"] if one["before"] != one["after"]), default=0)

    def passed() -> Iterator[tuple[str, str | None]]:
        if idle:
            yield from _wrapped(f"removed nobody: {', '.join(idle)}", room, None)
            idle.clear()

    noun = "host" if data["considered"] == 1 else "hosts"
    yield f"{data['considered']} {noun} in question", None
    for one in data["filters"]:
        if one["before"] == one["after"]:
            if one["before"]:
                idle.append(one["name"])
            continue
        yield from passed()
        colour = "red" if one["after"] == 0 else None
        yield f"{one['name']:{size}}  {one['before']} → {one['after']}", colour
        for each in one["removed"]:
            others = f" and {each['alike']} alike" if each["alike"] else ""
            yield from _wrapped(f"  {each['host']}{others}: {each['why']}", room, colour)
    yield from passed()
    if data["chosen"]:
        names = [
            each["host"] if each["weight"] is None else f"{each['host']} ({each['weight']:g})"
            for each in data["chosen"]
        ]
        yield from _wrapped(f"best first: {', '.join(names)}", room, None)


def _wrapped(text: str, room: int, colour: str | None) -> Iterator[tuple[str, str | None]]:
    indent = " " * (len(text) - len(text.lstrip()))
    lines = textwrap.wrap(
        safe(text),
        max(30, room),
        initial_indent=indent,
        subsequent_indent=indent + "  ",
        break_on_hyphens=False,
    )
    for line in lines:
        yield line, colour
