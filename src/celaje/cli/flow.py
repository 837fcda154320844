"""`celaje flow`: what a request does, hop by hop, read from what the services write down of themselves."""

import datetime
import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from celaje.cli import terminal
from celaje.cli.configured import check_there
from celaje.cli.failure import Failure
from celaje.cli.state import default_state

# Seconds between two looks of --follow.
_AGAIN = 0.5
# Stories of one resource that are drawn in full.
_IN_FULL = 1


@click.group("flow")
def command() -> None:
    """Follow a request through the components."""


def journal_options(function: Any) -> Any:
    """--state, --config-file and --config-dir: which cloud's journals."""
    for option in (
        click.option("--state", type=click.Path(path_type=Path), help="The cloud's folder."),
        click.option(
            "--config-file",
            "files",
            multiple=True,
            type=click.Path(path_type=Path, dir_okay=False),
            help="Instead of a folder: the configuration that names a cluster's databases; {service} in the "
            "name is each service.",
        ),
        click.option(
            "--config-dir",
            "dirs",
            multiple=True,
            type=click.Path(path_type=Path, file_okay=False),
        ),
    ):
        function = option(function)
    return function


@contextmanager
def opened(state: Path | None, files: tuple[Path, ...], dirs: tuple[Path, ...]) -> Iterator[Any]:
    """The journals, told in two sentences when there are none."""
    from sqlalchemy.exc import DBAPIError

    from celaje import journals
    from celaje.common.errors import CelajeError

    check_there(files, dirs)
    try:
        found = (
            journals.configured(files, dirs) if files or dirs else journals.of_state(state or default_state())
        )
    except CelajeError as error:
        raise Failure(error.message, "Name the cloud's folder with --state DIR.", code=3) from error
    try:
        yield found
    except DBAPIError as error:
        raise Failure(
            f"The journal cannot be read: {error.orig}.",
            "A database of another version of Celaje? `celaje db sync` brings it up to date.",
        ) from error
    finally:
        found.close()


@command.command("show")
@click.argument("identifier", metavar="REQUEST-ID | SERVER-ID | VOLUME-ID | FLOW-ID")
@journal_options
@click.option("--follow", is_flag=True, help="Look again until everything has ended.")
@click.option("--sequence", "as_sequence", is_flag=True, help="In the order of time, component by component.")
@click.option("--all", "everything", is_flag=True, help="Of a resource: all its requests in full.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def show_command(  # noqa: PLR0917 - one argument an option
    identifier: str,
    state: Path | None,
    files: tuple[Path, ...],
    dirs: tuple[Path, ...],
    follow: bool,
    as_sequence: bool,
    everything: bool,
    as_json: bool,
) -> None:
    """One request as a tree, over all services: every hop with its time, and the timeout that would have
    ended it. Of a resource: its latest request, and a line for each earlier one."""
    with opened(state, files, dirs) as journals:
        if follow:
            _follow(journals, identifier, as_sequence, everything, as_json)
            return
        earlier, nodes = stories(journals, identifier, everything)
        if as_json:
            click.echo(json.dumps([node.plain() for node in nodes]))
            return
        show([*listed(earlier), *_drawn(nodes, as_sequence)])


def stories(journals: Any, identifier: str, everything: bool = False) -> tuple[list[Any], list[Any]]:
    """Flows to be listed only, and stories to be told. Raises Failure for an id that no journal knows."""
    from celaje.journals import Storyteller

    teller = Storyteller(journals)
    nodes = teller.of_request(identifier)
    if nodes:
        return [], nodes
    found = teller.find_flow(identifier)
    if found:
        return [], teller.of_flow(*found)
    roots = journals.roots_of(identifier)
    if roots:
        told: list[Any] = []
        for root in roots if everything else roots[-_IN_FULL:]:
            told += Storyteller(journals).of_request(root)
        drawn = {node.facts.get("id") for story in told for node in story.walk()}
        earlier = [found for found in journals.of_resource(identifier) if found[1]["id"] not in drawn]
        return earlier, told
    raise Failure(
        f"No journal knows {identifier}.",
        "Plain reads are not journalled, and old entries are forgotten ([flows] keep, [api] requests_kept). "
        "`celaje flow list` shows what there is.",
        code=4,
    )


def _drawn(nodes: list[Any], as_sequence: bool) -> list[str]:
    from celaje.journals.drawing import tree
    from celaje.journals.sequence import sequence

    return (sequence if as_sequence else tree)(nodes, width())


def show(lines: list[str]) -> None:
    """Print, with colour only where somebody looks at it and wants it."""
    click.echo("\n".join(lines if terminal.in_colour() else map(click.unstyle, lines)))


def width() -> int:
    """Columns to write to; a pipe gets what most terminals have."""
    return min(120, shutil.get_terminal_size((80, 24)).columns)


def _follow(journals: Any, identifier: str, as_sequence: bool, everything: bool, as_json: bool) -> None:
    """On a terminal the picture is drawn anew; elsewhere each change is printed below the one before, for
    machines as one line."""
    from celaje.common import clock

    before: list[str] = []
    while True:
        _, nodes = stories(journals, identifier, everything)
        if as_json:
            lines = [json.dumps([node.plain() for node in nodes])]
        else:
            lines = _drawn(nodes, as_sequence)
        if sys.stdout.isatty() and not as_json:
            click.clear()
            # What does not fit above the last line would scroll the rest away.
            show(lines[-(shutil.get_terminal_size().lines - 1) :])
        elif lines != before:
            show(lines)
        before = lines
        if not any(node.is_open for node in nodes):
            return
        clock.sleep(_AGAIN)


@command.command("list")
@journal_options
@click.option("--running", is_flag=True, help="Not ended: pending, running, waiting, being undone.")
@click.option("--failed", is_flag=True, help="Ended by their way out.")
@click.option("--waiting-on", metavar="WHAT", help="Waiting for a component, a service or a signal.")
@click.option("--older-than", metavar="TIME", help="Submitted longer ago than this: 30s, 10m, 2h, 1d.")
@click.option("--service", help="Of one service.")
@click.option("--resource", metavar="ID", help="Of one server, volume, port, image ...")
@click.option(
    "--limit", default=30, show_default=True, type=click.IntRange(1, 10000), help="The latest so many."
)
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def list_command(  # noqa: PLR0917 - one argument an option
    state: Path | None,
    files: tuple[Path, ...],
    dirs: tuple[Path, ...],
    running: bool,
    failed: bool,
    waiting_on: str | None,
    older_than: str | None,
    service: str | None,
    resource: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """Flows, the latest last."""
    from celaje.common import clock
    from celaje.journals.sources import FLOWS

    columns = FLOWS.flows.c
    conditions: list[Any] = []
    if running and failed:
        raise Failure("--running and --failed exclude each other.", "Give one of them.")
    if running:
        conditions.append(columns.finished_at.is_(None))
    if failed:
        conditions.append(columns.state == "failed")
    if waiting_on:
        conditions += [
            columns.waiting_on.contains(waiting_on, autoescape=True),
            columns.finished_at.is_(None),
        ]
    if older_than:
        conditions.append(columns.created_at < clock.now() - _age(older_than))
    if resource:
        conditions.append(columns.resource_id == resource)
    with opened(state, files, dirs) as journals:
        if service and service not in journals.services:
            raise Failure(f"There is no service {service}.", f"There are: {', '.join(journals.services)}")
        found = journals.flows(*conditions, service=service, newest=limit)[-limit:]
    if as_json:
        click.echo(json.dumps([_plain(*one) for one in found]))
    else:
        show(listed(found) or ["No flow."])


def _age(text: str) -> datetime.timedelta:
    units = {"s": 1, "m": 60, "h": 3600, "d": 86400}
    number, unit = text[:-1], text[-1:]
    if unit.isdigit():
        number, unit = text, "s"
    try:
        return datetime.timedelta(seconds=float(number) * units[unit])
    except (KeyError, ValueError, OverflowError) as error:
        raise Failure(f"--older-than {text} is no time.", "Say 30s, 10m, 2h or 1d.") from error


def _plain(service: str, row: dict[str, Any]) -> dict[str, Any]:
    from celaje.common import clock
    from celaje.common.log import masked

    found = {
        name: clock.iso(value, microseconds=True, zulu=True)
        if isinstance(value, datetime.datetime)
        else value
        for name, value in row.items()
        if name not in ("context", "trail")
    }
    return {"service": service, **masked(found)}


_STATE_COLOURS = {"failed": "red", "waiting": "yellow", "undoing": "yellow", "running": "yellow"}


def listed(flows: list[Any]) -> list[str]:
    """A line a flow; where it waits or why it failed below it."""
    from celaje.common import clock
    from celaje.common.log import mask
    from celaje.journals.words import cut, duration, safe, short

    if not flows:
        return []
    wide = width()
    size = max(len(row["name"]) for _, row in flows)
    lines = ["", click.style(f"  {'submitted':19}  {'flow':{size}}  {'state':8}{'took':>9}", dim=True)]
    for _, row in flows:
        ended = row["finished_at"] or clock.now()
        took = duration((ended - row["created_at"]).total_seconds())
        colour = _STATE_COLOURS.get(row["state"])
        stamp = row["created_at"].isoformat(" ", timespec="seconds")
        state = click.style(f"{row['state']:8}", fg=colour)
        lines.append(f"  {stamp}  {row['name']:{size}}  {state}{took:>9}")
        resource = f"{row['resource_type']} {row['resource_id']}" if row["resource_id"] else ""
        ids = f"    {row['request_id'] or row['id']}  "
        resource = resource if len(ids) + len(resource) <= wide else short(resource)
        lines.append(click.style(ids + cut(resource, wide - len(ids)), dim=True))
        remark = (
            f"waits for {row['waiting_on'].removeprefix('signal:')}"
            if row["waiting_on"] and not row["finished_at"]
            else (row["error"] or {}).get("message", "")
        )
        if remark:
            lines.append("    " + click.style(cut(safe(mask(remark)), wide - 4), fg=colour))
    return [*lines, ""]
