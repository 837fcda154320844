"""`zmq://`: the message layer's contract without a broker.

Made by `messaging/bus.py`. Every process has one bound socket, by which all comes in (`door.py`), and one
connection to each other process, by which its sending threads write (`dispatch.py`).
"""

import itertools
import logging
from functools import partial
from typing import Any

import zmq

from celaje.common import clock
from celaje.common.messaging.driver import Bus, Delivery, Listener
from celaje.common.messaging.envelope import CALL, CAST, FANOUT, Envelope, Outcome
from celaje.common.messaging.errors import MessagingError, NoSuchServer
from celaje.common.messaging.pending import Ending, Pending
from celaje.common.messaging.target import Target
from celaje.common.messaging.zmq import wire
from celaje.common.messaging.zmq.address import settings
from celaje.common.messaging.zmq.curve import Gatekeeper, Keys
from celaje.common.messaging.zmq.dispatch import Dispatch
from celaje.common.messaging.zmq.door import Door
from celaje.common.messaging.zmq.listener import Answer, ZmqDelivery, ZmqListener
from celaje.common.messaging.zmq.neighbours import Neighbours
from celaje.common.messaging.zmq.seen import Seen

LOG = logging.getLogger(__name__)

# Milliseconds for what is still to be written when the bus closes.
_LINGER = 500


class ZmqBus(Bus):
    """ConfigurationError for addresses or keys that cannot be used; the others are looked for in the
    background."""

    def __init__(self, transport_url: str, conf: Any = None):
        super().__init__(conf)
        self._settings = settings(transport_url, conf)
        keys = Keys(self._settings.key_file) if self._settings.key_file else None
        self._context = zmq.Context()
        self._listeners: dict[int, ZmqListener] = {}
        self._ear_numbers = itertools.count(1)
        self._seen = Seen()
        self._told_of_notifications = False
        short = self._name[:8]
        try:
            # The gatekeeper first: without one libzmq lets everybody in.
            gatekeeper = Gatekeeper(self._context, keys) if keys else None
            self._door = Door(short, self._context, self._settings, keys)
            self._dispatch = Dispatch(self._name, self._settings)
            self._neighbours = Neighbours(
                short,
                context=self._context,
                settings=self._settings,
                keys=keys,
                door=self._door,
                dispatch=self._dispatch,
                gatekeeper=gatekeeper,
            )
        except BaseException:
            self._context.destroy(0)
            raise
        self._door.open(self._receive)
        self._neighbours.open()

    # Sending.

    def publish(self, envelope: Envelope, pending: Pending | None = None) -> None:
        """A cast returns when it is in this process's memory; it waits there until a server has done it.
        BacklogFull after a wait for room when too many do."""
        self._publish(envelope, pending, waits=True)

    def hint(self, envelope: Envelope) -> None:
        self._publish(envelope, None, waits=False)

    def _publish(self, envelope: Envelope, pending: Pending | None, *, waits: bool) -> None:
        if self._dispatch.closed:
            raise NoSuchServer("The bus is closed.")
        post = self._dispatch.post(envelope, pending)
        if self.faults.active and not self.faults.passes(
            envelope.kind, envelope, partial(self._dispatch_late, post)
        ):
            return
        self._dispatch.dispatch(post, waits=waits)

    def _dispatch_late(self, post: Any) -> None:
        try:
            self._dispatch.dispatch(post)
        except MessagingError as error:
            LOG.info("%s was held back and is lost: %s", post.envelope.method, error.message)
            if post.pending is not None:
                post.pending.fail(Ending.NOBODY)

    def has_consumer(self, target: Target) -> bool:
        with self._dispatch.lock:
            return bool(self._dispatch.directory.hearing((target.exchange, target.topic), target.server))

    def notify(self, exchange: str, key: str, body: dict[str, Any], context: dict[str, Any]) -> None:
        """There is no queue from which others could read it."""
        if not self._told_of_notifications:
            self._told_of_notifications = True
            LOG.warning("zmq:// carries no notifications: driver = messagingv2 has no effect, log has")

    # Receiving.

    def listen(self, target: Target, threads: int = 1) -> Listener:
        with self._dispatch.lock:
            if self._dispatch.closed:
                raise NoSuchServer("The bus is closed.")
            ear = ZmqListener(
                next(self._ear_numbers),
                target,
                threads,
                settle=self._settle,
                ready=self._call_for_more,
                leave=self._leave,
            )
            self._listeners[ear.number] = ear
            self._announce()
        return ear

    def _announce(self) -> None:
        self._neighbours.announce(
            [
                [ear.number, ear.target.exchange, ear.target.topic, ear.target.server, ear.threads]
                for ear in self._listeners.values()
            ]
        )

    def _leave(self, ear: ZmqListener, left: list[ZmqDelivery]) -> None:
        with self._dispatch.lock:
            self._listeners.pop(ear.number, None)
            if not self._dispatch.closed:
                self._announce()
        for delivery in left:
            self._give_back(delivery)

    def _give_back(self, delivery: ZmqDelivery) -> None:
        self._seen.forget(delivery.id)
        self._dispatch.write(delivery.sender, wire.BACK, delivery.id, True)

    def _receive(self, frame: list[Any]) -> None:
        """On the receiving thread."""
        what, to, sender = frame[:3]
        if what == wire.HELLO:
            self._neighbours.hello(frame)
            return
        if what == wire.BYE:
            self._neighbours.bye(sender)
            return
        if to != self._name:
            # Meant for a process that had this address before.
            if what == wire.REQUEST:
                self._dispatch.write(sender, wire.BACK, frame[4], True)
            return
        peer = self._dispatch.directory.peers.get(sender)
        if peer is not None and peer.heard is not None:
            peer.heard = clock.monotonic()
        if what == wire.REQUEST:
            self._request(frame)
        elif what == wire.REPLY:
            self._replied(sender, frame[3], frame[4], frame[5])
        elif what == wire.DONE:
            self._dispatch.settled(sender, frame[3])
        elif what == wire.BACK:
            self._dispatch.sent_back(sender, frame[3], frame[4])
        elif what == wire.READY:
            self._dispatch.ready(sender, frame[3])
        elif what == wire.BEAT:
            post = self._dispatch.sent(sender, frame[3])
            if post is not None and post.pending is not None:
                post.pending.beat()

    def _request(self, frame: list[Any]) -> None:
        sender, number, id, kind = frame[2], frame[3], frame[4], frame[5]
        if kind == FANOUT:
            exchange, topic = frame[7][3], frame[7][0]
            for ear in list(self._listeners.values()):
                if (ear.target.exchange, ear.target.topic) == (exchange, topic):
                    ear.take(frame)
            return
        if kind == CAST:
            known = self._seen.begin(id)
            if known is not None:
                if known:
                    self._dispatch.write(sender, wire.DONE, id)
                return
        listener = self._listeners.get(number)
        answer = Answer.GONE if listener is None else listener.take(frame)
        if answer is not Answer.TAKEN:
            self._seen.forget(id)
            self._dispatch.write(sender, wire.BACK, id, answer is Answer.GONE)

    def _replied(self, sender: str, id: str, packed: bytes | None, lost: str | None) -> None:
        post = self._dispatch.settled(sender, id)
        if post is None or post.pending is None:
            return
        if packed is None:
            post.pending.fail(Ending.LOST, lost or "")
        else:
            post.pending.resolve(wire.unpack_outcome(packed))

    def _settle(self, delivery: ZmqDelivery) -> None:
        if delivery.kind == CAST:
            self._seen.done(delivery.id)
        self._dispatch.write(delivery.sender, wire.DONE, delivery.id)

    def _call_for_more(self, ear: ZmqListener, senders: list[str]) -> None:
        for sender in senders:
            self._dispatch.write(sender, wire.READY, ear.number)

    # Answering.

    def begun(self, delivery: Delivery) -> None:
        """The first heartbeat tells it: a process that dies is noticed by its connection."""

    def heartbeat(self, delivery: Delivery) -> None:
        assert isinstance(delivery, ZmqDelivery)
        beat = partial(self._dispatch.write, delivery.sender, wire.BEAT, delivery.id)
        if not self.faults.active or self.faults.passes("heartbeat", delivery.envelope, beat):
            beat()

    def reply(self, delivery: Delivery, outcome: Outcome) -> bool:
        assert isinstance(delivery, ZmqDelivery)
        envelope = delivery.envelope
        packed = wire.pack_outcome(outcome, envelope.method)
        if envelope.expires is not None and clock.now() >= envelope.expires:
            delivery.ear.done(delivery)
            return False
        delivery.ear.release(delivery)
        send = partial(self._dispatch.write, delivery.sender, wire.REPLY, delivery.id, packed, None)
        if self.faults.active and not self.faults.passes("reply", envelope, send):
            return True
        return send()

    def lost(self, delivery: Delivery, cause: str) -> None:
        """The caller of a call is told; a cast goes back to its sender, for the server's successor."""
        assert isinstance(delivery, ZmqDelivery)
        if not delivery.ear.release(delivery):
            return
        if delivery.kind == CALL:
            self._dispatch.write(delivery.sender, wire.REPLY, delivery.id, None, cause)
        elif delivery.kind == CAST:
            self._give_back(delivery)

    def close(self) -> None:
        if self._dispatch.closed:
            return
        self.faults.close()
        for ear in list(self._listeners.values()):
            ear.close()
        self._dispatch.close()
        me = self._neighbours.me
        # The reading thread first: it rings the neighbours' bell.
        self._door.close(lambda: me.connection.send(wire.encode((wire.STOP, me.bus, me.bus))))
        self._neighbours.close()
        for peer in self._dispatch.directory.peers.values():
            peer.connection.close(0 if peer is me else _LINGER)
        for connection in self._dispatch.left:
            connection.close()
        self._context.destroy()
