"""Renders docs/performance.md from the figures that `make bench` left in .cache/bench.

Each figure stands beside its limit of the same run and beside what DESIGN.md wants held, misses included.
"""

import os
import platform
import sys
from pathlib import Path

import msgspec

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / ".cache" / "bench"
PAGE = ROOT / "docs" / "performance.md"

# theme -> heading, in the page's order
THEMES = {
    "startup": "Start and rest",
    "identity": "Tokens",
    "reads": "One resource",
    "lists": "Lists",
    "lists_volumes": "Lists of volumes",
    "volume": "Volumes",
    "compute": "Servers and attachments",
    "scheduling": "Scheduling",
    "messages": "Messages",
    "drivers": "Messages over each driver",
    "cluster": "Two of everything, on one machine",
    "tracing": "What seeing costs",
}

HEAD = """# Performance

Measured by `make bench`, rendered by `tools/performance_page.py`; do not edit by hand.

Every figure stands beside a limit that was measured **in the same run on the same machine**: what the
work would cost if only the disk, the encoder or the bare library took part. Figures are medians. Absolute
times depend on the machine and on what else it did (its load is told), so the columns to
compare between machines are the ratio and the counts. No test ever fails on a time.

"""


def main() -> int:
    records = {path.stem: msgspec.json.decode(path.read_bytes()) for path in sorted(FOLDER.glob("*.json"))}
    if not records:
        print(f"No figures in {FOLDER}: run `make bench` first.", file=sys.stderr)
        return 1
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(
        "".join([HEAD, machine(records), *(section(records, name) for name in THEMES), missed(records)])
    )
    print(f"{PAGE.relative_to(ROOT)} is written")
    return 0


def machine(records: dict) -> str:
    loads = [record["load"] for record in records.values()]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    revisions = ", ".join(sorted({record["revision"] for record in records.values()}))
    lines = {
        "processor": f"{processor()}, {os.cpu_count()} cores",
        "memory": f"{memory:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "Celaje": f"{version()}, revision {revisions}",
        "measured": max(record["at"] for record in records.values()),
        "load of the machine while measuring": f"{min(loads):.1f} to {max(loads):.1f} (of {os.cpu_count()})",
    }
    told = "".join(f"- {name}: {value}\n" for name, value in lines.items()) + "\n"
    busy = [
        THEMES[name]
        for name, record in records.items()
        if record["load"] > (os.cpu_count() or 1) and name in THEMES
    ]
    if busy:
        # Such a run cannot show that an absolute time is held, only that it is not worse than this.
        told += (
            f"**The machine was busy with other work while this was measured: {', '.join(busy)}.** "
            "Absolute times there are longer than they take alone, and so are the limits. Counts are not "
            "touched by it; ratios were taken side by side, but are noisier. What is missed there has to be "
            "measured again on a quiet machine.\n\n"
        )
    return told


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(": ")[2]
    return platform.machine()


def version() -> str:
    sys.path.insert(0, str(ROOT / "src"))
    from celaje import __version__

    return __version__


def section(records: dict, name: str) -> str:
    record = records.get(name)
    if record is None:
        return f"## {THEMES[name]}\n\nNot measured.\n\n"
    rows = [
        "| what | figure | its limit | ratio | hold | held |",
        "|---|---|---|---|---|---|",
        *(line(row) for row in record["rows"]),
    ]
    notes = [f"- {row['what']}: {row['note']}" for row in record["rows"] if row["note"]]
    when = f"Measured {record['at']} at a load of {record['load']:.1f}, revision {record['revision']}."
    return "\n".join([f"## {THEMES[name]}", "", when, "", *rows, "", *notes, "", ""])


def line(row: dict) -> str:
    limit = f"{number(row['limit'])} {row['unit']} ({row['of']})" if row["limit"] else "-"
    ratio = f"{row['ratio']:.2f}" if row["ratio"] else "-"
    held = {True: "yes", False: "**no**", None: "-"}[row["held"]]
    cells = [row["what"], f"{number(row['figure'])} {row['unit']}", limit, ratio, row["hold"] or "-", held]
    return f"| {' | '.join(cells)} |"


def number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def missed(records: dict) -> str:
    rows = [row for record in records.values() for row in record["rows"] if row["held"] is False]
    if not rows:
        return "## What is missed\n\nNothing in this run.\n"
    lines = [f"- {row['what']}: {number(row['figure'])} {row['unit']}, wanted {row['hold']}" for row in rows]
    return "\n".join(["## What is missed", "", *lines, ""])


if __name__ == "__main__":
    sys.exit(main())
