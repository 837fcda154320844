"""Server groups: servers that are to be near to or far from each other."""

from typing import Any

from celaje.common.db import Transaction, serialise
from celaje.common.errors import Forbidden, Invalid
from celaje.common.wsgi import Request
from celaje.common.wsgi.paging import read_limit, read_offset
from celaje.compute import quota
from celaje.compute.api.inputs import as_integer, check_query, closed, integer
from celaje.compute.api.parameters import NAME, wrapped
from celaje.compute.db import server_groups

ALL_PROJECTS = "os_compute_api:os-server-groups:index:all_projects"

_HARD = ["anti-affinity", "affinity"]
_ALL = [*_HARD, "soft-anti-affinity", "soft-affinity"]


def _policies(known: list[str]) -> dict[str, Any]:
    return {"type": "array", "items": {"enum": known}, "minItems": 1, "maxItems": 1}


CREATE = wrapped("server_group", closed({"name": NAME, "policies": _policies(_HARD)}, ["name", "policies"]))
CREATE_2_15 = wrapped(
    "server_group", closed({"name": NAME, "policies": _policies(_ALL)}, ["name", "policies"])
)
CREATE_2_64 = wrapped(
    "server_group",
    closed(
        {
            "name": NAME,
            "policy": {"type": "string", "enum": _ALL},
            "rules": closed({"max_server_per_host": integer(1)}),
        },
        ["name", "policy"],
    ),
)

Row = dict[str, Any]


class GroupQuota(Forbidden):
    text = "Quota exceeded, too many server groups."


def view(request: Request, row: Row, members: list[str]) -> Row:
    shown = {"id": row["id"], "name": row["name"], "members": members}
    if request.at_least(2, 64):
        shown["policy"] = row["policy"]
        shown["rules"] = row.get("rules") or {}
    else:
        shown["policies"] = [row["policy"]]
        shown["metadata"] = {}
    if request.at_least(2, 13):
        shown["project_id"] = row["project_id"]
        shown["user_id"] = row["user_id"]
    return shown


def create(request: Request) -> Row:
    given = request.body["server_group"]
    project = request.context.project_id or ""
    policy = given["policy"] if "policy" in given else given["policies"][0]
    rules = {name: as_integer(name, value, 1) for name, value in (given.get("rules") or {}).items()}
    if rules and policy != "anti-affinity":
        raise Invalid("Only anti-affinity policy supports rules.")
    values = {
        "name": given["name"],
        "policy": policy,
        "rules": rules,
        "project_id": project,
        "user_id": request.context.user_id,
    }

    def unit(tx: Transaction) -> Row:
        serialise(tx, f"server groups {project}")
        allowed = quota.limits(tx, request.service.conf, project)["server_groups"]
        if 0 <= allowed <= server_groups.count(tx, project):
            raise GroupQuota()
        return server_groups.create(tx, values)

    return {"server_group": view(request, request.service.database.write(unit), [])}


def _load(tx: Transaction, request: Request, group_id: str) -> Row:
    project = None if request.context.is_admin else request.context.project_id or ""
    row = server_groups.get(tx, group_id, project)
    request.authorize({"project_id": row["project_id"]})
    return row


def show(request: Request, group_id: str) -> Row:
    check_query(request, (), (2, 102))

    def find(tx: Transaction) -> tuple[Row, list[str]]:
        row = _load(tx, request, group_id)
        return row, server_groups.members_of(tx, [group_id])[group_id]

    row, members = request.service.database.read(find)
    return {"server_group": view(request, row, members)}


def index(request: Request) -> Row:
    check_query(request, ("all_projects", "limit", "offset"))
    limit, _ = read_limit(request, request.service.conf.api.max_limit)
    project = request.context.project_id
    if "all_projects" in request.query and request.context.is_admin:
        request.authorize(rule=ALL_PROJECTS)
        project = None
    offset = read_offset(request)

    def find(tx: Transaction) -> tuple[list[Row], dict[str, list[str]]]:
        rows = server_groups.list_page(tx, project, limit, offset)
        return rows, server_groups.members_of(tx, [row["id"] for row in rows]) if rows else {}

    rows, members = request.service.database.read(find)
    return {"server_groups": [view(request, row, members[row["id"]]) for row in rows]}


def delete(request: Request, group_id: str) -> None:
    def unit(tx: Transaction) -> None:
        _load(tx, request, group_id)
        server_groups.remove(tx, group_id)

    request.service.database.write(unit)
