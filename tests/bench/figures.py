"""Where a benchmark's figures go: printed at once, and kept as JSON for `tools/performance_page.py`.

Each figure stands beside its limit from the same run and beside the number that DESIGN.md's section 11 wants
held; nothing here fails on a time, since machines are small and noisy.
"""

import os
import subprocess
import time
from pathlib import Path

import msgspec

FOLDER = Path(__file__).parents[2] / ".cache" / "bench"


class Figures:
    """Rows of one theme. `held` is None for figures that are told for information only."""

    def __init__(self, theme):
        self.theme = theme
        self.rows = []

    def add(self, what, figure, unit, *, limit=None, of="", hold="", held=None, note=""):
        """`figure` beside `limit`, the same unit, which is `of` something; `hold` in words, `held` or not."""
        self.rows.append(
            {
                "what": what,
                "figure": figure,
                "unit": unit,
                "limit": limit,
                "of": of,
                "ratio": figure / limit if limit else None,
                "hold": hold,
                "held": None if held is None else bool(held),
                "note": note,
            }
        )
        beside = f"  {figure / limit:.2f} x {of} ({limit:.4g} {unit})" if limit else ""
        wanted = f"  hold {hold}: {'held' if held else 'MISSED'}" if held is not None else ""
        print(f"\n{what:<46}{figure:>10.4g} {unit:<6}{beside}{wanted} {note}", end="", flush=True)

    def keep(self):
        FOLDER.mkdir(parents=True, exist_ok=True)
        record = {
            "theme": self.theme,
            "at": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
            "load": os.getloadavg()[0],
            "revision": revision(),
            "rows": self.rows,
        }
        (FOLDER / f"{self.theme}.json").write_bytes(
            msgspec.json.format(msgspec.json.encode(record), indent=1)
        )
        print()


def revision():
    """The commit that is measured, and whether the working tree differs from it."""
    words = ["git", "-C", str(FOLDER.parents[1]), "describe", "--always", "--dirty", "--exclude", "*"]
    found = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)
    return found.stdout.strip() or "unknown"


class Theme:
    """A context in which figures are made: kept when all of them are there."""

    def __init__(self, name):
        self.figures = Figures(name)

    def __enter__(self):
        return self.figures

    def __exit__(self, kind, *_):
        if kind is None:
            self.figures.keep()
