"""Configuration files as lines: which key stands where.

`configuration` uses it for error messages and provenance; oslo.config, which forgets line numbers, reads the
same files for the values. The two agree on the format: INI with `=` or `:`, indented continuations.
"""

import glob
import os
from collections.abc import Iterable
from typing import NamedTuple

from celaje.common.errors import ConfigurationError


class Assignment(NamedTuple):
    """One `key = value` of a file. The value is left to oslo.config, and may be a secret."""

    file: str
    line: int
    section: str
    key: str

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}"


def normal(section: str | None) -> str:
    """Section names compare without case, except DEFAULT (oslo.config's rule)."""
    return "DEFAULT" if section in (None, "DEFAULT") else section.lower()


def named_files(
    files: Iterable[str | os.PathLike[str]], dirs: Iterable[str | os.PathLike[str]], service: str
) -> list[str]:
    """All files in the order in which later ones win: `files` as given, then each folder's *.conf sorted.
    {service} in a file's name is the service, which need not have one.

    Raises ConfigurationError for a folder that cannot be read.
    """
    found = []
    for given in files:
        file = str(given)
        path = os.path.abspath(os.path.expanduser(file.replace("{service}", service)))
        if "{service}" not in file or os.path.exists(path):
            found.append(path)
    for name in dirs:
        folder = os.path.abspath(os.path.expanduser(name))
        if not os.path.isdir(folder):
            raise ConfigurationError(f"{folder}: no such folder of configuration files.")
        if not os.access(folder, os.R_OK | os.X_OK):
            raise ConfigurationError(f"{folder}: the folder may not be read.")
        found += sorted(glob.glob(os.path.join(glob.escape(folder), "*.conf")))
    return found


def scan(file: str) -> list[Assignment]:
    """The assignments of a file in order. Raises ConfigurationError with file and line."""
    try:
        with open(file, encoding="utf-8") as lines:
            return list(_assignments(file, lines))
    except OSError as error:
        raise ConfigurationError(f"{file}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{file}: not a text file in UTF-8.") from error


def _assignments(file: str, lines: Iterable[str]) -> Iterable[Assignment]:
    section: str | None = None
    continues = False
    for number, raw in enumerate(lines, 1):
        line = raw.rstrip()

        def broken(why: str, number: int = number) -> ConfigurationError:
            return ConfigurationError(f"{file}:{number}: {why}.")

        if not line:
            continues = False
        elif line[0] in " \t":
            if not continues:
                raise broken("an indented line continues the value above it, but there is none")
        elif line[0] in "#;":
            continues = False
        elif line[0] == "[":
            if line[-1] != "]" or len(line) < 3:
                raise broken("a section looks like [name]")
            section = line[1:-1]
            continues = False
        else:
            ends = [line.find(mark) for mark in "=:" if mark in line]
            if not ends:
                raise broken("expected 'key = value', [section] or a comment")
            key = line[: min(ends)].strip()
            if not key:
                raise broken("there is no key before the sign")
            if section is None:
                raise broken(f"{key} stands before any [section]; write [DEFAULT] above it")
            continues = True
            yield Assignment(file, number, section, key)


def value_at(place: str) -> str:
    """What stands behind the sign at `file:line`, with its continuations. May be a secret: the caller knows
    the option. Empty when the line is gone."""
    file, _, number = place.rpartition(":")
    try:
        with open(file, encoding="utf-8") as lines:
            rest = lines.read().splitlines()[int(number) - 1 :]
    except (OSError, ValueError):
        return ""
    if not rest:
        return ""
    first = rest[0]
    ends = [first.find(mark) for mark in "=:" if mark in first]
    parts = [first[min(ends) + 1 :].strip()] if ends else []
    for line in rest[1:]:
        if not line[:1].isspace() or not line.strip():
            break
        parts.append(line.strip())
    return " ".join(parts)
