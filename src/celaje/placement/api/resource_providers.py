"""Resource providers: create, show, list, change, delete."""

from typing import Any

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.common.errors import Invalid
from celaje.common.wsgi import Request, Response
from celaje.placement.api import query
from celaje.placement.api.answers import fresh, path
from celaje.placement.api.schemas import UUID, closed
from celaje.placement.db import providers, resource_classes, traits
from celaje.placement.errors import UnknownClass, UnknownTraits

_NAME = {"type": "string", "maxLength": 200}
_PARENT = {"anyOf": [UUID, {"type": "null"}]}

CREATE = closed({"name": _NAME, "uuid": UUID}, ("name",))
CREATE_1_14 = closed({"name": _NAME, "uuid": UUID, "parent_provider_uuid": _PARENT}, ("name",))
UPDATE = closed({"name": _NAME}, ("name",))
UPDATE_1_14 = closed({"name": _NAME, "parent_provider_uuid": _PARENT}, ("name",))

_LINKS = (
    ("inventories", (1, 0)),
    ("usages", (1, 0)),
    ("aggregates", (1, 1)),
    ("traits", (1, 6)),
    ("allocations", (1, 11)),
)
_FILTERS = {
    "uuid": (1, 0),
    "name": (1, 0),
    "member_of": (1, 3),
    "resources": (1, 4),
    "in_tree": (1, 14),
    "required": (1, 18),
}


def normal(uuid: str) -> str:
    """A UUID in its usual form: lower case, with dashes."""
    digits = uuid.replace("-", "").lower()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def view(request: Request, row: dict[str, Any]) -> dict[str, Any]:
    own = path(request, "resource_providers", row["uuid"])
    shown = {
        "uuid": row["uuid"],
        "name": row["name"],
        "generation": row["generation"],
        "links": [
            {"rel": "self", "href": own},
            *({"rel": rel, "href": f"{own}/{rel}"} for rel, since in _LINKS if request.at_least(*since)),
        ],
    }
    if request.at_least(1, 14):
        shown["parent_provider_uuid"] = row["parent_uuid"]
        shown["root_provider_uuid"] = row["root_uuid"]
    return shown


def create(request: Request) -> Response:
    body = request.body
    uuid = normal(body["uuid"]) if body.get("uuid") else clock.new_uuid()
    parent = body.get("parent_provider_uuid")
    row = request.service.database.write(
        providers.create, uuid=uuid, name=body["name"], parent_uuid=normal(parent) if parent else None
    )
    location = path(request, "resource_providers", uuid)
    if request.at_least(1, 20):
        return fresh(request, view(request, row), row["updated_at"], status=200, location=location)
    return Response(status=201, headers={"Location": location})


def show(request: Request, uuid: str) -> Response:
    row = request.service.database.read(providers.get, uuid)
    return fresh(request, view(request, row), row["updated_at"])


def listing(request: Request) -> Response:
    query.check_keys(request, _FILTERS)
    asked = request.query
    filters = providers.Filters(uuid=asked.get("uuid"), name=asked.get("name"))
    if filters.uuid is not None and not query.is_uuid(filters.uuid):
        raise Invalid(f"Invalid query string parameters: '{filters.uuid[:64]}' is not a 'uuid'")
    if "in_tree" in asked:
        filters.in_tree = query.in_tree(asked["in_tree"])
    if "resources" in asked:
        filters.resources = query.resources(asked["resources"])
    filters.member_of, filters.forbidden_aggregates = query.member_of(request, "member_of")
    filters.required, filters.forbidden_traits = query.traits(request, "required")

    def find(tx: Transaction) -> list[dict[str, Any]]:
        try:
            resource_classes.check(tx, filters.resources)
        except UnknownClass as error:
            raise Invalid(f"Invalid resource class in resources parameter: {error}") from error
        try:
            traits.check(tx, set().union(*filters.required, filters.forbidden_traits))
        except UnknownTraits as error:
            raise Invalid(f'Invalid trait(s) in "required" parameter: {error}') from error
        return providers.list_matching(tx, filters)

    rows = request.service.database.read(find)
    changed = max((row["updated_at"] for row in rows), default=None)
    return fresh(request, {"resource_providers": [view(request, row) for row in rows]}, changed)


def update(request: Request, uuid: str) -> Response:
    body = request.body
    parent = {}
    if "parent_provider_uuid" in body:
        given = body["parent_provider_uuid"]
        parent["parent_provider_uuid"] = normal(given) if given else None
    row = request.service.database.write(
        providers.save, uuid, body["name"], parent, reparent=request.at_least(1, 37)
    )
    return fresh(request, view(request, row), row["updated_at"])


def delete(request: Request, uuid: str) -> None:
    request.service.database.write(providers.remove, uuid)
