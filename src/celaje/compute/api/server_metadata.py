"""/servers/{id}/metadata: read, set, remove items of a server's metadata."""

from typing import Any

from celaje.common.db import Transaction
from celaje.common.errors import Invalid, NotFound, OverQuota
from celaje.common.wsgi import Request, Response
from celaje.compute import quota
from celaje.compute.api.server_lookup import load, refuse_locked
from celaje.compute.db import servers

Body = dict[str, Any]


def index(request: Request, server_id: str) -> Body:
    row = load(request, server_id)
    return {"metadata": request.service.database.read(servers.metadata, row["id"])}


def show(request: Request, server_id: str, key: str) -> Body:
    row = load(request, server_id)
    found = request.service.database.read(servers.metadata, row["id"])
    if key not in found:
        raise NotFound("Metadata item was not found")
    return {"meta": {key: found[key]}}


def create(request: Request, server_id: str) -> Body:
    return {"metadata": _set(request, server_id, request.body["metadata"], replace=False)}


def update_all(request: Request, server_id: str) -> Body:
    return {"metadata": _set(request, server_id, request.body["metadata"], replace=True)}


def update(request: Request, server_id: str, key: str) -> Body:
    meta = request.body["meta"]
    if key not in meta:
        raise Invalid("Request body and URI mismatch")
    _set(request, server_id, meta, replace=False)
    return {"meta": meta}


def delete(request: Request, server_id: str, key: str) -> Response:
    row = load(request, server_id)
    refuse_locked(request, row)
    if not request.service.database.write(servers.remove_metadata, row["id"], key):
        raise NotFound("Metadata item was not found")
    return Response(None, 204)


def _set(request: Request, server_id: str, items: dict[str, str], replace: bool) -> dict[str, str]:
    row = load(request, server_id)
    refuse_locked(request, row)
    conf = request.service.conf

    def unit(tx: Transaction) -> dict[str, str]:
        allowed = quota.limits(tx, conf, row["project_id"])["metadata_items"]
        found = servers.set_metadata(tx, row["id"], items, replace)
        if 0 <= allowed < len(found):
            raise OverQuota(f"Maximum number of metadata items exceeds {allowed}")
        servers.change(tx, row["id"])
        return found

    return request.service.database.write(unit)
