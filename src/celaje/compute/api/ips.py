"""/servers/{id}/ips: a server's addresses by network."""

from typing import Any

from celaje.common.errors import NotFound
from celaje.common.wsgi import Request
from celaje.compute.api.server_lookup import load
from celaje.compute.api.server_views import addresses
from celaje.compute.db import servers

Body = dict[str, Any]


def index(request: Request, server_id: str) -> Body:
    row = load(request, server_id)
    interfaces = request.service.database.read(servers.interfaces, row["id"])
    return {"addresses": addresses(interfaces, extended=False)}


def show(request: Request, server_id: str, network: str) -> Body:
    found = index(request, server_id)["addresses"]
    if network not in found:
        raise NotFound("Instance is not a member of specified network")
    return {network: found[network]}
