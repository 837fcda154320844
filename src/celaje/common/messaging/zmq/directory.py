"""Who is there and who listens to what: this process's picture of the cluster, made of the others' hellos.

The bus keeps it under its lock. An `Ear` is a listener somewhere (this process's own ones, too).
"""

from collections.abc import Iterable, Iterator
from typing import Any

from celaje.common import clock
from celaje.common.messaging.zmq.connection import Connection

# Messages to one server that are with it beyond what its threads have in hand: enough to keep it busy, few
# enough to be told back soon when it goes.
_WINDOW = 64

Key = tuple[str, str]


class Ear:
    """`held` counts what we have sent there and what is not settled yet; `busy`: it has sent something back
    and not called for more since."""

    __slots__ = ("busy", "held", "key", "number", "peer", "server", "threads")

    def __init__(self, peer: "Peer", number: int, key: Key, server: str | None, threads: int):
        self.peer = peer
        self.number = number
        self.key = key
        self.server = server
        self.threads = threads
        self.held = 0
        self.busy = False


class Peer:
    """A process. `heard` is None until it has spoken itself; before that it is hearsay."""

    __slots__ = ("address", "bus", "connection", "ears", "heard", "known_since", "sent", "version")

    def __init__(self, bus: str, address: str, connection: Connection):
        self.bus = bus
        self.address = address
        self.connection = connection
        self.known_since = clock.monotonic()
        self.heard: float | None = None
        self.version = -1
        self.ears: dict[int, Ear] = {}
        # What it has of ours, by the message's id: a Post and the Ear that it went to.
        self.sent: dict[str, tuple[Any, Ear]] = {}


class Directory:
    def __init__(self) -> None:
        self.peers: dict[str, Peer] = {}
        self._ears: dict[Key, list[Ear]] = {}

    def listen(self, peer: Peer, listeners: Iterable[list[Any]]) -> list[Ear]:
        """The peer's listeners are these now, as [number, exchange, topic, server, threads]; the new ones."""
        now = {
            number: ((exchange, topic), server, threads)
            for number, exchange, topic, server, threads in listeners
        }
        for number in [number for number in peer.ears if number not in now]:
            self._remove(peer.ears.pop(number))
        new = []
        for number, (key, server, threads) in now.items():
            known = peer.ears.get(number)
            if known is None:
                peer.ears[number] = ear = Ear(peer, number, key, server, threads)
                self._ears.setdefault(key, []).append(ear)
                new.append(ear)
            else:
                known.busy = False
        return new

    def remove(self, peer: Peer) -> None:
        self.peers.pop(peer.bus, None)
        for ear in peer.ears.values():
            self._remove(ear)

    def _remove(self, ear: Ear) -> None:
        others = self._ears[ear.key]
        others.remove(ear)
        if not others:
            del self._ears[ear.key]

    def hearing(self, key: Key, server: str | None) -> list[Ear]:
        """Who may take a message to the topic, or to one server on it."""
        ears = self._ears.get(key, [])
        return ears if server is None else [ear for ear in ears if ear.server == server]

    def choose(self, key: Key, server: str | None) -> tuple[bool, Ear | None, bool]:
        """Whether anybody listens, whom to send the next message, and whether others could take it as well.
        One server gets what is for it in order, some messages ahead; several get as much as they have idle
        threads, the idlest first, so that nothing waits behind a long work while another is idle."""
        ears = self.hearing(key, server)
        if server is not None and len(ears) == 1:
            only = ears[0]
            return True, None if only.busy or only.held >= only.threads + _WINDOW else only, False
        idle = [ear for ear in ears if not ear.busy and ear.held < ear.threads]
        if not idle:
            return bool(ears), None, True
        best = min(idle, key=lambda ear: ear.held / ear.threads)
        # Turns among equals: who was asked goes to the end.
        others = self._ears[key]
        if len(others) > 1:
            others.remove(best)
            others.append(best)
        return True, best, True

    def audience(self, key: Key) -> Iterator[Peer]:
        """The processes in which somebody listens to the topic."""
        return iter({id(ear.peer): ear.peer for ear in self._ears.get(key, ())}.values())
