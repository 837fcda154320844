"""Traits, and which of them a provider has."""

import re
from typing import Any

from celaje.common.db import Transaction
from celaje.common.errors import Conflict, Invalid, NotFound
from celaje.common.wsgi import Request, Response
from celaje.placement import errors
from celaje.placement.api import query
from celaje.placement.api.answers import fresh, path
from celaje.placement.api.schemas import CUSTOM_PATTERN, GENERATION, closed
from celaje.placement.db import providers, traits

UPDATE = closed(
    {
        "traits": {"type": "array", "items": {"type": "string", "minLength": 1, "maxLength": 255}},
        "resource_provider_generation": GENERATION,
    },
    ("traits", "resource_provider_generation"),
)
_CUSTOM = re.compile(CUSTOM_PATTERN)


def listing(request: Request) -> Response:
    """`name=in:A,B` or `name=startswith:HW_`; `associated=true|false`."""
    query.check_keys(request, {"name": (1, 6), "associated": (1, 6)})
    asked = request.query
    associated = asked.get("associated")
    if associated is not None and associated.lower() not in ("true", "false"):
        raise Invalid('The query parameter "associated" only accepts "true" or "false"')
    names = request.service.database.read(
        traits.list_names, None if associated is None else associated.lower() == "true"
    )
    if "name" in asked:
        names = [name for name in names if _matches(asked["name"], name)]
    return fresh(request, {"traits": names})


def _matches(condition: str, name: str) -> bool:
    operator, _, value = condition.partition(":")
    if operator == "in" and value:
        return name in value.split(",")
    if operator == "startswith" and value:
        return name.startswith(value)
    raise Invalid(
        "Badly formatted name parameter. Expected name query string parameter in form: "
        '?name=[in|startswith]:[name1,name2|prefix]. Got: "' + condition[:100] + '"'
    )


def show(request: Request, name: str) -> Response:
    if not request.service.database.read(traits.exists, name):
        raise NotFound(f"No such trait(s): {name}.")
    return _nothing(request, 204)


def create(request: Request, name: str) -> Response:
    if not _CUSTOM.fullmatch(name) or len(name) > 255:
        raise Invalid(
            "The trait is invalid. A valid trait must be no longer than 255 characters, start with the "
            'prefix "CUSTOM_" and use following characters: "A"-"Z", "0"-"9" and "_"'
        )
    new = request.service.database.write(traits.create, name)
    return _nothing(request, 201 if new else 204, location=path(request, "traits", name))


def delete(request: Request, name: str) -> None:
    def unit(tx: Transaction) -> None:
        if traits.is_standard(name):
            raise Invalid(f"Cannot delete standard trait {name}.")
        if not traits.exists(tx, name):
            raise NotFound(f"No such trait(s): {name}.")
        if traits.in_use(tx, name):
            raise Conflict(f"The trait {name} is in use by a resource provider.")
        traits.remove(tx, name)

    request.service.database.write(unit)


def list_of_provider(request: Request, uuid: str) -> Response:
    def find(tx: Transaction) -> tuple[dict[str, Any], list[str]]:
        provider = providers.get(tx, uuid)
        return provider, traits.of_provider(tx, provider["id"])

    return _of_provider(request, *request.service.database.read(find))


def update_of_provider(request: Request, uuid: str) -> Response:
    wanted = sorted(set(request.body["traits"]))

    def unit(tx: Transaction) -> tuple[dict[str, Any], list[str]]:
        try:
            provider = providers.change(tx, uuid, request.body["resource_provider_generation"])
        except errors.GenerationConflict:
            raise errors.GenerationConflict(
                "Resource provider's generation already changed. Please update the generation and try again.",
                code=errors.CONCURRENT_UPDATE,
            ) from None
        try:
            traits.check(tx, wanted)
        except errors.UnknownTraits as error:
            raise Invalid(f"No such trait {error.details['names']}") from error
        traits.replace(tx, provider["id"], wanted)
        return provider, wanted

    return _of_provider(request, *request.service.database.write(unit))


def delete_of_provider(request: Request, uuid: str) -> None:
    def unit(tx: Transaction) -> None:
        provider = providers.change(tx, uuid)
        traits.replace(tx, provider["id"], [])

    request.service.database.write(unit)


def _nothing(request: Request, status: int, location: str | None = None) -> Response:
    return fresh(request, None, status=status, location=location)


def _of_provider(request: Request, provider: dict[str, Any], names: list[str]) -> Response:
    body = {"traits": names, "resource_provider_generation": provider["generation"]}
    return fresh(request, body)
