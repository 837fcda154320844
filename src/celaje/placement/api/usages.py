"""What is used: of a provider, by a project."""

import re
from typing import Any

from celaje.common.db import Transaction
from celaje.common.errors import Invalid
from celaje.common.wsgi import Request, Response
from celaje.placement.api import query
from celaje.placement.api.answers import fresh
from celaje.placement.db import providers, usages

_TYPE = re.compile(r"^([A-Z0-9_]+|all|unknown)$")


def of_provider(request: Request, uuid: str) -> Response:
    def find(tx: Transaction) -> tuple[dict[str, Any], dict[str, int]]:
        provider = providers.get(tx, uuid)
        return provider, usages.of_provider(tx, provider["id"])

    provider, found = request.service.database.read(find)
    return fresh(request, {"resource_provider_generation": provider["generation"], "usages": found})


def total(request: Request) -> Response:
    asked = request.query
    request.authorize({"project_id": asked.get("project_id")})
    query.check_keys(request, {"project_id": (1, 9), "user_id": (1, 9), "consumer_type": (1, 38)})
    for key in ("project_id", "user_id"):
        if key in asked and not 1 <= len(asked[key]) <= 255:
            raise Invalid(f"Invalid query string parameters: '{asked[key][:64]}' is no {key}")
    if "project_id" not in asked:
        raise Invalid("Invalid query string parameters: 'project_id' is a required property")
    project_id, user_id = asked["project_id"], asked.get("user_id")
    if not request.at_least(1, 38):
        found: Any = request.service.database.read(usages.of_owner, project_id, user_id)
        return fresh(request, {"usages": found})
    kind = asked.get("consumer_type")
    if kind is not None and not _TYPE.fullmatch(kind):
        raise Invalid(f"Invalid query string parameters: '{kind[:64]}' is no consumer type")
    found = request.service.database.read(usages.by_consumer_type, project_id, user_id, kind)
    return fresh(request, {"usages": found})
