"""What answers below no service's path in the all-in-one cloud: what runs here, and is it well.

Behind `celaje status` (from outside, without a token it tells no more than which services there are).
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from celaje import __version__

if TYPE_CHECKING:
    from celaje.cloud import Cloud


class FrontDoor:
    def __init__(self, cloud: "Cloud"):
        self._cloud = cloud

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ.get("PATH_INFO", "/") not in ("", "/"):
            return self._answer(start_response, "404 Not Found", self._lost())
        return self._answer(start_response, "200 OK", self._overview())

    def _overview(self) -> dict[str, Any]:
        url = self._cloud.url
        return {
            "celaje": __version__,
            "services": {name: f"{url}/{name}" for name in self._cloud.running},
        }

    def _lost(self) -> dict[str, Any]:
        names = ", ".join(f"/{name}" for name in self._cloud.running)
        return {"error": {"code": 404, "message": f"Nothing is here. The services are below {names}."}}

    @staticmethod
    def _answer(start_response: Callable[..., Any], status: str, body: Any) -> Iterable[bytes]:
        data = msgspec.json.encode(body)
        start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(data)))])
        return [data]
