"""How a request reaches another service: in this process here, over HTTP in `http_transport.py`."""

import io
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import unquote

from celaje.common.errors import Unavailable

Headers = Mapping[str, str]


class Transport(ABC):
    """`send` returns status, headers (lower-case names) and the body in chunks. `timeout` is how many seconds
    it waits for an answer; None: as long as the other side works."""

    timeout: float | None = None

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
