"""Keys in the files that nobody reads, each with the nearest real one.

Called by `Configuration.unknown_keys`; oslo.config passes over such keys in silence.
"""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from oslo_config import cfg

from celaje.common.conf.backend import SHARED
from celaje.common.conf.files import Assignment, normal


class UnknownKey(NamedTuple):
    """`nearest` is "section.key" of a real option, or None when nothing comes near."""

    file: str
    line: int
    section: str
    key: str
    nearest: str | None

    def __str__(self) -> str:
        hint = f"; did you mean {self.nearest}?" if self.nearest else ""
        return f"{self.file}:{self.line}: nobody reads [{self.section}] {self.key}{hint}"


def names_of(group: str | None, option: cfg.Opt) -> list[tuple[str, str]]:
    """Every (section, key) that sets the option, the present name first, then deprecated ones."""
    names = [(normal(group), option.dest)]
    for old in option.deprecated_opts:
        names.append((normal(old.group or group), old.name or option.dest))
    return names


def unknown_keys(
    assignments: Iterable[Assignment],
    options: Iterable[Mapping[str | None, Sequence[cfg.Opt]]],
    backend_options: Sequence[cfg.Opt],
) -> list[UnknownKey]:
    """`backend_options` may stand in [DEFAULT], [backend_defaults] and every section that is no group of
    `options`: back ends have names of the operator's choice."""
    present: set[tuple[str, str]] = set()
    accepted: set[tuple[str, str]] = set()
    for groups in options:
        for group, listed in groups.items():
            for option in listed:
                names = names_of(group, option)
                present.add(names[0])
                accepted.update(names)
    sections = {section for section, _ in present}
    of_backends = {option.dest for option in backend_options}
    open_to_backends = {"DEFAULT", SHARED}

    found = []
    for assignment in assignments:
        section = normal(assignment.section)
        if (section, assignment.key) in accepted:
            continue
        is_backend = bool(of_backends) and (section in open_to_backends or section not in sections)
        if is_backend and assignment.key in of_backends:
            continue
        real = present | ({(section, key) for key in of_backends} if is_backend else set())
        found.append(UnknownKey(*assignment, nearest=_nearest(section, assignment.key, real)))
    return found


def _nearest(section: str, key: str, real: set[tuple[str, str]]) -> str | None:
    """The right key in another section first (the commonest slip), then a near key in this section, then
    anything that looks alike."""
    elsewhere = sorted(name for name, real_key in real if real_key == key)
    if elsewhere:
        close = difflib.get_close_matches(section, elsewhere, n=1, cutoff=0)
        return f"{close[0]}.{key}"
    here = difflib.get_close_matches(key, sorted(k for s, k in real if s == section), n=1, cutoff=0.7)
    if here:
        return f"{section}.{here[0]}"
    anywhere = difflib.get_close_matches(f"{section}.{key}", sorted(f"{s}.{k}" for s, k in real), n=1)
    return anywhere[0] if anywhere else None
