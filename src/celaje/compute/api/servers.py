"""Servers: list, show, update, delete. Creation is in `server_create.py`, actions in `server_actions.py`."""

from typing import Any

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.common.errors import Conflict, Invalid
from celaje.common.wsgi import Request, Response
from celaje.common.wsgi.paging import Page, next_link, read_limit, read_sort
from celaje.compute import states
from celaje.compute.api.server_lookup import busy, load, refuse_locked, worker_is_up
from celaje.compute.api.server_views import Belongings, ServerViews
from celaje.compute.db import server_list, servers
from celaje.compute.db.tables import SERVICES

Body = dict[str, Any]

_P = "os_compute_api:servers"
_TAG_FILTERS = ("tags", "tags-any", "not-tags", "not-tags-any")
# What those who are no administrators may filter by, and since when more.
_OPEN_FILTERS = {"reservation_id", "name", "image", "flavor", "ip"}
_OPEN_SINCE_283 = {
    "availability_zone",
    "config_drive",
    "key_name",
    "created_at",
    "launched_at",
    "terminated_at",
    "power_state",
    "task_state",
    "vm_state",
    "progress",
    "user_id",
}
_ALIASES = {
    "display_name": "name",
    "display_description": "description",
    "image_ref": "image",
    "tenant_id": "project_id",
}
_NO_FILTERS = {
    "limit",
    "marker",
    "sort_key",
    "sort_dir",
    "all_tenants",
    "deleted",
    "status",
    "changes-since",
    "changes-before",
    "project_id",
    "soft_deleted",
    "page_size",
    *_TAG_FILTERS,
}


def index(request: Request) -> Body:
    rows, page = _find(request, f"{_P}:index:get_all_tenants")
    views = ServerViews(request)
    return _listed(request, page, rows, [views.basic(row) for row in rows])


def detail(request: Request) -> Body:
    rows, page = _find(request, f"{_P}:detail:get_all_tenants")
    views = ServerViews(request)
    ids = [row["id"] for row in rows]

    def query(tx: Transaction) -> tuple[Body, dict[str, str]]:
        found = server_list.belongings(tx, ids, tags=request.at_least(2, 26)) if ids else {}
        hosts = {row["host"] for row in rows if row["host"]} if views.host_status else set()
        return found, host_states(request, tx, hosts)

    own, hosts = request.service.database.read(query)
    shown = []
    for row in rows:
        belongings = Belongings(
            metadata={one["key"]: one["value"] for one in own["metadata"].get(row["id"], ())},
            tags=[one["tag"] for one in own["tags"].get(row["id"], ())],
            interfaces=own["interfaces"].get(row["id"], []),
            devices=own["devices"].get(row["id"], []),
            host_status=hosts.get(row["host"] or "", ""),
        )
        shown.append(views.detail(row, belongings))
    return _listed(request, page, rows, shown)


def show(request: Request, server_id: str) -> Body:
    row = load(request, server_id)
    return {"server": view(request, row)}


def view(request: Request, row: Body) -> Body:
    """One server with all that belongs to it."""
    views = ServerViews(request)

    def query(tx: Transaction) -> Belongings:
        group = servers.group_of(tx, row["id"]) if request.at_least(2, 71) else None
        hosts = {row["host"]} if views.host_status and row["host"] else set()
        return Belongings(
            metadata=servers.metadata(tx, row["id"]),
            tags=servers.tags(tx, row["id"]) if request.at_least(2, 26) else [],
            interfaces=servers.interfaces(tx, row["id"]),
            devices=servers.devices(tx, row["id"]),
            groups=[group["id"]] if group else [],
            host_status=host_states(request, tx, hosts).get(row["host"] or "", ""),
        )

    return views.detail(row, request.service.database.read(query), groups=True)


def host_states(request: Request, tx: Transaction, hosts: set[str]) -> dict[str, str]:
    """UP, DOWN, MAINTENANCE or UNKNOWN of the named hosts."""
    if not hosts:
        return {}
    records = request.service.records
    statement = SERVICES.select().where(SERVICES.c.binary == "nova-compute", SERVICES.c.host.in_(hosts))
    found = dict.fromkeys(hosts, "UNKNOWN")
    for row in tx.execute(statement).mappings():
        if row["disabled"]:
            found[row["host"]] = "MAINTENANCE"
        elif row["forced_down"]:
            found[row["host"]] = "DOWN"
        else:
            found[row["host"]] = "UP" if records.is_up(dict(row)) else "UNKNOWN"
    return found


def update(request: Request, server_id: str) -> Body:
    row = load(request, server_id)
    wanted = request.body["server"]
    values: Body = {}
    for key, column in (
        ("name", "name"),
        ("description", "description"),
        ("OS-DCF:diskConfig", "disk_config"),
        ("hostname", "hostname"),
    ):
        if key in wanted:
            values[column] = wanted[key]
    for key, column in (("accessIPv4", "access_ip_v4"), ("accessIPv6", "access_ip_v6")):
        if key in wanted:
            values[column] = wanted[key] or None
    if "pinned_availability_zone" in wanted:
        zone, before = wanted["pinned_availability_zone"], row["pinned_availability_zone"]
        if zone is not None and zone != before and (before is not None or zone != row["availability_zone"]):
            raise Conflict(f"Instance {server_id} cannot be pinned to availability zone {zone}.")
        values["pinned_availability_zone"] = zone
    if values:
        request.service.database.write(servers.change, server_id, **values)
    shown = view(request, {**row, **values, "updated_at": clock.now()})
    if not request.at_least(2, 75):
        # Before 2.75 the answer has only what the base had.
        base = [
            "id",
            "name",
            "status",
            "tenant_id",
            "user_id",
            "metadata",
            "hostId",
            "image",
            "flavor",
            "created",
            "updated",
            "addresses",
            "accessIPv4",
            "accessIPv6",
            "links",
            "OS-DCF:diskConfig",
            "fault",
            "progress",
            "description",
            "locked",
            "tags",
            "trusted_image_certificates",
            "server_groups",
            "locked_reason",
            "host_status",
        ]
        shown = {key: value for key, value in shown.items() if key in base and key != "host_status"}
    return {"server": shown}


def delete(request: Request, server_id: str) -> Response:
    """Any state may be deleted, also one that is just being built; a locked one by administrators only."""
    row = load(request, server_id)
    refuse_locked(request, row)
    service = request.service
    service.database.write(submit_deletion, service, row)
    return Response(None, 204)


def submit_deletion(tx: Transaction, service: Any, row: Body) -> None:
    row = servers.get(tx, row["id"]) or row
    if row["deleted"] or row["task_state"] == "deleting":
        return
    flow_id = service.flows.submit(
        tx,
        "server.delete",
        resource=("server", row["id"]),
        arguments={
            "server": servers.for_driver(row),
            "host": row["host"],
            "worker": row["worker"],
            "worker_is_up": bool(row["host"]) and worker_is_up(service, tx, row["host"]),
            "interfaces": [
                {"port_id": one["port_id"], "owned": one["owned"]}
                for one in servers.interfaces(tx, row["id"])
            ],
            "devices": [
                {key: one[key] for key in ("volume_id", "attachment_id", "delete_on_termination")}
                for one in servers.devices(tx, row["id"])
            ],
        },
        project_id=row["project_id"],
    )
    tasks = (None, *(task for task in states.PASSING if task != "deleting"))
    if not states.begin(tx, row["id"], "deleting", flow_id, vm_states=tuple(states.LASTING), tasks=tasks):
        raise busy(row, "delete")


def _listed(request: Request, page: Page, rows: list[Body], shown: list[Body]) -> Body:
    answer: Body = {"servers": shown}
    href = next_link(request, page, [row["id"] for row in rows])
    # Nova links to a next page only when the client gave a limit, or the page is full.
    if href:
        answer["servers_links"] = [{"rel": "next", "href": href}]
    return answer


def _find(request: Request, everybody: str) -> tuple[list[Body], Page]:
    query = request.query
    question = server_list.Question(project_id=request.context.project_id)
    if _flag(query.get("all_tenants")):
        request.authorize(rule=everybody)
        question.project_id = query.get("project_id") or query.get("tenant_id")
    all_filters = request.allows(f"{_P}:allow_all_filters")
    allowed = set(_OPEN_FILTERS)
    if request.at_least(2, 5):
        allowed.add("ip6")
    if request.at_least(2, 73):
        allowed.add("locked")
    if request.at_least(2, 83):
        allowed |= _OPEN_SINCE_283
    for name, value in request.query_pairs:
        key = _ALIASES.get(name, name)
        if key in _NO_FILTERS:
            continue
        if key not in server_list.FILTERS:
            if request.at_least(2, 75):
                raise Invalid(f"Additional properties are not allowed ({name[:64]!r} was unexpected)")
            continue
        if key in allowed or all_filters:
            question.filters[key] = value
    _read_special(request, question, all_filters)
    largest = request.service.conf.api.max_limit
    limit, asked = read_limit(request, largest)
    sort = read_sort(request, _sort_keys(request), [("created_at", "desc")])
    page = Page(limit, query.get("marker"), sort, asked=asked)
    rows = request.service.database.read(
        server_list.find, question, page.sort, limit=page.limit, marker=page.marker
    )
    return rows, page


def _read_special(request: Request, question: server_list.Question, all_filters: bool) -> None:
    query = request.query
    statuses = [value.upper() for value in request.query_all("status")]
    if statuses:
        known = [one for one in statuses if any(states.states_of([one]))]
        if len(known) != len(statuses) and request.at_least(2, 38):
            raise Invalid("Invalid status value")
        # An unknown status matches nothing.
        question.statuses = known or ["UNKNOWN"]
        if "DELETED" in known:
            question.deleted = True
    if "deleted" in query and all_filters:
        question.deleted = _flag(query["deleted"])
    elif question.deleted and not all_filters:
        question.statuses = ["UNKNOWN"]
    if query.get("changes-since"):
        question.changes_since = server_list.moment("changes-since", query["changes-since"])
    if query.get("changes-before") and request.at_least(2, 66):
        question.changes_before = server_list.moment("changes-before", query["changes-before"])
        since = question.changes_since
        if since is not None and since > question.changes_before:
            raise Invalid("The value of changes-since must be less than or equal to changes-before.")
    if request.at_least(2, 26):
        for name in _TAG_FILTERS:
            if query.get(name):
                question.tags[name] = query[name].split(",")


def _sort_keys(request: Request) -> set[str]:
    keys = set(server_list.SORT_KEYS) | {"id"}
    if not request.at_least(2, 73):
        keys.discard("locked")
    if not request.context.is_admin:
        keys -= {"host", "node"}
    return keys - {"id"}


def _flag(text: str | None) -> bool:
    if text is None:
        return False
    if text.lower() in ("", "1", "true", "t", "yes", "y", "on"):
        return True
    if text.lower() in ("0", "false", "f", "no", "n", "off"):
        return False
    raise Invalid(f"Unrecognized value '{text[:64]}', acceptable values are: '0', '1', 'true', 'false' ...")
