"""Flavors: the sizes of servers."""

import re
from typing import Any

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.common.errors import Invalid
from celaje.common.wsgi import Request
from celaje.common.wsgi.paging import Page, next_link, read_limit
from celaje.compute.api.inputs import as_boolean, as_integer, check_query, closed, integer, read_boolean
from celaje.compute.api.links import links, next_page
from celaje.compute.api.parameters import BOOLEAN, NAME, wrapped
from celaje.compute.db import flavors

EXTRA_SPECS_RULE = "os_compute_api:os-flavor-extra-specs:index"

_ID = {
    "type": ["string", "number", "null"],
    "minLength": 1,
    "maxLength": 255,
    "pattern": "^[a-zA-Z0-9._-]([a-zA-Z0-9. _-]*[a-zA-Z0-9._-])?$",
}
_FACTOR = {
    "type": ["number", "string"],
    "pattern": r"^[0-9]{1,30}(\.[0-9]{1,30})?$",
    "exclusiveMinimum": 0,
    "maximum": 3.40282e38,
}
_DESCRIPTION = {"type": ["string", "null"], "maxLength": 65535}
_BASE: dict[str, Any] = {
    "name": NAME,
    "id": _ID,
    "ram": integer(1),
    "vcpus": integer(1),
    "disk": integer(0),
    "OS-FLV-EXT-DATA:ephemeral": integer(0),
    "swap": integer(0),
    "os-flavor-access:is_public": BOOLEAN,
}
_NEEDED = ("name", "ram", "vcpus", "disk")
CREATE = wrapped("flavor", closed({**_BASE, "rxtx_factor": _FACTOR}, _NEEDED))
CREATE_2_55 = wrapped(
    "flavor", closed({**_BASE, "rxtx_factor": _FACTOR, "description": _DESCRIPTION}, _NEEDED)
)
CREATE_2_102 = wrapped("flavor", closed({**_BASE, "description": _DESCRIPTION}, _NEEDED))
UPDATE = wrapped("flavor", closed({"description": _DESCRIPTION}, ["description"]))

_QUERY = ("limit", "marker", "is_public", "minRam", "minDisk", "sort_key", "sort_dir")
_PRINTABLE = re.compile(r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$")


def brief(request: Request, row: dict[str, Any]) -> dict[str, Any]:
    shown = {
        "id": row["flavorid"],
        "name": row["name"],
        "links": links(request, "flavors", row["flavorid"]),
    }
    if request.at_least(2, 55):
        shown["description"] = row.get("description")
    return shown


def view(request: Request, row: dict[str, Any], extra_specs: dict[str, str] | None) -> dict[str, Any]:
    """`extra_specs` None: the caller may not see them, or the microversion has none."""
    shown = {
        **brief(request, row),
        "ram": row["memory_mb"],
        "disk": row["root_gb"],
        "vcpus": row["vcpus"],
        "swap": row["swap"] or (0 if request.at_least(2, 75) else ""),
        "OS-FLV-EXT-DATA:ephemeral": row["ephemeral_gb"],
        "os-flavor-access:is_public": row["is_public"],
    }
    if not request.at_least(2, 102):
        shown["OS-FLV-DISABLED:disabled"] = row["disabled"]
        shown["rxtx_factor"] = row["rxtx_factor"] or ""
    if extra_specs is not None:
        shown["extra_specs"] = extra_specs
    return shown


def asker(request: Request) -> str | None:
    """Whose access to private flavors counts; None for an administrator, who sees all."""
    return None if request.context.is_admin else request.context.project_id or ""


def _shows_specs(request: Request) -> bool:
    return request.at_least(2, 61) and request.allows(EXTRA_SPECS_RULE)


def create(request: Request) -> dict[str, Any]:
    given = request.body["flavor"]
    description = given.get("description")
    if description and not _PRINTABLE.match(description):
        raise Invalid("Invalid input for field/attribute description. It has characters that do not print.")
    flavorid = given.get("id")
    values = {
        "flavorid": clock.new_uuid() if flavorid is None else str(flavorid),
        "name": given["name"],
        "memory_mb": as_integer("ram", given["ram"], 1),
        "vcpus": as_integer("vcpus", given["vcpus"], 1),
        "root_gb": as_integer("disk", given["disk"], 0),
        "ephemeral_gb": as_integer("ephemeral", given.get("OS-FLV-EXT-DATA:ephemeral", 0), 0),
        "swap": as_integer("swap", given.get("swap", 0), 0),
        "rxtx_factor": _factor(given.get("rxtx_factor", 1.0)),
        "is_public": as_boolean(given.get("os-flavor-access:is_public", True)),
        "description": description,
    }
    row = request.service.database.write(flavors.create, values)
    return {"flavor": view(request, row, {} if _shows_specs(request) else None)}


def _factor(value: Any) -> float:
    number = float(value)
    if number <= 0:
        raise Invalid("Invalid input for field/attribute rxtx_factor. It must be greater than 0.")
    return number


def update(request: Request, flavor_id: str) -> dict[str, Any]:
    description = request.body["flavor"]["description"]
    if description and not _PRINTABLE.match(description):
        raise Invalid("Invalid input for field/attribute description. It has characters that do not print.")

    def unit(tx: Transaction) -> tuple[dict[str, Any], dict[str, str]]:
        row = flavors.describe(tx, flavor_id, description)
        return row, flavors.extra_specs(tx, row["id"])

    row, specs = request.service.database.write(unit)
    return {"flavor": view(request, row, specs if _shows_specs(request) else None)}


def delete(request: Request, flavor_id: str) -> None:
    request.service.database.write(flavors.remove, flavor_id)


def show(request: Request, flavor_id: str) -> dict[str, Any]:
    check_query(request, (), (2, 102))
    shows = _shows_specs(request)

    def find(tx: Transaction) -> tuple[dict[str, Any], dict[str, str] | None]:
        row = flavors.get(tx, flavor_id, asker(request))
        return row, flavors.extra_specs(tx, row["id"]) if shows else None

    row, specs = request.service.database.read(find)
    return {"flavor": view(request, row, specs)}


def index(request: Request) -> dict[str, Any]:
    page, rows = _list(request, False)
    shown = [brief(request, row) for row in rows]
    return {"flavors": shown, **_next(request, page, rows)}


def detail(request: Request) -> dict[str, Any]:
    shows = _shows_specs(request)
    page, rows = _list(request, shows)
    shown = [view(request, row, row["extra_specs"] if shows else None) for row in rows]
    return {"flavors": shown, **_next(request, page, rows)}


def _next(request: Request, page: Page, rows: list[dict[str, Any]]) -> dict[str, Any]:
    return next_page(request, "flavors_links", next_link(request, page, [row["flavorid"] for row in rows]))


def _list(request: Request, with_specs: bool) -> tuple[Page, list[dict[str, Any]]]:
    check_query(request, (*_QUERY, "name") if request.at_least(2, 102) else _QUERY)
    asked = request.query
    limit, _ = read_limit(request, request.service.conf.api.max_limit)
    page = Page(limit, asked.get("marker"), [_sort(request)])
    filters = flavors.Filters(project_id=request.context.project_id)
    if request.context.is_admin:
        filters.is_public = _is_public(asked.get("is_public"))
    else:
        filters.disabled = False
    filters.minimum_ram = _minimum("minRam", asked.get("minRam"))
    filters.minimum_disk = _minimum("minDisk", asked.get("minDisk"))
    if request.at_least(2, 102):
        filters.name = asked.get("name")

    def find(tx: Transaction) -> list[dict[str, Any]]:
        rows = flavors.list_page(tx, filters, page.sort, limit, page.marker)
        if with_specs:
            specs = flavors.extra_specs_of(tx, [row["id"] for row in rows])
            for row in rows:
                row["extra_specs"] = specs[row["id"]]
        return rows

    return page, request.service.database.read(find)


def _sort(request: Request) -> tuple[str, str]:
    key = request.query.get("sort_key") or "flavorid"
    direction = request.query.get("sort_dir") or "asc"
    if key not in flavors.SORT_KEYS:
        raise Invalid(f"Invalid input for query parameters sort_key. Value: {key[:64]}.")
    if direction not in ("asc", "desc"):
        raise Invalid(f"Invalid input for query parameters sort_dir. Value: {direction[:64]}.")
    return key, direction


def _is_public(text: str | None) -> bool | None:
    if text is None:
        return True
    if text.lower() == "none":
        return None
    value = read_boolean(text)
    if value is None:
        raise Invalid(f"Invalid is_public filter [{text[:64]}]")
    return value


def _minimum(name: str, text: str | None) -> int | None:
    if text is None:
        return None
    if not re.fullmatch(r"-?[0-9]{1,18}", text):
        raise Invalid(f"Invalid {name} filter [{text[:64]}]")
    return int(text)
