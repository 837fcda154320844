"""Checks of the configuration files: what nobody reads, what stands in the wrong place, who overrode whom."""

import os
from collections.abc import Iterator
from typing import Any

from celaje.cli import option_catalog
from celaje.cli.doctor.examination import ERROR, NOTE, WARNING, Examination, Finding, placed


def values(exam: Examination) -> Iterator[Finding]:
    """Values that their options do not take, files that cannot be read."""
    seen = set()
    for error in exam.broken.values():
        if error.message not in seen:
            seen.add(error.message)
            where, what = placed(error.message)
            yield Finding(ERROR, what, where, "No service starts with it.", "Mend the value.")


def unknown_keys(exam: Examination) -> Iterator[Finding]:
    """Keys that nobody reads, and real ones in the wrong section."""
    conf = exam.any_conf
    if conf is None:
        return
    strict = any(one.strict_config for one in exam.confs.values())
    severity = ERROR if strict else WARNING
    refused = "strict_config is on: no service starts." if strict else "The setting has no effect."
    for item in conf.unknown_keys(_known(), _backend_options()):
        where = f"{item.file}:{item.line}"
        section, _, key = (item.nearest or "").rpartition(".")
        if key == item.key:
            yield Finding(
                severity,
                f"{item.key} stands in [{item.section}], where nobody reads it.",
                where,
                refused,
                f"Move it to [{section}].",
            )
        else:
            hint = f"Write [{section}] {key}, or remove it." if key else "Remove it."
            yield Finding(severity, f"Nobody reads [{item.section}] {item.key}.", where, refused, hint)


def back_ends(exam: Examination) -> Iterator[Finding]:
    """Sections that no back end has, and back ends that have no section."""
    conf = exam.confs.get("volume")
    if conf is None:
        return
    from celaje.common.conf.files import normal

    sections = {normal(section) for section in conf.sections()}
    places = {normal(item.section): item.place for item in reversed(conf.assignments)}
    listed, origin = conf.origin(None, "enabled_backends")
    for name in listed:
        # What nobody wrote is the drivers' that `celaje up` chose.
        if normal(name) not in sections and origin not in ("celaje up", "default"):
            yield Finding(
                WARNING,
                f"enabled_backends names {name}, but there is no section [{name}].",
                origin,
                "The back end runs with defaults only: files below state_path.",
                f"Write [{name}] with its volume_driver, or take the name out.",
            )
    groups = {normal(entry.section) for entry in option_catalog.entries() if entry.section}
    known = {"DEFAULT", "backend_defaults", *groups, *(normal(name) for name in conf.backends)}
    keys = {option.dest for option in _backend_options()}
    for section in sorted(sections - known):
        mine = {item.key for item in conf.assignments if normal(item.section) == section}
        if mine & keys:
            yield Finding(
                WARNING,
                f"[{section}] describes a back end that enabled_backends does not name.",
                places[section],
                "No worker drives it; its volumes cannot be reached.",
                f"Add {section} to enabled_backends in [DEFAULT].",
            )


def inheritance(exam: Examination) -> Iterator[Finding]:
    """Which back ends a key of [DEFAULT] or [backend_defaults] reaches, and which it does not."""
    conf = exam.confs.get("volume")
    if conf is None or not conf.backends:
        return
    from celaje.common.conf.backend import SHARED
    from celaje.common.conf.files import normal

    keys = {option.dest for option in _backend_options()}
    for item in conf.assignments:
        section = normal(item.section)
        if section not in ("DEFAULT", SHARED) or item.key not in keys:
            continue
        group = None if section == "DEFAULT" else SHARED
        having = {name: backend for name, backend in conf.backends.items() if item.key in backend}
        reached = [name for name, backend in having.items() if backend.source(item.key) == group]
        missed = [name for name in having if name not in reached]
        if not missed and reached:
            continue
        reach = f"It reaches {', '.join(reached)}." if reached else "It reaches no back end."
        what = f"[{item.section}] {item.key} does not reach {', '.join(missed) or 'any back end in use'}."
        why = f"{'They set it themselves. ' if missed else 'No driver in use has the option. '}{reach}"
        yield Finding(NOTE, what, item.place, why, "Nothing, if that is meant.")


def order(exam: Examination) -> Iterator[Finding]:
    """Lines that lost to another: later files win, and a folder is read after every --config-file."""
    told = set()
    for conf in exam.confs.values():
        for group, key in conf:
            if group in conf.backends or group == "backend_defaults":
                continue
            places = conf.overridden(group, key)
            _, origin = conf.origin(group, key)
            lost = [place for place in places if place != origin]
            if not lost or (group, key, origin) in told:
                continue
            told.add((group, key, origin))
            yield _lost(conf, group, key, origin, lost)


def _lost(conf: Any, group: str | None, key: str, origin: str, lost: list[str]) -> Finding:
    name = f"[{group or 'DEFAULT'}] {key}"
    file = origin.rpartition(":")[0]
    where = ", ".join(lost)
    if origin == "celaje up":
        return Finding(
            WARNING, f"{name} is decided by celaje up.", where, "This line has no effect here.", "Remove it."
        )
    if origin.startswith("environment"):
        return Finding(
            WARNING,
            f"{name} comes from the {origin}.",
            where,
            "The environment beats every file; the next shell may not have it.",
            "Unset it, or remove the line.",
        )
    if all(place.rpartition(":")[0] == file for place in lost):
        return Finding(
            WARNING,
            f"{name} is set twice in one file; the last line, {origin}, wins.",
            where,
            "Whoever edits the first one wonders.",
            "Keep one of them.",
        )
    return Finding(
        NOTE, f"{name} is overridden by {origin}.", where, "Later files win, folders come after files."
    )


def old_names(exam: Examination) -> Iterator[Finding]:
    """Keys under the names that they once had."""
    from celaje.common.conf.files import normal
    from celaje.common.conf.unknown import names_of

    conf = exam.any_conf
    renamed: dict[tuple[str, str], option_catalog.Entry] = {}
    for entry in option_catalog.entries():
        for old in names_of(entry.section, entry.option)[1:]:
            renamed.setdefault(old, entry)
    present = {(normal(entry.section), entry.option.dest) for entry in option_catalog.entries()}
    for item in conf.assignments if conf is not None else ():
        old = (normal(item.section), item.key)
        if old in renamed and old not in present:
            yield Finding(
                NOTE,
                f"[{item.section}] {item.key} is an old name.",
                item.place,
                "It works; the present name beats it in the same file.",
                f"Write {renamed[old].name}.",
            )


def readable_secrets(exam: Examination) -> Iterator[Finding]:
    """Passwords in files that others may read."""
    conf = exam.any_conf
    if conf is None:
        return
    from celaje.common.conf.files import normal

    secret = {
        (normal(entry.section), entry.option.dest)
        for entry in option_catalog.entries()
        if entry.option.secret
    }
    for item in conf.assignments:
        if (normal(item.section), item.key) in secret and os.stat(item.file).st_mode & 0o004:
            yield Finding(
                WARNING,
                f"[{item.section}] {item.key} is a secret in a file that every user may read.",
                item.place,
                "Whoever logs in here has the password.",
                f"chmod o-r {item.file}",
            )


def _known() -> list[Any]:
    import importlib

    from celaje.cli.configured import SERVICES

    return [importlib.import_module(f"celaje.{name}.conf").OPTIONS for name in SERVICES]


def _backend_options() -> list[Any]:
    return [entry.option for entry in option_catalog.entries() if entry.backend]
