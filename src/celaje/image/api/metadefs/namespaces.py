"""Namespaces of metadata definitions. A private one is its project's and administrators' alone."""

from typing import Any
from urllib.parse import quote, urlencode

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.common.errors import Forbidden, Invalid, NotFound
from celaje.common.wsgi import Request, Response
from celaje.common.wsgi.paging import read_limit
from celaje.image.api import access
from celaje.image.db import metadefs
from celaje.image.errors import NotAllowed

Row = dict[str, Any]

_SORT_KEYS = ("created_at", "updated_at", "namespace", "display_name")


class NamespaceNotFound(NotFound):
    text = "Metadata definition namespace={name} was not found."


def load(tx: Transaction, request: Request, name: str, rule: str, *, lock: bool = False) -> Row:
    """The namespace, if the caller may do what `rule` says. Raises NamespaceNotFound for one that it does not
    even see, Forbidden else."""
    found = metadefs.namespace(tx, name, lock=lock)
    if found is None or not _visible(request, found):
        request.authorized = True
        raise NamespaceNotFound(name=name[:80])
    target = {"project_id": found["owner"], "owner": found["owner"], "visibility": found["visibility"]}
    try:
        request.authorize(target, rule)
    except Forbidden:
        if not request.allows("get_metadef_namespace", target):
            raise NamespaceNotFound(name=name[:80]) from None
        raise
    return found


def _visible(request: Request, row: Row) -> bool:
    context = request.context
    return context.is_admin or row["visibility"] == "public" or row["owner"] == context.project_id


def link(name: str, *more: str) -> str:
    return "/".join(["/v2/metadefs/namespaces", *(quote(part, safe=":") for part in (name, *more))])


def view(row: Row) -> Row:
    shown = {"namespace": row["name"]}
    for key in ("display_name", "description", "owner"):
        if row[key] is not None:
            shown[key] = row[key]
    return {
        **shown,
        "visibility": row["visibility"],
        "protected": row["protected"],
        "created_at": clock.iso(row["created_at"], zulu=True),
        "updated_at": clock.iso(row["updated_at"], zulu=True),
        "self": link(row["name"]),
        "schema": "/v2/schemas/metadefs/namespace",
    }


def association_view(row: Row) -> Row:
    shown = {"name": row["name"]}
    for key in ("prefix", "properties_target"):
        if row[key] is not None:
            shown[key] = row[key]
    shown["created_at"] = clock.iso(row["created_at"], zulu=True)
    shown["updated_at"] = clock.iso(row["updated_at"], zulu=True)
    return shown


def index(request: Request) -> Row:
    query = request.query
    conf = request.service.conf
    limit, asked = read_limit(request, conf.api_limit_max)
    limit = conf.limit_param_default if asked is None else limit
    key, direction = query.get("sort_key", "created_at"), query.get("sort_dir", "desc")
    if key not in _SORT_KEYS or direction not in ("asc", "desc"):
        raise Invalid(f"Namespaces are sorted by one of {', '.join(_SORT_KEYS)}, asc or desc.")
    visibility = query.get("visibility")
    if visibility not in (None, "public", "private"):
        raise Invalid(f"Invalid visibility value: {str(visibility)[:64]}")
    kinds = [name for name in query.get("resource_types", "").split(",") if name]

    def run(tx: Transaction) -> tuple[list[Row], dict[str, list[Row]]]:
        marker = None
        if query.get("marker"):
            marker = metadefs.namespace(tx, query["marker"])
            if marker is None or not _visible(request, marker):
                raise NamespaceNotFound(name=query["marker"][:80])
        found = metadefs.namespaces(
            tx,
            project_id=request.context.project_id,
            is_admin=request.context.is_admin,
            visibility=visibility,
            resource_types=kinds,
            sort=[(key, direction)],
            limit=limit,
            marker=marker,
        )
        return found, metadefs.associations(tx, [row["name"] for row in found])

    found, associations = request.service.database.read(run)
    shown = []
    for row in found:
        fits = [association_view(one) for one in associations[row["name"]]]
        shown.append({**view(row), **({"resource_type_associations": fits} if fits else {})})
    pairs = [(name, value) for name, value in request.query_pairs if name != "marker"]
    base = "/v2/metadefs/namespaces"
    body: Row = {"namespaces": shown, "schema": "/v2/schemas/metadefs/namespaces"}
    body["first"] = f"{base}?{urlencode(pairs)}" if pairs else base
    if found and len(found) == limit:
        body["next"] = f"{base}?{urlencode([*pairs, ('marker', found[-1]['name'])])}"
    return body


def create(request: Request) -> Response:
    body = request.body
    name = body["namespace"]
    _refuse_text(name, body.get("display_name"), body.get("description"))
    owner = body.get("owner", request.context.project_id)

    def unit(tx: Transaction) -> Row:
        metadefs.add_namespace(
            tx,
            name=name,
            display_name=body.get("display_name"),
            description=body.get("description"),
            visibility=body.get("visibility", "private"),
            protected=body.get("protected", False),
            owner=owner,
        )
        fill(tx, name, body)
        return _whole(tx, name, None)

    shown = request.service.database.write(unit)
    return Response(shown, headers={"Location": f"{request.base_url}{link(name)}"})


def fill(tx: Transaction, name: str, body: Row) -> None:
    """What a namespace's body brings along."""
    for wanted in body.get("resource_type_associations", []):
        metadefs.associate(tx, name, wanted)
    for key, kind in (("objects", "object"), ("tags", "tag")):
        for one in body.get(key, []):
            metadefs.add_definition(tx, name, kind, one["name"], content(one))
    for key, one in body.get("properties", {}).items():
        metadefs.add_definition(tx, name, "property", key, content(one))


def content(body: Row) -> Row:
    """What is kept of a definition's body: not its name, nor what only we say."""
    ours = ("name", "created_at", "updated_at", "self", "schema")
    return {key: value for key, value in body.items() if key not in ours}


def _refuse_text(*texts: str | None) -> None:
    for text in texts:
        if text is not None:
            access.refuse_nul(text, "A value")


def _whole(tx: Transaction, name: str, resource_type: str | None) -> Row:
    row = metadefs.namespace(tx, name)
    assert row is not None
    shown = view(row)
    associations = metadefs.associations(tx, [name])[name]
    if associations:
        shown["resource_type_associations"] = [association_view(one) for one in associations]
    prefix = next((one["prefix"] for one in associations if one["name"] == resource_type), None) or ""
    objects = metadefs.definitions(tx, name, "object")
    if objects:
        shown["objects"] = [_prefixed(one, prefix) for one in objects]
    properties = metadefs.definitions(tx, name, "property")
    if properties:
        shown["properties"] = {prefix + one["name"]: one["body"] for one in properties}
    tags = metadefs.definitions(tx, name, "tag")
    if tags:
        shown["tags"] = [{"name": one["name"]} for one in tags]
    return shown


def _prefixed(row: Row, prefix: str) -> Row:
    body = dict(row["body"])
    if prefix and body.get("properties"):
        body["properties"] = {prefix + name: value for name, value in body["properties"].items()}
    return object_view({**row, "body": body})


def moments(row: Row) -> Row:
    return {
        "created_at": clock.iso(row["created_at"], zulu=True),
        "updated_at": clock.iso(row["updated_at"], zulu=True),
    }


def object_view(row: Row) -> Row:
    shown = {"name": row["name"], "required": [], "properties": {}, **row["body"], **moments(row)}
    shown["self"] = link(row["namespace"], "objects", row["name"])
    return {**shown, "schema": "/v2/schemas/metadefs/object"}


def show(request: Request, namespace: str) -> Row:
    def run(tx: Transaction) -> Row:
        load(tx, request, namespace, "get_metadef_namespace")
        return _whole(tx, namespace, request.query.get("resource_type"))

    return request.service.database.read(run)


def update(request: Request, namespace: str) -> Row:
    body = request.body
    _refuse_text(body["namespace"], body.get("display_name"), body.get("description"))

    def unit(tx: Transaction) -> Row:
        row = load(tx, request, namespace, "modify_metadef_namespace", lock=True)
        metadefs.update_namespace(
            tx,
            namespace,
            name=body["namespace"],
            display_name=body.get("display_name"),
            description=body.get("description"),
            # What is not named is as in a new one: a PUT replaces.
            visibility=body.get("visibility", "private"),
            protected=body.get("protected", False),
            owner=body.get("owner", row["owner"]),
        )
        changed = metadefs.namespace(tx, body["namespace"])
        assert changed is not None
        return view(changed)

    return request.service.database.write(unit)


def delete(request: Request, namespace: str) -> None:
    def unit(tx: Transaction) -> None:
        row = load(tx, request, namespace, "delete_metadef_namespace", lock=True)
        if row["protected"]:
            raise NotAllowed(f"Namespace {namespace} is protected and cannot be deleted.")
        metadefs.delete_namespace(tx, namespace)

    request.service.database.write(unit)
