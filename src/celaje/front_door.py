"""What answers below no service's path where several APIs share one address: which services run here.

Behind `celaje status` (from outside, without a token it tells no more than which services there are), and
`/metrics` for who has its token.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from celaje import __version__
from celaje.common.metrics.page import Page


class FrontDoor:
    """`running` by service; `url` gives where this address is reached; `figures` answers /metrics, if there
    are any to be had here."""

    def __init__(self, running: Mapping[str, Any], url: Callable[[], str], figures: Page | None = None):
        self._running = running
        self._url = url
        self._figures = figures

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if self._figures is not None and environ.get("PATH_INFO") == "/metrics":
            return self._figures(environ, start_response)
        if environ.get("PATH_INFO", "/") not in ("", "/"):
            return self._answer(start_response, "404 Not Found", self._lost())
        return self._answer(start_response, "200 OK", self._overview())

    def _overview(self) -> dict[str, Any]:
        url = self._url()
        return {
            "celaje": __version__,
            "services": {name: f"{url}/{name}" for name in self._running},
        }

    def _lost(self) -> dict[str, Any]:
        names = ", ".join(f"/{name}" for name in self._running)
        return {"error": {"code": 404, "message": f"Nothing is here. The services are below {names}."}}

    @staticmethod
    def _answer(start_response: Callable[..., Any], status: str, body: Any) -> Iterable[bytes]:
        data = msgspec.json.encode(body)
        start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(data)))])
        return [data]
