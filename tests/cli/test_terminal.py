"""What commands print: colour for people alone, and nothing beyond the terminal's last column."""

import sys

import pytest

from celaje.cli import terminal

ROWS = [("volume", "x" * 20, "words that are quite long " * 4), ("compute", "y", "short")]


@pytest.fixture
def tty(monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)


def test_colour_is_for_terminals_and_for_who_wants_it(tty, monkeypatch):
    assert terminal.bad("no") != "no"
    monkeypatch.setenv("NO_COLOR", "1")
    assert terminal.bad("no") == "no"
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: False)
    assert (terminal.bad("no"), terminal.width(), terminal.columns()) == ("no", None, 80)


def test_colour_takes_no_columns(tty):
    assert terminal.visible(terminal.good("abc")) == 3
    assert terminal.visible(terminal.padded(terminal.good("abc"), 9)) == 9


@pytest.mark.parametrize("size", [40, 60, 80, None])
def test_a_table_stays_within_its_columns(size):
    lines = terminal.table(("service", "name", "about"), 1, ROWS, size)
    assert all(len(line) <= (size or 999) for line in lines)
    words = " ".join(" ".join(lines).split())
    assert ROWS[0][2].strip() in words and "short" in words


def test_facts_go_on_beside_their_name():
    lines = terminal.facts([("value", "word " * 40), ("", "more")])
    assert lines[0].startswith("  value  word")
    assert all(line.startswith(" " * 9) and len(line) <= 80 for line in lines[1:])
