"""`celaje logs`: what all services logged for one request, flow or resource, in the order of time."""

import json
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from celaje.cli import terminal
from celaje.cli.failure import Failure
from celaje.cli.state import default_state

# One colour a service, so that the eye follows the hops.
_COLOURS = {
    "compute": "cyan",
    "volume": "magenta",
    "network": "green",
    "image": "yellow",
    "placement": "blue",
}
_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


@click.command("logs")
@click.argument("identifier", metavar="REQUEST-ID | FLOW-ID | SERVER-ID | VOLUME-ID")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option(
    "--state", type=click.Path(path_type=Path), help="The cloud's folder, where no FILES are given."
)
@click.option(
    "--level",
    type=click.Choice(_LEVELS, case_sensitive=False),
    default="DEBUG",
    help="Leave out what is less serious.",
)
@click.option("--json", "as_json", is_flag=True, help="For machines: one object a line.")
def command(identifier: str, files: tuple[Path, ...], state: Path | None, level: str, as_json: bool) -> None:
    """The log lines of one request over all services, in the order of time.

    Reads the log of the cloud's folder with its older parts, or the FILES given: logs of several machines,
    plain or JSON.
    """
    from celaje.journals import loglines

    folder = state or default_state()
    chosen = list(files) or loglines.of_folder(folder)
    if not chosen:
        raise Failure(
            f"There is no log in {folder}.", "Name the cloud's folder with --state DIR, or log files."
        )
    least = _LEVELS.index(level.upper())
    try:
        found = loglines.collect(chosen, identifier)
    except OSError as error:
        raise Failure(f"{error.filename} cannot be read: {error.strerror}.") from error
    found = [entry for entry in found if entry.level not in _LEVELS[:least]]
    if not found:
        raise Failure(
            f"No line speaks of {identifier}.",
            "Plain reads are logged with --debug only, and old parts of the log are thrown away.",
            code=4,
        )
    if as_json:
        for entry in found:
            click.echo(json.dumps(entry.plain()))
        return
    terminal.show(_page(found))


def _page(entries: list[Any]) -> Iterator[str]:
    from celaje.journals.words import safe

    size = max(len(_where(entry)) for entry in entries)
    day = ""
    for entry in entries:
        if entry.time[:10] != day:
            day = entry.time[:10]
            yield terminal.dim(f"{day} UTC")
        colour = _COLOURS.get(_where(entry).partition("-")[0])
        where = f"{_where(entry):{size}}"
        if colour and terminal.in_colour():
            where = click.style(where, fg=colour)
        style: Callable[[str], str] = str
        message = safe(entry.message)
        if entry.level in ("ERROR", "CRITICAL"):
            message, style = f"{entry.level} {message}", terminal.bad
        elif entry.level == "WARNING":
            message, style = f"{entry.level} {message}", terminal.warning
        first, *more = _broken(message, 12 + 2 + size + 2)
        yield f"{terminal.dim(entry.time[11:])}  {where}  {style(first)}"
        yield from (f"{'':{12 + 2 + size + 2}}{style(line)}" for line in more)
        for line in entry.more:
            yield terminal.dim(f"{'':12}  {safe(line.expandtabs(4))}")


def _broken(message: str, before: int) -> list[str]:
    """Lines beside the time and the component, on a terminal; elsewhere one, for grep."""
    wide = terminal.width()
    if wide is None:
        return [message]
    return textwrap.wrap(message, max(30, wide - before), break_on_hyphens=False, break_long_words=False) or [
        ""
    ]


def _where(entry: Any) -> str:
    """The component; of a line outside of any, the logger's service."""
    return entry.component or entry.logger.removeprefix("celaje.").partition(".")[0]
