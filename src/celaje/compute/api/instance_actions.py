"""/servers/{id}/os-instance-actions: what was done with a server, made from the journal of its flows."""

import datetime
from typing import Any

from sqlalchemy import select

from celaje.common import clock
from celaje.common.db import Transaction, fetch_all, fetch_one
from celaje.common.errors import Invalid, NotFound
from celaje.common.wsgi import Request
from celaje.common.wsgi.paging import Page, next_link, read_limit
from celaje.compute.api.server_lookup import load
from celaje.compute.api.server_views import host_id
from celaje.compute.db import server_list, servers
from celaje.compute.db.tables import FLOWS
from celaje.compute.errors import ServerNotFound

Body = dict[str, Any]

_RULE = "os_compute_api:os-instance-actions"
_F = FLOWS.flows.c


def index(request: Request, server_id: str) -> Body:
    row = _server(request, server_id)
    query = request.query
    limit, asked = read_limit(request, request.service.conf.api.max_limit)
    statement = (
        select(FLOWS.flows)
        .where(_F.resource_id == row["id"], _F.resource_type == "server")
        .order_by(_F.created_at.desc(), _F.id.desc())
    )
    if request.at_least(2, 58):
        statement = _paged(request, statement, row["id"])
    flows = request.service.database.read(
        fetch_all, statement.limit(limit if request.at_least(2, 58) else None)
    )
    answer: Body = {"instanceActions": [_view(request, flow) for flow in flows]}
    if request.at_least(2, 58):
        page = Page(limit, query.get("marker"), asked=asked)
        href = next_link(request, page, [flow["request_id"] for flow in flows])
        if href:
            answer["links"] = [{"rel": "next", "href": href}]
    return answer


def _paged(request: Request, statement: Any, server_id: str) -> Any:
    query = request.query
    updated = _F.updated_at
    if query.get("changes-since"):
        statement = statement.where(updated >= server_list.moment("changes-since", query["changes-since"]))
    if query.get("changes-before") and request.at_least(2, 66):
        statement = statement.where(updated <= server_list.moment("changes-before", query["changes-before"]))
    marker = query.get("marker")
    if marker:
        before = request.service.database.read(_flow, server_id, marker)
        if before is None:
            raise Invalid(f"Marker {marker[:64]} could not be found.")
        statement = statement.where(
            (_F.created_at < before["created_at"])
            | ((_F.created_at == before["created_at"]) & (_F.id < before["id"]))
        )
    return statement


def show(request: Request, server_id: str, request_id: str) -> Body:
    row = _server(request, server_id)

    def query(tx: Transaction) -> tuple[Body | None, list[Body]]:
        flow = _flow(tx, row["id"], request_id)
        steps = FLOWS.steps
        if flow is None:
            return None, []
        listed = select(steps).where(steps.c.flow_id == flow["id"]).order_by(steps.c.number)
        return flow, fetch_all(tx, listed)

    flow, steps = request.service.database.read(query)
    if flow is None:
        raise NotFound(f"Action for request_id {request_id} on instance {server_id} not found")
    shown = _view(request, flow)
    full = request.allows(f"{_RULE}:events", {"project_id": row["project_id"]})
    if full or request.at_least(2, 51):
        shown["events"] = [_event(request, row, step, full) for step in steps if step["kind"] != "write"]
    return {"instanceAction": shown}


def _server(request: Request, server_id: str) -> Body:
    """2.21: also a deleted server's actions."""
    row = request.service.database.read(servers.get, server_id)
    if row is not None and row["deleted"] and request.at_least(2, 21):
        if row["project_id"] != request.context.project_id and not request.context.is_admin:
            raise ServerNotFound(server=server_id)
        request.authorize({"project_id": row["project_id"], "user_id": row["user_id"]})
        return row
    return load(request, server_id)


def _flow(tx: Transaction, server_id: str, request_id: str) -> Body | None:
    statement = select(FLOWS.flows).where(_F.resource_id == server_id, _F.request_id == request_id)
    return fetch_one(tx, statement)


def _time(moment: datetime.datetime | None) -> str | None:
    return clock.iso(moment, microseconds=True)


def _view(request: Request, flow: Body) -> Body:
    shown: Body = {
        "action": flow["name"].partition(".")[2],
        "instance_uuid": flow["resource_id"],
        "request_id": flow["request_id"],
        "user_id": flow["user_id"],
        "project_id": flow["project_id"],
        "start_time": _time(flow["created_at"]),
        "message": "Error" if flow["error"] else None,
    }
    if request.at_least(2, 58):
        shown["updated_at"] = _time(flow["updated_at"] or flow["created_at"])
    return shown


def _event(request: Request, row: Body, step: Body, full: bool) -> Body:
    """A step of the flow: its name with underscores, as Nova's events are written."""
    failed = step["outcome"] == "error"
    words = (step["error"] or {}).get("message") if failed else None
    outcome = None if step["outcome"] is None else "Error" if failed else "Success"
    shown: Body = {
        "event": step["name"].replace(".", "_"),
        "start_time": _time(step["started_at"]),
        "finish_time": _time(step["finished_at"]),
        "result": outcome,
    }
    if full:
        shown["traceback"] = words
    if request.at_least(2, 62):
        shown["hostId"] = host_id(row["project_id"], row["host"])
        if full:
            shown["host"] = row["host"]
    if request.at_least(2, 84):
        allowed = request.allows(f"{_RULE}:events:details", {"project_id": row["project_id"]})
        shown["details"] = words if allowed else None
    return shown
