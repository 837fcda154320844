"""What waits at its sender: for a server to come up, or for one with an idle thread.

Filled and emptied by the bus under its lock; oldest first for each queue (a server's own, or a topic's).
"""

from collections import deque
from collections.abc import Iterable, Iterator

from celaje.common import clock
from celaje.common.messaging.envelope import CALL, Envelope
from celaje.common.messaging.pending import Pending
from celaje.common.messaging.zmq import wire

# Exchange, topic, server.
Queue = tuple[str, str, str | None]


class Post:
    """A message on its way. `number` keeps the order in which they were sent; `ends` (monotonic) is when a
    cast is given up."""

    __slots__ = ("ends", "envelope", "number", "parts", "pending", "queue")

    def __init__(self, envelope: Envelope, pending: Pending | None, number: int, cast_timeout: float | None):
        self.envelope = envelope
        self.pending = pending
        self.number = number
        self.parts = wire.arguments(envelope)
        target = envelope.target
        self.queue: Queue = (target.exchange, target.topic, target.server)
        self.ends = None if cast_timeout is None else clock.monotonic() + cast_timeout

    @property
    def is_call(self) -> bool:
        return self.envelope.kind == CALL

    def over(self) -> bool:
        """Nobody waits for it any more, or its time is over."""
        if self.is_call:
            expires = self.envelope.expires
            return expires is not None and clock.now() >= expires
        return self.ends is not None and clock.monotonic() >= self.ends


class Outbox:
    def __init__(self) -> None:
        self._queues: dict[Queue, deque[Post]] = {}

    def waiting(self, queue: Queue) -> deque[Post] | None:
        return self._queues.get(queue)

    def add(self, post: Post) -> None:
        self._queues.setdefault(post.queue, deque()).append(post)

    def put_back(self, posts: Iterable[Post]) -> set[Queue]:
        """What was sent and is to be sent again, at its old place; the queues that it is in."""
        queues = set()
        for post in posts:
            queue = self._queues.setdefault(post.queue, deque())
            queues.add(post.queue)
            if not queue or post.number < queue[0].number:
                queue.appendleft(post)
            else:
                ordered = sorted((*queue, post), key=lambda other: other.number)
                queue.clear()
                queue.extend(ordered)
        return queues

    def forget_if_empty(self, queue: Queue) -> None:
        if not self._queues.get(queue, True):
            del self._queues[queue]

    def queues(self) -> list[Queue]:
        return list(self._queues)

    def sweep(self) -> Iterator[Post]:
        """Take out whose time is over."""
        for name, queue in list(self._queues.items()):
            over = [post for post in queue if post.over()]
            for post in over:
                queue.remove(post)
                yield post
            self.forget_if_empty(name)

    def withdraw_calls(self, queue: Queue) -> list[Post]:
        """Take out the calls: they do not wait for a server to come up."""
        waiting = self._queues.get(queue)
        if not waiting:
            return []
        calls = [post for post in waiting if post.is_call]
        for post in calls:
            waiting.remove(post)
        self.forget_if_empty(queue)
        return calls

    def __len__(self) -> int:
        return sum(map(len, self._queues.values()))
