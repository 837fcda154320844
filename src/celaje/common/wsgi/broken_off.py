"""Whether a chunked request body ended or its connection broke off: granian tells a WSGI application neither.

Called by handlers that take a stream without an announced length (image data, objects), once it has ended.
"""

import contextlib
import ipaddress
import os
import socket
import struct
from collections.abc import Iterator, Mapping
from typing import Any

_ESTABLISHED = 1
# Of Linux's struct tcp_info: the state is its first byte, tcpi_bytes_received stands at 128.
_RECEIVED_AT = 128
_INFO_SIZE = 256


def broken_off(environ: Mapping[str, Any], received: int) -> bool:
    """To be asked when the body has ended after `received` bytes, and before anything is answered.

    granian (2.8) tells neither of the error nor of the client's port. But it keeps the connection until the
    answer, and the kernel knows what became of it: who has sent all still waits (ESTABLISHED), who went away
    does not. Of several connections from one address that can be meant, one that is dead makes the answer
    yes: a client can send again, while half an image must not become active. Always False behind servers
    that raise an error themselves, and in process.
    """
    if environ.get("SERVER_SOFTWARE") != "Granian" or "chunked" not in _encoding(environ):
        return False
    # More than the body: the head came the same way. What never received anything is the server's own.
    states = [state for state, found in _connections(environ) if found > received]
    return not states or any(state != _ESTABLISHED for state in states)


def _encoding(environ: Mapping[str, Any]) -> str:
    return str(environ.get("HTTP_TRANSFER_ENCODING", "")).lower()


def _connections(environ: Mapping[str, Any]) -> Iterator[tuple[int, int]]:
    """(state, bytes received) of this process's TCP connections that can be the request's."""
    port, client = int(environ["SERVER_PORT"]), _address(environ["REMOTE_ADDR"])
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            if not os.readlink(f"/proc/self/fd/{name}").startswith("socket:"):
                continue
            # Of a copy: the server may close its own meanwhile, and the number be another's then.
            with socket.socket(fileno=os.dup(int(name))) as connection:
                if not _is_tcp(connection) or connection.getsockname()[1] != port:
                    continue
                info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_SIZE)
                if _is_of(connection, client):
                    yield info[0], struct.unpack_from("=Q", info, _RECEIVED_AT)[0]


def _is_tcp(connection: socket.socket) -> bool:
    return connection.family in (socket.AF_INET, socket.AF_INET6) and connection.type == socket.SOCK_STREAM


def _is_of(connection: socket.socket, client: str) -> bool:
    try:
        return _address(connection.getpeername()[0]) == client
    except OSError:
        # Listening, or reset: the latter no longer says by whom, so it may be this one's.
        return connection.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 0


def _address(text: str) -> str:
    address = ipaddress.ip_address(text.partition("%")[0])
    return str(getattr(address, "ipv4_mapped", None) or address)
