"""Queries on volume types, who may use them, and which is the default. Called by API and conductor."""

from sqlalchemy import bindparam, delete, exists, insert, or_, select, update
from sqlalchemy.sql import ColumnElement

from celaje.common.db import Prepared, Transaction, fetch_all, fetch_one
from celaje.volume.db.rows import Row, Rows
from celaje.volume.db.tables import DEFAULT_TYPES, TYPE_ACCESS, TYPES

_rows = Rows(TYPES)
get, insert_type, change, remove_type = _rows.get, _rows.insert, _rows.change, _rows.remove

_by_name = Prepared(select(TYPES).where(TYPES.c.name == bindparam("wanted")))
_names = Prepared(select(TYPES.c.id, TYPES.c.name))
_default_of = Prepared(
    select(DEFAULT_TYPES.c.volume_type_id).where(DEFAULT_TYPES.c.project_id == bindparam("project"))
)
_may_use = Prepared(
    select(TYPE_ACCESS.c.project_id).where(
        TYPE_ACCESS.c.volume_type_id == bindparam("row"), TYPE_ACCESS.c.project_id == bindparam("project")
    )
)


def by_name(tx: Transaction, name: str) -> Row | None:
    return _by_name.one(tx, wanted=name)


def names(tx: Transaction) -> dict[str, str]:
    """Every type's name by its id: the views' one query for their types."""
    return {row["id"]: row["name"] for row in _names.all(tx)}


def visible_to(project_id: str | None) -> ColumnElement[bool]:
    """Public types, and private ones that the project was given."""
    given = exists().where(TYPE_ACCESS.c.volume_type_id == TYPES.c.id, TYPE_ACCESS.c.project_id == project_id)
    return or_(TYPES.c.is_public.is_(True), given)


def may_use(tx: Transaction, volume_type: Row, project_id: str | None) -> bool:
    if volume_type["is_public"]:
        return True
    return _may_use.value(tx, row=volume_type["id"], project=project_id) is not None


def default_of(tx: Transaction, project_id: str | None) -> str | None:
    """The id of the project's own default type, if an operator set one."""
    return _default_of.value(tx, project=project_id)


def defaults(tx: Transaction) -> list[Row]:
    return fetch_all(tx, select(DEFAULT_TYPES).order_by(DEFAULT_TYPES.c.project_id))


def set_default(tx: Transaction, project_id: str, type_id: str) -> None:
    changed = update(DEFAULT_TYPES).where(DEFAULT_TYPES.c.project_id == project_id)
    if tx.execute(changed.values(volume_type_id=type_id)).rowcount == 0:
        tx.execute(insert(DEFAULT_TYPES), {"project_id": project_id, "volume_type_id": type_id})


def unset_default(tx: Transaction, project_id: str) -> None:
    tx.execute(delete(DEFAULT_TYPES).where(DEFAULT_TYPES.c.project_id == project_id))


def is_default_of_some_project(tx: Transaction, type_id: str) -> bool:
    statement = select(DEFAULT_TYPES).where(DEFAULT_TYPES.c.volume_type_id == type_id).limit(1)
    return fetch_one(tx, statement) is not None


def access(tx: Transaction, type_id: str) -> list[Row]:
    return fetch_all(
        tx,
        select(TYPE_ACCESS).where(TYPE_ACCESS.c.volume_type_id == type_id).order_by(TYPE_ACCESS.c.project_id),
    )


def add_access(tx: Transaction, type_id: str, project_id: str) -> None:
    """Raises DuplicateRow."""
    tx.execute(insert(TYPE_ACCESS), {"volume_type_id": type_id, "project_id": project_id})


def remove_access(tx: Transaction, type_id: str, project_id: str | None = None) -> bool:
    statement = delete(TYPE_ACCESS).where(TYPE_ACCESS.c.volume_type_id == type_id)
    if project_id is not None:
        statement = statement.where(TYPE_ACCESS.c.project_id == project_id)
    return tx.execute(statement).rowcount > 0
