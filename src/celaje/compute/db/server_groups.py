"""Server groups and their members. Called by the server group handlers and by server creation."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import bindparam, delete, func, select

from celaje.common import clock
from celaje.common.db import Transaction, fetch_all
from celaje.common.errors import NotFound
from celaje.compute.db.tables import SERVER_GROUP_MEMBERS, SERVER_GROUPS, SERVERS

Row = dict[str, Any]

_ONE = select(SERVER_GROUPS).where(SERVER_GROUPS.c.id == bindparam("id"))
_COUNT = (
    select(func.count()).select_from(SERVER_GROUPS).where(SERVER_GROUPS.c.project_id == bindparam("project"))
)


class ServerGroupNotFound(NotFound):
    text = "Instance group {group} could not be found."


def get(tx: Transaction, group_id: str, project_id: str | None) -> Row:
    """`project_id` None: an administrator asks. Raises ServerGroupNotFound."""
    row = tx.execute(_ONE, {"id": group_id}).mappings().first()
    if row is None or (project_id is not None and row["project_id"] != project_id):
        raise ServerGroupNotFound(group=group_id)
    return dict(row)


def count(tx: Transaction, project_id: str) -> int:
    return tx.execute(_COUNT, {"project": project_id}).scalar_one()


def create(tx: Transaction, values: Row) -> Row:
    row = {"id": clock.new_uuid(), **values, "created_at": clock.now()}
    tx.execute(SERVER_GROUPS.insert(), row)
    return row


def remove(tx: Transaction, group_id: str) -> None:
    tx.execute(delete(SERVER_GROUP_MEMBERS).where(SERVER_GROUP_MEMBERS.c.group_id == group_id))
    tx.execute(delete(SERVER_GROUPS).where(SERVER_GROUPS.c.id == group_id))


def list_page(tx: Transaction, project_id: str | None, limit: int, offset: int) -> list[Row]:
    """`project_id` None: of all projects."""
    statement = select(SERVER_GROUPS).order_by(SERVER_GROUPS.c.created_at, SERVER_GROUPS.c.id)
    if project_id is not None:
        statement = statement.where(SERVER_GROUPS.c.project_id == project_id)
    return fetch_all(tx, statement.offset(offset).limit(limit))


def members_of(tx: Transaction, group_ids: Collection[str]) -> dict[str, list[str]]:
    """Group -> the servers in it that are not deleted."""
    found: dict[str, list[str]] = {group_id: [] for group_id in group_ids}
    statement = (
        select(SERVER_GROUP_MEMBERS.c.group_id, SERVER_GROUP_MEMBERS.c.server_id)
        .join(SERVERS, SERVERS.c.id == SERVER_GROUP_MEMBERS.c.server_id)
        .where(SERVER_GROUP_MEMBERS.c.group_id.in_(list(group_ids)), SERVERS.c.deleted.is_(False))
        .order_by(SERVERS.c.created_at, SERVERS.c.id)
    )
    for row in fetch_all(tx, statement):
        found[row["group_id"]].append(row["server_id"])
    return found
