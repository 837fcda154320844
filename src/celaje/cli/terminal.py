"""What commands print is laid out here: columns, wrapping, and colour only where a person looks.

Used by every command that shows more than a line. A pipe gets one row a line and no colour; so does a
terminal with NO_COLOR in its environment.
"""

import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence

import click

NARROWEST = 60
# Where no terminal tells its width: paper, mail and issue trackers.
USUAL = 80
# A last column narrower than this is worse to read than a row of several lines.
_LAST = 30


def is_terminal() -> bool:
    return sys.stdout.isatty()


def in_colour() -> bool:
    """Colour where somebody looks and has not asked for none (no-color.org: set and not empty)."""
    return is_terminal() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def width() -> int | None:
    """Columns of the terminal; None where there is none: then a row is one line, for grep."""
    return columns() if is_terminal() else None


def columns() -> int:
    """Columns to wrap sentences at, terminal or not."""
    return max(NARROWEST, shutil.get_terminal_size((USUAL, 24)).columns) if is_terminal() else USUAL


def bold(text: str) -> str:
    return _styled(text, bold=True)


def dim(text: str) -> str:
    return _styled(text, dim=True)


def good(text: str) -> str:
    return _styled(text, fg="green")


def bad(text: str) -> str:
    return _styled(text, fg="red", bold=True)


def warning(text: str) -> str:
    return _styled(text, fg="yellow")


def _styled(text: str, **how: object) -> str:
    return click.style(text, **how) if in_colour() else text  # type: ignore[arg-type]


def show(lines: Iterable[str]) -> None:
    click.echo("\n".join(line.rstrip() for line in lines))


def visible(text: str) -> int:
    """Columns that the text takes, colour codes left out."""
    return len(click.unstyle(text))


def padded(text: str, size: int) -> str:
    """To the left of `size` columns; colour codes count nothing, which `f"{text:{size}}"` does not know."""
    return text + " " * max(0, size - visible(text))


def wrapped(text: str, indent: str = "", *, first: str | None = None, size: int | None = None) -> list[str]:
    """Lines of `text` within the terminal's columns; `first` begins the first one instead of `indent`."""
    return textwrap.wrap(
        text,
        size or columns(),
        initial_indent=indent if first is None else first,
        subsequent_indent=indent,
        break_on_hyphens=False,
        break_long_words=False,
    )


def facts(pairs: Iterable[tuple[str, str]], indent: str = "  ") -> list[str]:
    """`name  words` a line, the words wrapped beside their name; an empty name goes on with the one above."""
    known = list(pairs)
    size = max((len(name) for name, _ in known), default=0)
    lines = []
    for name, words in known:
        head = f"{indent}{name:{size}}  "
        several = wrapped(words, " " * len(head)) or [""]
        lines += [f"{dim(head)}{several[0].lstrip()}", *several[1:]]
    return lines


def table(headers: Sequence[str], lead: int, rows: Sequence[Sequence[str]], size: int | None) -> list[str]:
    """One line a row where `size` columns are enough (None: any), its last column wrapped; else the first
    `lead` cells and the last one, and below them the others with their names."""
    wide = [max(visible(row[at]) for row in [headers, *rows]) for at in range(len(headers))]
    before = sum(wide[:-1]) + 2 * len(wide)
    last = wide[-1] if size is None else size - before
    if size is None or last >= min(wide[-1], _LAST):
        lines = [dim(_joined(headers, wide))]
        for row in rows:
            if visible(row[-1]) <= last:
                lines.append(_joined(row, wide))
                continue
            first, *more = textwrap.wrap(row[-1], max(1, last), break_on_hyphens=False) or [""]
            lines += [_joined((*row[:-1], first), wide), *(" " * before + part for part in more)]
        return lines
    return [line for row in rows for line in _stacked(headers, lead, row, wide, size)]


def _joined(cells: Sequence[str], wide: Sequence[int]) -> str:
    return "".join(f"  {padded(cell, size)}" for cell, size in zip(cells, wide, strict=True)).rstrip()


def _stacked(
    headers: Sequence[str], lead: int, row: Sequence[str], wide: Sequence[int], size: int
) -> list[str]:
    cells = [f"  {padded(cell, column)}" for cell, column in zip(row[:lead], wide, strict=False)]
    first = "".join(cells) if lead == 1 else "".join((*cells[:-1], f"  {row[lead - 1]}"))
    indent = " " * 6
    rest = ", ".join(
        f"{name} {cell}"
        for name, cell in list(zip(headers, row, strict=True))[lead:-1]
        if cell not in ("", "-")
    )
    if row[-1] and visible(first) + 2 + visible(row[-1]) <= size:
        lines = [f"{first}  {row[-1]}"]
    else:
        broken = textwrap.wrap(first, size, subsequent_indent=indent, break_on_hyphens=False)
        lines = [*broken, *wrapped(row[-1], indent, size=size)]
    return lines + [dim(line) for line in wrapped(rest, indent, size=size)]
