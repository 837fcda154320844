"""Queries on image members. Called by the members' handlers and where access to a shared image is decided."""

from typing import Any

from sqlalchemy import bindparam, func, select, update

from celaje.common import clock
from celaje.common.db import Transaction, fetch_all
from celaje.image.db.tables import MEMBERS

Row = dict[str, Any]

_GET = select(MEMBERS).where(
    MEMBERS.c.image_id == bindparam("image_id"), MEMBERS.c.member_id == bindparam("member_id")
)


def get(tx: Transaction, image_id: str, member_id: str) -> Row | None:
    row = tx.execute(_GET, {"image_id": image_id, "member_id": member_id}).mappings().first()
    return dict(row) if row is not None else None


def of_image(tx: Transaction, image_id: str) -> list[Row]:
    statement = select(MEMBERS).where(MEMBERS.c.image_id == image_id)
    return fetch_all(tx, statement.order_by(MEMBERS.c.created_at, MEMBERS.c.member_id))


def count(tx: Transaction, image_id: str) -> int:
    statement = select(func.count()).select_from(MEMBERS).where(MEMBERS.c.image_id == image_id)
    return int(tx.execute(statement).scalar() or 0)


def insert(tx: Transaction, image_id: str, member_id: str) -> Row:
    """DuplicateRow when it is a member already."""
    now = clock.now()
    row = {
        "image_id": image_id,
        "member_id": member_id,
        "status": "pending",
        "created_at": now,
        "updated_at": now,
    }
    tx.execute(MEMBERS.insert().values(**row))
    return row


def set_status(tx: Transaction, image_id: str, member_id: str, status: str) -> None:
    key = (MEMBERS.c.image_id == image_id, MEMBERS.c.member_id == member_id)
    tx.execute(update(MEMBERS).where(*key).values(status=status, updated_at=clock.now()))


def delete(tx: Transaction, image_id: str, member_id: str) -> bool:
    key = (MEMBERS.c.image_id == image_id, MEMBERS.c.member_id == member_id)
    return tx.execute(MEMBERS.delete().where(*key)).rowcount == 1
