"""Clusters (since 3.7). No worker here joins one, so there is none to list, show or switch."""

from typing import Any

from celaje.common.wsgi import Request
from celaje.volume import errors
from celaje.volume.api import schemas

Row = dict[str, Any]

SWITCH = schemas.record({"name": schemas.NAME, "binary": schemas.OPTIONAL_NAME}, ("name",))
SWITCH_WITH_REASON = schemas.record(
    {"name": schemas.NAME, "binary": schemas.OPTIONAL_NAME, "disabled_reason": schemas.OPTIONAL_NAME},
    ("name",),
)
_FILTERS = ("name", "binary", "is_up", "disabled", "num_hosts", "num_down_hosts")
_REPLICATION_FILTERS = ("replication_status", "frozen", "active_backend_id")


def index(request: Request) -> Row:
    allowed = (*_FILTERS, *(_REPLICATION_FILTERS if request.at_least(3, 26) else ()))
    unknown = [key for key in request.query if key not in allowed]
    if unknown:
        raise errors.InvalidInput(reason=f"Invalid filter keys: {', '.join(unknown)[:255]}")
    for key in ("disabled", "is_up"):
        schemas.flag(request.query.get(key), key)
    return {"clusters": []}


def show(request: Request, cluster_name: str) -> Row:
    raise errors.ClusterNotFound(name=cluster_name)


def switch(request: Request) -> Row:
    raise errors.ClusterNotFound(name=request.body["name"])
