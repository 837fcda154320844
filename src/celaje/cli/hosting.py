"""granian around a WSGI application that is made in its worker process: for `celaje up` and `celaje service`.

This process stays small: it holds the listening socket and the signals. What is served lives in the one
worker process, which is forked before anything heavy is imported here.
"""

import errno
import socket
import sys
from typing import Any

from celaje.cli.failure import Failure


def check_port(address: str, port: int, advice: str) -> None:
    """Raises Failure when it cannot be listened on; `advice` for when somebody else does."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise Failure(f"Port {port} on {address} is taken.", advice) from error
            raise Failure(f"{address}:{port} cannot be listened on: {error.strerror}.") from error


def serve(loader: Any, address: str, port: int, *, threads: int = 16, backlog: int = 1024) -> None:
    """Until a signal ends it. `loader()` returns the application, in the worker."""
    from granian.constants import Interfaces
    from granian.server import Server

    server = Server(
        "celaje",
        address=address,
        port=port,
        interface=Interfaces.WSGI,
        workers=1,
        blocking_threads=threads,
        backlog=backlog,
        websockets=False,
        log_enabled=False,
        workers_kill_timeout=30,
    )
    sys.stdout.flush()
    # granian ends with code 1 when its worker ended by itself: the worker has said why.
    server.serve(target_loader=loader, wrap_loader=False)
