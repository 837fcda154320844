"""Whether the order of a chain is sound: whoever waits should wait longer than what they wait for.

Used by `celaje timeouts`, whose exit code it is, and by `celaje doctor`.
"""

from dataclasses import dataclass

from celaje.cli.chain.links import Chain, Link


@dataclass(frozen=True)
class Verdict:
    """`outer` ends before (or, `tie`, at the same moment as) `inner`, which it waits for."""

    outer: Link
    inner: Link
    tie: bool

    def __str__(self) -> str:
        outer, inner = self.outer, self.inner
        order = "together with" if self.tie else "before"
        return f"{_described(outer)} ends {order} {_described(inner)}: {_CAUSES[outer.kind]}"

    @property
    def cause(self) -> str:
        """What comes of it, as a sentence of its own."""
        words = _CAUSES[self.outer.kind]
        return words[0].upper() + words[1:]


_CAUSES = {
    "client": "the client leaves without an answer.",
    "balancer": "the client gets 504, not the service's own words.",
    "api": "the API answers 503 while the work may still succeed.",
    "rest": "the caller asks again while the first request is still at work.",
    "flow": "a step that succeeds in time is undone all the same.",
    "call": "the step fails while the driver is still at work.",
}


def verdicts(chain: Chain) -> list[Verdict]:
    """Every pair in the wrong order, each one once; ties after the others."""
    found: dict[tuple[str, str], Verdict] = {}
    _judge(chain.root, [], found)
    return sorted(found.values(), key=lambda one: one.tie)


def is_sound(found: list[Verdict]) -> bool:
    return all(one.tie for one in found)


def _judge(link: Link, waiting: list[Link], found: dict[tuple[str, str], Verdict]) -> None:
    if link.kind not in ("flow", "checkpoint"):
        for outer in waiting:
            _compare(outer, link, found)
    # Who waits further out is told by this wait's end, and need not look deeper.
    inside = [*(one for one in waiting if one.kind == "flow"), link] if link.seconds is not None else waiting
    if link.kind == "api" and link.seconds is None and not _is_held(link):
        # Answered at once: nobody waits for what follows.
        inside = []
    if link.kind == "flow":
        # A flow outlives those who wait for it; its deadline is for its steps.
        inside = [*waiting, link] if link.seconds is not None else waiting
    for step in link.inner:
        if step.kind == "checkpoint":
            # Whoever waited has the answer now; the flow itself goes on to be bound.
            inside = [link] if link.seconds is not None else []
            continue
        _judge(step, inside, found)


def _is_held(api: Link) -> bool:
    """Whether the handler stays with the request though no option bounds it (it takes the data in)."""
    return any(step.kind == "step" for flow in api.inner for step in flow.inner)


def _compare(outer: Link, inner: Link, found: dict[tuple[str, str], Verdict]) -> None:
    if outer.seconds is None or inner.seconds is None or outer.seconds > inner.seconds:
        return
    if outer.option == inner.option and outer.origin == inner.origin and outer.seconds == inner.seconds:
        # One option on both sides: what is inside began later, and cannot be told apart by configuration.
        return
    key = (outer.option + outer.who, inner.option + inner.who)
    found.setdefault(key, Verdict(outer, inner, outer.seconds == inner.seconds))


def _described(link: Link) -> str:
    return f"{link.option or link.what} ({link.who}, {duration(link.seconds)}, {link.origin})"


def duration(seconds: float | None) -> str:
    """`90 s`, `2 h`; `none` for a wait without an end."""
    if seconds is None or seconds == float("inf"):
        return "none"
    if seconds >= 7200 and seconds % 3600 == 0:
        return f"{seconds / 3600:g} h"
    return f"{seconds:.3g} s" if seconds < 100 else f"{seconds:.0f} s"
