"""Mappings of federation (`/v3/OS-FEDERATION/mappings`); what they mean is in `identity/mappings.py`."""

from typing import Any

from celaje.common.db import Transaction
from celaje.common.wsgi import Request
from celaje.identity import mappings
from celaje.identity.api import listing, views
from celaje.identity.db import federation
from celaje.identity.db.tables import MAPPINGS
from celaje.identity.errors import Invalid

Row = dict[str, Any]

BODY = {"type": "object", "properties": {"mapping": {"type": "object"}}, "required": ["mapping"]}


def _view(request: Request, row: Row) -> Row:
    body = {name: row[name] for name in ("id", "rules", "schema_version")}
    return views.linked(request, "OS-FEDERATION/mappings", body)


def index(request: Request) -> Row:
    listed = request.service.database.read(lambda tx: listing.run(request, tx, MAPPINGS, [], sort=("id",)))
    return listing.answer(request, "mappings", listed, _view)


def show(request: Request, mapping_id: str) -> Row:
    return {"mapping": _view(request, request.service.database.read(federation.mapping, mapping_id))}


def _given(request: Request) -> Row:
    given = request.body["mapping"]
    default = request.service.conf.federation.attribute_mapping_default_schema_version
    version = given.get("schema_version") or default
    mappings.check({**given, "schema_version": version}, str(version))
    return {"rules": given["rules"], "schema_version": version}


def create(request: Request, mapping_id: str) -> Row:
    if len(mapping_id) > 64:
        raise Invalid("Invalid input for field 'id': it is longer than 64 characters")
    row = {"id": mapping_id, **_given(request)}
    request.service.database.write(federation.create_mapping, row)
    return {"mapping": _view(request, row)}


def update(request: Request, mapping_id: str) -> Row:
    given = _given(request)

    def unit(tx: Transaction) -> Row:
        row = federation.mapping(tx, mapping_id)
        federation.change_mapping(tx, mapping_id, given)
        return {**row, **given}

    return {"mapping": _view(request, request.service.database.write(unit))}


def delete(request: Request, mapping_id: str) -> None:
    def unit(tx: Transaction) -> None:
        federation.mapping(tx, mapping_id)
        federation.remove_mapping(tx, mapping_id)

    request.service.database.write(unit)
