"""`celaje inspect`: the tables that the services are made of, printed. Starts no cloud."""

import json
import shutil
import sys
import textwrap
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

import click

from celaje.cli import anatomy
from celaje.cli.failure import Failure

Cells = Callable[[dict[str, Any]], tuple[str, ...]]

_NARROWEST = 60
_LAST = 30


@click.command("inspect")
@click.argument("table", type=click.Choice(list(anatomy.TABLES)))
@click.argument("service", required=False)
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def command(table: str, service: str | None, as_json: bool) -> None:
    """Print the tables that the services are made of.

    \b
    routes   method, URL, policy rule, microversions
    rpc      messages: call, cast or fanout, timeout, since which version
    states   who owns a passing state, what bounds it, how it ends
    flows    durable operations, their deadlines and versions
    filters  what a scheduler decides by, and its weighers
    """
    if service and service not in anatomy.SERVICES:
        raise Failure(f"There is no service {service}.", f"The services are: {', '.join(anatomy.SERVICES)}")
    found = {
        name: anatomy.TABLES[table](name) for name in ([service] if service else sorted(anatomy.SERVICES))
    }
    if as_json:
        click.echo(json.dumps(found))
        return
    for name, rows in found.items():
        if rows or service:
            noun = _NOUNS[table] if len(rows) != 1 else _NOUNS[table].removesuffix("s")
            click.echo(f"\n{click.style(name, bold=True)}  {click.style(f'{len(rows)} {noun}', dim=True)}")
            _print(table, anatomy.operations(name) if table == "routes" else rows)
    click.echo("")


def _print(table: str, rows: list[dict[str, Any]]) -> None:
    group, headers, lead, cells = _SHAPES[table]
    for title, members in groupby(rows, key=lambda row: row[group] if group else ""):
        if title:
            click.echo(f"\n  {title}")
        click.echo("\n".join(_lines(headers, lead, [cells(row) for row in members], _width())))


_NOUNS = {"routes": "routes", "rpc": "messages", "states": "states", "flows": "flows", "filters": "classes"}


def _route(row: dict[str, Any]) -> tuple[str, ...]:
    path = f"{row['path']} {row['action']}" if row["action"] else row["path"]
    return row["method"], path, _range(row["since"], row["until"]), row["rule"] or "(open to all)"


def _message(row: dict[str, Any]) -> tuple[str, ...]:
    timeout = "-" if row["timeout"] is None else str(row["timeout"])
    return row["kind"], row["since"], timeout, f"{row['message']}({', '.join(row['arguments'])})"


def _state(row: dict[str, Any]) -> tuple[str, ...]:
    ends = ", ".join(row["way_out"])
    return row["state"], ", ".join(row["owners"]), row["deadline"] or "", ends, row["about"]


def _flow(row: dict[str, Any]) -> tuple[str, ...]:
    option = "" if row["default"] == row["deadline"] else str(row["deadline"])
    return row["flow"], str(row["version"]), f"{row['default']:g} s", option, row["about"]


def _filter(row: dict[str, Any]) -> tuple[str, ...]:
    if row["kind"] == "weigher":
        state = f"x {row['default']:g}" if row["default"] else "off"
    else:
        state = "on" if row["default"] else "off"
    return row["name"], state, row["about"]


# table -> (what its rows are grouped by, headers, how many cells lead a row that takes several lines, cells)
_SHAPES: dict[str, tuple[str, tuple[str, ...], int, Cells]] = {
    "routes": ("", ("method", "path", "versions", "rule"), 2, _route),
    "rpc": ("topic", ("kind", "since", "timeout", "message"), 1, _message),
    "states": ("resource", ("state", "owner", "deadline", "way out", "about"), 1, _state),
    "flows": ("", ("flow", "version", "deadline", "option", "about"), 1, _flow),
    "filters": ("kind", ("name", "default", "about"), 1, _filter),
}


def _range(since: str | None, until: str | None) -> str:
    if since and until:
        return f"{since}-{until}"
    return f"{since}-" if since else f"-{until}" if until else ""


def _width() -> int | None:
    """Columns of the terminal; None where there is none: then a row is one line, for grep."""
    return max(_NARROWEST, shutil.get_terminal_size((80, 24)).columns) if sys.stdout.isatty() else None


def _lines(headers: Sequence[str], lead: int, rows: list[tuple[str, ...]], width: int | None) -> list[str]:
    """One line a row where the terminal is wide enough, its last column wrapped; else the first `lead` cells
    and the last one, and below them the others with their names."""
    wide = [max(len(row[at]) for row in [tuple(headers), *rows]) for at in range(len(headers))]
    before = sum(wide[:-1]) + 2 * len(wide)
    last = wide[-1] if width is None else width - before
    if width is None or last >= min(wide[-1], _LAST):
        lines = [click.style(_joined(headers, wide), dim=True)]
        for row in rows:
            first, *more = textwrap.wrap(row[-1], max(1, last), break_on_hyphens=False) or [""]
            lines += [_joined((*row[:-1], first), wide), *(" " * before + part for part in more)]
        return lines
    return [line for row in rows for line in _stacked(headers, lead, row, wide, width)]


def _joined(cells: Sequence[str], wide: Sequence[int]) -> str:
    return "".join(f"  {cell:{size}}" for cell, size in zip(cells, wide, strict=True)).rstrip()


def _stacked(
    headers: Sequence[str], lead: int, row: Sequence[str], wide: Sequence[int], width: int
) -> list[str]:
    padded = (f"  {cell:{size}}" for cell, size in zip(row[:lead], wide, strict=False))
    first = "".join(padded) if lead == 1 else "".join((*list(padded)[:-1], f"  {row[lead - 1]}"))
    indent = " " * 6
    rest = ", ".join(
        f"{name} {cell}"
        for name, cell in list(zip(headers, row, strict=True))[lead:-1]
        if cell not in ("", "-")
    )
    if row[-1] and len(first) + 2 + len(row[-1]) <= width:
        lines = [f"{first}  {row[-1]}"]
    else:
        broken = textwrap.wrap(first, width, subsequent_indent=indent, break_on_hyphens=False)
        lines = [*broken, *_wrapped(row[-1], width, indent)]
    return lines + [click.style(line, dim=True) for line in _wrapped(rest, width, indent)]


def _wrapped(text: str, width: int, indent: str) -> list[str]:
    return textwrap.wrap(text, width, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)
