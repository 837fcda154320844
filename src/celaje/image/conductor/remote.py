"""Images of another region's image service, for glance-download: found by the catalog of who asks, read with
its token. Called by the steps of an import."""

from collections.abc import Callable, Iterable
from typing import Any

from celaje.common import context
from celaje.common.clients.identity import IdentityClient
from celaje.common.clients.image import ImageClient
from celaje.common.errors import Invalid, NotFound
from celaje.common.rest import HttpTransport, ServiceCredentials, Transport
from celaje.image.stores.base import Reading


class NoEndpoint(Invalid):
    text = "There is no {interface} endpoint of an image service in region {region}."


class RemoteImages:
    """`own_url` is this service's own endpoint, which is reached through `own` without a socket."""

    def __init__(
        self, identity: IdentityClient, own_url: str | None, own: Callable[[], Transport], prefixes: list[str]
    ):
        self._identity = identity
        self._own_url = (own_url or "").rstrip("/")
        self._own = own
        self._prefixes = tuple(prefixes)

    def describe(self, source: dict[str, Any]) -> dict[str, Any]:
        """Formats, and the properties that an operator lets through. Raises NotFound, Invalid."""
        found = self._client(source).show(source["image_id"])
        if found["status"] != "active":
            raise Invalid(f"The image {source['image_id']} is {found['status']} there, not active.")
        properties = {
            name: value
            for name, value in found.items()
            if name.startswith(self._prefixes) and not name.startswith("os_glance") and isinstance(value, str)
        }
        return {
            "disk_format": found["disk_format"],
            "container_format": found["container_format"],
            "properties": properties,
        }

    def read(self, source: dict[str, Any]) -> Reading:
        headers, chunks = self._client(source).download_file(source["image_id"])
        if "content-length" not in headers:
            raise NotFound(f"The image {source['image_id']} has no data there.")
        size = int(headers["content-length"])
        return Reading(size, size, _Whole(chunks, size))

    def _client(self, source: dict[str, Any]) -> ImageClient:
        region, interface = source["region"], source["interface"]
        url = self._identity.endpoint("image", region, interface)
        if url is None:
            raise NoEndpoint(interface=interface, region=region)
        url = url.rstrip("/").removesuffix("/v2")
        transport = self._own() if url == self._own_url else HttpTransport(url)
        return ImageClient(transport, _UsersToken(), own=True)


class _UsersToken(ServiceCredentials):
    """In the place of credentials of our own, which are no business of another region's."""

    def __init__(self) -> None:
        """Nobody logs in."""

    def token(self) -> str:
        return context.current().token or ""

    def forget(self) -> None:
        """The next token is the same: the user's."""


class _Whole:
    """The chunks of an answer, and an error where they end too early."""

    def __init__(self, chunks: Iterable[bytes], size: int):
        self._chunks = iter(chunks)
        self._source = chunks
        self._left = size

    def __iter__(self) -> "_Whole":
        return self

    def __next__(self) -> bytes:
        chunk = next(self._chunks, b"")
        if not chunk:
            if self._left:
                raise Invalid(f"The image's data broke off {self._left} bytes before its end.")
            raise StopIteration
        self._left -= len(chunk)
        return chunk

    def close(self) -> None:
        getattr(self._source, "close", lambda: None)()
