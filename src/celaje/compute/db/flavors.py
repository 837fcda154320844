"""Flavors, their extra specs, and who may use the private ones. Called by the flavor handlers, and by those
of servers."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, bindparam, delete, exists, or_, select, update

from celaje.common import clock
from celaje.common.db import DuplicateRow, Transaction, fetch_all, fetch_one
from celaje.common.db.paging import MarkerNotFound, page
from celaje.common.errors import Conflict, NotFound
from celaje.compute.db.tables import FLAVOR_ACCESS, FLAVOR_EXTRA_SPECS, FLAVORS

Row = dict[str, Any]

SORT_KEYS = {
    "created_at": FLAVORS.c.created_at,
    "description": FLAVORS.c.description,
    "disabled": FLAVORS.c.disabled,
    "ephemeral_gb": FLAVORS.c.ephemeral_gb,
    "flavorid": FLAVORS.c.flavorid,
    "id": FLAVORS.c.id,
    "is_public": FLAVORS.c.is_public,
    "memory_mb": FLAVORS.c.memory_mb,
    "name": FLAVORS.c.name,
    "root_gb": FLAVORS.c.root_gb,
    "rxtx_factor": FLAVORS.c.rxtx_factor,
    "swap": FLAVORS.c.swap,
    "updated_at": FLAVORS.c.updated_at,
    "vcpus": FLAVORS.c.vcpus,
}

_BY_FLAVORID = select(FLAVORS).where(FLAVORS.c.flavorid == bindparam("flavorid"))
_ACCESS_OF = select(FLAVOR_ACCESS.c.project_id).where(FLAVOR_ACCESS.c.flavor_id == bindparam("flavor_id"))
_SPECS_OF = select(FLAVOR_EXTRA_SPECS.c.key, FLAVOR_EXTRA_SPECS.c.value).where(
    FLAVOR_EXTRA_SPECS.c.flavor_id == bindparam("flavor_id")
)


class FlavorNotFound(NotFound):
    text = "Flavor {flavor} could not be found."


@dataclass
class Filters:
    """`is_public` True: the public ones and those the project may use; False: private ones; None: all."""

    is_public: bool | None = True
    project_id: str | None = None
    disabled: bool | None = None
    minimum_ram: int | None = None
    minimum_disk: int | None = None
    name: str | None = None


def get(tx: Transaction, flavorid: str, project_id: str | None) -> Row:
    """The flavor, if it is public or `project_id` may use it (None: an administrator asks). Raises
    FlavorNotFound."""
    row = tx.execute(_BY_FLAVORID, {"flavorid": flavorid}).mappings().first()
    if row is None:
        raise FlavorNotFound(flavor=flavorid)
    if project_id is not None and not row["is_public"] and project_id not in access(tx, row["id"]):
        raise FlavorNotFound(flavor=flavorid)
    return dict(row)


def create(tx: Transaction, values: Mapping[str, Any]) -> Row:
    """Raises Conflict: the name or the id is taken."""
    if fetch_one(tx, select(FLAVORS.c.id).where(FLAVORS.c.flavorid == values["flavorid"])):
        raise Conflict(f"Flavor with ID {values['flavorid']} already exists.")
    row = {"disabled": False, **values, "created_at": clock.now()}
    try:
        tx.execute(FLAVORS.insert(), row)
    except DuplicateRow:
        raise Conflict(f"Flavor with name {values['name']} already exists.") from None
    return row


def describe(tx: Transaction, flavorid: str, description: str | None) -> Row:
    row = get(tx, flavorid, None)
    values = {"description": description, "updated_at": clock.now()}
    tx.execute(update(FLAVORS).where(FLAVORS.c.id == row["id"]).values(**values))
    return {**row, **values}


def remove(tx: Transaction, flavorid: str) -> None:
    row = get(tx, flavorid, None)
    tx.execute(delete(FLAVOR_EXTRA_SPECS).where(FLAVOR_EXTRA_SPECS.c.flavor_id == row["id"]))
    tx.execute(delete(FLAVOR_ACCESS).where(FLAVOR_ACCESS.c.flavor_id == row["id"]))
    tx.execute(delete(FLAVORS).where(FLAVORS.c.id == row["id"]))


def list_page(
    tx: Transaction, filters: Filters, sort: Sequence[tuple[str, str]], limit: int, marker: str | None
) -> list[Row]:
    """Raises MarkerNotFound."""
    behind = None
    if marker is not None:
        behind = fetch_one(tx, _BY_FLAVORID.params(flavorid=marker))
        if behind is None:
            raise MarkerNotFound(marker=marker)
    statement = select(FLAVORS)
    if filters.is_public is not None:
        wanted: Any = FLAVORS.c.is_public.is_(filters.is_public)
        if filters.is_public and filters.project_id is not None:
            mine = and_(
                FLAVOR_ACCESS.c.flavor_id == FLAVORS.c.id, FLAVOR_ACCESS.c.project_id == filters.project_id
            )
            wanted = or_(wanted, exists().where(mine))
        statement = statement.where(wanted)
    if filters.disabled is not None:
        statement = statement.where(FLAVORS.c.disabled.is_(filters.disabled))
    if filters.minimum_ram is not None:
        statement = statement.where(FLAVORS.c.memory_mb >= filters.minimum_ram)
    if filters.minimum_disk is not None:
        statement = statement.where(FLAVORS.c.root_gb >= filters.minimum_disk)
    if filters.name is not None:
        statement = statement.where(FLAVORS.c.name == filters.name)
    return fetch_all(tx, page(statement, SORT_KEYS, sort, FLAVORS.c.id, limit=limit, marker=behind))


def extra_specs(tx: Transaction, flavor_id: int) -> dict[str, str]:
    return {row.key: row.value for row in tx.execute(_SPECS_OF, {"flavor_id": flavor_id})}


def extra_specs_of(tx: Transaction, flavor_ids: Collection[int]) -> dict[int, dict[str, str]]:
    """Of many flavors at once, by the id of the row."""
    found: dict[int, dict[str, str]] = {flavor_id: {} for flavor_id in flavor_ids}
    statement = select(FLAVOR_EXTRA_SPECS).where(FLAVOR_EXTRA_SPECS.c.flavor_id.in_(list(flavor_ids)))
    for row in fetch_all(tx, statement) if flavor_ids else []:
        found[row["flavor_id"]][row["key"]] = row["value"]
    return found


def set_extra_specs(tx: Transaction, flavor_id: int, specs: Mapping[str, str]) -> None:
    """Add or replace these keys."""
    if specs:
        drop_extra_specs(tx, flavor_id, list(specs))
        rows = [{"flavor_id": flavor_id, "key": key, "value": value} for key, value in specs.items()]
        tx.execute(FLAVOR_EXTRA_SPECS.insert(), rows)


def drop_extra_specs(tx: Transaction, flavor_id: int, keys: Collection[str]) -> int:
    statement = delete(FLAVOR_EXTRA_SPECS).where(
        FLAVOR_EXTRA_SPECS.c.flavor_id == flavor_id, FLAVOR_EXTRA_SPECS.c.key.in_(list(keys))
    )
    return tx.execute(statement).rowcount


def access(tx: Transaction, flavor_id: int) -> list[str]:
    return [row[0] for row in tx.execute(_ACCESS_OF, {"flavor_id": flavor_id})]


def allow(tx: Transaction, flavor_id: int, project_id: str) -> None:
    """Raises DuplicateRow."""
    tx.execute(FLAVOR_ACCESS.insert(), {"flavor_id": flavor_id, "project_id": project_id})


def disallow(tx: Transaction, flavor_id: int, project_id: str) -> bool:
    statement = delete(FLAVOR_ACCESS).where(
        FLAVOR_ACCESS.c.flavor_id == flavor_id, FLAVOR_ACCESS.c.project_id == project_id
    )
    return tx.execute(statement).rowcount == 1
