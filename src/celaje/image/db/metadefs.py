"""Queries on metadata definitions. Called by the handlers in api/metadefs/ and by the seeding."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, or_, select

from celaje.common import clock
from celaje.common.db import DuplicateRow, Transaction, fetch_all, fetch_one, serialise
from celaje.common.db.paging import page
from celaje.common.errors import Conflict
from celaje.image.db.tables import ASSOCIATIONS, DEFINITIONS, NAMESPACES, RESOURCE_TYPES

Row = dict[str, Any]

_N, _D, _A = NAMESPACES.c, DEFINITIONS.c, ASSOCIATIONS.c
_NAMESPACE_COLUMNS: dict[str, ColumnElement[Any]] = {
    "namespace": _N.name,
    "created_at": _N.created_at,
    "updated_at": _N.updated_at,
    "display_name": _N.display_name,
}


def namespaces(
    tx: Transaction,
    *,
    project_id: str | None,
    is_admin: bool,
    visibility: str | None,
    resource_types: Collection[str],
    sort: Sequence[tuple[str, str]],
    limit: int,
    marker: Row | None,
) -> list[Row]:
    statement = select(NAMESPACES)
    if not is_admin:
        statement = statement.where(or_(_N.visibility == "public", _N.owner == project_id))
    if visibility:
        statement = statement.where(_N.visibility == visibility)
    if resource_types:
        fits = select(_A.namespace).where(_A.name.in_(resource_types))
        statement = statement.where(_N.name.in_(fits))
    if marker is not None:
        marker = {**marker, "namespace": marker["name"]}
    return fetch_all(tx, page(statement, _NAMESPACE_COLUMNS, sort, _N.name, limit=limit, marker=marker))


def namespace(tx: Transaction, name: str, *, lock: bool = False) -> Row | None:
    statement = select(NAMESPACES).where(_N.name == name)
    return fetch_one(tx, statement.with_for_update() if lock else statement)


def add_namespace(tx: Transaction, **values: Any) -> None:
    _insert(tx, NAMESPACES, f"The namespace {values['name']} exists already.", **values)


def update_namespace(tx: Transaction, old: str, **values: Any) -> None:
    """`values` may hold another name: what belongs to the namespace follows it."""
    new = values.get("name", old)
    if new != old and namespace(tx, new) is not None:
        raise Conflict(f"The namespace {new} exists already.")
    tx.execute(NAMESPACES.update().where(_N.name == old).values(**values, updated_at=clock.now()))
    if new != old:
        for table in (DEFINITIONS, ASSOCIATIONS):
            tx.execute(table.update().where(table.c.namespace == old).values(namespace=new))


def delete_namespace(tx: Transaction, name: str) -> None:
    for table in (DEFINITIONS, ASSOCIATIONS):
        tx.execute(table.delete().where(table.c.namespace == name))
    tx.execute(NAMESPACES.delete().where(_N.name == name))


def definitions(tx: Transaction, namespace: str, kind: str) -> list[Row]:
    """In the order of their names."""
    found = select(DEFINITIONS).where(_D.namespace == namespace, _D.kind == kind)
    return fetch_all(tx, found.order_by(_D.name))


def definition(tx: Transaction, namespace: str, kind: str, name: str) -> Row | None:
    return fetch_one(
        tx, select(DEFINITIONS).where(_D.namespace == namespace, _D.kind == kind, _D.name == name)
    )


def add_definition(tx: Transaction, namespace: str, kind: str, name: str, body: Mapping[str, Any]) -> None:
    words = f"The {kind} {name} exists already in the namespace {namespace}."
    _insert(tx, DEFINITIONS, words, namespace=namespace, kind=kind, name=name, body=dict(body))


def update_definition(  # noqa: PLR0917
    tx: Transaction, namespace: str, kind: str, name: str, new: str, body: Mapping[str, Any]
) -> None:
    if new != name and definition(tx, namespace, kind, new) is not None:
        raise Conflict(f"The {kind} {new} exists already in the namespace {namespace}.")
    changed = DEFINITIONS.update().where(_D.namespace == namespace, _D.kind == kind, _D.name == name)
    tx.execute(changed.values(name=new, body=dict(body), updated_at=clock.now()))


def delete_definitions(tx: Transaction, namespace: str, kind: str, name: str | None = None) -> int:
    gone = DEFINITIONS.delete().where(_D.namespace == namespace, _D.kind == kind)
    return tx.execute(gone if name is None else gone.where(_D.name == name)).rowcount


def resource_types(tx: Transaction) -> list[Row]:
    return fetch_all(tx, select(RESOURCE_TYPES).order_by(RESOURCE_TYPES.c.name))


def associations(tx: Transaction, names: Collection[str]) -> dict[str, list[Row]]:
    """By namespace."""
    found: dict[str, list[Row]] = {name: [] for name in names}
    if names:
        rows = select(ASSOCIATIONS).where(_A.namespace.in_(names)).order_by(_A.name)
        for row in fetch_all(tx, rows):
            found[row["namespace"]].append(row)
    return found


def associate(tx: Transaction, namespace: str, wanted: Mapping[str, Any]) -> None:
    """With a resource type, which is made if it is not there."""
    name = wanted["name"]
    if fetch_one(tx, select(RESOURCE_TYPES).where(RESOURCE_TYPES.c.name == name)) is None:
        _insert(tx, RESOURCE_TYPES, "", name=name)
    _insert(
        tx,
        ASSOCIATIONS,
        f"The resource type {name} is associated with the namespace {namespace} already.",
        namespace=namespace,
        name=name,
        prefix=wanted.get("prefix"),
        properties_target=wanted.get("properties_target"),
    )


def dissociate(tx: Transaction, namespace: str, name: str) -> bool:
    gone = ASSOCIATIONS.delete().where(_A.namespace == namespace, _A.name == name)
    return tx.execute(gone).rowcount == 1


def sow(tx: Transaction, stock: Sequence[Mapping[str, Any]]) -> bool:
    """Namespaces as bodies have them, into a database that never had a resource type. Several processes may
    start at once: one sows."""
    serialise(tx, "image.metadefs")
    if fetch_one(tx, select(RESOURCE_TYPES).limit(1)) is not None:
        return False
    now = {"created_at": clock.now(), "updated_at": clock.now()}
    found: dict[Any, list[Row]] = {NAMESPACES: [], DEFINITIONS: [], ASSOCIATIONS: [], RESOURCE_TYPES: []}
    types: dict[str, None] = {}
    for one in stock:
        name = one["namespace"]
        shown = {key: one[key] for key in ("display_name", "description")}
        common = {"visibility": "public", "protected": True, "owner": "admin", **now}
        found[NAMESPACES].append({"name": name, **shown, **common})
        for key, body in one["properties"].items():
            found[DEFINITIONS].append(
                {"namespace": name, "kind": "property", "name": key, "body": body, **now}
            )
        for wanted in one["resource_type_associations"]:
            types[wanted["name"]] = None
            row = {"prefix": None, "properties_target": None, **wanted}
            found[ASSOCIATIONS].append({"namespace": name, **row, **now})
    found[RESOURCE_TYPES] = [{"name": name, **now} for name in types]
    for table, rows in found.items():
        tx.execute(table.insert(), rows)
    return True


def _insert(tx: Transaction, table: Any, words: str, **values: Any) -> None:
    now = clock.now()
    try:
        with tx.attempt():
            tx.execute(table.insert().values(**values, created_at=now, updated_at=now))
    except DuplicateRow:
        raise Conflict(words) from None
