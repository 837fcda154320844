"""Queries of projects and of domains, which are projects that act as one."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import bindparam, delete, insert, select, update

from celaje.common.db import DuplicateRow, Transaction, fetch_all
from celaje.identity.db.statements import many, one, tuples
from celaje.identity.db.tables import PROJECT_TAGS, PROJECTS
from celaje.identity.errors import DomainNotFound, ProjectNotFound, name_taken

Row = dict[str, Any]

_BY_ID = select(PROJECTS).where(PROJECTS.c.id == bindparam("id"))
_CHILDREN = select(PROJECTS).where(PROJECTS.c.parent_id == bindparam("parent_id"))
_TAGS = (
    select(PROJECT_TAGS.c.project_id, PROJECT_TAGS.c.name)
    .where(PROJECT_TAGS.c.project_id.in_(bindparam("ids", expanding=True)))
    .order_by(PROJECT_TAGS.c.name)
)


def find(tx: Transaction, project_id: str) -> Row | None:
    return one(tx, _BY_ID, id=project_id)


def get(tx: Transaction, project_id: str) -> Row:
    """A project, or a domain as the project that it is. Raises ProjectNotFound."""
    row = find(tx, project_id)
    if row is None:
        raise ProjectNotFound(id=project_id)
    return row


def get_domain(tx: Transaction, domain_id: str) -> Row:
    row = find(tx, domain_id)
    if row is None or not row["is_domain"]:
        raise DomainNotFound(id=domain_id)
    return row


def list_by_ids(tx: Transaction, ids: Iterable[str], *, is_domain: bool) -> list[Row]:
    """In the order of their names, with tags."""
    found = fetch_all(
        tx,
        select(PROJECTS)
        .where(
            PROJECTS.c.id.in_(sorted(ids)),
            PROJECTS.c.is_domain.is_(is_domain),
        )
        .order_by(PROJECTS.c.name, PROJECTS.c.id),
    )
    return with_tags(tx, found)


def with_tags(tx: Transaction, rows: list[Row]) -> list[Row]:
    tags: dict[str, list[str]] = {}
    if rows:
        for project_id, name in tuples(tx, _TAGS, ids=[row["id"] for row in rows]):
            tags.setdefault(project_id, []).append(name)
    for row in rows:
        row["tags"] = tags.get(row["id"], [])
    return rows


def create(tx: Transaction, row: Row) -> Row:
    """Raises Taken for a name that its domain has already."""
    kind = "domain" if row["is_domain"] else "project"
    try:
        tx.execute(insert(PROJECTS).values(**row))
    except DuplicateRow as error:
        raise name_taken(kind, row["name"]) from error
    return row


def change(tx: Transaction, row: Row, values: Row) -> Row:
    kind = "domain" if row["is_domain"] else "project"
    try:
        tx.execute(update(PROJECTS).where(PROJECTS.c.id == row["id"]).values(**values))
    except DuplicateRow as error:
        raise name_taken(kind, values.get("name")) from error
    return {**row, **values}


def children(tx: Transaction, project_id: str) -> list[Row]:
    return many(tx, _CHILDREN, parent_id=project_id)


def subtree(tx: Transaction, project_id: str) -> list[Row]:
    """All projects below, parents before children; one statement a level."""
    found: list[Row] = []
    level = [project_id]
    while level:
        rows = fetch_all(
            tx,
            select(PROJECTS)
            .where(PROJECTS.c.parent_id.in_(level), PROJECTS.c.is_domain.is_(False))
            .order_by(PROJECTS.c.name),
        )
        found += rows
        level = [row["id"] for row in rows]
    return found


def parents(tx: Transaction, project: Row) -> list[Row]:
    """From the direct parent up to and with the domain."""
    found: list[Row] = []
    parent_id = project["parent_id"]
    while parent_id:
        row = find(tx, parent_id)
        if row is None:
            break
        found.append(row)
        parent_id = row["parent_id"]
    return found


def remove(tx: Transaction, project_id: str) -> None:
    tx.execute(delete(PROJECTS).where(PROJECTS.c.id == project_id))


def set_tags(tx: Transaction, project_id: str, tags: Iterable[str]) -> None:
    tx.execute(delete(PROJECT_TAGS).where(PROJECT_TAGS.c.project_id == project_id))
    rows = [{"project_id": project_id, "name": name} for name in dict.fromkeys(tags)]
    if rows:
        tx.execute(insert(PROJECT_TAGS), rows)


def add_tag(tx: Transaction, project_id: str, name: str) -> None:
    if name not in tags_of(tx, project_id):
        tx.execute(insert(PROJECT_TAGS).values(project_id=project_id, name=name))


def remove_tag(tx: Transaction, project_id: str, name: str) -> bool:
    gone = delete(PROJECT_TAGS).where(PROJECT_TAGS.c.project_id == project_id, PROJECT_TAGS.c.name == name)
    return tx.execute(gone).rowcount > 0


def tags_of(tx: Transaction, project_id: str) -> list[str]:
    return [row[1] for row in tuples(tx, _TAGS, ids=[project_id])]
