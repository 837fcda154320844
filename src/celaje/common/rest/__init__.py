"""Speaking to another service by its public REST API, with a token, as every user does.

`RestClient` makes the request and turns a refusal back into a domain error; a transport carries it: to a
WSGI application in this process without a socket, or over HTTP. The typed operations of each service stand
in `common/clients/`.
"""

from typing import TYPE_CHECKING, Any

from celaje.common.rest.client import Answer, RestClient, operation
from celaje.common.rest.credentials import ServiceCredentials
from celaje.common.rest.transport import InProcessTransport, Transport

if TYPE_CHECKING:
    from celaje.common.rest.http_transport import HttpTransport

__all__ = [
    "Answer",
    "HttpTransport",
    "InProcessTransport",
    "RestClient",
    "ServiceCredentials",
    "Transport",
    "operation",
]


def __getattr__(name: str) -> Any:
    if name == "HttpTransport":
        from celaje.common.rest.http_transport import HttpTransport

        return HttpTransport
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
