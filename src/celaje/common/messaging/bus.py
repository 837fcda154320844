"""From a transport URL to a bus: the only place that knows which drivers there are.

Called when a process is put together; every call makes a bus of its own, so that several clouds can live
in one process.
"""

from typing import Any
from urllib.parse import urlsplit

from celaje.common.errors import ConfigurationError
from celaje.common.messaging.driver import Bus
from celaje.common.messaging.inproc import InprocBus

_RABBIT = frozenset(("rabbit", "amqp", "kombu"))


def connect(transport_url: str, conf: Any = None) -> Bus:
    """The bus that `transport_url` names. ConfigurationError when no driver here speaks its scheme.

    `conf` gives `call_monitor_interval` and `call_monitor_timeout` (seconds), and drivers their own group.
    """
    scheme = urlsplit(transport_url).scheme
    if scheme == "inproc":
        return InprocBus(conf)
    if scheme in _RABBIT:
        try:
            from celaje.common.messaging.rabbit import RabbitBus
        except ModuleNotFoundError as error:
            raise _missing(error, "amqp", f"{scheme}://", "rabbit") from None
        return RabbitBus(transport_url, conf)
    if scheme == "zmq":
        try:
            from celaje.common.messaging.zmq import ZmqBus
        except ModuleNotFoundError as error:
            raise _missing(error, "zmq", "zmq://", "zmq") from None
        return ZmqBus(transport_url, conf)
    raise ConfigurationError(
        f"transport_url: no message driver speaks {scheme!r}; use inproc:// (rabbit:// and zmq:// by extras)"
    )


def _missing(error: ModuleNotFoundError, library: str, scheme: str, extra: str) -> Exception:
    """The scheme only: the URL holds a password."""
    if error.name is None or error.name.partition(".")[0] != library:
        return error
    return ConfigurationError(f"transport_url: {scheme} needs the extra celaje[{extra}]")
