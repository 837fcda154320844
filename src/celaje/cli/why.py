"""`celaje why`: the reason why a request was refused, a flow failed, or something does not move."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from celaje.cli import terminal
from celaje.cli.failure import Failure
from celaje.cli.flow import journal_options, opened, width


@click.command("why")
@click.argument("identifier", metavar="REQUEST-ID | SERVER-ID | VOLUME-ID | FLOW-ID")
@journal_options
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def command(
    identifier: str, state: Path | None, files: tuple[Path, ...], dirs: tuple[Path, ...], as_json: bool
) -> None:
    """Why is this server in ERROR, this volume stuck, this request refused?

    For a refusal: the policy rule and the missing role, the quota with limit and usage, the state that did
    not allow it. For a failed build: each filter of the scheduler, with its numbers.
    """
    from celaje.journals.reasons import Reasons

    with opened(state, files, dirs) as journals:
        found = Reasons(journals).of(identifier)
    if not found:
        raise Failure(
            f"No journal knows {identifier}.",
            "What was never refused and has no flow leaves no trace, and old entries are forgotten "
            "([flows] keep, [api] requests_kept).",
            code=4,
        )
    if as_json:
        click.echo(json.dumps([reason.plain() for reason in found]))
        return
    terminal.show(line for reason in found for line in _page(reason))


def _page(reason: Any) -> Iterator[str]:
    from celaje.journals.drawing import verdict

    yield ""
    yield from (
        terminal.bold(line) for line in terminal.wrapped(reason.title, "    ", first="", size=width())
    )
    yield ""
    tone = terminal.good if reason.kind in ("fine", "state") else terminal.warning
    tone = terminal.bad if reason.kind not in ("fine", "state", "waiting") else tone
    yield from (tone(line) for line in terminal.wrapped(reason.because, "  ", size=width()))
    yield ""
    yield from terminal.facts(reason.facts)
    if reason.verdict:
        yield ""
        for text, colour in verdict(reason.verdict, width() - 2):
            yield f"  {terminal.bad(text) if colour else text}"
    yield ""
    yield from (f"  {terminal.dim(line)}" for line in reason.then)
    yield ""
