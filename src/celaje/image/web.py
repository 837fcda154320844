"""Fetches what users name by URL: web-download, the http store, locations. Says whom a request may reach.

The rule is applied to the address that is connected to, not to a name that may mean another one a moment
later; a redirect is followed only to the same scheme, host and port. Options: Glance's
[import_filtering_opts].
"""

import http.client
import ipaddress
import re
import socket
import ssl
from collections.abc import Iterator
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

from oslo_config import cfg

from celaje.common.errors import ConfigurationError, Invalid
from celaje.image.stores.base import BadRange, DataNotFound

OPTIONS = [
    cfg.ListOpt("allowed_schemes", default=["http", "https"], help="Schemes that a URL may have."),
    cfg.ListOpt("disallowed_schemes", default=[], help="Refused, where no allowed_schemes are given."),
    cfg.ListOpt("allowed_hosts", default=[], help="The only hosts that a URL may name; empty: all."),
    cfg.ListOpt("disallowed_hosts", default=[], help="Refused, where no allowed_hosts are given."),
    cfg.ListOpt(
        "allowed_ports",
        item_type=cfg.types.Integer(),
        default=[80, 443],
        help="The only ports that a URL may name; empty: all.",
    ),
    cfg.ListOpt(
        "disallowed_ports",
        item_type=cfg.types.Integer(),
        default=[],
        help="Refused, where no allowed_ports are given.",
    ),
    cfg.ListOpt(
        "allowed_addresses",
        default=[],
        help="Networks (127.0.0.1/32, ...) that are reached although they are loopback, link-local (the "
        "metadata address), multicast or reserved. Such addresses are refused otherwise, whatever name leads "
        "to them.",
    ),
    cfg.IntOpt("timeout", default=60, min=1, help="Seconds without a byte after which a server is given up."),
]

_CHUNK = 1 << 20
_REDIRECTS = 5
_DEFAULT_PORTS = {"http": 80, "https": 443}
_TOTAL = re.compile(r"bytes (?:[0-9]+-[0-9]+|\*)/([0-9]+)")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
# Metadata services beside the link-local one.
_METADATA = {ipaddress.ip_address(text) for text in ("fd00:ec2::254", "100.100.100.200")}


class UriRefused(Invalid):
    text = "{uri} does not pass filtering: {reason}."


class FetchFailed(Invalid):
    """The server cannot be reached, or did not give what was asked for."""

    text = "{uri} could not be fetched: {reason}."


class Fetched:
    """An answer on its way: `whole` the size of all that lies there, `size` of what comes (None: unknown).
    Iterate for its chunks; FetchFailed when it breaks off."""

    def __init__(self, uri: str, connection: http.client.HTTPConnection, answer: http.client.HTTPResponse):
        self.status = answer.status
        self.size = _length(answer)
        total = _TOTAL.fullmatch(answer.getheader("Content-Range") or "")
        self.whole = int(total[1]) if total else self.size
        self._uri, self._connection, self._answer = uri, connection, answer
        # Made here, so that closing the iterator closes the connection even before the first chunk.
        self._chunks = self._read()

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return next(self._chunks)

    def _read(self) -> Iterator[bytes]:
        try:
            # read1: a stream that trickles is handed on as it comes.
            while chunk := self._answer.read1(_CHUNK):
                yield chunk
        except (OSError, http.client.HTTPException) as error:
            raise FetchFailed(uri=self._uri, reason=_words(error)) from error
        if self._answer.length:
            raise FetchFailed(
                uri=self._uri, reason=f"it broke off {self._answer.length} bytes before the end"
            )

    def close(self) -> None:
        self._chunks.close()  # type: ignore[attr-defined]
        self._connection.close()

    def __enter__(self) -> "Fetched":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Web:
    """`options` is the group in which OPTIONS are registered."""

    def __init__(self, options: Any):
        self._options = options
        try:
            self._networks = [ipaddress.ip_network(text, strict=False) for text in options.allowed_addresses]
        except ValueError as error:
            raise ConfigurationError(f"[import_filtering_opts] allowed_addresses: {error}.") from error

    def allows(self, uri: str) -> bool:
        try:
            self.check(uri)
        except UriRefused:
            return False
        return True

    def check(self, uri: str) -> SplitResult:
        """Scheme, host and port against the lists. The addresses are checked when connecting."""
        try:
            parts = urlsplit(uri)
            port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
        except ValueError as error:
            raise UriRefused(uri=uri[:255], reason="it is not a URL") from error
        if not parts.hostname or parts.username is not None or not uri.isprintable() or " " in uri:
            raise UriRefused(uri=_public(uri), reason="it needs a scheme and a host, and no credentials")
        options = self._options
        self._judge(uri, "scheme", parts.scheme, options.allowed_schemes, options.disallowed_schemes)
        self._judge(uri, "host", parts.hostname, options.allowed_hosts, options.disallowed_hosts)
        self._judge(uri, "port", port, options.allowed_ports, options.disallowed_ports)
        if parts.scheme not in _DEFAULT_PORTS:
            raise UriRefused(uri=uri[:255], reason=f"nothing here speaks {parts.scheme[:32]}")
        literal = _literal(parts.hostname)
        if literal is not None and not self._may_reach(literal):
            raise UriRefused(uri=uri[:255], reason=f"the address {literal} is not allowed")
        return parts

    @staticmethod
    def _judge(uri: str, what: str, value: Any, allowed: list[Any], disallowed: list[Any]) -> None:
        if (allowed and value not in allowed) or (not allowed and value in disallowed):
            raise UriRefused(uri=uri[:255], reason=f"the {what} {str(value)[:64]} is not allowed")

    def size(self, uri: str) -> int | None:
        """As the server says it: by HEAD, or where that is not answered by the head of a GET."""
        try:
            with self._request("HEAD", uri, {}) as fetched:
                return fetched.size
        except FetchFailed:
            with self._request("GET", uri, {}) as fetched:
                return fetched.size

    def open(self, uri: str, offset: int = 0, length: int | None = None) -> Fetched:
        headers = {}
        if offset or length is not None:
            end = "" if length is None else str(offset + max(length, 1) - 1)
            headers["Range"] = f"bytes={offset}-{end}"
        fetched = self._request("GET", uri, headers)
        if headers and fetched.status != 206:
            fetched.close()
            raise FetchFailed(uri=uri, reason="the server does not give parts of it")
        return fetched

    def _request(self, method: str, uri: str, headers: dict[str, str]) -> Fetched:
        for _ in range(_REDIRECTS):
            parts = self.check(uri)
            connection = self._connect(uri, parts)
            path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            try:
                connection.request(method, path, headers={"Accept-Encoding": "identity", **headers})
                answer = connection.getresponse()
            except (OSError, http.client.HTTPException, ValueError) as error:
                connection.close()
                raise FetchFailed(uri=uri, reason=_words(error)) from error
            if answer.status not in (301, 302, 303, 307, 308):
                return self._judged(uri, connection, answer)
            connection.close()
            uri = self._elsewhere(uri, parts, answer.getheader("Location"))
        raise FetchFailed(uri=uri, reason="it redirects too often")

    @staticmethod
    def _judged(
        uri: str, connection: http.client.HTTPConnection, answer: http.client.HTTPResponse
    ) -> Fetched:
        if answer.status in (200, 206):
            return Fetched(uri, connection, answer)
        connection.close()
        if answer.status in (404, 410):
            raise DataNotFound(location=uri)
        if answer.status == 416:
            raise BadRange(offset="there", size="another number of")
        raise FetchFailed(uri=uri, reason=f"the server answered {answer.status}")

    def _elsewhere(self, uri: str, parts: SplitResult, location: str | None) -> str:
        goal = urlsplit(urljoin(uri, location or ""))
        same = (goal.scheme, goal.hostname, goal.port) == (parts.scheme, parts.hostname, parts.port)
        if not location or not same:
            raise UriRefused(uri=uri, reason="it redirects to elsewhere")
        return goal.geturl()

    def _connect(self, uri: str, parts: SplitResult) -> http.client.HTTPConnection:
        host, timeout = parts.hostname or "", self._options.timeout
        port = parts.port or _DEFAULT_PORTS[parts.scheme]
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise FetchFailed(uri=uri, reason="its host has no address") from error
        for *_, address in found:
            if not self._may_reach(ipaddress.ip_address(str(address[0]).partition("%")[0])):
                raise UriRefused(uri=uri, reason=f"the address {address[0]} is not allowed")
        problem: OSError | None = None
        for family, kind, protocol, _, address in found:
            reached = socket.socket(family, kind, protocol)
            reached.settimeout(timeout)
            try:
                # To the address that was checked: asking for the name again could give another one.
                reached.connect(address)
                return self._speak(parts, host, port, reached)
            except OSError as error:
                reached.close()
                problem = error
        raise FetchFailed(uri=uri, reason=_words(problem)) from problem

    def _speak(self, parts: SplitResult, host: str, port: int, reached: socket.socket) -> Any:
        if parts.scheme == "https":
            reached = ssl.create_default_context().wrap_socket(reached, server_hostname=host)
        connection = http.client.HTTPConnection(host, port, timeout=self._options.timeout)
        connection.default_port = _DEFAULT_PORTS[parts.scheme]
        connection.auto_open = 0
        connection.sock = reached
        return connection

    def _may_reach(self, address: Any) -> bool:
        address = _meant(address)
        if any(address in network for network in self._networks if network.version == address.version):
            return True
        return not (
            address.is_loopback
            or address.is_link_local
            or address.is_multicast
            or address.is_unspecified
            or address.is_reserved
            or address in _METADATA
        )


def _meant(address: Any) -> Any:
    """The IPv4 address that an IPv6 one leads to, if it does."""
    if address.version == 6:
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        return address.ipv4_mapped or address.sixtofour or address
    return address


def _length(answer: http.client.HTTPResponse) -> int | None:
    """As announced; http.client says 0 of what a HEAD tells of."""
    text = answer.getheader("Content-Length") or ""
    return int(text) if text.isascii() and text.isdigit() and not answer.chunked else None


def _literal(host: str) -> Any:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None


def _words(error: Exception | None) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text)[:200]


def _public(uri: str) -> str:
    """Without the credentials that somebody put in."""
    return re.sub(r"//[^/@]*@", "//***@", uri)[:255]
