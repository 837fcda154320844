"""Resource providers: rows, trees, generations, and the filters of their list. Called by the handlers."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Float, and_, bindparam, cast, delete, exists, func, select, update

from celaje.common import clock
from celaje.common.db import DuplicateRow, Prepared, Transaction, fetch_all
from celaje.common.errors import Conflict, Invalid
from celaje.placement import errors
from celaje.placement.db.tables import (
    ALLOCATIONS,
    INVENTORIES,
    PROVIDER_AGGREGATES,
    PROVIDER_TRAITS,
    PROVIDERS,
)

Row = dict[str, Any]

_by_uuid = Prepared(select(PROVIDERS).where(PROVIDERS.c.uuid == bindparam("row")))
_BUMP = (
    update(PROVIDERS)
    .where(PROVIDERS.c.uuid == bindparam("provider_uuid"))
    .values(generation=PROVIDERS.c.generation + 1, updated_at=bindparam("now"))
)
_touch = Prepared(_BUMP)
_touch_from = Prepared(_BUMP.where(PROVIDERS.c.generation == bindparam("seen")))
_SOME_CHILD = select(PROVIDERS.c.id).where(PROVIDERS.c.parent_uuid == bindparam("uuid")).limit(1)
_SOME_ALLOCATION = (
    select(ALLOCATIONS.c.id).where(ALLOCATIONS.c.provider_id == bindparam("provider_id")).limit(1)
)


@dataclass
class Filters:
    """`member_of` and `required` are lists of sets: one of each set must be there; `forbidden_*` must not.
    `resources` maps class to amount that must be free."""

    uuid: str | None = None
    name: str | None = None
    in_tree: str | None = None
    resources: Mapping[str, int] = field(default_factory=dict)
    member_of: list[set[str]] = field(default_factory=list)
    forbidden_aggregates: set[str] = field(default_factory=set)
    required: list[set[str]] = field(default_factory=list)
    forbidden_traits: set[str] = field(default_factory=set)


def find(tx: Transaction, uuid: str) -> Row | None:
    return _by_uuid.one(tx, row=uuid)


def get(tx: Transaction, uuid: str) -> Row:
    """Raises ProviderNotFound."""
    row = find(tx, uuid)
    if row is None:
        raise errors.ProviderNotFound(uuid=uuid)
    return row


def change(tx: Transaction, uuid: str, generation: int | None = None) -> Row:
    """Begin a change of the provider: raise its generation, which also locks its row until the commit, and
    return it as it is now. `generation` is the one that the caller saw, None for any. Raises
    ProviderNotFound, GenerationConflict."""
    if generation is None:
        changed = touch(tx, uuid)
    else:
        changed = _touch_from.run(tx, provider_uuid=uuid, now=clock.now(), seen=generation) == 1
    row = get(tx, uuid)
    if not changed:
        raise errors.GenerationConflict(code=errors.CONCURRENT_UPDATE)
    return row


def touch(tx: Transaction, uuid: str) -> bool:
    """Raise the generation and hold the row until the commit; False: there is no such provider."""
    return _touch.run(tx, provider_uuid=uuid, now=clock.now()) == 1


def create(tx: Transaction, *, uuid: str, name: str, parent_uuid: str | None) -> Row:
    """Raises ProviderExists, Invalid (no such parent)."""
    words = f'Unable to create resource provider "{name}", {uuid}: Object action create failed because: '
    if parent_uuid == uuid:
        raise Invalid(f"{words}parent provider UUID cannot be same as UUID.")
    root = uuid
    if parent_uuid is not None:
        parent = find(tx, parent_uuid)
        if parent is None:
            raise Invalid(f"{words}parent provider UUID does not exist.")
        root = parent["root_uuid"]
    now = clock.now()
    row = {
        "uuid": uuid,
        "name": name,
        "generation": 0,
        "parent_uuid": parent_uuid,
        "root_uuid": root,
        "created_at": now,
        "updated_at": now,
    }
    if find(tx, uuid) is not None:
        raise errors.ProviderExists(duplicate=f"uuid: {uuid}", code=errors.DUPLICATE_NAME)
    try:
        tx.execute(PROVIDERS.insert(), row)
    except DuplicateRow:
        raise errors.ProviderExists(duplicate=f"name: {name}", code=errors.DUPLICATE_NAME) from None
    return row


def save(tx: Transaction, uuid: str, name: str, parent: Mapping[str, Any], *, reparent: bool) -> Row:
    """Rename and, where `parent` has "parent_provider_uuid", hang the provider below another one. Without
    `reparent` (microversion 1.37) a parent that is set stays."""
    row = get(tx, uuid)
    values: Row = {"name": name, "updated_at": clock.now()}
    words = f"Unable to save resource provider {uuid}: Object action update failed because: "
    goal = parent.get("parent_provider_uuid", row["parent_uuid"])
    if goal != row["parent_uuid"]:
        if row["parent_uuid"] is not None and not reparent:
            raise Invalid(f"{words}re-parenting a provider is not currently allowed.")
        values["parent_uuid"] = goal
        values["root_uuid"] = _new_root(tx, row, goal, words)
        _move_tree(tx, row, values["root_uuid"])
    try:
        tx.execute(update(PROVIDERS).where(PROVIDERS.c.id == row["id"]).values(**values))
    except DuplicateRow:
        raise errors.ProviderExists(duplicate=name, code=errors.DUPLICATE_NAME) from None
    return {**row, **values}


def _new_root(tx: Transaction, row: Row, parent_uuid: str | None, words: str) -> str:
    if parent_uuid is None:
        return row["uuid"]
    parent = find(tx, parent_uuid)
    if parent is None:
        raise Invalid(f"{words}parent provider UUID does not exist.")
    if parent_uuid in {found["uuid"] for found in subtree(tx, row)}:
        raise Invalid(f"{words}creating loop in the provider tree is not allowed.")
    return parent["root_uuid"]


def _move_tree(tx: Transaction, row: Row, root_uuid: str) -> None:
    ids = [found["id"] for found in subtree(tx, row)]
    tx.execute(update(PROVIDERS).where(PROVIDERS.c.id.in_(ids)).values(root_uuid=root_uuid))


def subtree(tx: Transaction, row: Row) -> list[Row]:
    """The provider and everything below it."""
    tree = fetch_all(tx, select(PROVIDERS).where(PROVIDERS.c.root_uuid == row["root_uuid"]))
    found = [row]
    for item in found:
        found.extend(child for child in tree if child["parent_uuid"] == item["uuid"])
    return found


def remove(tx: Transaction, uuid: str) -> None:
    """With its inventories, traits and aggregates. Raises ProviderNotFound, Conflict (it has children, it
    has allocations)."""
    row = find(tx, uuid)
    if row is None:
        raise errors.ProviderNotFound(f"No resource provider with uuid {uuid} found for delete")
    # The lock that claims take first: none can come between the look and the deletion.
    touch(tx, uuid)
    if tx.execute(_SOME_CHILD, {"uuid": uuid}).first():
        raise Conflict(
            f"Unable to delete parent resource provider {uuid}: It has child resource providers.",
            code=errors.PROVIDER_IS_PARENT,
        )
    if tx.execute(_SOME_ALLOCATION, {"provider_id": row["id"]}).first():
        raise Conflict(
            f"Unable to delete resource provider {uuid}: Resource provider has allocations.",
            code=errors.PROVIDER_IN_USE,
        )
    for table in (INVENTORIES, PROVIDER_TRAITS, PROVIDER_AGGREGATES):
        tx.execute(delete(table).where(table.c.provider_id == row["id"]))
    tx.execute(delete(PROVIDERS).where(PROVIDERS.c.id == row["id"]))


def list_matching(tx: Transaction, filters: Filters) -> list[Row]:
    statement = select(PROVIDERS).order_by(PROVIDERS.c.id)
    if filters.uuid is not None:
        statement = statement.where(PROVIDERS.c.uuid == filters.uuid)
    if filters.name is not None:
        statement = statement.where(PROVIDERS.c.name == filters.name)
    if filters.in_tree is not None:
        root = select(PROVIDERS.c.root_uuid).where(PROVIDERS.c.uuid == filters.in_tree).scalar_subquery()
        statement = statement.where(PROVIDERS.c.root_uuid == root)
    for traits in filters.required:
        statement = statement.where(_has(PROVIDER_TRAITS, PROVIDER_TRAITS.c.trait, traits))
    if filters.forbidden_traits:
        statement = statement.where(~_has(PROVIDER_TRAITS, PROVIDER_TRAITS.c.trait, filters.forbidden_traits))
    column = PROVIDER_AGGREGATES.c.aggregate_uuid
    for aggregates in filters.member_of:
        statement = statement.where(_has(PROVIDER_AGGREGATES, column, aggregates))
    if filters.forbidden_aggregates:
        statement = statement.where(~_has(PROVIDER_AGGREGATES, column, filters.forbidden_aggregates))
    for resource_class, amount in filters.resources.items():
        statement = statement.where(_has_free(resource_class, amount))
    return fetch_all(tx, statement)


def _has(table: Any, column: Any, values: Collection[str]) -> Any:
    return exists().where(and_(table.c.provider_id == PROVIDERS.c.id, column.in_(sorted(values))))


def _has_free(resource_class: str, amount: int) -> Any:
    inventory = INVENTORIES
    used = (
        select(func.coalesce(func.sum(ALLOCATIONS.c.used), 0))
        .where(
            ALLOCATIONS.c.provider_id == PROVIDERS.c.id,
            ALLOCATIONS.c.resource_class == resource_class,
        )
        .correlate(PROVIDERS)
        .scalar_subquery()
    )
    capacity = cast(inventory.c.total - inventory.c.reserved, Float) * inventory.c.allocation_ratio
    return exists().where(
        inventory.c.provider_id == PROVIDERS.c.id,
        inventory.c.resource_class == resource_class,
        inventory.c.min_unit <= amount,
        inventory.c.max_unit >= amount,
        amount % inventory.c.step_size == 0,
        used + amount <= capacity,
    )
