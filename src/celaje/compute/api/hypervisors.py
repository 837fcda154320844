"""Hypervisors: what compute hosts have and how full they are, for administrators."""

import math
from typing import Any

import msgspec

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.common.errors import Invalid, NotFound
from celaje.common.wsgi import Request
from celaje.common.wsgi.paging import Page, next_link, read_limit
from celaje.compute.api.inputs import check_query, query_boolean
from celaje.compute.api.links import next_page
from celaje.compute.api.server_views import instance_name
from celaje.compute.db import hypervisors

Row = dict[str, Any]


def brief(request: Request, row: Row) -> Row:
    return {
        "id": row["uuid"] if request.at_least(2, 53) else row["id"],
        "hypervisor_hostname": row["node"],
        "state": "up" if request.service.records.is_up(row) else "down",
        "status": "disabled" if row["disabled"] else "enabled",
    }


def view(request: Request, row: Row) -> Row:
    shown = {
        **brief(request, row),
        "hypervisor_type": row["hypervisor_type"],
        "hypervisor_version": row["hypervisor_version"],
        "host_ip": row["host_ip"],
        "service": {
            "id": row["service_uuid"] if request.at_least(2, 53) else row["service_id"],
            "host": row["host"],
            "disabled_reason": row["disabled_reason"],
        },
    }
    if request.at_least(2, 88):
        shown["uptime"] = uptime(request, row)
        return shown
    free_disk = row["disk_gb"] - row["disk_gb_used"]
    shown |= {
        "vcpus": row["vcpus"],
        "memory_mb": row["memory_mb"],
        "local_gb": row["disk_gb"],
        "vcpus_used": row["vcpus_used"],
        "memory_mb_used": row["memory_mb_used"],
        "local_gb_used": row["disk_gb_used"],
        "free_ram_mb": row["memory_mb"] - row["memory_mb_used"],
        "free_disk_gb": free_disk,
        "disk_available_least": free_disk,
        "current_workload": 0,
        "running_vms": row["running_servers"],
    }
    info = row["cpu_info"] or {}
    shown["cpu_info"] = info if request.at_least(2, 28) else msgspec.json.encode(info).decode()
    return shown


def uptime(request: Request, row: Row) -> str | None:
    """In the form of the command of that name; of the compute service, which is what we know of the host.
    None while it is down."""
    if not request.service.records.is_up(row):
        return None
    now = clock.now()
    minutes = max(0, math.floor((now - row["service_created_at"]).total_seconds() / 60))
    days, rest = divmod(minutes, 1440)
    span = f"{days} days, " if days else ""
    return f" {now:%H:%M:%S} up {span}{rest // 60:2d}:{rest % 60:02d}"


def _with_servers(request: Request, rows: list[Row], shown: list[Row], *, always: bool) -> None:
    found = request.service.database.read(hypervisors.servers_on, {row["host"] for row in rows})
    for row, one in zip(rows, shown, strict=True):
        servers = [
            {"name": instance_name(server["uuid"]), "uuid": server["uuid"]} for server in found[row["host"]]
        ]
        if servers or always:
            one["servers"] = servers


def index(request: Request) -> Row:
    return _list(request, brief)


def detail(request: Request) -> Row:
    return _list(request, view)


def _list(request: Request, make: Any) -> Row:
    asked = request.query
    by_uuid = request.at_least(2, 53)
    check_query(request, ("limit", "marker", "hypervisor_hostname_pattern", "with_servers"), (2, 53))
    pattern = asked.get("hypervisor_hostname_pattern") if by_uuid else None
    with_servers = by_uuid and query_boolean(request, "with_servers")
    database = request.service.database
    limit, marker = None, None
    if request.at_least(2, 33):
        limit, _ = read_limit(request, request.service.conf.api.max_limit)
        marker = asked.get("marker")
    if pattern is not None:
        if "limit" in asked or marker:
            raise Invalid(
                "Paging over hypervisors with the hypervisor_hostname_pattern query parameter is not "
                "supported."
            )
        rows = _matching(request, pattern)
        limit = None
    else:

        def find(tx: Transaction) -> list[Row]:
            last = hypervisors.marker(tx, marker, uuid=by_uuid) if marker else None
            return hypervisors.list_page(tx, limit, last)

        rows = database.read(find)
    shown = [make(request, row) for row in rows]
    if with_servers:
        _with_servers(request, rows, shown, always=request.at_least(2, 75))
    body: Row = {"hypervisors": shown}
    if limit is not None:
        link = next_link(request, Page(limit, marker), [str(one["id"]) for one in shown])
        body |= next_page(request, "hypervisors_links", link)
    return body


def _matching(request: Request, part: str) -> list[Row]:
    rows = request.service.database.read(hypervisors.matching, part)
    if not rows:
        raise NotFound(f"No hypervisor matching '{part[:255]}' could be found.")
    return rows


def _get(request: Request, hypervisor_id: str) -> Row:
    row = None
    if request.at_least(2, 53):
        if not hypervisors.is_uuid(hypervisor_id):
            raise Invalid(f"Invalid uuid {hypervisor_id[:64]}")
        row = request.service.database.read(hypervisors.by_uuid, hypervisor_id)
    elif hypervisor_id.isascii() and hypervisor_id.isdecimal() and len(hypervisor_id) < 10:
        row = request.service.database.read(hypervisors.by_id, int(hypervisor_id))
    if row is None:
        raise NotFound(f"Hypervisor with ID '{hypervisor_id[:64]}' could not be found.")
    return row


def show(request: Request, hypervisor_id: str) -> Row:
    check_query(request, ("with_servers",), (2, 53))
    row = _get(request, hypervisor_id)
    shown = view(request, row)
    if request.at_least(2, 53) and query_boolean(request, "with_servers"):
        _with_servers(request, [row], [shown], always=request.at_least(2, 75))
    return {"hypervisor": shown}


def show_uptime(request: Request, hypervisor_id: str) -> Row:
    """Until 2.87."""
    row = _get(request, hypervisor_id)
    found = uptime(request, row)
    if found is None:
        raise Invalid(f"Host '{row['host']}' is not up: its uptime is not known.")
    return {"hypervisor": {**brief(request, row), "uptime": found}}


def search(request: Request, hypervisor_id: str) -> Row:
    """Until 2.52."""
    return {"hypervisors": [brief(request, row) for row in _matching(request, hypervisor_id)]}


def servers(request: Request, hypervisor_id: str) -> Row:
    """Until 2.52."""
    rows = _matching(request, hypervisor_id)
    shown = [brief(request, row) for row in rows]
    _with_servers(request, rows, shown, always=False)
    return {"hypervisors": shown}


def statistics(request: Request) -> Row:
    """Until 2.87."""
    found = request.service.database.read(hypervisors.totals)
    free_disk = found["disk_gb"] - found["disk_gb_used"]
    return {
        "hypervisor_statistics": {
            "count": found["count"],
            "vcpus": found["vcpus"],
            "memory_mb": found["memory_mb"],
            "local_gb": found["disk_gb"],
            "vcpus_used": found["vcpus_used"],
            "memory_mb_used": found["memory_mb_used"],
            "local_gb_used": found["disk_gb_used"],
            "free_ram_mb": found["memory_mb"] - found["memory_mb_used"],
            "free_disk_gb": free_disk,
            "disk_available_least": free_disk,
            "current_workload": 0,
            "running_vms": found["running_servers"],
        }
    }
