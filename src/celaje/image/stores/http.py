"""Images that lie on web servers: read-only, each at the URL that a client gave as its location.

Called through base.Store; every request goes through `web.py`, which says whom it may reach.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from celaje.image.stores import base
from celaje.image.web import Web


class HttpStore(base.Store):
    kind = "http"
    read_only = True

    def __init__(self, web: Web, *, name: str = "http"):
        self.name = name
        self._web = web

    def accepts(self, url: str) -> bool:
        return self._web.allows(url)

    def size(self, location: str) -> int | None:
        return self._web.size(location)

    def read(self, location: str, offset: int = 0, length: int | None = None) -> base.Reading:
        fetched = self._web.open(location, offset, length)
        return base.Reading(fetched.whole, fetched.size, iter(fetched))

    def write(
        self, image_id: str, chunks: Iterable[bytes], limit: int | None = None, *, size: int | None = None
    ) -> base.Stored:
        raise base.ReadOnly(store=self.name)

    def delete(self, location: str) -> None:
        """What lies there is not ours."""

    def location(self, image_id: str) -> str:
        raise base.ReadOnly(store=self.name)

    def list(self) -> Iterator[tuple[str, str]]:
        return iter(())

    def capacity(self) -> base.Capacity:
        return base.Capacity(0, 0)

    def properties(self) -> dict[str, Any]:
        return {}
