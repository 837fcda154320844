"""`celaje timeouts`: the chain of waits in force, what ends first, and what a slow hop would cause."""

import json
import re
from pathlib import Path
from typing import Any

import click

from celaje.cli import terminal
from celaje.cli.chain import client, haproxy
from celaje.cli.chain.links import ENDS, Builder, Chain, Link
from celaje.cli.chain.operations import OPERATIONS
from celaje.cli.chain.rules import Verdict, duration, is_sound, verdicts
from celaje.cli.chain.simulation import ENDLESS, Played, Simulation
from celaje.cli.configured import Configured, where
from celaje.cli.failure import Failure

_SLOW = re.compile(r"([a-z-]+)=([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)?")
_UNITS = {"ms": 1e-3, "s": 1.0, None: 1.0, "m": 60.0, "h": 3600.0}


@click.command("timeouts")
@click.argument("operation", required=False)
@click.option(
    "--haproxy", "haproxy_file", type=click.Path(path_type=Path, dir_okay=False), help="haproxy.cfg."
)
@click.option("--clouds", type=click.Path(path_type=Path, dir_okay=False), help="The client's clouds.yaml.")
@click.option("--os-cloud", "cloud", envvar="OS_CLOUD", default="celaje", help="Which cloud in it.")
@click.option(
    "--simulate", "slow", multiple=True, metavar="HOP=TIME", help="What if: backend=90s, wiring=2m."
)
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@where
def command(  # noqa: PLR0917 - one argument an option
    operation: str | None,
    haproxy_file: Path | None,
    clouds: Path | None,
    cloud: str,
    slow: tuple[str, ...],
    as_json: bool,
    configured: Configured,
) -> None:
    """Print who waits how long for whom, and what happens when a wait ends first.

    OPERATION is attach, create-server, create-volume or upload-image; all of them when left out. Everything
    is read from the code and the configuration in force. The exit code is 1 where somebody leaves before
    those they wait for, and, with --simulate, where the operation would fail.
    """
    chains = _chains(operation, configured, haproxy_file, clouds, cloud)
    delays = _delays(slow, chains)
    told = [_told(chain, delays) for chain in chains]
    if as_json:
        click.echo(json.dumps([_plain(one) for one in told]))
    else:
        for one in told:
            terminal.show(_lines(one))
        terminal.show(["", *_summary(told, delays)])
    if any(not one["sound"] or (one["played"] and one["played"].error) for one in told):
        raise SystemExit(1)


def _chains(
    operation: str | None,
    configured: Configured,
    haproxy_file: Path | None,
    clouds: Path | None,
    cloud: str,
) -> list[Chain]:
    from celaje.common.errors import ConfigurationError

    wanted = {name: known for name, known in OPERATIONS.items() if operation in (None, name, known.flow)}
    if not wanted:
        raise Failure(f"There is no chain of {operation}.", f"Known are: {', '.join(OPERATIONS)}")
    try:
        proxies = haproxy.read(haproxy_file) if haproxy_file else None
        file = clouds or client.usual(configured.state)
        if clouds is None and file and cloud not in client.clouds(file):
            file = None
        builder = Builder(configured, proxies, file, cloud)
        return [builder.build(name, known) for name, known in wanted.items()]
    except ConfigurationError as error:
        raise Failure(error.message) from error


def _delays(slow: tuple[str, ...], chains: list[Chain]) -> dict[str, float]:
    hops = list(dict.fromkeys(hop for chain in chains for hop in chain.hops))
    found = {}
    for text in slow:
        match = _SLOW.fullmatch(text)
        if match is None:
            raise Failure(f"--simulate {text} is not HOP=TIME.", "For example: --simulate backend=90s")
        if match[1] not in hops:
            raise Failure(f"No hop here is called {match[1]}.", f"The hops are: {', '.join(hops)}")
        found[match[1]] = float(match[2]) * _UNITS[match[3]]
    return found


def _told(chain: Chain, delays: dict[str, float]) -> dict[str, Any]:
    judged = verdicts(chain)
    mine = {hop: seconds for hop, seconds in delays.items() if hop in chain.hops}
    return {
        "chain": chain,
        "verdicts": judged,
        "sound": is_sound(judged),
        "hanging": {hop: Simulation(chain, {hop: ENDLESS}).play() for hop in chain.hops},
        "played": Simulation(chain, mine).play() if mine else None,
        "slow": mine,
    }


# For people.


def _lines(one: dict[str, Any]) -> list[str]:
    chain: Chain = one["chain"]
    method, path = chain.operation.request
    lines = ["", f"{terminal.bold(chain.name)}  {terminal.dim(f'{method} {path}')}", ""]
    for depth, link in chain.root.walk():
        lines += _link(link, depth)
    lines += ["", "  when a wait ends first", "", *_endings(chain)]
    lines += ["", "  beside the way", ""]
    lines += [line for link in chain.beside for line in _link(link, 0)]
    lines += ["", "  if it never answers", ""]
    for hop, played in one["hanging"].items():
        lines += _hanging(hop, played)
    for note in chain.notes:
        lines += ["", *terminal.wrapped(note, "  ")]
    if one["played"]:
        lines += ["", *_played(one["slow"], one["played"])]
    if one["verdicts"]:
        lines.append("")
    return lines + [line for verdict in one["verdicts"] for line in _verdict(verdict)]


def _link(link: Link, depth: int) -> list[str]:
    """The wait and its end; below, where that stands, and what comes of it."""
    indent = "  " * (depth + 1)
    if link.kind == "checkpoint":
        return [terminal.dim(f'{indent}-- "{link.what}": the client is answered here, the rest goes on --')]
    end = duration(link.seconds) if link.seconds is not None else "no end"
    hop = f" [{link.hop}]" if link.hop else ""
    text = f"{indent}{link.who}: {link.what}{hop}"
    room = terminal.USUAL - len(end) - 1
    first, *more = terminal.wrapped(text.strip(), indent + "    ", first=indent, size=room)
    shown = end if link.seconds is not None else terminal.dim(end)
    lines = [terminal.padded(first, room + 1) + shown, *more]
    if link.seconds is None and not link.option:
        return lines
    about = f"{link.option}, {link.origin}" if link.option else link.origin
    return lines + [
        terminal.dim(line) for line in terminal.wrapped(about, indent + "    ", size=terminal.USUAL)
    ]


def _endings(chain: Chain) -> list[str]:
    kinds = dict.fromkeys(link.kind for link in chain.links if link.ends)
    return terminal.facts([(_KINDS[kind], ENDS[kind]) for kind in kinds])


_KINDS = {
    "client": "client",
    "balancer": "HAProxy",
    "api": "an API",
    "flow": "a flow",
    "call": "a call",
    "rest": "another API",
    "driver": "a driver",
}


def _hanging(hop: str, played: Played) -> list[str]:
    first = played.first
    if first is None:
        words = "nothing ends the wait but the end of the process."
    else:
        name = first.option or first.what
        words = f"{name} ends first ({first.who}, {duration(first.seconds)}). {_outcome(played)}"
    return terminal.wrapped(words, " " * 20, first=f"  {hop:16}  ", size=terminal.USUAL)


def _outcome(played: Played) -> str:
    answer = f"The client sees {played.answer}"
    answer += f" after {duration(played.answered_at)}; " if played.answered_at else " at once; "
    if played.ends == ENDLESS:
        return f"{answer}the operation has no end: nothing in it stops waiting."
    if played.error:
        return f"{answer}the operation has failed after {duration(played.ends)} ({played.error})."
    return f"{answer}the operation succeeds after {duration(played.ends)}."


def _played(slow: dict[str, float], played: Played) -> list[str]:
    what = ", ".join(f"{hop} takes {duration(seconds)}" for hop, seconds in slow.items())
    lines = [f"  {terminal.bold(f'if {what}')}", ""]
    for event in played.events:
        if event.at < ENDLESS:
            lines += terminal.wrapped(
                event.words, " " * 14, first=f"  {event.at:8.0f} s  ", size=terminal.USUAL
            )
    style = terminal.bad if played.error else terminal.good
    outcome = terminal.wrapped(_outcome(played), "  ", size=terminal.USUAL)
    return [*lines, *([""] if len(lines) > 2 else []), *(style(line) for line in outcome)]


def _verdict(verdict: Verdict) -> list[str]:
    mark = "  note    " if verdict.tie else "  unsound "
    style = terminal.dim if verdict.tie else terminal.bad
    lines = terminal.wrapped(str(verdict), " " * 10, first=mark, size=terminal.USUAL)
    return [style(lines[0][:10]) + lines[0][10:], *lines[1:]]


def _summary(told: list[dict[str, Any]], delays: dict[str, float]) -> list[str]:
    wrong = sum(not verdict.tie for one in told for verdict in one["verdicts"])
    if wrong:
        return [terminal.bad(f"  The order is not sound in {wrong} place{'s' if wrong > 1 else ''}.")]
    words = "The order is sound: whoever waits, waits longer than what they wait for."
    if not delays:
        hops = ", ".join(dict.fromkeys(hop for one in told for hop in one["chain"].hops))
        return [terminal.good(f"  {words}"), *terminal.wrapped(f"Try --simulate HOP=TIME with {hops}.", "  ")]
    return [terminal.good(f"  {words}")]


# For machines.


def _plain(one: dict[str, Any]) -> dict[str, Any]:
    chain: Chain = one["chain"]
    return {
        "operation": chain.name,
        "flow": chain.operation.flow,
        "request": " ".join(chain.operation.request),
        "sound": one["sound"],
        "links": [{"depth": depth, **_fields(link)} for depth, link in chain.root.walk()],
        "beside": [_fields(link) for link in chain.beside],
        "verdicts": [
            {"outer": _fields(v.outer), "inner": _fields(v.inner), "tie": v.tie, "words": str(v)}
            for v in one["verdicts"]
        ],
        "hanging": {hop: _result(played) for hop, played in one["hanging"].items()},
        "simulated": {"slow": one["slow"], **_result(one["played"])} if one["played"] else None,
    }


def _fields(link: Link) -> dict[str, Any]:
    names = ("kind", "who", "what", "seconds", "option", "origin", "hop", "ends")
    return {name: getattr(link, name) for name in names}


def _result(played: Played) -> dict[str, Any]:
    def finite(value: float) -> float | None:
        return None if value == ENDLESS else value

    return {
        "answer": played.answer,
        "answered_at": finite(played.answered_at),
        "ends": finite(played.ends),
        "error": played.error,
        "first": _fields(played.first) if played.first else None,
        "events": [{"at": event.at, "words": event.words} for event in played.events if event.at < ENDLESS],
    }
