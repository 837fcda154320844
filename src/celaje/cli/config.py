"""`celaje config`: what an option is, which value is in force and who set it, and a file to begin with."""

import importlib
import json
from typing import Any

import click

from celaje.cli import option_catalog, terminal
from celaje.cli.configured import SERVICES, Configured, check_service, where
from celaje.cli.failure import Failure
from celaje.cli.option_catalog import Entry

_HIDDEN = "***"


@click.group("config")
def command() -> None:
    """Explain options, show the values in force and where they come from, print a sample file."""


@command.command("sample")
@click.argument("service")
def sample_command(service: str) -> None:
    """Print a commented configuration file of SERVICE, every option at its default."""
    from celaje.common.conf import load
    from celaje.common.conf.sample import sample

    check_service(service)
    conf = load(service, importlib.import_module(f"celaje.{service}.conf").OPTIONS)
    click.echo(f"# Options of the {service} service with their defaults: `celaje config sample {service}`.")
    click.echo("# Take the # away from what you change; `celaje config explain KEY` tells more.\n")
    click.echo(conf.sample(), nl=False)
    own = [entry.option for entry in option_catalog.entries() if entry.backend and service in entry.services]
    if own:
        click.echo("\n# A back end: the name is yours, and is listed in enabled_backends. What stands in")
        click.echo(
            "# [backend_defaults] or [DEFAULT] holds for every back end that does not say otherwise.\n"
        )
        lines = sample({"name-of-the-back-end": own}).splitlines()
        click.echo("\n".join(f"#{line}" if line.startswith("[") else line for line in lines))


@command.command("show")
@click.argument("service", required=False)
@click.option("--changed", is_flag=True, help="Only what is not at its default.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@where
def show_command(service: str | None, changed: bool, as_json: bool, configured: Configured) -> None:
    """Show the values in force, and where each comes from. Secrets are not shown."""
    check_service(service)
    names = [service] if service else list(SERVICES)
    found = {name: settings(configured.checked(name)) for name in names}
    if changed:
        found = {name: [row for row in rows if row["origin"] != "default"] for name, rows in found.items()}
    if as_json:
        click.echo(json.dumps(found, default=str))
        return
    terminal.show(_header(configured))
    if not service:
        shared = [row for row in found["identity"] if all(row in rows for rows in found.values())]
        _print("all services", shared)
        found = {name: [row for row in rows if row not in shared] for name, rows in found.items()}
    for name, rows in found.items():
        _print(name, rows)
    if changed and not any(found.values()):
        click.echo("  Everything is at its default.")
    click.echo("")


@command.command("explain")
@click.argument("key")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@where
def explain_command(key: str, as_json: bool, configured: Configured) -> None:
    """Tell what KEY is: `rpc_response_timeout`, `database.max_pool_size`, `"[api] max_limit"`."""
    entries = option_catalog.named(key)
    if not entries:
        close = option_catalog.nearest(key)
        raise Failure(
            f"No service reads {key}.",
            f"Did you mean {close}? celaje config explain {close}" if close else "",
        )
    told = [explain(entry, configured) for entry in entries]
    if as_json:
        click.echo(json.dumps(told, default=str))
        return
    for one in told:
        terminal.show(_explained(one))
    click.echo("")


def settings(conf: Any) -> list[dict[str, Any]]:
    """section, key, value (secrets hidden), origin, overridden (places that were set and lost)."""
    rows = []
    for group, key in conf:
        if group == "backend_defaults" or (group is None and _is_backends(conf, key)):
            continue
        rows.append(_setting(conf, group, key))
    return rows


def _setting(conf: Any, group: str | None, key: str) -> dict[str, Any]:
    value, origin = conf.origin(group, key)
    places = conf.overridden(group, key)
    return {
        "section": group or "DEFAULT",
        "key": key,
        "value": _HIDDEN if conf.option(group, key).secret and value is not None else value,
        "origin": origin,
        "overridden": [place for place in places if place != origin],
    }


def _is_backends(conf: Any, key: str) -> bool:
    """Registered in [DEFAULT] only because back ends inherit from there."""
    return any(key in backend for backend in conf.backends.values()) and not any(
        entry.option.dest == key and entry.section is None and not entry.backend
        for entry in option_catalog.entries()
    )


def explain(entry: Entry, configured: Configured) -> dict[str, Any]:
    from celaje.common.conf.sample import default_of, limits_of

    option = entry.option
    readers = option_catalog.readers(entry)
    hanging = option_catalog.hangs_on(option.dest)
    return {
        "key": option.dest,
        "section": "<back end>" if entry.backend else entry.section or "DEFAULT",
        "about": option.help or "",
        "type": limits_of(option),
        "default": default_of(option),
        "older_names": [f"[{old.group or entry.section or 'DEFAULT'}] {old.name or option.dest}"
                        for old in option.deprecated_opts],
        "declared_by": list(entry.services),
        "read_by": _read_by(entry, readers, hanging),
        "read_at": [str(reader) for reader in readers],
        "hangs_on_it": dict(hanging),
        "values": _values(entry, configured),
    }  # fmt: skip


def _read_by(entry: Entry, readers: list[Any], hanging: list[tuple[str, list[str]]]) -> list[str]:
    parts = {reader.part for reader in readers}
    if "common" in parts:
        return list(entry.services)
    calls = {text.partition(":")[0] for kind, several in hanging if kind == "calls" for text in several}
    return [name for name in entry.services if name in parts | calls]


def _values(entry: Entry, configured: Configured) -> list[dict[str, Any]]:
    """One row for each value in force: services (or back end), value, origin, and what it overrode."""
    from celaje.common.conf.files import value_at

    rows: list[dict[str, Any]] = []
    for service in entry.services:
        conf = configured.checked(service)
        groups = list(conf.backends) if entry.backend else [entry.section]
        for group in groups:
            if entry.backend and entry.option.dest not in conf.backends[group]:
                continue
            row = _setting(conf, group, entry.option.dest)
            # What is said in a file that another one overrode.
            lost = [
                {"place": at, "value": _HIDDEN if entry.option.secret else value_at(at)}
                for at in row["overridden"]
            ]
            who = f"[{group}]" if entry.backend else service
            new = {"for": [who], "value": row["value"], "origin": row["origin"], "overrode": lost}
            same = [old for old in rows if {**old, "for": 0} == {**new, "for": 0}]
            if same:
                same[0]["for"].append(who)
            else:
                rows.append(new)
    return rows


def _header(configured: Configured) -> list[str]:
    pairs = []
    if configured.state:
        pairs.append(("state", str(configured.state)))
    pairs += [("file" if not at else "", str(path)) for at, path in enumerate(configured.files)]
    pairs += [("folder" if not at else "", str(path)) for at, path in enumerate(configured.dirs)]
    if not configured.files and not configured.dirs:
        pairs.append(("files", "none"))
    return ["", *terminal.facts(pairs)]


def _print(title: str, rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    terminal.show(["", terminal.bold(title)])
    for section in dict.fromkeys(row["section"] for row in rows):
        members = [row for row in rows if row["section"] == section]
        terminal.show(["", f"  [{section}]", *_lines(members)])


def _lines(rows: list[dict[str, Any]]) -> list[str]:
    key_size = min(34, max(len(row["key"]) for row in rows))
    lines = []
    for row in rows:
        value = _shown(row["value"])
        head = f"  {row['key']:{key_size}}  "
        if row["origin"] == "default":
            lines += terminal.wrapped(value, " " * len(head), first=head) or [head]
            continue
        # What was set stands out; it is what one looks for.
        lines += [
            terminal.bold(line) for line in terminal.wrapped(value, " " * len(head), first=head) or [head]
        ]
        lines += [terminal.dim(f"{' ' * len(head)}{row['origin']}")]
        lines += [terminal.dim(f"{' ' * len(head)}overrode {place}") for place in reversed(row["overridden"])]
    return lines


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "-"
    if isinstance(value, float):
        return f"{value:g}"
    return str(value) if value != "" else "-"


def _explained(one: dict[str, Any]) -> list[str]:
    section = terminal.dim(f"in [{one['section']}]")
    lines = ["", f"{terminal.bold(one['key'])}  {section}", ""]
    lines += [*terminal.wrapped(one["about"], "  "), ""]
    pairs = [("type", one["type"]), ("default", one["default"])]
    pairs += [("once", name) for name in one["older_names"]]
    for row in one["values"]:
        whom = "" if len(one["values"]) == 1 else f"  ({', '.join(row['for'])})"
        pairs.append(("in force", f"{_shown(row['value'])}{whom}"))
        pairs.append(("  from", row["origin"]))
        pairs += [("  overrode", f"{lost['value']} at {lost['place']}") for lost in reversed(row["overrode"])]
    if not one["values"]:
        pairs.append(("in force", "nowhere: no back end has this option"))
    every = sorted(one["declared_by"]) == sorted(SERVICES)
    readers = "every service" if sorted(one["read_by"]) == sorted(SERVICES) else ", ".join(one["read_by"])
    pairs.append(("read by", readers or ("whoever needs it" if every else ", ".join(one["declared_by"]))))
    pairs += [("" if at else "in", place) for at, place in enumerate(_by_file(one["read_at"]))]
    for kind, several in one["hangs_on_it"].items():
        pairs.append((kind, "; ".join(_by_service(several))))
    return lines + terminal.facts(pairs)


def _by_file(places: list[str], most: int = 4) -> list[str]:
    files: dict[str, list[str]] = {}
    for place in places:
        file, _, line = place.rpartition(":")
        files.setdefault(file, []).append(line)
    shown = [f"{file}:{', '.join(lines)}" for file, lines in list(files.items())[:most]]
    return [*shown, f"and in {len(files) - most} more files"] if len(files) > most else shown


def _by_service(several: list[str]) -> list[str]:
    groups: dict[str, list[str]] = {}
    for text in several:
        service, sign, name = text.partition(": ")
        groups.setdefault(service if sign else "", []).append(name if sign else text)
    return [
        f"{service}: {', '.join(names)}" if service else ", ".join(names) for service, names in groups.items()
    ]
