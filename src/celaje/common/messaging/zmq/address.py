"""Where processes meet and how this one is reached: `transport_url` and `[oslo_messaging_zmq]`.

Read once when a bus is made; everything else of the driver takes its settings from here.
"""

import ipaddress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from celaje.common.errors import ConfigurationError
from celaje.common.messaging.options import ZMQ_OPTIONS

_DEFAULTS = {option.dest: option.default for option in ZMQ_OPTIONS}
# oslo.messaging's `rpc_zmq_port`.
_MEETING_PORT = 9501


@dataclass(frozen=True, slots=True)
class Settings:
    """`meeting_points` are (host, port); times in seconds; `cast_timeout` None: casts wait for ever."""

    meeting_points: tuple[tuple[str, int], ...]
    bind_address: str
    host: str
    ports: tuple[int, int]
    cast_timeout: float | None
    poll_timeout: float
    backlog: int
    update: float
    expire: float
    key_file: str | None


def settings(transport_url: str, conf: Any = None) -> Settings:
    """ConfigurationError says what is wrong with the URL or the options."""
    group = getattr(conf, "oslo_messaging_zmq", None)

    def option(name: str) -> Any:
        return getattr(group, name, _DEFAULTS[name])

    bind_address = str(option("rpc_zmq_bind_address"))
    host = option("rpc_zmq_host") or bind_address
    if host in ("*", "0.0.0.0", "::"):
        raise ConfigurationError(
            "[oslo_messaging_zmq] rpc_zmq_host: with rpc_zmq_bind_address = * others must be told the name "
            "or address by which they reach this machine"
        )
    key_file = option("curve_secret_key_file") or None
    if key_file is None and not _is_loopback(bind_address):
        raise ConfigurationError(
            f"[oslo_messaging_zmq] rpc_zmq_bind_address: whoever reaches {bind_address} could command this "
            "cloud. Set curve_secret_key_file (`celaje messaging new-key` makes one), or bind to 127.0.0.1"
        )
    cast_timeout = float(option("rpc_cast_timeout"))
    return Settings(
        meeting_points=_meeting_points(urlsplit(transport_url).netloc),
        bind_address=bind_address,
        host=str(host),
        ports=(int(option("rpc_zmq_min_port")), int(option("rpc_zmq_max_port"))),
        cast_timeout=None if cast_timeout < 0 else cast_timeout,
        poll_timeout=float(option("rpc_poll_timeout")),
        backlog=int(option("rpc_zmq_topic_backlog")),
        update=float(option("zmq_target_update")),
        expire=float(option("zmq_target_expire")),
        key_file=key_file,
    )


def endpoint(host: str, port: int | str) -> str:
    """As ZeroMQ writes it."""
    return f"tcp://[{host}]:{port}" if ":" in host else f"tcp://{host}:{port}"


def _meeting_points(netloc: str) -> tuple[tuple[str, int], ...]:
    points = []
    for number, part in enumerate((netloc or f"127.0.0.1:{_MEETING_PORT}").split(","), 1):
        try:
            split = urlsplit(f"//{part.rpartition('@')[2]}")
            name, port = split.hostname or "", split.port or _MEETING_PORT
        except ValueError as error:
            raise ConfigurationError(f"transport_url: host {number} cannot be read: {error}") from None
        if not name:
            raise ConfigurationError(f"transport_url: host {number} has no name")
        points.append((name, port))
    return tuple(points)


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"
