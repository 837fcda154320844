"""Queries of endpoint filters: which endpoints a project's catalog is narrowed to."""

from typing import Any

from sqlalchemy import bindparam, delete, insert, select

from celaje.common.db import Transaction
from celaje.identity.db.statements import many, one, tuples
from celaje.identity.db.tables import (
    ENDPOINT_GROUP_PROJECTS,
    ENDPOINT_GROUPS,
    ENDPOINT_PROJECTS,
    ENDPOINTS,
    PROJECTS,
)
from celaje.identity.errors import EndpointGroupNotFound

Row = dict[str, Any]

_GROUP = select(ENDPOINT_GROUPS).where(ENDPOINT_GROUPS.c.id == bindparam("id"))
_ENDPOINTS_OF = (
    select(ENDPOINTS)
    .join(ENDPOINT_PROJECTS, ENDPOINT_PROJECTS.c.endpoint_id == ENDPOINTS.c.id)
    .where(ENDPOINT_PROJECTS.c.project_id == bindparam("project_id"))
    .order_by(ENDPOINTS.c.id)
)
_GROUPS_OF = (
    select(ENDPOINT_GROUPS)
    .join(ENDPOINT_GROUP_PROJECTS, ENDPOINT_GROUP_PROJECTS.c.endpoint_group_id == ENDPOINT_GROUPS.c.id)
    .where(ENDPOINT_GROUP_PROJECTS.c.project_id == bindparam("project_id"))
    .order_by(ENDPOINT_GROUPS.c.name, ENDPOINT_GROUPS.c.id)
)
_DIRECT = select(ENDPOINT_PROJECTS.c.project_id, ENDPOINT_PROJECTS.c.endpoint_id)
_BY_GROUP = select(ENDPOINT_GROUP_PROJECTS.c.project_id, ENDPOINT_GROUPS.c.filters).join(
    ENDPOINT_GROUPS, ENDPOINT_GROUP_PROJECTS.c.endpoint_group_id == ENDPOINT_GROUPS.c.id
)
_PROJECTS_OF_ENDPOINT = (
    select(PROJECTS)
    .join(ENDPOINT_PROJECTS, ENDPOINT_PROJECTS.c.project_id == PROJECTS.c.id)
    .where(ENDPOINT_PROJECTS.c.endpoint_id == bindparam("endpoint_id"))
    .order_by(PROJECTS.c.name)
)
_PROJECTS_OF_GROUP = (
    select(PROJECTS)
    .join(ENDPOINT_GROUP_PROJECTS, ENDPOINT_GROUP_PROJECTS.c.project_id == PROJECTS.c.id)
    .where(ENDPOINT_GROUP_PROJECTS.c.endpoint_group_id == bindparam("group_id"))
    .order_by(PROJECTS.c.name)
)


def group(tx: Transaction, group_id: str) -> Row:
    row = one(tx, _GROUP, id=group_id)
    if row is None:
        raise EndpointGroupNotFound(id=group_id)
    return row


def fits(endpoint: Row, filters: Row) -> bool:
    return all(endpoint[name] == value for name, value in filters.items())


def endpoints_of_group(tx: Transaction, row: Row) -> list[Row]:
    conditions = [ENDPOINTS.c[name] == value for name, value in row["filters"].items()]
    return many(tx, select(ENDPOINTS).where(*conditions).order_by(ENDPOINTS.c.id))


def endpoints_of_project(tx: Transaction, project_id: str) -> list[Row]:
    """By itself and by its endpoint groups."""
    found = {row["id"]: row for row in many(tx, _ENDPOINTS_OF, project_id=project_id)}
    for row in groups_of_project(tx, project_id):
        found.update({endpoint["id"]: endpoint for endpoint in endpoints_of_group(tx, row)})
    return list(found.values())


def groups_of_project(tx: Transaction, project_id: str) -> list[Row]:
    return many(tx, _GROUPS_OF, project_id=project_id)


def projects_of_endpoint(tx: Transaction, endpoint_id: str) -> list[Row]:
    return many(tx, _PROJECTS_OF_ENDPOINT, endpoint_id=endpoint_id)


def projects_of_group(tx: Transaction, group_id: str) -> list[Row]:
    return many(tx, _PROJECTS_OF_GROUP, group_id=group_id)


def all_filters(tx: Transaction) -> tuple[dict[str, set[str]], dict[str, list[Row]]]:
    """For the catalog: endpoint ids and groups' filters by project."""
    direct: dict[str, set[str]] = {}
    by_group: dict[str, list[Row]] = {}
    for project_id, endpoint_id in tuples(tx, _DIRECT):
        direct.setdefault(project_id, set()).add(endpoint_id)
    for project_id, filters in tuples(tx, _BY_GROUP):
        by_group.setdefault(project_id, []).append(filters)
    return direct, by_group


# The two association tables work alike: `table` and the columns of its key.
def associated(tx: Transaction, table: Any, **key: str) -> bool:
    return tx.execute(select(table).where(*_conditions(table, key))).first() is not None


def associate(tx: Transaction, table: Any, **key: str) -> bool:
    """False when it was there already."""
    if associated(tx, table, **key):
        return False
    tx.execute(insert(table).values(**key))
    return True


def dissociate(tx: Transaction, table: Any, **key: str) -> bool:
    return tx.execute(delete(table).where(*_conditions(table, key))).rowcount > 0


def _conditions(table: Any, key: dict[str, str]) -> list[Any]:
    return [table.c[name] == value for name, value in key.items()]
