"""Key pairs: a user's public keys for new servers."""

import importlib
from typing import Any

from celaje.common import clock
from celaje.common.db import Transaction, serialise
from celaje.common.errors import Forbidden
from celaje.common.wsgi import Request, Response
from celaje.common.wsgi.paging import Page, next_link, read_limit
from celaje.compute import quota
from celaje.compute.api.inputs import check_query, closed
from celaje.compute.api.links import next_page
from celaje.compute.api.parameters import wrapped
from celaje.compute.db import keypairs

_NAME = {
    "type": "string",
    "minLength": 1,
    "maxLength": 255,
    "pattern": "^[_a-zA-Z0-9-]([_ a-zA-Z0-9-]*[_a-zA-Z0-9-])?$",
}
_NAME_2_92 = {**_NAME, "pattern": "^[_@.a-zA-Z0-9-]([_@. a-zA-Z0-9-]*[_@.a-zA-Z0-9-])?$"}
_KEY = {"type": "string", "maxLength": 65536}
_TYPE = {"type": "string", "enum": ["ssh", "x509"]}
_USER = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[a-zA-Z0-9-]*$"}

CREATE = wrapped("keypair", closed({"name": _NAME, "public_key": _KEY}, ["name"]))
CREATE_2_2 = wrapped("keypair", closed({"name": _NAME, "public_key": _KEY, "type": _TYPE}, ["name"]))
CREATE_2_10 = wrapped(
    "keypair", closed({"name": _NAME, "public_key": _KEY, "type": _TYPE, "user_id": _USER}, ["name"])
)
CREATE_2_92 = wrapped(
    "keypair",
    closed({"name": _NAME_2_92, "public_key": _KEY, "type": _TYPE, "user_id": _USER}, ["name", "public_key"]),
)


class KeypairQuota(Forbidden):
    text = "Quota exceeded, too many key pairs."


def _view(request: Request, row: dict[str, Any], *names: str) -> dict[str, Any]:
    shown = {name: row[name] for name in ("name", "public_key", "fingerprint", *names)}
    if request.at_least(2, 2):
        shown["type"] = row["type"]
    return shown


def _user(request: Request, given: str | None) -> str:
    """Whose key pairs: the caller's, or, for who may since 2.10, another user's."""
    user = given if given and request.at_least(2, 10) else request.context.user_id
    assert user is not None
    request.authorize({"user_id": user, "project_id": request.context.project_id})
    return user


def _library(kind: str) -> Any:
    """They load much of the cryptography library, which most processes never need."""
    return importlib.import_module(f"celaje.compute.{'keys' if kind == 'ssh' else 'certificates'}")


def create(request: Request) -> Response:
    given = request.body["keypair"]
    user = _user(request, given.get("user_id"))
    kind = given.get("type", "ssh")
    made = None
    if "public_key" in given:
        public_key = given["public_key"]
        fingerprint = _library(kind).fingerprint(public_key)
    else:
        made = _library(kind).make(user)
        public_key, fingerprint = made.public_key, made.fingerprint
    values = {
        "user_id": user,
        "name": given["name"],
        "type": kind,
        "public_key": public_key,
        "fingerprint": fingerprint,
    }

    def unit(tx: Transaction) -> dict[str, Any]:
        serialise(tx, f"key pairs {user}")
        if keypairs.find(tx, user, given["name"]) is None:
            allowed = quota.limits(tx, request.service.conf, request.context.project_id or "", user)
            if 0 <= allowed["key_pairs"] <= keypairs.count(tx, user):
                raise KeypairQuota()
        return keypairs.create(tx, values)

    row = request.service.database.write(unit)
    shown = _view(request, row, "user_id")
    if made:
        shown["private_key"] = made.private_key
    return Response({"keypair": shown}, status=201 if request.at_least(2, 2) else 200)


def show(request: Request, name: str) -> dict[str, Any]:
    check_query(request, ("user_id",))
    user = _user(request, request.query.get("user_id"))
    row = request.service.database.read(keypairs.get, user, name)
    shown = _view(request, row, "user_id", "id")
    shown["created_at"] = clock.iso(row["created_at"], microseconds=True)
    # Key pairs are neither changed nor kept when they are deleted; the keys are there all the same.
    shown |= {"deleted": False, "deleted_at": None, "updated_at": None}
    return {"keypair": shown}


def index(request: Request) -> dict[str, Any]:
    check_query(request, ("user_id", "limit", "marker"))
    user = _user(request, request.query.get("user_id"))
    limit, marker = None, None
    if request.at_least(2, 35):
        limit, _ = read_limit(request, request.service.conf.api.max_limit)
        marker = request.query.get("marker")
    rows = request.service.database.read(keypairs.list_page, user, limit, marker)
    body: dict[str, Any] = {"keypairs": [{"keypair": _view(request, row)} for row in rows]}
    if limit is not None:
        link = next_link(request, Page(limit, marker), [row["name"] for row in rows])
        body |= next_page(request, "keypairs_links", link)
    return body


def delete(request: Request, name: str) -> Response:
    check_query(request, ("user_id",))
    user = _user(request, request.query.get("user_id"))
    request.service.database.write(keypairs.remove, user, name)
    return Response(status=204 if request.at_least(2, 2) else 202)
