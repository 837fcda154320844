"""What an operation costs in kind, which no noise touches: statements, commits, messages, REST requests; and
the processor time of all threads, which noise touches less than it does the clock on the wall."""

import time
from contextlib import contextmanager
from dataclasses import dataclass, field

from celaje.common.rest import InProcessTransport


@dataclass
class Counts:
    statements: float = 0
    commits: float = 0
    messages: float = 0
    requests: float = 0
    seconds: float = 0
    of: dict = field(default_factory=dict)

    def each(self, operations):
        return (
            f"{self.statements / operations:.1f} statements, {self.commits / operations:.1f} commits, "
            f"{self.messages / operations:.1f} messages, {self.requests / operations:.1f} REST requests, "
            f"{self.seconds / operations * 1e3:.1f} ms of processor time"
        )


@contextmanager
def counting(cloud, monkeypatch):
    """Counts of all services of `cloud` while the context lasts; messages are calls, casts and replies."""
    counts = Counts()
    databases = [service.database for service in cloud.running.values()]
    before = sum(database.statements for database in databases)
    with monkeypatch.context() as patch:

        def count(target, name, kind):
            original = getattr(target, name)

            def counted(*args, **kwargs):
                setattr(counts, kind, getattr(counts, kind) + 1)
                return original(*args, **kwargs)

            patch.setattr(target, name, counted)

        for database in databases:
            count(database._group, "_begin", "commits")
        count(cloud.bus, "publish", "messages")
        count(cloud.bus, "reply", "messages")
        count(InProcessTransport, "send", "requests")
        began = time.process_time()
        yield counts
        counts.seconds = time.process_time() - began
    counts.statements = sum(database.statements for database in databases) - before
