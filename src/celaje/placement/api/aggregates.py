"""The aggregates that a provider is in."""

from typing import Any

from celaje.common.db import Transaction
from celaje.common.wsgi import Request, Response
from celaje.placement import errors
from celaje.placement.api.answers import fresh
from celaje.placement.api.schemas import GENERATION, UUID, closed
from celaje.placement.db import aggregates, providers

_LIST = {"type": "array", "items": UUID, "uniqueItems": True}
UPDATE = _LIST
UPDATE_1_19 = closed(
    {"aggregates": _LIST, "resource_provider_generation": GENERATION},
    ("aggregates", "resource_provider_generation"),
)


def listing(request: Request, uuid: str) -> Response:
    def find(tx: Transaction) -> tuple[dict[str, Any], list[str]]:
        provider = providers.get(tx, uuid)
        return provider, aggregates.of_provider(tx, provider["id"])

    return _answer(request, *request.service.database.read(find))


def update(request: Request, uuid: str) -> Response:
    checked = request.at_least(1, 19)
    wanted = request.body["aggregates"] if checked else request.body

    def unit(tx: Transaction) -> tuple[dict[str, Any], list[str]]:
        if checked:
            try:
                provider = providers.change(tx, uuid, request.body["resource_provider_generation"])
            except errors.GenerationConflict:
                raise errors.GenerationConflict(
                    "Resource provider's generation already changed. Please update the generation and try "
                    "again.",
                    code=errors.CONCURRENT_UPDATE,
                ) from None
        else:
            provider = providers.get(tx, uuid)
        aggregates.replace(tx, provider["id"], wanted)
        return provider, wanted

    return _answer(request, *request.service.database.write(unit))


def _answer(request: Request, provider: dict[str, Any], uuids: list[str]) -> Response:
    body: dict[str, Any] = {"aggregates": uuids}
    if request.at_least(1, 19):
        body["resource_provider_generation"] = provider["generation"]
    return fresh(request, body)
