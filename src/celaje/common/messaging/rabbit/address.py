"""Where the brokers are and how to deal with them: `transport_url` and `[oslo_messaging_rabbit]`.

Read once when a bus is made; everything else of the driver takes its settings from here.
"""

import ssl
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from celaje.common.errors import ConfigurationError
from celaje.common.messaging.options import RABBIT_OPTIONS

_DEFAULTS = {option.dest: option.default for option in RABBIT_OPTIONS}


@dataclass(frozen=True, slots=True)
class Broker:
    host: str
    port: int
    user: str
    password: str = field(repr=False)

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Settings:
    """Brokers in the order of the URL; times in seconds; `tls` is py-amqp's dictionary, or None."""

    brokers: tuple[Broker, ...]
    virtual_host: str
    tls: dict[str, Any] | None
    max_retries: int
    retry_interval: float
    retry_backoff: float
    interval_max: float
    quorum: bool
    durable: bool
    transient_ttl: int
    heartbeat: int


def settings(transport_url: str, conf: Any = None) -> Settings:
    """ConfigurationError says what is wrong with the URL, without the password in it."""
    group = getattr(conf, "oslo_messaging_rabbit", None)

    def option(name: str) -> Any:
        return getattr(group, name, _DEFAULTS[name])

    parts = urlsplit(transport_url)
    query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    tls = bool(option("ssl"))
    if "ssl" in query:
        tls = query["ssl"].lower() in {"1", "true", "yes", "on"}
    quorum = bool(option("rabbit_quorum_queue"))
    return Settings(
        brokers=_brokers(parts.netloc, 5671 if tls else 5672),
        virtual_host=unquote(parts.path.removeprefix("/")) or "/",
        tls=_tls(option) if tls else None,
        max_retries=int(option("rabbit_max_retries")),
        retry_interval=float(option("rabbit_retry_interval")),
        retry_backoff=float(option("rabbit_retry_backoff")),
        interval_max=float(option("rabbit_interval_max")),
        quorum=quorum,
        durable=quorum or bool(option("amqp_durable_queues")),
        transient_ttl=int(option("rabbit_transient_queues_ttl")),
        heartbeat=int(option("heartbeat_timeout_threshold")),
    )


def _brokers(netloc: str, port: int) -> tuple[Broker, ...]:
    """Hosts after commas; one without a user of its own has the user of the one before."""
    brokers: list[Broker] = []
    user, password = "guest", "guest"
    for number, part in enumerate(netloc.split(","), 1):
        before, at, host = part.rpartition("@")
        if at:
            name, _, secret = before.partition(":")
            user, password = unquote(name), unquote(secret)
        try:
            split = urlsplit(f"//{host}")
            name, number_of_port = split.hostname or "", split.port or port
        except ValueError as error:
            raise ConfigurationError(f"transport_url: host {number} cannot be read: {error}") from None
        if not name:
            raise ConfigurationError(f"transport_url: host {number} has no name")
        brokers.append(Broker(name, number_of_port, user, password))
    return tuple(brokers)


def _tls(option: Any) -> dict[str, Any]:
    """With a CA file the broker's certificate and name are checked, by the system's authorities without."""
    tls: dict[str, Any] = {"cert_reqs": ssl.CERT_REQUIRED, "ca_certs": option("ssl_ca_file") or None}
    if option("ssl_cert_file"):
        tls |= {"certfile": option("ssl_cert_file"), "keyfile": option("ssl_key_file") or None}
    return tls
