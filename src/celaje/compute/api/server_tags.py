"""/servers/{id}/tags (2.26): read, add, replace, remove tags of a server."""

import re
from typing import Any

from celaje.common.db import Transaction
from celaje.common.errors import Invalid, NotFound
from celaje.common.wsgi import Request, Response
from celaje.compute.api.server_lookup import load, refuse_locked
from celaje.compute.db import servers

Body = dict[str, Any]

_MOST = 50
_TAG = re.compile(r"[^,/]{1,60}")


def index(request: Request, server_id: str) -> Body:
    row = load(request, server_id)
    return {"tags": request.service.database.read(servers.tags, row["id"])}


def show(request: Request, server_id: str, tag: str) -> Response:
    row = load(request, server_id)
    if tag not in request.service.database.read(servers.tags, row["id"]):
        raise NotFound(f"Server {server_id} has no tag '{tag}'")
    return Response(None, 204)


def update(request: Request, server_id: str, tag: str) -> Response:
    """201 with its URL for a new tag, 204 for one that was there."""
    row = load(request, server_id)
    refuse_locked(request, row)
    if not _TAG.fullmatch(tag):
        raise Invalid(f"Tag '{tag[:80]}' is invalid. It must be a string without characters '/' and ','.")

    def unit(tx: Transaction) -> bool:
        known = servers.tags(tx, row["id"])
        if tag in known:
            return False
        if len(known) >= _MOST:
            raise Invalid(f"The number of tags exceeded the per-server limit {_MOST}")
        servers.set_tags(tx, row["id"], [*known, tag])
        servers.change(tx, row["id"])
        return True

    if not request.service.database.write(unit):
        return Response(None, 204)
    return Response(None, 201, headers={"Location": request.url})


def update_all(request: Request, server_id: str) -> Body:
    row = load(request, server_id)
    refuse_locked(request, row)
    tags = list(dict.fromkeys(request.body["tags"]))
    _write(request, row["id"], tags)
    return {"tags": tags}


def delete(request: Request, server_id: str, tag: str) -> Response:
    row = load(request, server_id)
    refuse_locked(request, row)
    if not request.service.database.write(servers.remove_tag, row["id"], tag):
        raise NotFound(f"Server {server_id} has no tag '{tag}'")
    return Response(None, 204)


def delete_all(request: Request, server_id: str) -> Response:
    row = load(request, server_id)
    refuse_locked(request, row)
    _write(request, row["id"], [])
    return Response(None, 204)


def _write(request: Request, server_id: str, tags: list[str]) -> None:
    def unit(tx: Transaction) -> None:
        servers.set_tags(tx, server_id, tags)
        servers.change(tx, server_id)

    request.service.database.write(unit)
