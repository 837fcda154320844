"""How a service on one machine finds the others: by identity's catalog, over HTTP.

Made by `celaje/process.py`, once a process; hands out the Transports that RestClients use.
"""

import logging
import re
import threading
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from celaje.common import clock
from celaje.common.errors import ConfigurationError, Unavailable
from celaje.common.rest.credentials import ServiceCredentials
from celaje.common.rest.http_transport import HttpTransport
from celaje.common.rest.transport import Headers, Transport

log = logging.getLogger(__name__)

# Service types of the catalog (with their official aliases) by the name of our service.
TYPES = {
    "identity": ("identity",),
    "image": ("image",),
    "network": ("network",),
    "volume": ("block-storage", "volumev3", "block-store", "volume"),
    "compute": ("compute",),
    "placement": ("placement",),
}
# Seconds for which a catalog is not asked for again however badly endpoints answer.
_SAME_CATALOG = 60.0
_VERSION = re.compile(r"^v\d+(\.\d+)?$")


class EndpointMissing(Unavailable):
    text = "The catalog has no {interface} endpoint of {service}{where}."


class Endpoints:
    """`conf` has [keystone_authtoken]. Endpoints are looked up when first needed, and anew when one does not
    answer (once a minute with a new catalog: it may have changed under running services)."""

    def __init__(self, conf: Any, default_user: str | None):
        self._options = conf.keystone_authtoken
        options = self._options
        self._identity = self._open(unversioned(options.auth_url)) if options.auth_url else None
        user = options.username or default_user
        self.credentials: ServiceCredentials | None = None
        if self._identity is not None and user and options.password:
            self.credentials = ServiceCredentials(
                self._reach_identity,
                username=user,
                password=options.password,
                project_name=options.project_name,
                user_domain_name=options.user_domain_name,
                project_domain_name=options.project_domain_name,
                with_catalog=True,
            )
        self._lock = threading.Lock()
        self._known: dict[str, HttpTransport] = {}
        self._doubted = clock.monotonic()

    @property
    def patience(self) -> float:
        """Seconds that an answer is waited for."""
        return self._options.http_connect_timeout

    def to(self, service: str) -> Transport:
        """The way to the API of `service`, whose paths begin with their version."""
        if service == "identity":
            return self._reach_identity()
        return CatalogTransport(self, service)

    def find(self, service: str) -> HttpTransport:
        """Raises EndpointMissing, Unavailable."""
        with self._lock:
            known = self._known.get(service)
        if known is not None:
            return known
        if self.credentials is None:
            raise Unavailable(
                f"{service} cannot be reached: [keystone_authtoken] needs auth_url, username and password."
            )
        found = self._open(unversioned(self._url(self.credentials.catalog(), service)))
        with self._lock:
            return self._known.setdefault(service, found)

    def forget(self, service: str) -> None:
        """The endpoint did not answer: the catalog may name another one by now."""
        with self._lock:
            self._known.pop(service, None)
            stale = clock.monotonic() - self._doubted >= _SAME_CATALOG
            if stale:
                self._doubted = clock.monotonic()
        if stale and self.credentials is not None:
            self.credentials.forget()

    def _reach_identity(self) -> Transport:
        if self._identity is None:
            raise Unavailable("Identity cannot be reached: [keystone_authtoken] auth_url is not set.")
        return self._identity

    def _open(self, url: str) -> HttpTransport:
        options = self._options
        certificate = (options.certfile, options.keyfile) if options.certfile else None
        try:
            return HttpTransport(url, options.http_connect_timeout, options.cafile, certificate)
        except OSError as error:  # ssl.SSLError is one
            raise ConfigurationError(
                f"[keystone_authtoken] cafile, certfile or keyfile cannot be used: {error}."
            ) from error

    def _url(self, catalog: list[dict[str, Any]], service: str) -> str:
        region, interface = self._options.region_name, self._options.interface
        for kind in TYPES[service]:
            for entry in catalog:
                for endpoint in entry["endpoints"] if entry["type"] == kind else ():
                    if endpoint["interface"] == interface and region in (None, endpoint["region_id"]):
                        return endpoint["url"]
        where = f" in region {region}" if region else ""
        raise EndpointMissing(interface=interface, service=service, where=where)


class CatalogTransport(Transport):
    """One service, wherever the catalog says that it is."""

    def __init__(self, endpoints: Endpoints, service: str):
        self._endpoints = endpoints
        self._service = service
        self.timeout = endpoints.patience

    def send(
        self, method: str, path: str, headers: Headers, body: bytes | Iterable[bytes] | None
    ) -> tuple[int, dict[str, str], Iterable[bytes]]:
        transport = self._endpoints.find(self._service)
        try:
            return transport.send(method, path, headers, body)
        except Unavailable:
            self._endpoints.forget(self._service)
            raise


def unversioned(url: str) -> str:
    """An endpoint's URL up to its version, as clients cut it: `http://vip/compute/v2.1/%(id)s` serves below
    `http://vip/compute`."""
    parts = urlsplit(url)
    kept: list[str] = []
    for word in parts.path.split("/"):
        if _VERSION.match(word):
            break
        kept.append(word)
    return f"{parts.scheme}://{parts.netloc}{'/'.join(kept).rstrip('/')}"
