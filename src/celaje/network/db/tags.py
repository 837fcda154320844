"""Tags of all resources: read with lists, filtered by, replaced. Called by the API's collections."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import bindparam, delete, insert, select

from celaje.common.db import Prepared, Transaction, fetch_all
from celaje.network.db.tables import TAGS

_OF_ONE = Prepared(select(TAGS.c.tag).where(TAGS.c.resource_id == bindparam("resource")).order_by(TAGS.c.tag))
_FORGET = Prepared(delete(TAGS).where(TAGS.c.resource_id == bindparam("resource")))


def of(tx: Transaction, ids: Sequence[str]) -> dict[str, list[str]]:
    if len(ids) == 1:
        return {ids[0]: [row["tag"] for row in _OF_ONE.all(tx, resource=ids[0])]}
    found: dict[str, list[str]] = {}
    if ids:
        statement = select(TAGS).where(TAGS.c.resource_id.in_(ids)).order_by(TAGS.c.tag)
        for row in fetch_all(tx, statement):
            found.setdefault(row["resource_id"], []).append(row["tag"])
    return found


def replace(tx: Transaction, resource_id: str, tags: Sequence[str]) -> None:
    forget(tx, resource_id)
    if tags:
        tx.execute(insert(TAGS), [{"resource_id": resource_id, "tag": tag} for tag in sorted(set(tags))])


def add(tx: Transaction, resource_id: str, tag: str) -> None:
    if tag not in of(tx, [resource_id]).get(resource_id, ()):
        tx.execute(insert(TAGS).values(resource_id=resource_id, tag=tag))


def remove(tx: Transaction, resource_id: str, tag: str) -> bool:
    return tx.execute(delete(TAGS).where(TAGS.c.resource_id == resource_id, TAGS.c.tag == tag)).rowcount == 1


def forget(tx: Transaction, resource_id: str) -> None:
    _FORGET.run(tx, resource=resource_id)


def conditions(column: Any, pairs: Sequence[tuple[str, str]]) -> list[Any]:
    """The filters tags, tags-any, not-tags and not-tags-any, each a list with commas."""
    where: list[Any] = []
    for name, value in pairs:
        if name not in ("tags", "tags-any", "not-tags", "not-tags-any"):
            continue
        wanted = [tag for tag in value.split(",") if tag]
        has = [column.in_(select(TAGS.c.resource_id).where(TAGS.c.tag == tag)) for tag in wanted]
        some = column.in_(select(TAGS.c.resource_id).where(TAGS.c.tag.in_(wanted)))
        if name == "tags":
            where.extend(has)
        elif name == "tags-any":
            where.append(some)
        elif name == "not-tags-any":
            where.append(~some)
        elif has:
            together = has[0]
            for each in has[1:]:
                together = together & each
            where.append(~together)
    return where
