"""Who else is there: hellos to all processes, meeting points for newcomers, and the loss of who falls silent.

Made by the bus. One thread says the hellos, reads what connections tell about themselves, lets the
gatekeeper answer, and gives up what has waited too long.
"""

import itertools
import logging
import os
import threading
from typing import Any

import zmq

from celaje.common import clock
from celaje.common.messaging.zmq import wire
from celaje.common.messaging.zmq.address import Settings
from celaje.common.messaging.zmq.connection import Connection
from celaje.common.messaging.zmq.curve import Gatekeeper, Keys
from celaje.common.messaging.zmq.directory import Peer
from celaje.common.messaging.zmq.dispatch import Dispatch
from celaje.common.messaging.zmq.door import Door

LOG = logging.getLogger(__name__)

# Hellos that wait for a meeting point where nobody is.
_FEW = 2


class Neighbours:
    def __init__(
        self,
        name: str,
        *,
        context: Any,
        settings: Settings,
        keys: Keys | None,
        door: Door,
        dispatch: Dispatch,
        gatekeeper: Gatekeeper | None,
    ):
        self._context = context
        self._settings = settings
        self._keys = keys
        self._door = door
        self._dispatch = dispatch
        self._gatekeeper = gatekeeper
        self._epochs = itertools.count(1)
        # By process: which of our acquaintances with it this is, and which of its with us it told last.
        self._ours: dict[Peer, int] = {}
        self._theirs: dict[Peer, int] = {}
        self._version = 0
        self._listeners: list[list[Any]] = []
        self._met = False
        self._closing = False
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._last_round = clock.monotonic()
        self._points = {
            point: Connection(context, point, keys, _FEW)
            for point in door.meeting_points
            if point not in door.holds
        }
        self.me = self._acquaint(dispatch.me, door.address)
        self.me.heard = clock.monotonic()
        if not self._points:
            dispatch.looking_until = clock.monotonic()
        self._thread = threading.Thread(target=self._run, name=f"zmq {name} neighbours", daemon=True)

    def open(self) -> None:
        self._greet_all()
        self._thread.start()

    # What the bus tells and hears.

    def announce(self, listeners: list[list[Any]]) -> None:
        """These listen here now: known here at once, to the others in a moment."""
        with self._dispatch.lock:
            self._version += 1
            self._listeners = listeners
            self._dispatch.listens(self.me, listeners)
            for peer in self._others():
                self._say_hello(peer, ())

    def hello(self, frame: list[Any]) -> None:
        _, to, bus, protocol, address, epoch, version, listeners, others = frame
        dispatch = self._dispatch
        if bus == dispatch.me:
            return
        if protocol != wire.PROTOCOL:
            LOG.warning("the process at %s speaks another version (%s) and is left alone", address, protocol)
            return
        with dispatch.lock:
            if dispatch.closed:
                return
            peer = dispatch.directory.peers.get(bus) or self._acquaint(bus, address)
            stranger, peer.heard = peer.heard is None, clock.monotonic()
            if to == dispatch.me:
                before = self._theirs.get(peer)
                self._theirs[peer] = epoch
                if before is not None and before != epoch:
                    # It had lost us, and with us what it had to answer.
                    dispatch.take_back(peer, "it had lost the connection to the caller")
            if version > peer.version:
                peer.version = version
                dispatch.listens(peer, listeners)
            if stranger:
                LOG.info("%s at %s is there", bus, address)
                self._say_hello(peer, self._known())
            for other, where in others:
                if other != dispatch.me and other not in dispatch.directory.peers:
                    self._say_hello(self._acquaint(other, where), ())
            self._met = self._met or bool(others) or to == ""
            if self._met and all(other.heard is not None for other in dispatch.directory.peers.values()):
                dispatch.looking_until = clock.monotonic()
            dispatch.lock.notify_all()

    def bye(self, bus: str) -> None:
        with self._dispatch.lock:
            peer = self._dispatch.directory.peers.get(bus)
            if peer is not None and peer is not self.me:
                LOG.info("%s at %s has left", bus, peer.address)
                self._lose(peer, "its process has ended")

    # Acquaintances.

    def _acquaint(self, bus: str, address: str) -> Peer:
        peer = Peer(bus, address, Connection(self._context, address, self._keys))
        self._ours[peer] = next(self._epochs)
        self._dispatch.directory.peers[bus] = peer
        self.ring()
        return peer

    def _lose(self, peer: Peer, why: str) -> None:
        """Under the lock: whoever greets takes a peer and its epoch together."""
        self._ours.pop(peer, None)
        self._theirs.pop(peer, None)
        self._dispatch.lose(peer, why)
        self.ring()

    def _others(self) -> list[Peer]:
        return [peer for peer in self._dispatch.directory.peers.values() if peer is not self.me]

    def _known(self) -> list[tuple[str, str]]:
        return [(peer.bus, peer.address) for peer in self._others() if peer.heard is not None]

    def _frame(self, to: str, epoch: int | None, others: Any) -> bytes:
        return wire.encode(
            (
                wire.HELLO,
                to,
                self._dispatch.me,
                wire.PROTOCOL,
                self._door.address,
                epoch,
                self._version,
                self._listeners,
                others,
            )
        )

    def _say_hello(self, peer: Peer, others: Any) -> None:
        if not peer.connection.send(self._frame(peer.bus, self._ours[peer], others)):
            self._dispatch.stalled.add(peer)

    def _greet_all(self) -> None:
        with self._dispatch.lock:
            known = self._known()
            for peer in self._others():
                self._say_hello(peer, known)
            greeting = self._frame("", None, known)
        for point, connection in self._points.items():
            if point not in self._door.holds:
                connection.send(greeting)

    # The thread.

    def ring(self) -> None:
        os.eventfd_write(self._bell, 1)

    def _run(self) -> None:
        due = clock.monotonic() + self._settings.update
        while not self._closing:
            try:
                self._watch(max(0.0, due - clock.monotonic()))
                if clock.monotonic() >= due:
                    due = clock.monotonic() + self._settings.update
                    self._round()
            except Exception:
                LOG.exception("the care for the neighbours goes on after")

    def _watch(self, seconds: float) -> None:
        """Until something is told, or the time is over."""
        poller = zmq.Poller()
        poller.register(self._bell, zmq.POLLIN)
        if self._gatekeeper is not None:
            poller.register(self._gatekeeper.socket, zmq.POLLIN)
        with self._dispatch.lock:
            self._bury()
            peers = list(self._dispatch.directory.peers.values())
        watched = {peer.connection.monitor: peer for peer in peers}
        for monitor in (*watched, *(connection.monitor for connection in self._points.values())):
            poller.register(monitor, zmq.POLLIN)
        for ready, _ in poller.poll(int(seconds * 1000) + 1):
            if ready == self._bell:
                os.eventfd_read(self._bell)
            elif self._gatekeeper is not None and ready is self._gatekeeper.socket:
                self._gatekeeper.answer()
            elif ready in watched:
                peer = watched[ready]
                if peer.connection.broke() and peer is not self.me:
                    LOG.warning("the connection to %s at %s broke", peer.bus, peer.address)
                    with self._dispatch.lock:
                        self._lose(peer, "the connection to it broke")
            else:
                for connection in self._points.values():
                    connection.broke()

    def _bury(self) -> None:
        """Close the connections to who has left; their monitors are this thread's."""
        while self._dispatch.left:
            self._dispatch.left.pop().close()

    def _round(self) -> None:
        dispatch, now = self._dispatch, clock.monotonic()
        with dispatch.lock:
            if now - self._last_round > self._settings.expire / 2:
                # It was we who slept: what the others said meanwhile is still to be read.
                for peer in self._others():
                    peer.heard = peer.heard and now
            self._last_round = now
            for peer in self._others():
                silent = now - (peer.known_since if peer.heard is None else peer.heard)
                if silent > self._settings.expire or peer in dispatch.stalled:
                    if peer.heard is not None:
                        LOG.warning("%s at %s is silent for %.0f s", peer.bus, peer.address, silent)
                    self._lose(peer, f"its process is silent for {silent:.0f} s")
            for post in list(dispatch.outbox.sweep()):
                dispatch.drop(post)
            for peer in dispatch.directory.peers.values():
                for ear in peer.ears.values():
                    # A call for more that was lost with its connection.
                    ear.busy = False
            for queue in dispatch.outbox.queues():
                dispatch.flush(queue)
        self._greet_all()

    def close(self) -> None:
        self._closing = True
        self.ring()
        if threading.current_thread() is not self._thread and self._thread.ident is not None:
            self._thread.join(5)
        for connection in self._points.values():
            connection.close()
        os.close(self._bell)
