"""Small things that hang on a server: its password, diagnostics, migrations, security groups."""

from typing import Any

from celaje.common.errors import Conflict, NotFound
from celaje.common.wsgi import Request, Response
from celaje.compute.api.server_lookup import busy, load, refuse_locked
from celaje.compute.db import servers

Body = dict[str, Any]


def show_password(request: Request, server_id: str) -> Body:
    """What the guest posted, encrypted for the key pair; nothing when it has not."""
    row = load(request, server_id)
    return {"password": row["admin_password"] or ""}


def clear_password(request: Request, server_id: str) -> Response:
    row = load(request, server_id)
    refuse_locked(request, row)
    request.service.database.write(servers.change, row["id"], admin_password=None)
    return Response(None, 204)


def list_migrations(request: Request, server_id: str) -> Body:
    """Migrations in progress; servers do not migrate yet."""
    load(request, server_id)
    return {"migrations": []}


def show_migration(request: Request, server_id: str, migration_id: str) -> Body:
    load(request, server_id)
    raise NotFound(f"In-progress live migration {migration_id} is not found for server {server_id}.")


def all_migrations(request: Request) -> Body:
    request.authorize()
    return {"migrations": []}


def list_security_groups(request: Request, server_id: str) -> Body:
    """The groups of the server's ports, as the network service has them."""
    row = load(request, server_id)
    network = request.service.ground.clients.network
    wanted: set[str] = set()
    for interface in request.service.database.read(servers.interfaces, row["id"]):
        wanted |= set(network.port(interface["port_id"]).get("security_groups") or ())
    shown = []
    for group in network.security_groups() if wanted else ():
        if group["id"] in wanted:
            shown.append(
                {
                    "id": group["id"],
                    "name": group["name"],
                    "tenant_id": group.get("tenant_id") or group.get("project_id"),
                    "description": group.get("description") or "",
                    "rules": [],
                }
            )
    return {"security_groups": shown}


def add_security_group(request: Request, server_id: str) -> Response:
    return _change_group(request, server_id, request.body["addSecurityGroup"]["name"], add=True)


def remove_security_group(request: Request, server_id: str) -> Response:
    return _change_group(request, server_id, request.body["removeSecurityGroup"]["name"], add=False)


def _change_group(request: Request, server_id: str, name: str, add: bool) -> Response:
    """On every port of the server, as the user; then in the server's list."""
    row = load(request, server_id)
    refuse_locked(request, row)
    if row["vm_state"] == "building" or not row["host"]:
        raise busy(row, "addSecurityGroup" if add else "removeSecurityGroup", ("active",))
    network = request.service.ground.clients.network
    known = network.security_groups(tenant_id=row["project_id"])
    found = [one for one in known if name in (one["id"], one["name"])]
    if not found:
        raise NotFound(f"Security group {name} is not found for project {row['project_id']}")
    if len(found) > 1:
        raise Conflict(f"Multiple security groups found matching '{name}'. Use an ID to be more specific.")
    group = found[0]
    interfaces = request.service.database.read(servers.interfaces, row["id"])
    had = False
    for interface in interfaces:
        groups = list(network.port(interface["port_id"]).get("security_groups") or ())
        has = group["id"] in groups
        had = had or has
        if has == add:
            continue
        groups = [*groups, group["id"]] if add else [one for one in groups if one != group["id"]]
        network.update_port(interface["port_id"], {"security_groups": groups})
    if not add and not had:
        raise NotFound(f"Security group {name} not associated with the instance {server_id}")
    names = [one for one in row["security_groups"] if one != group["name"]]
    if add:
        names.append(group["name"])
    request.service.database.write(servers.change, server_id, security_groups=names)
    return Response(None, 202)
