"""Of users: as whom identity providers know them (`federated`), which administrators may set beforehand."""

from typing import Any

from sqlalchemy import ColumnElement, select

from celaje.common.db import Transaction
from celaje.common.wsgi import Request
from celaje.identity.db import federation
from celaje.identity.db.tables import FEDERATED_USERS, USERS
from celaje.identity.errors import IdentityProviderNotFound, Invalid, ProtocolNotFound

Row = dict[str, Any]

_NAME = {"type": "string", "minLength": 1, "maxLength": 255}
SCHEMA = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            "idp_id": _NAME,
            "protocols": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"protocol_id": _NAME, "unique_id": _NAME},
                    "required": ["protocol_id", "unique_id"],
                },
                "minItems": 1,
            },
        },
        "required": ["idp_id", "protocols"],
    },
}
_FILTERS = {
    "idp_id": FEDERATED_USERS.c.identity_provider_id,
    "protocol_id": FEDERATED_USERS.c.protocol_id,
    "unique_id": FEDERATED_USERS.c.unique_id,
}


def conditions(request: Request) -> list[ColumnElement[bool]]:
    """The list's filters `idp_id`, `protocol_id` and `unique_id`."""
    asked = [_FILTERS[name] == value for name, value in request.query_pairs if name in _FILTERS]
    return [USERS.c.id.in_(select(FEDERATED_USERS.c.user_id).where(*asked))] if asked else []


def view(tx: Transaction, user_id: str) -> list[Row]:
    """In the form of the request that sets them."""
    by_provider: dict[str, list[Row]] = {}
    for row in federation.of_user(tx, user_id):
        protocols = by_provider.setdefault(row["identity_provider_id"], [])
        protocols.append({"protocol_id": row["protocol_id"], "unique_id": row["unique_id"]})
    return [{"idp_id": provider, "protocols": protocols} for provider, protocols in by_provider.items()]


def replace(tx: Transaction, user: Row, given: list[Row]) -> None:
    """Raises Invalid for a provider or protocol that is not there, and for somebody else's unique id."""
    federation.remove_users(tx, user["id"])
    for provider in given:
        for each in provider["protocols"]:
            row = {
                "identity_provider_id": provider["idp_id"],
                "protocol_id": each["protocol_id"],
                "unique_id": each["unique_id"],
                "user_id": user["id"],
                "display_name": user["name"],
            }
            _check(tx, row)
            federation.add_user(tx, row)


def _check(tx: Transaction, row: Row) -> None:
    try:
        federation.provider(tx, row["identity_provider_id"])
        federation.protocol(tx, row["identity_provider_id"], row["protocol_id"])
    except (IdentityProviderNotFound, ProtocolNotFound) as error:
        raise Invalid(str(error)) from error
    if federation.user(tx, row["identity_provider_id"], row["protocol_id"], row["unique_id"]):
        raise Invalid(f"unique_id {row['unique_id'][:64]} is another user's")
