"""How a request reaches another service: in this process, or over HTTP."""

import http.client
import io
import ssl
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from celaje.common.errors import Unavailable

Headers = Mapping[str, str]


class Transport(ABC):
    """`send` returns status, headers (lower-case names) and the body in chunks."""

    @abstractmethod
    def send(
        self, method: str, path: str, headers: Headers, body: bytes | Iterable[bytes] | None
    ) -> tuple[int, dict[str, str], Iterable[bytes]]: ...


class InProcessTransport(Transport):
    """Calls the other service's WSGI application directly. `prefix` is its mount point, `/volume`.
    `application` is looked up at each request, since services of one process start one after the other."""

    def __init__(self, application: Callable[[], Any], prefix: str = "", host: str = "127.0.0.1"):
        self._application = application
        self._prefix = prefix
        self._host = host

    def send(
        self, method: str, path: str, headers: Headers, body: bytes | Iterable[bytes] | None
    ) -> tuple[int, dict[str, str], Iterable[bytes]]:
        application = self._application()
        if application is None:
            raise Unavailable("The service is not running in this process.")
        path, _, query = path.partition("?")
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": self._prefix,
            "PATH_INFO": unquote(path, "latin-1"),
            "QUERY_STRING": query,
            "SERVER_NAME": self._host,
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "HTTP_HOST": self._host,
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        for name, value in headers.items():
            key = name.upper().replace("-", "_")
            environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = value
        if isinstance(body, bytes):
            environ["wsgi.input"] = io.BytesIO(body)
            environ["CONTENT_LENGTH"] = str(len(body))
        elif body is None:
            environ["wsgi.input"] = io.BytesIO()
        else:
            environ["wsgi.input"] = ChunkReader(body)
            environ["HTTP_TRANSFER_ENCODING"] = "chunked"
        said: list[Any] = []

        def start_response(status: str, found: list[tuple[str, str]], exc_info: Any = None) -> None:
            said[:] = [int(status.split(" ", 1)[0]), {name.lower(): value for name, value in found}]

        chunks = application(environ, start_response)
        return said[0], said[1], chunks


class ChunkReader(io.RawIOBase):
    """A file object over chunks, so that a stream is handed on without being held."""

    def __init__(self, chunks: Iterable[bytes]):
        self._chunks = iter(chunks)
        self._rest = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if size is None or size < 0:
            whole = self._rest + b"".join(self._chunks)
            self._rest = b""
            return whole
        parts = [self._rest]
        held = len(self._rest)
        while held < size:
            chunk = next(self._chunks, b"")
            if not chunk:
                break
            parts.append(chunk)
            held += len(chunk)
        data = b"".join(parts)
        self._rest = data[size:]
        return data[:size]


class HttpTransport(Transport):
    """A few kept-alive connections to one endpoint. `timeout` seconds bound the wait for each answer."""

    def __init__(self, endpoint: str, timeout: float = 60.0, ca_file: str | None = None):
        self._parts = urlsplit(endpoint)
        if self._parts.scheme not in ("http", "https") or not self._parts.hostname:
            raise ValueError(f"{endpoint} is no http(s) URL")
        self._timeout = timeout
        self._tls = ssl.create_default_context(cafile=ca_file) if self._parts.scheme == "https" else None
        self._idle: list[http.client.HTTPConnection] = []
        self._lock = threading.Lock()

    def send(
        self, method: str, path: str, headers: Headers, body: bytes | Iterable[bytes] | None
    ) -> tuple[int, dict[str, str], Iterable[bytes]]:
        url = f"{self._parts.path.rstrip('/')}{path}"
        with self._lock:
            connection = self._idle.pop() if self._idle else None
        fresh = connection is None
        connection = connection or self._connect()
        try:
            return self._exchange(connection, method, url, headers, body)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            repeatable = body is None or isinstance(body, bytes)
            if fresh or not repeatable:
                raise Unavailable(f"{self._parts.netloc} does not answer: {error}") from error
        # A kept connection may have been closed by the other side meanwhile.
        connection = self._connect()
        try:
            return self._exchange(connection, method, url, headers, body)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise Unavailable(f"{self._parts.netloc} does not answer: {error}") from error

    def _connect(self) -> http.client.HTTPConnection:
        host, port = self._parts.hostname or "", self._parts.port
        if self._tls:
            return http.client.HTTPSConnection(host, port, timeout=self._timeout, context=self._tls)
        return http.client.HTTPConnection(host, port, timeout=self._timeout)

    def _exchange(
        self, connection: http.client.HTTPConnection, method: str, url: str, headers: Headers, body: Any
    ) -> tuple[int, dict[str, str], Iterable[bytes]]:
        chunked = body is not None and not isinstance(body, bytes)
        connection.request(method, url, body=body, headers=dict(headers), encode_chunked=chunked)
        response = connection.getresponse()
        found = {name.lower(): value for name, value in response.getheaders()}
        return response.status, found, self._chunks(connection, response)

    def _chunks(
        self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse
    ) -> Iterator[bytes]:
        try:
            while chunk := response.read(1 << 20):
                yield chunk
            if response.length:
                # Read in pieces, http.client takes a connection that broke off for the end.
                raise Unavailable(f"{self._parts.netloc} broke off, {response.length} bytes before the end")
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(f"{self._parts.netloc} broke off: {error}") from error
        finally:
            if response.isclosed() and not response.will_close:
                with self._lock:
                    self._idle.append(connection)
            else:
                connection.close()
