"""Services, pools and availability zones: what stands behind this API."""

from typing import Any

from celaje.common.db import Transaction
from celaje.common.errors import Invalid
from celaje.common.wsgi import Request, Response
from celaje.volume import errors
from celaje.volume.api import clusters as clusters_api
from celaje.volume.api import schemas
from celaje.volume.api.volume_view import moment
from celaje.volume.db import clusters, types
from celaje.volume.scheduler import extra_specs

Row = dict[str, Any]

_TEXT: schemas.Schema = {"type": "string", "minLength": 1, "maxLength": 255}
HOST: schemas.Schema = {
    "type": ["string", "null"],
    "minLength": 1,
    "maxLength": 255,
    "pattern": r"^[a-zA-Z0-9-._#@:/+\[\]]*$",
}
_SWITCH: dict[str, schemas.Schema] = {
    "binary": _TEXT,
    "service": _TEXT,
    "host": HOST,
    "cluster": schemas.OPTIONAL_NAME,
}
_NAMED: dict[str, Any] = {"anyOf": [{"required": ["binary"]}, {"required": ["service"]}]}
SWITCH = schemas.record(_SWITCH, **_NAMED)
ONE_HOST = schemas.record({"host": HOST, "cluster": schemas.OPTIONAL_NAME})
FAILOVER = schemas.record(
    {"host": HOST, "cluster": schemas.OPTIONAL_NAME, "backend_id": schemas.OPTIONAL_NAME}
)
SWITCH_WITH_REASON = schemas.record({**_SWITCH, "disabled_reason": _TEXT}, **_NAMED)


def index(request: Request) -> Row:
    binary = request.query.get("binary") or request.query.get("service")
    rows = request.service.database.read(
        request.service.records.list, binary=binary, host=request.query.get("host")
    )
    return {"services": [_view(request, row) for row in rows]}


def _view(request: Request, row: Row) -> Row:
    up = request.service.records.is_up(row)
    shown: Row = {
        "binary": row["binary"],
        "host": row["host"],
        "zone": row["availability_zone"],
        "status": "disabled" if row["disabled"] else "enabled",
        "state": "up" if up else "down",
        "updated_at": moment(row["last_seen_at"]),
        "disabled_reason": row["disabled_reason"],
    }
    if request.at_least(3, 7):
        shown["cluster"] = clusters.of(row)
    if row["binary"] == "cinder-volume":
        frozen = clusters_api.is_frozen(row)
        shown |= {"replication_status": "disabled", "active_backend_id": None, "frozen": frozen}
        if request.at_least(3, 49):
            shown["backend_state"] = "up" if up else "down"
    return shown


def enable(request: Request) -> Row:
    row = _switch(request, disabled=False, reason=None)
    return {
        "host": row["host"],
        "service": row["binary"],
        "binary": row["binary"],
        "disabled": False,
        "status": "enabled",
    }


def disable(request: Request) -> Row:
    row = _switch(request, disabled=True, reason=None)
    return {
        "host": row["host"],
        "service": row["binary"],
        "binary": row["binary"],
        "disabled": True,
        "status": "disabled",
    }


def disable_with_reason(request: Request) -> Row:
    reason = request.body.get("disabled_reason")
    row = _switch(request, disabled=True, reason=reason.strip() if reason else None)
    return {
        "host": row["host"],
        "service": row["binary"],
        "binary": row["binary"],
        "disabled": True,
        "status": "disabled",
        "disabled_reason": reason,
    }


def _switch(request: Request, *, disabled: bool, reason: str | None) -> Row:
    """The ledger refuses claims on a disabled back end; what is there stays usable."""
    binary = request.body.get("binary") or request.body.get("service")
    host = request.body.get("host")
    if not host:
        raise Invalid("Missing required element 'host' in request body.")
    records = request.service.records

    def unit(tx: Transaction) -> Row:
        row = records.find(tx, binary, host)
        if row is None:
            raise errors.ServiceNotFound(service=binary, host=host)
        records.change(tx, row["id"], disabled=disabled, disabled_reason=reason)
        return row

    return request.service.database.write(unit)


def freeze(request: Request) -> Response:
    """Nothing new is placed on the back end."""
    _on_one_backend(request, disabled=True, reason=clusters_api.FROZEN)
    return Response(status=202)


def thaw(request: Request) -> Response:
    _on_one_backend(request, disabled=False, reason=None)
    return Response(status=202)


def _on_one_backend(request: Request, *, disabled: bool, reason: str | None) -> None:
    def unit(tx: Transaction) -> None:
        row = _backend_in_body(request, tx)
        if disabled and clusters_api.is_frozen(row):
            raise errors.InvalidInput(reason="Backend is already frozen.")
        if not disabled and not clusters_api.is_frozen(row):
            raise errors.InvalidInput(reason="Backend is already thawed.")
        if "host" in row:
            request.service.records.change(tx, row["id"], disabled=disabled, disabled_reason=reason)
        else:
            clusters.change(tx, row["name"], disabled=disabled, disabled_reason=reason)

    request.service.database.write(unit)


def failover_host(request: Request) -> Response:
    """There is no back end that replicates, so there is none to fail over to."""
    row = request.service.database.read(lambda tx: _backend_in_body(request, tx))
    raise errors.InvalidInput(
        reason=f"Host {row.get('host') or row['name']} must have replication_status enabled to be failed "
        "over, it is disabled."
    )


def _backend_in_body(request: Request, tx: Transaction) -> Row:
    """A service's record, or since 3.26 a cluster."""
    host, cluster = request.body.get("host"), request.body.get("cluster")
    if not request.at_least(3, 26):
        cluster = None
        if not host:
            raise errors.InvalidInput(reason="Host field is missing.")
    elif bool(host) == bool(cluster):
        raise errors.InvalidInput(reason="One and only one of cluster and host must be set.")
    if cluster:
        found = clusters.get(tx, cluster)
        if found is None:
            raise errors.InvalidInput(reason=f"No service found with cluster={cluster}")
        return found
    row = request.service.records.find(tx, "cinder-volume", host.partition("#")[0])
    if row is None:
        # Not the URL's resource is missing: Cinder says 400.
        raise errors.InvalidInput(reason=f"Service cinder-volume could not be found on host {host}.")
    return row


def availability_zones(request: Request) -> Row:
    """Zones of the volume workers; one is available when a worker there is up and enabled."""
    rows = request.service.database.read(request.service.records.list, binary="cinder-volume")
    zones: dict[str, bool] = {}
    for row in rows:
        up = request.service.records.is_up(row) and not row["disabled"]
        zones[row["availability_zone"]] = zones.get(row["availability_zone"], False) or up
    return {
        "availabilityZoneInfo": [
            {"zoneName": name, "zoneState": {"available": available}} for name, available in zones.items()
        ]
    }


def pools(request: Request) -> Row:
    """What the scheduler knows of every pool, asked of it."""
    found = request.service.scheduler.list_pools()
    query = request.query
    wanted_type = query.get("volume-type")
    if wanted_type and request.at_least(3, 35):
        row = request.service.database.read(
            lambda tx: types.by_name(tx, wanted_type) or types.get(tx, wanted_type)
        )
        specs = row["extra_specs"] if row else {}
        found = [pool for pool in found if extra_specs.unmet(pool["capabilities"], specs) is None]
    if request.at_least(3, 28):
        for key, value in query.items():
            if key == "name":
                found = [pool for pool in found if pool["name"] == value]
            elif key not in ("detail", "volume-type"):
                found = [pool for pool in found if str(pool["capabilities"].get(key)) == value]
    if schemas.flag(query.get("detail"), "detail"):
        return {"pools": found}
    return {"pools": [{"name": pool["name"]} for pool in found]}
