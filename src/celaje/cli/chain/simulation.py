"""What a slow hop would cause: the chain played through on paper, with the engine's own rules.

A call that ends first fails its step and undoes the flow; another service that does not answer is asked
again after the engine's delays until the flow's deadline; whoever leaves first does not end the work.
"""

from dataclasses import dataclass, field

from celaje.cli.chain.links import Chain, Link
from celaje.common import errors
from celaje.common.flow.errors import DeadlineExceeded, FlowGaveUp, FlowTimeout
from celaje.common.flow.run import _delay as delay
from celaje.common.messaging.errors import MessagingTimeout
from celaje.common.rest.client import _ERRORS as BY_STATUS
from celaje.common.rest.client import ServiceFailed
from celaje.common.wsgi.dialects import STATUS

ENDLESS = float("inf")
# A flow that is refused again and again is played until its deadline, but told only so often.
_TOLD = 3


@dataclass
class Event:
    at: float
    words: str
    # The link that ended, where one did.
    link: Link | None = None


@dataclass
class Played:
    """`answer` is what the client sees, and when. `error` None: the operation succeeds at `ends`."""

    answered_at: float = 0.0
    answer: str = ""
    ends: float = 0.0
    error: str | None = None
    events: list[Event] = field(default_factory=list)

    @property
    def first(self) -> Link | None:
        """The link that ended first."""
        broken = sorted((event for event in self.events if event.link), key=lambda event: event.at)
        return broken[0].link if broken else None


class Simulation:
    """`slow` has the seconds that hops take, by name; all others take none."""

    def __init__(self, chain: Chain, slow: dict[str, float]):
        self._chain = chain
        self._slow = slow
        self._events: list[Event] = []
        self._checkpoints: dict[str, float] = {}

    def play(self) -> Played:
        links = self._chain.links
        api = next(link for link in links if link.kind == "api")
        flow = next(link for link in links if link.kind == "flow")
        self._checkpoints.clear()
        ends, error = self._flow(flow, 0.0)
        answered, answer = self._answer(api, ends, error)
        # From the inside out: whoever is nearer to the client and less patient answers instead.
        for kind, words in (("balancer", "504 Gateway Timeout"), ("client", "its own timeout")):
            for link in links:
                if link.kind == kind and link.seconds is not None and answered > link.seconds:
                    answered, answer = link.seconds, words
                    told = f"{link.who} gives up: the client sees {words}; the work goes on"
                    self._tell(answered, told, link)
        events = sorted(self._events, key=lambda event: event.at)
        return Played(answered, answer, ends, _named(error), events)

    def _answer(self, api: Link, ends: float, error: type[errors.CelajeError] | None) -> tuple[float, str]:
        status = _status(_of_ended(error) if error else None)
        if self._chain.operation.receives:
            # The handler goes on receiving; only at its end it finds that the flow has given the row up.
            took = sum(self._slow.get(hop, 0.0) for hop in self._chain.hops)
            return max(ends, took), "an error: the flow was over first" if error else "success"
        if api.seconds is None:
            return 0.0, "accepted"
        passed = min(self._checkpoints.values(), default=ENDLESS)
        if min(passed, ends) > api.seconds:
            self._tell(api.seconds, f"the {api.who} answers 503; the flow goes on", api)
            return api.seconds, "503 Service Unavailable"
        if passed <= ends:
            return passed, "success"
        return ends, f"{status}" if error else "success"

    def _flow(self, link: Link, start: float) -> tuple[float, type[errors.CelajeError] | None]:
        """When the flow ends, and the error that it ends with."""
        now = start
        deadline = start + (link.seconds if link.seconds is not None else ENDLESS)
        pending: list[str] = []
        for step in link.inner:
            if step.kind == "checkpoint":
                pending.append(step.what)
                continue
            # A checkpoint is passed when the next step has begun.
            for name in pending:
                self._checkpoints.setdefault(name, now)
            pending.clear()
            tries = 0
            while True:
                if now >= deadline:
                    self._tell(now, f"{link.what} is past its deadline and is undone", link)
                    return now, DeadlineExceeded
                now, error = self._step(step, now, deadline, quiet=tries >= _TOLD)
                if error is None:
                    break
                if step.kind == "rest" and issubclass(error, errors.Unavailable):
                    tries += 1
                    if tries == _TOLD:
                        self._tell(now, f"{_asked(step)} is asked again and again until the deadline")
                    now += delay(tries)
                    continue
                if link.kind == "flow":
                    self._tell(now, f"{link.what} fails and is undone")
                return now, error
        return now, None

    def _step(
        self, link: Link, now: float, deadline: float, *, quiet: bool
    ) -> tuple[float, type[errors.CelajeError] | None]:
        mark = len(self._events)
        took = self._slow.get(link.hop, 0.0) if link.hop else 0.0
        error: type[errors.CelajeError] | None = None
        ends = now + took
        if link.kind == "rest" and link.inner:
            ends, error = self._nested(link.inner[0], now)
        elif link.kind == "step" and ends > deadline:
            # A flow that waits to be told is woken at its deadline.
            ends, error = deadline, DeadlineExceeded
            self._tell(ends, f"nobody came by the flow's deadline: {link.what}", self._flow_of(link))
        drivers = [one for one in link.inner if one.kind == "driver"]
        own = [one for one in drivers if not one.option]
        # Of a driver's several commands nobody knows which one is slow: the most patient one is taken.
        bound = min(
            [link, *(one for one in drivers if one.option), *([max(own, key=_end)] if own else [])], key=_end
        )
        if bound.seconds is not None and ends - now > bound.seconds:
            whole, ends = ends, now + bound.seconds
            error = _LEAVES[bound.kind]
            self._tell(ends, f"{bound.who} stops waiting for {_asked(bound)}", bound)
            if bound.kind == "call" and whole < ENDLESS:
                self._tell(whole, f"{_asked(bound)} ends, after its caller has left")
        if quiet:
            del self._events[mark:]
        return ends, error

    def _flow_of(self, step: Link) -> Link:
        return next(link for link in self._chain.links if link.kind == "flow" and step in link.inner)

    def _nested(self, api: Link, now: float) -> tuple[float, type[errors.CelajeError] | None]:
        """The other service's handler, as its caller sees it."""
        mark = dict(self._checkpoints)
        ends, error = self._flow(api.inner[0], now)
        self._checkpoints = mark
        if api.seconds is not None and ends - now > api.seconds:
            ends, error = now + api.seconds, FlowTimeout
            self._tell(ends, f"the {api.who} answers 503; its flow goes on", api)
        elif error is not None:
            error = _of_ended(error)
        return ends, _over_rest(error)

    def _tell(self, at: float, words: str, link: Link | None = None) -> None:
        self._events.append(Event(at, words, link))


_LEAVES: dict[str, type[errors.CelajeError]] = {
    "call": MessagingTimeout,
    "rest": errors.Unavailable,
    "driver": errors.DriverError,
}


def _asked(link: Link) -> str:
    """`calls volume-worker: attach`, as what is waited for."""
    return link.what.removeprefix("calls ").removeprefix("asks ")


def _of_ended(error: type[errors.CelajeError]) -> type[errors.CelajeError]:
    """What the API that waited for a flow makes of its failure, as `Flows.result` does."""
    return FlowGaveUp if error.kind == "unavailable" else error


def _end(link: Link) -> float:
    return ENDLESS if link.seconds is None else link.seconds


def _status(error: type[errors.CelajeError] | None) -> int:
    return 200 if error is None else STATUS.get(error.kind, 500)


def _over_rest(error: type[errors.CelajeError] | None) -> type[errors.CelajeError] | None:
    """What becomes of a service's error on its way through HTTP."""
    return None if error is None else BY_STATUS.get(_status(error), ServiceFailed)


def _named(error: type[errors.CelajeError] | None) -> str | None:
    return None if error is None else error.__name__
