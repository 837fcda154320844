"""Hosts: the services as os-hosts tells them, what lies on a back end, and what it can (capabilities)."""

from typing import Any

from celaje.common.db import Transaction
from celaje.common.errors import Invalid, NotFound
from celaje.common.wsgi import Request
from celaje.volume import errors
from celaje.volume.api import clusters, schemas
from celaje.volume.api.volume_view import moment
from celaje.volume.db import volumes

Row = dict[str, Any]

UPDATE: schemas.Schema = {
    "type": "object",
    "additionalProperties": {"type": "string", "maxLength": 255},
}


def index(request: Request) -> Row:
    records = request.service.records
    rows = request.service.database.read(records.list)
    zone = request.query.get("zone")
    return {
        "hosts": [
            {
                "host_name": row["host"],
                "service": row["binary"],
                "zone": row["availability_zone"],
                "service-status": "available" if records.is_up(row) else "unavailable",
                "service-state": "enabled",
                "last-update": moment(row["last_seen_at"]),
            }
            for row in rows
            if not row["disabled"] and (not zone or row["availability_zone"] == zone)
        ]
    }


def show(request: Request, host_name: str) -> Row:
    """Volumes and snapshots on a back end: the sum, then project by project. All numbers are strings."""

    def query(tx: Transaction) -> list[Row]:
        if clusters.driver_of(request, tx, host_name) is None:
            raise errors.ServiceNotFound(service="cinder-volume", host=host_name)
        return volumes.by_project(tx, host_name)

    found = request.service.database.read(query)
    numbers = ("volume_count", "total_volume_gb", "snapshot_count", "total_snapshot_gb")
    total = {"project": "(total)", **{name: sum(row[name] for row in found) for name in numbers}}
    return {
        "host": [
            {
                "resource": {
                    "host": host_name,
                    "project": row["project"],
                    **{name: str(row[name]) for name in numbers},
                }
            }
            for row in [total, *found]
        ]
    }


def update(request: Request, host_name: str) -> Row:
    """{"status": "enable" or "disable"}: of every service on the host."""
    wanted: bool | None = None
    for key, value in request.body.items():
        if key.lower().strip() != "status":
            raise Invalid(f"Invalid update setting: '{key[:64]}'")
        if value.lower().strip() not in ("enable", "disable"):
            raise Invalid(f"Invalid status: '{value[:64]}'")
        wanted = value.lower().strip() == "enable"
    records = request.service.records

    def unit(tx: Transaction) -> None:
        rows = records.list(tx, host=host_name)
        if not rows:
            raise errors.HostNotFound(host=host_name)
        for row in rows:
            records.change(tx, row["id"], disabled=not wanted, disabled_reason=None)

    request.service.database.write(unit)
    return {"host": host_name, "status": "enabled" if wanted else "disabled"}


def capabilities(request: Request, host_name: str) -> Row:
    """What the back end's worker has reported to the scheduler, in the form of the capabilities API."""

    def query(tx: Transaction) -> Row | None:
        return clusters.driver_of(request, tx, host_name.partition("#")[0])

    if request.service.database.read(query) is None:
        raise NotFound(f"Can't find service: {host_name}")
    pools = request.service.scheduler.list_pools()
    mine = [pool for pool in pools if host_name in (pool["name"], pool["name"].partition("#")[0])]
    if not mine:
        raise NotFound(f"Can't find service: {host_name}")
    known = mine[0]["capabilities"]
    protocol = known.get("storage_protocol")
    return {
        "namespace": f"OS::Storage::Capabilities::{host_name}",
        "vendor_name": known.get("vendor_name"),
        "volume_backend_name": known.get("volume_backend_name"),
        "pool_name": known.get("pool_name"),
        "driver_version": known.get("driver_version"),
        "storage_protocol": protocol[0] if isinstance(protocol, list) else protocol,
        "display_name": known.get("display_name"),
        "description": known.get("description"),
        "visibility": known.get("visibility"),
        "replication_targets": [],
        "properties": {
            name: {"title": title, "description": about, "type": "boolean"}
            for name, title, about in _PROPERTIES
            if known.get(name)
        },
    }


_PROPERTIES = (
    ("thin_provisioning_support", "Thin Provisioning", "Volumes take room as they are written."),
    ("multiattach", "Multiattach", "A volume can be attached to several servers."),
    ("online_extend_support", "Online Extend", "A volume in use can be extended."),
)
