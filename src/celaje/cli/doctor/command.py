"""`celaje doctor`: runs every check, prints what was found and what to do; its exit code says how bad."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace

import click

from celaje.cli import terminal
from celaje.cli.configured import Configured, where
from celaje.cli.doctor import broker, files, machine, numbers, policies, safety, stores
from celaje.cli.doctor.examination import ERROR, NOTE, WARNING, Examination, Finding

Check = Callable[[Examination], Iterator[Finding]]

# name -> (the check, what it makes sure of)
CHECKS: dict[str, tuple[Check, str]] = {
    "values": (files.values, "every value can be read"),
    "unknown keys": (files.unknown_keys, "every key is read by somebody"),
    "back ends": (files.back_ends, "back ends and their sections fit"),
    "inheritance": (files.inheritance, "shared settings reach all back ends"),
    "order": (files.order, "no line is overridden by another"),
    "old names": (files.old_names, "no key has an old name"),
    "readable secrets": (files.readable_secrets, "no password in a file for all"),
    "policy": (policies.policies, "policy files are there and can be used"),
    "connections": (numbers.connections, "every thread finds a database connection"),
    "heartbeats": (numbers.heartbeats, "down times are several heartbeats long"),
    "timeouts": (numbers.timeouts, "whoever waits, waits longer than what they wait for"),
    "databases": (stores.schemas, "databases are there and have this version's schema"),
    "clocks": (stores.clocks, "services are seen, and their clocks agree"),
    "broker": (broker.reachable, "the message broker can be reached"),
    "permissions": (safety.permissions, "secrets are their owner's alone"),
    "keys": (safety.keys, "the keys of tokens are there"),
    "volume keys": (safety.volume_keys, "encrypted volumes can be opened"),
    "guests": (machine.guests, "this machine can run what compute_driver asks for"),
    "volume tools": (machine.back_ends, "back ends have the programs that they need"),
    "image stores": (machine.image_stores, "stores have the programs that they need"),
    "room": (machine.room, "there is room on the disks"),
}
_ORDER = (ERROR, WARNING, NOTE)
_CODES = {ERROR: 2, WARNING: 1, NOTE: 0}


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@where
def command(as_json: bool, configured: Configured) -> None:
    """Look for what is wrong: in configuration files, databases, keys, the broker, this machine.

    Changes nothing. The exit code is 0 when nothing worse than a note was found, 1 with warnings, 2 with
    errors.
    """
    found = examine(configured)
    if as_json:
        click.echo(json.dumps([asdict(one) for one in found]))
    else:
        terminal.show(_lines(configured, found))
    raise SystemExit(max((_CODES[one.severity] for one in found), default=0))


def examine(configured: Configured) -> list[Finding]:
    """Every finding, the worst first."""
    exam = Examination(configured)
    found = [replace(one, check=name) for name, (check, _) in CHECKS.items() for one in check(exam)]
    return sorted(found, key=lambda one: _ORDER.index(one.severity))


def _lines(configured: Configured, found: list[Finding]) -> list[str]:
    subject = [("state", str(configured.state))] if configured.state else []
    subject += [("file", str(path)) for path in configured.files]
    subject += [("folder", str(path)) for path in configured.dirs]
    lines = ["", *terminal.facts(subject or [("files", "none: defaults are examined")]), ""]
    for finding in found:
        lines += [*_finding(finding), ""]
    ill = {finding.check for finding in found}
    lines += [
        f"  {terminal.good('ok')}       {about}" for name, (_, about) in CHECKS.items() if name not in ill
    ]
    counts = Counter(finding.severity for finding in found)
    told = [f"{counts[one]} {one}{'s' if counts[one] != 1 else ''}" for one in _ORDER if counts[one]]
    return [*lines, "", f"  {', '.join(told) if told else 'Nothing is wrong.'}", ""]


_STYLES = {ERROR: terminal.bad, WARNING: terminal.warning, NOTE: terminal.dim}


def _finding(finding: Finding) -> list[str]:
    indent = " " * 11
    head = terminal.wrapped(finding.what, indent, first=f"  {finding.severity:9}")
    lines = [_STYLES[finding.severity](head[0][:11]) + terminal.bold(head[0][11:])]
    lines += [terminal.bold(line) for line in head[1:]]
    lines += [terminal.dim(line) for line in terminal.wrapped(finding.where, indent)]
    lines += terminal.wrapped(finding.why, indent)
    if finding.do:
        lines += terminal.wrapped(finding.do, indent + "   ", first=f"{indent}-> ")
    return lines
