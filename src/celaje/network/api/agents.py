"""The network workers as Neutron's agents, and the zones they are in.

Source: Networking API v2.0, extensions agent and availability_zone; rows from the service records.
"""

from typing import Any

from celaje.common import clock
from celaje.common.wsgi import Request, Response
from celaje.network import errors
from celaje.network.api.converters import BadValue, boolean, string
from celaje.network.rpc import WORKER

Row = dict[str, Any]


def listing(request: Request) -> dict[str, Any]:
    query = request.query
    rows = request.service.database.read(request.service.records.list)
    views = [_view(request.service.records, row) for row in rows if row["binary"] == WORKER]
    known = {"host", "agent_type", "binary", "alive", "admin_state_up", "topic", "id", "availability_zone"}
    wanted = {name: value for name, value in query.items() if name in known}
    found = [view for view in views if all(_fits(view[name], value) for name, value in wanted.items())]
    fields = set(request.query_all("fields"))
    return {"agents": [{k: v for k, v in view.items() if not fields or k in fields} for view in found]}


def show(request: Request, agent_id: str) -> dict[str, Any]:
    return {"agent": _view(request.service.records, request.service.database.read(_find, request, agent_id))}


def update(request: Request, agent_id: str) -> dict[str, Any]:
    body = request.body
    if not isinstance(body, dict) or not isinstance(body.get("agent"), dict):
        raise errors.HTTPBadRequest("Unable to find 'agent' in request body")
    asked = body["agent"]
    unknown = set(asked) - {"admin_state_up", "description"}
    if unknown:
        raise errors.HTTPBadRequest(f"Cannot update read-only attribute {sorted(map(str, unknown))[0][:64]}")
    try:
        values: dict[str, Any] = {}
        if "admin_state_up" in asked:
            values["disabled"] = not boolean(asked["admin_state_up"])
        if "description" in asked:
            values["disabled_reason"] = string()(asked["description"] or "")
    except BadValue as error:
        raise errors.HTTPBadRequest(f"Invalid input for agent. Reason: {error}.") from None

    def unit(tx: Any) -> Row:
        row = _find(tx, request, agent_id)
        request.service.records.change(tx, row["id"], **values)
        return _find(tx, request, agent_id)

    return {"agent": _view(request.service.records, request.service.database.write(unit))}


def delete(request: Request, agent_id: str) -> Response:
    def unit(tx: Any) -> None:
        request.service.records.delete(tx, _find(tx, request, agent_id)["id"])

    request.service.database.write(unit)
    return Response(status=204)


def zones(request: Request) -> dict[str, Any]:
    """Zones of the workers: of networks, and of routers where a worker routes."""
    records = request.service.records
    found: dict[tuple[str, str], bool] = {}
    for row in request.service.database.read(records.list, binary=WORKER):
        kinds = ["network", *(["router"] if (row["details"] or {}).get("routes") else [])]
        for kind in kinds:
            key = (row["availability_zone"], kind)
            found[key] = found.get(key, False) or not row["disabled"]
    items = [
        {"name": name, "resource": kind, "state": "available" if usable else "unavailable"}
        for (name, kind), usable in sorted(found.items())
    ]
    for name in ("name", "resource", "state"):
        wanted = request.query_all(name)
        items = [item for item in items if not wanted or item[name] in wanted]
    return {"availability_zones": items}


def _find(tx: Any, request: Request, agent_id: str) -> Row:
    for row in request.service.records.list(tx, binary=WORKER):
        if row["uuid"] == agent_id:
            return row
    raise errors.AgentNotFound(id=agent_id[:64])


# Of a report: what the other processes need to know, and no configuration of the agent's.
_OURS = frozenset(("boot", "boots", "rpc_version", "flows"))


def _view(records: Any, row: Row) -> dict[str, Any]:
    details = {key: value for key, value in (row["details"] or {}).items() if key not in _OURS}
    return {
        "id": row["uuid"],
        "agent_type": "Network worker",
        "binary": row["binary"],
        "topic": row["topic"],
        "host": row["host"],
        "admin_state_up": not row["disabled"],
        "alive": records.is_up(row),
        "availability_zone": row["availability_zone"],
        "created_at": _time(row["created_at"]),
        "started_at": _time(row["created_at"]),
        "heartbeat_timestamp": _time(row["last_seen_at"]),
        "description": row["disabled_reason"],
        "configurations": details,
        "resources_synced": None,
        "resource_versions": {},
    }


def _time(moment: Any) -> str:
    return (clock.iso(moment) or "").replace("T", " ")


def _fits(value: Any, text: str) -> bool:
    return text.lower() == str(value).lower() if isinstance(value, bool) else text == value
