"""Allocations: what a consumer has, what is taken from a provider."""

from collections.abc import Mapping
from typing import Any

from celaje.common.db import Transaction
from celaje.common.errors import Invalid
from celaje.common.wsgi import Request, Response
from celaje.placement.api.answers import fresh
from celaje.placement.api.query import is_uuid
from celaje.placement.api.resource_providers import normal
from celaje.placement.api.schemas import NAME_PATTERN, UUID, UUID_KEY, closed, keyed
from celaje.placement.db import allocations, providers
from celaje.placement.db.allocations import Claim
from celaje.placement.errors import UnknownClass

_OWNER = {"type": "string", "minLength": 1, "maxLength": 255}
_RESOURCES = keyed(NAME_PATTERN, {"type": "integer", "minimum": 1}, minProperties=1)
_OLD = {
    "type": "array",
    "minItems": 1,
    "items": closed(
        {"resource_provider": closed({"uuid": UUID}, ("uuid",)), "resources": _RESOURCES},
        ("resource_provider", "resources"),
    ),
}
_FROM_ONE = closed({"generation": {"type": "integer"}, "resources": _RESOURCES}, ("resources",))
_MAPPINGS = {
    "type": "object",
    "minProperties": 1,
    "patternProperties": {"[a-zA-Z0-9_-]{1,64}": {"type": "array", "minItems": 1, "items": UUID}},
}


def _claim(since: tuple[int, int], *, empty: bool) -> dict[str, Any]:
    """The schema of one consumer's claim, as of microversion `since`."""
    properties: dict[str, Any] = {
        "allocations": keyed(UUID_KEY, _FROM_ONE, minProperties=0 if empty else 1),
        "project_id": _OWNER,
        "user_id": _OWNER,
    }
    required = ["allocations", "project_id", "user_id"]
    if since >= (1, 28):
        properties["consumer_generation"] = {"type": ["integer", "null"]}
        required.append("consumer_generation")
    if since >= (1, 34):
        properties["mappings"] = _MAPPINGS
    if since >= (1, 38):
        properties["consumer_type"] = {"type": "string", "pattern": NAME_PATTERN, "maxLength": 255}
        required.append("consumer_type")
    return closed(properties, tuple(required))


PUT_1_0 = closed({"allocations": _OLD}, ("allocations",))
PUT_1_8 = closed(
    {"allocations": _OLD, "project_id": _OWNER, "user_id": _OWNER}, ("allocations", "project_id", "user_id")
)
PUT_1_12 = _claim((1, 12), empty=False)
PUT_1_28 = _claim((1, 28), empty=True)
PUT_1_34 = _claim((1, 34), empty=True)
PUT_1_38 = _claim((1, 38), empty=True)
POST_1_13 = keyed(UUID_KEY, _claim((1, 13), empty=True), minProperties=1)
POST_1_28 = keyed(UUID_KEY, PUT_1_28, minProperties=1)
POST_1_34 = keyed(UUID_KEY, PUT_1_34, minProperties=1)
POST_1_38 = keyed(UUID_KEY, PUT_1_38, minProperties=1)


def read_claim(request: Request, consumer: str, body: Mapping[str, Any]) -> Claim:
    given = body["allocations"]
    if isinstance(given, list):
        given = {part["resource_provider"]["uuid"]: part for part in given}
    options = request.service.conf.placement
    return Claim(
        consumer=normal(consumer),
        allocations={normal(uuid): part["resources"] for uuid, part in given.items()},
        project_id=body.get("project_id", options.incomplete_consumer_project_id),
        user_id=body.get("user_id", options.incomplete_consumer_user_id),
        generation=body.get("consumer_generation"),
        checked=request.at_least(1, 28),
        consumer_type=body.get("consumer_type"),
    )


def update(request: Request, consumer: str) -> None:
    if not is_uuid(consumer):
        raise Invalid(f"Malformed consumer_uuid: {consumer[:100]}")
    claim = read_claim(request, consumer, request.body)
    try:
        request.service.database.write(allocations.replace, [claim])
    except UnknownClass as error:
        raise Invalid(f"Unable to allocate inventory for consumer {claim.consumer}: {error}") from error


def update_many(request: Request) -> None:
    claims = [read_claim(request, consumer, body) for consumer, body in request.body.items()]
    try:
        request.service.database.write(allocations.replace, claims)
    except UnknownClass as error:
        raise Invalid(f"Unable to allocate inventory {error}") from error


def show(request: Request, consumer: str) -> Response:
    """Never 404: a consumer is known only by its allocations."""
    rows = request.service.database.read(allocations.of_consumer, consumer)
    found: dict[str, Any] = {}
    for row in rows:
        part = found.setdefault(
            row["provider_uuid"], {"resources": {}, "generation": row["provider_generation"]}
        )
        part["resources"][row["resource_class"]] = row["used"]
    body: dict[str, Any] = {"allocations": found}
    if rows:
        first = rows[0]
        if request.at_least(1, 12):
            body["project_id"], body["user_id"] = first["project_id"], first["user_id"]
        if request.at_least(1, 28):
            body["consumer_generation"] = first["generation"]
        if request.at_least(1, 38):
            body["consumer_type"] = first["consumer_type"] or "unknown"
    return fresh(request, body, max((row["created_at"] for row in rows), default=None))


def delete(request: Request, consumer: str) -> None:
    request.service.database.write(allocations.release, consumer)


def list_of_provider(request: Request, uuid: str) -> Response:
    def find(tx: Transaction) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        provider = providers.get(tx, uuid)
        return provider, allocations.of_provider(tx, provider["id"])

    provider, rows = request.service.database.read(find)
    found: dict[str, Any] = {}
    for row in rows:
        part = found.setdefault(row["consumer_uuid"], {"resources": {}})
        part["resources"][row["resource_class"]] = row["used"]
        if request.at_least(1, 28):
            part["consumer_generation"] = row["generation"]
    body = {"allocations": found, "resource_provider_generation": provider["generation"]}
    return fresh(request, body, max((row["created_at"] for row in rows), default=None))
