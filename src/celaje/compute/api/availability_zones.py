"""Availability zones: where one may ask for a server to be."""

from typing import Any

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.common.wsgi import Request
from celaje.compute.api.inputs import check_query
from celaje.compute.db import aggregates

Row = dict[str, Any]


def _services(request: Request) -> list[Row]:
    """The enabled services, each with the zone it is in."""
    service = request.service

    def find(tx: Transaction) -> list[Row]:
        rows = [row for row in service.records.list(tx) if not row["disabled"]]
        of_hosts = aggregates.zones(tx)
        for row in rows:
            row["zone"] = zone_of(service.conf, row, of_hosts)
        return rows

    return service.database.read(find)


def zone_of(conf: Any, row: Row, of_hosts: dict[str, str]) -> str:
    """A service's zone: its host's, or the internal one for what runs no servers."""
    if row["binary"] != "nova-compute":
        return conf.internal_service_availability_zone
    return of_hosts.get(row["host"], conf.default_availability_zone)


def index(request: Request) -> Row:
    check_query(request, (), (2, 102))
    records = request.service.records
    zones: dict[str, bool] = {}
    for row in _services(request):
        if row["binary"] == "nova-compute":
            zones[row["zone"]] = zones.get(row["zone"], False) or records.is_up(row)
    ordered = sorted(zones.items(), key=lambda item: (not item[1], item[0]))
    return {
        "availabilityZoneInfo": [
            {"zoneName": name, "zoneState": {"available": available}, "hosts": None}
            for name, available in ordered
        ]
    }


def detail(request: Request) -> Row:
    check_query(request, (), (2, 102))
    records = request.service.records
    zones: dict[str, dict[str, Row]] = {}
    for row in _services(request):
        zones.setdefault(row["zone"], {}).setdefault(row["host"], {})[row["binary"]] = {
            "available": records.is_up(row),
            "active": True,
            "updated_at": clock.iso(row["last_seen_at"], microseconds=True),
        }
    return {
        "availabilityZoneInfo": [
            {"zoneName": name, "zoneState": {"available": True}, "hosts": hosts}
            for name, hosts in sorted(zones.items())
        ]
    }
