"""`celaje inspect`: the tables that the services are made of, printed. Starts no cloud."""

import json
from collections.abc import Callable
from itertools import groupby
from typing import Any

import click

from celaje.cli import anatomy, terminal
from celaje.cli.failure import Failure

Cells = Callable[[dict[str, Any]], tuple[str, ...]]


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
            click.echo(f"\n{terminal.bold(name)}  {terminal.dim(f'{len(rows)} {noun}')}")
            _print(table, _joined(anatomy.operations(name)) if table == "routes" else rows)
    click.echo("")


_PROJECT = "/{project_id}"


def _joined(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """By resource; rows that differ only in whether the project stands in the path as one."""
    keys = {_key(row) for row in rows}
    found = []
    for row in rows:
        version, slash, after = row["path"][1:].partition("/")
        # Right behind the version it is the caller's own; elsewhere it is what the request is about.
        if f"/{after}".startswith(f"{_PROJECT}/"):
            without = f"/{version}{f'/{after}'.removeprefix(_PROJECT)}"
            if _key({**row, "path": without}) in keys:
                continue
        both = _key({**row, "path": f"/{version}{_PROJECT}/{after}"}) in keys if slash else False
        path = f"/{version}[{_PROJECT}]/{after}" if both else row["path"]
        found.append({**row, "path": path, "resource": _resource(row["path"])})
    order = list(dict.fromkeys(row["resource"] for row in found))
    return sorted(found, key=lambda row: order.index(row["resource"]))


def _key(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["method"], row["path"], row["action"], row["since"], row["until"]


def _resource(path: str) -> str:
    """The first word that is neither a version nor an id: `volumes` of /v3/volumes/{volume_id}."""
    words = [word for word in path.split("/") if word and not word.startswith("{")]
    named = [word for word in words if not (word[0] == "v" and word[1:2].isdigit())]
    return named[0] if named else "versions"


def _print(table: str, rows: list[dict[str, Any]]) -> None:
    group, headers, lead, cells = _SHAPES[table]
    for title, members in groupby(rows, key=lambda row: row[group] if group else ""):
        if title:
            click.echo(f"\n  {title}")
        terminal.show(terminal.table(headers, lead, [cells(row) for row in members], terminal.width()))


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
    "routes": ("resource", ("method", "path", "versions", "rule"), 2, _route),
    "rpc": ("topic", ("kind", "since", "timeout", "message"), 1, _message),
    "states": ("resource", ("state", "owner", "deadline", "way out", "about"), 1, _state),
    "flows": ("", ("flow", "version", "deadline", "option", "about"), 1, _flow),
    "filters": ("kind", ("name", "default", "about"), 1, _filter),
}


def _range(since: str | None, until: str | None) -> str:
    if since and until:
        return f"{since}-{until}"
    return f"{since}-" if since else f"-{until}" if until else ""
