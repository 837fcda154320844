"""granian around a WSGI application that is made in its worker process: for `celaje up` and `celaje service`.

This process stays small: it holds the listening socket and the signals. What is served lives in the one
worker process, which is forked before anything heavy is imported here.
"""

import errno
import os
import socket
import ssl
import sys
from pathlib import Path
from typing import Any, NamedTuple

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


class Tls(NamedTuple):
    """Files of the server's certificate and key, and of the authority that clients' certificates are of."""

    certificate: Path
    key: Path
    authority: Path | None = None

    @classmethod
    def of(cls, options: Any) -> "Tls | None":
        """By a configuration's group [ssl]; None for plain HTTP. Raises Failure for what cannot be used."""
        names = {name: getattr(options, f"{name}_file") for name in ("cert", "key", "ca")}
        if not names["cert"]:
            return None
        if not names["key"]:
            raise Failure("[ssl] cert_file is set, key_file is not.", "Name the key of the certificate.")
        for name, file in names.items():
            if file and not os.access(file, os.R_OK):
                raise Failure(f"[ssl] {name}_file: {file} cannot be read.", "A PEM file for this user.")
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(names["cert"], names["key"])
        except (ssl.SSLError, OSError) as error:
            raise Failure(
                f"[ssl] cert_file and key_file are no pair: {error}.", "Two PEM files that belong together."
            ) from error
        return cls(Path(names["cert"]), Path(names["key"]), Path(names["ca"]) if names["ca"] else None)


def serve(
    loader: Any, address: str, port: int, *, threads: int = 16, backlog: int = 1024, tls: Tls | None = None
) -> None:
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
        ssl_cert=tls and tls.certificate,
        ssl_key=tls and tls.key,
        ssl_ca=tls and tls.authority,
        ssl_client_verify=bool(tls and tls.authority),
    )
    sys.stdout.flush()
    # granian ends with code 1 when its worker ended by itself: the worker has said why.
    server.serve(target_loader=loader, wrap_loader=False)
