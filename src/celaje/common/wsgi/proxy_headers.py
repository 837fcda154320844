"""What a balancer that ends TLS says of the request, made the request's own: links in answers are by it.

Around the application of a process whose `[oslo_middleware] enable_proxy_headers_parsing` is set; without it
nobody's headers count, since a client can send them too. Source: oslo.middleware, http_proxy_to_wsgi;
RFC 7239.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any

from celaje.common.wsgi.mount import Application

_SCHEMES = ("http", "https")
_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z._-]+)(?::[0-9]{1,5})?")
_PREFIX = re.compile(r"(?:/[0-9A-Za-z._~-]+)*")


class ProxyHeaders:
    """Of several proxies the one that the client spoke to counts: the first that is named."""

    def __init__(self, application: Application):
        self._application = application

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        told = _forwarded(environ.get("HTTP_FORWARDED", ""))
        scheme = (told.get("proto") or _first(environ, "HTTP_X_FORWARDED_PROTO")).lower()
        host = told.get("host") or _first(environ, "HTTP_X_FORWARDED_HOST")
        prefix = _first(environ, "HTTP_X_FORWARDED_PREFIX").rstrip("/")
        if scheme in _SCHEMES:
            environ["wsgi.url_scheme"] = scheme
        if _HOST.fullmatch(host):
            environ["HTTP_HOST"] = host
        if prefix and _PREFIX.fullmatch(prefix):
            environ["SCRIPT_NAME"] = prefix
        return self._application(environ, start_response)


def _first(environ: dict[str, Any], name: str) -> str:
    return str(environ.get(name, "")).partition(",")[0].strip()


def _forwarded(header: str) -> dict[str, str]:
    """`for=1.2.3.4;proto=https;host="a:5000", for=...` -> the first element's parts."""
    pairs = (part.partition("=") for part in header.partition(",")[0].split(";"))
    return {name.strip().lower(): value.strip().strip('"') for name, _, value in pairs}
