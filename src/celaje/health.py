"""`GET /healthcheck`: whether a balancer should send requests to this process (oslo.middleware's path).

200 from the moment all parts have started until the process is told to end. The database is looked at too,
but in the background: a check must never wait, and one that fails for a moment is no reason to go.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec
from sqlalchemy import select

from celaje.common import clock
from celaje.common.errors import CelajeError
from celaje.common.periodic import Periodic

log = logging.getLogger(__name__)

# Seconds between looks at the databases, and how long one may be silent before the process says so.
_LOOK_EVERY = 2.0
_SILENCE = 10.0


class Health:
    """`running` are the process's services."""

    def __init__(self, running: Mapping[str, Any]):
        self._running = running
        self._serving = False
        self._periodic = Periodic("health")
        self._seen: dict[str, float] = {}

    def begin(self) -> None:
        self._serving = True
        self._look()
        self._periodic.every(_LOOK_EVERY, self._look)
        self._periodic.start()

    def end(self) -> None:
        """From now on balancers are told to go elsewhere."""
        self._serving = False
        self._periodic.stop()

    def _look(self) -> None:
        for name, service in self._running.items():
            if service.api is None:
                continue
            try:
                service.database.read(lambda tx: tx.execute(select(1)).scalar())
            except CelajeError as error:
                log.warning("%s: %s", name, error.message)
            else:
                self._seen[name] = clock.monotonic()

    def silent(self) -> list[str]:
        """Services whose database has not answered for a while."""
        oldest = clock.monotonic() - _SILENCE
        return [
            name
            for name, service in self._running.items()
            if service.api is not None and self._seen.get(name, -_SILENCE) < oldest
        ]

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        silent = self.silent() if self._serving else []
        reasons = [f"the database of {name} does not answer" for name in silent]
        if not self._serving:
            reasons = ["stopping"]
        status = "503 Service Unavailable" if reasons else "200 OK"
        body = msgspec.json.encode({"status": "unavailable" if reasons else "OK", "reasons": reasons})
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        start_response(status, headers)
        return [body]
