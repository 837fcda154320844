"""A story as a sequence: hops in the order of time, from component to component.

Read from the same tree as `drawing.py`; printed by `celaje flow show --sequence`.
"""

import datetime

import click

from celaje.common import clock
from celaje.journals.drawing import title
from celaje.journals.node import OPEN, Node
from celaje.journals.words import cut, duration

# Kinds that go from one component to another; the others happen within one.
_CROSSING = ("request", "rest", "step", "undo", "call", "cast", "driver", "flow")


def sequence(nodes: list[Node], width: int) -> list[str]:
    """One line a hop: when, from which component to which, what, how long."""
    lines: list[str] = []
    for node in nodes:
        start = node.at or clock.now()
        hops = sorted(_hops(node), key=lambda hop: hop.at or start)
        size = max((len(_role(hop.caller or hop.who)) for hop in hops), default=0)
        lines += ["", click.style(str(node.facts.get("request_id") or node.facts.get("id")), bold=True), ""]
        lines += [_line(hop, start, size, width) for hop in hops]
    return [*lines, ""]


def _hops(node: Node) -> list[Node]:
    return [one for one in node.walk() if one.at is not None]


def _role(who: str) -> str:
    """`compute worker celaje` -> compute worker: who it is, without where."""
    words = who.split()
    return " ".join(words[:2]) if words and words[0] != "driver" else "driver"


def _line(node: Node, start: datetime.datetime, size: int, width: int) -> str:
    begins = duration(max(0.0, ((node.at or start) - start).total_seconds()))
    crosses = node.kind in _CROSSING and node.caller != node.who
    text = f"→ {_role(node.who)}  {title(node)}" if crosses else f"  {title(node)}"
    room = max(20, width - 10 - size - 1 - 9)
    colour = "red" if node.outcome == "error" else "yellow" if node.outcome in OPEN else None
    took = duration(node.took)
    shown = cut(text, room)
    return (
        click.style(f"{begins:>8}  {_role(node.caller or node.who):{size}} ", dim=True)
        + click.style(shown.ljust(room) if took else shown, fg=colour, dim=not crosses and colour is None)
        + click.style(f"{took:>9}" if took else "", dim=True)
    )
