"""The service catalog as tokens carry it, made of the rows of services and endpoints."""

import logging
import re
from typing import Any

import msgspec
from sqlalchemy import select

from celaje.common.db import Transaction, fetch_all
from celaje.identity.db import endpoint_filters
from celaje.identity.db.tables import ENDPOINTS, SERVICES

log = logging.getLogger(__name__)

_SERVICES = (
    select(SERVICES.c.id, SERVICES.c.type, SERVICES.c.name)
    .where(SERVICES.c.enabled.is_(True))
    .order_by(SERVICES.c.type, SERVICES.c.id)
)
_ENDPOINTS = (
    select(
        ENDPOINTS.c.id,
        ENDPOINTS.c.service_id,
        ENDPOINTS.c.interface,
        ENDPOINTS.c.region_id,
        ENDPOINTS.c.url,
    )
    .where(ENDPOINTS.c.enabled.is_(True))
    .order_by(ENDPOINTS.c.interface.desc(), ENDPOINTS.c.id)
)
_PLACE = re.compile(r"[$%]\(([a-z_]+)\)s")
_OPENED = re.compile(r"[$%]\(")
KNOWN_PLACES = frozenset(("project_id", "tenant_id", "user_id"))


class Catalog:
    """`direct` and `by_group` tell for projects whose catalog is narrowed what is in it: endpoint ids, and
    the filters of endpoint groups. Other projects see everything."""

    def __init__(
        self,
        services: list[dict[str, Any]],
        direct: dict[str, set[str]] | None = None,
        by_group: dict[str, list[dict[str, Any]]] | None = None,
    ):
        self._services = services
        self._direct = direct or {}
        self._by_group = by_group or {}
        # Most of what a token's answer is long for, written out once.
        self._written: msgspec.Raw | None = None
        self._fixed = not any(_PLACE.search(e["url"]) for s in services for e in s["endpoints"])

    @classmethod
    def load(cls, tx: Transaction) -> "Catalog":
        services = [
            {"endpoints": [], "id": row["id"], "type": row["type"], "name": row["name"] or ""}
            for row in fetch_all(tx, _SERVICES)
        ]
        by_id = {service["id"]: service for service in services}
        for row in fetch_all(tx, _ENDPOINTS):
            service = by_id.get(row["service_id"])
            if service is not None:
                service["endpoints"].append(
                    {
                        "id": row["id"],
                        "interface": row["interface"],
                        "region_id": row["region_id"],
                        "url": row["url"],
                        "region": row["region_id"],
                    }
                )
        return cls(services, *endpoint_filters.all_filters(tx))

    def written_for(self, user_id: str, project_id: str | None) -> msgspec.Raw | list[dict[str, Any]]:
        """As `for_token`, for an answer; as JSON already where it is the same for everybody."""
        if not self._fixed or project_id in self._direct or project_id in self._by_group:
            return self.for_token(user_id, project_id)
        if self._written is None:
            self._written = msgspec.Raw(msgspec.json.encode(self._services))
        return self._written

    def for_token(self, user_id: str, project_id: str | None) -> list[dict[str, Any]]:
        """Services with their endpoints' URLs for this user and project. Without a project, endpoints
        whose URL needs one are left out. Not to be changed by the caller."""
        services = self._services
        if project_id in self._direct or project_id in self._by_group:
            services = self._narrowed(project_id)
        if self._fixed:
            return services
        values = {"user_id": user_id}
        if project_id:
            values |= {"project_id": project_id, "tenant_id": project_id}
        return [{**service, "endpoints": _filled(service["endpoints"], values)} for service in services]

    def _narrowed(self, project_id: str) -> list[dict[str, Any]]:
        direct = self._direct.get(project_id, set())
        groups = self._by_group.get(project_id, [])

        def seen(service: dict[str, Any], endpoint: dict[str, Any]) -> bool:
            about = {**endpoint, "service_id": service["id"], "enabled": True}
            return endpoint["id"] in direct or any(endpoint_filters.fits(about, each) for each in groups)

        kept = [
            {**service, "endpoints": [each for each in service["endpoints"] if seen(service, each)]}
            for service in self._services
        ]
        return [service for service in kept if service["endpoints"]]


def _filled(endpoints: list[dict[str, Any]], values: dict[str, str]) -> list[dict[str, Any]]:
    found = []
    for endpoint in endpoints:
        places = _PLACE.findall(endpoint["url"])
        if all(place in values for place in places):
            url = _PLACE.sub(lambda match: values[match[1]], endpoint["url"])
            found.append({**endpoint, "url": url})
        elif not KNOWN_PLACES.issuperset(places):
            log.error("Endpoint %s has a URL that cannot be filled in: %s", endpoint["id"], endpoint["url"])
    return found


def is_broken(url: str) -> bool:
    """A place that is opened and not closed, as in `http://x/$(tenant_id`."""
    return bool(_OPENED.search(_PLACE.sub("", url)))


def unknown_places(url: str) -> list[str]:
    """The names in an endpoint's URL that no token can fill in."""
    return [place for place in _PLACE.findall(url) if place not in KNOWN_PLACES]
