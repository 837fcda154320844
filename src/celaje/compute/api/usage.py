"""Simple tenant usage: how long servers ran and with what, by project."""

import datetime
from typing import Any

from celaje.common import clock
from celaje.common.errors import Invalid
from celaje.common.wsgi import Request
from celaje.common.wsgi.paging import Page, next_link, read_limit
from celaje.compute.api.inputs import check_query
from celaje.compute.api.links import next_page
from celaje.compute.db import usage

Row = dict[str, Any]

_FORMS = ("%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S.%f", "%Y-%m-%d %H:%M:%S.%f")


def _moment(text: str | None, now: datetime.datetime) -> datetime.datetime:
    if not text:
        return now
    for form in _FORMS:
        try:
            return datetime.datetime.strptime(text, form)
        except ValueError:
            continue
    raise Invalid("Invalid datetime string: Datetime is in invalid format")


def _span(request: Request) -> tuple[datetime.datetime, datetime.datetime]:
    now = clock.now()
    start, stop = _moment(request.query.get("start"), now), _moment(request.query.get("end"), now)
    if not start < stop:
        raise Invalid("Invalid start time. The start time cannot occur after the end time.")
    return start, min(stop, now)


def index(request: Request) -> Row:
    check_query(request, ("start", "end", "detailed", "limit", "marker"))
    detailed = request.query.get("detailed") == "1"
    usages, link = _report(request, None, detailed)
    return {"tenant_usages": usages, **next_page(request, "tenant_usages_links", link)}


def show(request: Request, project_id: str) -> Row:
    check_query(request, ("start", "end", "limit", "marker"))
    request.authorize({"project_id": project_id})
    usages, link = _report(request, project_id, True)
    body: Row = {"tenant_usage": usages[0] if usages else {}}
    return body | next_page(request, "tenant_usage_links", link)


def _report(request: Request, project_id: str | None, detailed: bool) -> tuple[list[Row], str | None]:
    start, stop = _span(request)
    paged = request.at_least(2, 40)
    limit, marker = None, None
    if paged:
        limit, _ = read_limit(request, request.service.conf.api.max_limit)
        marker = request.query.get("marker")
    rows = request.service.database.read(
        usage.list_active, start, stop, project_id=project_id, limit=limit, marker=marker
    )
    found: dict[str, Row] = {}
    now = clock.now()
    for row in rows:
        one = _server(row, start, stop, now)
        summary = found.get(row["project_id"])
        if summary is None:
            summary = found[row["project_id"]] = {
                "tenant_id": row["project_id"],
                "start": clock.iso(start, microseconds=True),
                "stop": clock.iso(stop, microseconds=True),
                "total_hours": 0.0,
                "total_local_gb_usage": 0.0,
                "total_memory_mb_usage": 0.0,
                "total_vcpus_usage": 0.0,
                **({"server_usages": []} if detailed else {}),
            }
        for name in ("local_gb", "memory_mb", "vcpus"):
            summary[f"total_{name}_usage"] += one[name] * one["hours"]
        summary["total_hours"] += one["hours"]
        if detailed:
            summary["server_usages"].append(one)
    link = None
    if paged and limit is not None:
        link = next_link(request, Page(limit, marker), [row["id"] for row in rows])
    return list(found.values()), link


def _server(row: Row, start: datetime.datetime, stop: datetime.datetime, now: datetime.datetime) -> Row:
    ended = row["terminated_at"]
    first, last = max(row["launched_at"], start), min(ended or stop, stop)
    return {
        "instance_id": row["id"],
        "name": row["name"],
        "tenant_id": row["project_id"],
        "flavor": row["flavor"]["name"],
        "hours": max(0.0, (last - first).total_seconds() / 3600),
        "memory_mb": row["memory_mb"],
        "local_gb": row["root_gb"] + row["ephemeral_gb"],
        "vcpus": row["vcpus"],
        "started_at": clock.iso(row["launched_at"], microseconds=True),
        "ended_at": clock.iso(ended, microseconds=True),
        "state": "terminated" if ended else row["vm_state"],
        "uptime": int(((ended or now) - row["launched_at"]).total_seconds()),
    }
