"""The table of contents of the Networking API: method, URL, policy rule, handler."""

from celaje.common.wsgi import Route
from celaje.network.api import agents, extensions, ip_availability, quotas, versions
from celaje.network.api.collection import Collection
from celaje.network.api.floating_ips import FLOATING_IPS_API
from celaje.network.api.networks import NETWORKS_API
from celaje.network.api.ports import PORTS_API
from celaje.network.api.router_interfaces import (
    add_extraroutes,
    add_interface,
    remove_extraroutes,
    remove_interface,
)
from celaje.network.api.routers import ROUTERS_API
from celaje.network.api.security_group_rules import SECURITY_GROUP_RULES_API
from celaje.network.api.security_groups import SECURITY_GROUPS_API
from celaje.network.api.subnet_pools import SUBNET_POOLS_API
from celaje.network.api.subnets import SUBNETS_API
from celaje.network.api.tags import Tags


def _crud(path: str, collection: Collection, *, update: bool = True) -> list[Route]:
    """The five operations that nearly every resource has; the handler asks policy about the row."""
    one = f"{path}/{{resource_id}}"
    resource = collection.resource
    name = resource.name
    rows = [
        Route("GET", path, f"get_{name}", collection.listing, authorize="handler"),
        Route(
            "POST",
            path,
            f"create_{name}",
            collection.post,
            status=201,
            schema=resource.schema("create"),
            authorize="handler",
            max_body=1 << 20,
        ),
        Route("GET", one, f"get_{name}", collection.show, authorize="handler"),
        Route(
            "DELETE", one, f"delete_{name}", collection.remove, status=204, authorize="handler", body="none"
        ),
    ]
    if update:
        schema = resource.schema("update")
        rows.append(Route("PUT", one, f"update_{name}", collection.put, schema=schema, authorize="handler"))
    return rows


def _tags(path: str, collection: Collection) -> list[Route]:
    name = collection.resource.name
    tags = Tags(collection)
    every, one = f"{path}/{{resource_id}}/tags", f"{path}/{{resource_id}}/tags/{{tag}}"
    write = f"update_{name}"
    return [
        Route("GET", every, f"get_{name}", tags.listing, authorize="handler"),
        Route("PUT", every, write, tags.replace, authorize="handler"),
        Route("DELETE", every, write, tags.clear, status=204, authorize="handler", body="none"),
        Route("GET", one, f"get_{name}", tags.show, status=204, authorize="handler"),
        Route("PUT", one, write, tags.add, status=201, authorize="handler", body="none"),
        Route("DELETE", one, write, tags.remove, status=204, authorize="handler", body="none"),
    ]


_ROUTER = "/v2.0/routers/{resource_id}"
_QUOTA = "/v2.0/quotas/{project_id}"
_AGENT = "/v2.0/agents/{agent_id}"

ROUTES: list[Route] = [
    Route("GET", "/", None, versions.versions),
    Route("GET", "/v2.0", None, versions.resources),
    Route("GET", "/v2.0/extensions", None, extensions.listing),
    Route("GET", "/v2.0/extensions/{alias}", None, extensions.show),
    *_crud("/v2.0/networks", NETWORKS_API),
    *_tags("/v2.0/networks", NETWORKS_API),
    *_crud("/v2.0/subnets", SUBNETS_API),
    *_tags("/v2.0/subnets", SUBNETS_API),
    *_crud("/v2.0/ports", PORTS_API),
    *_tags("/v2.0/ports", PORTS_API),
    *_crud("/v2.0/routers", ROUTERS_API),
    *_tags("/v2.0/routers", ROUTERS_API),
    Route(
        "PUT", f"{_ROUTER}/add_router_interface", "add_router_interface", add_interface, authorize="handler"
    ),
    Route(
        "PUT",
        f"{_ROUTER}/remove_router_interface",
        "remove_router_interface",
        remove_interface,
        authorize="handler",
    ),
    Route("PUT", f"{_ROUTER}/add_extraroutes", "add_extraroutes", add_extraroutes, authorize="handler"),
    Route(
        "PUT", f"{_ROUTER}/remove_extraroutes", "remove_extraroutes", remove_extraroutes, authorize="handler"
    ),
    *_crud("/v2.0/floatingips", FLOATING_IPS_API),
    *_tags("/v2.0/floatingips", FLOATING_IPS_API),
    *_crud("/v2.0/security-groups", SECURITY_GROUPS_API),
    *_tags("/v2.0/security-groups", SECURITY_GROUPS_API),
    *_crud("/v2.0/security-group-rules", SECURITY_GROUP_RULES_API, update=False),
    *_crud("/v2.0/subnetpools", SUBNET_POOLS_API),
    *_tags("/v2.0/subnetpools", SUBNET_POOLS_API),
    Route("GET", "/v2.0/quotas", "get_quota", quotas.listing, authorize="handler"),
    Route("GET", "/v2.0/quotas/tenant", "get_quota", quotas.own, authorize="handler"),
    Route("GET", "/v2.0/quotas/project", "get_quota", quotas.own, authorize="handler"),
    Route("GET", _QUOTA, "get_quota", quotas.show, authorize="handler"),
    Route("PUT", _QUOTA, "update_quota", quotas.update, authorize="handler"),
    Route("DELETE", _QUOTA, "delete_quota", quotas.delete, status=204, authorize="handler", body="none"),
    Route("GET", f"{_QUOTA}/default", "get_quota", quotas.default, authorize="handler"),
    Route("GET", f"{_QUOTA}/details", "get_quota", quotas.details, authorize="handler"),
    Route("GET", f"{_QUOTA}/details.json", "get_quota", quotas.details, authorize="handler"),
    Route("GET", "/v2.0/agents", "get_agent", agents.listing),
    Route("GET", _AGENT, "get_agent", agents.show),
    Route("PUT", _AGENT, "update_agent", agents.update),
    Route("DELETE", _AGENT, "delete_agent", agents.delete, status=204, body="none"),
    Route("GET", "/v2.0/availability_zones", "get_availability_zone", agents.zones),
    Route("GET", "/v2.0/network-ip-availabilities", "get_network_ip_availability", ip_availability.listing),
    Route(
        "GET",
        "/v2.0/network-ip-availabilities/{network_id}",
        "get_network_ip_availability",
        ip_availability.show,
    ),
]
