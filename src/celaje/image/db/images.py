"""Queries on images and what belongs to one: properties, tags, locations. Called by handlers and flows."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import bindparam, func, select

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.image.db.tables import IMAGES, LOCATIONS, MEMBERS, PROPERTIES, TAGS

Row = dict[str, Any]

_GET = select(IMAGES).where(IMAGES.c.id == bindparam("image_id"))
_LOCK = _GET.with_for_update()
_INSERT = IMAGES.insert()
_TAGS = (
    select(TAGS.c.image_id, TAGS.c.value)
    .where(TAGS.c.image_id.in_(bindparam("ids", expanding=True)))
    .order_by(TAGS.c.value)
)
_PROPERTIES = select(PROPERTIES).where(PROPERTIES.c.image_id.in_(bindparam("ids", expanding=True)))
_LOCATIONS = (
    select(LOCATIONS)
    .where(LOCATIONS.c.image_id.in_(bindparam("ids", expanding=True)))
    .order_by(LOCATIONS.c.id)
)
_USAGE = select(func.coalesce(func.sum(IMAGES.c.size), 0)).where(
    IMAGES.c.owner == bindparam("owner"), IMAGES.c.stores.is_not(None)
)


def get(tx: Transaction, image_id: str, *, lock: bool = False) -> Row | None:
    """One image with its `tags` (sorted list) and `properties` (dict). `lock`: nobody else changes it until
    this transaction ends."""
    row = tx.execute(_LOCK if lock else _GET, {"image_id": image_id}).mappings().first()
    if row is None:
        return None
    image = dict(row)
    complete(tx, [image])
    return image


def complete(tx: Transaction, images: list[Row]) -> None:
    """Give the rows their tags and properties: one query each, however many rows."""
    by_id = {image["id"]: image for image in images}
    for image in images:
        image["tags"], image["properties"] = [], {}
    if not by_id:
        return
    ids = {"ids": list(by_id)}
    for row in tx.execute(_TAGS, ids):
        by_id[row.image_id]["tags"].append(row.value)
    for row in tx.execute(_PROPERTIES, ids):
        by_id[row.image_id]["properties"][row.name] = row.value


def insert(tx: Transaction, image: Mapping[str, Any]) -> None:
    """A new row with its tags and properties. DuplicateRow when the id is taken."""
    values = {key: value for key, value in image.items() if key not in ("tags", "properties")}
    tx.execute(_INSERT, values)
    tx.moved("image", image["id"], image["status"])
    add_tags(tx, image["id"], image["tags"])
    set_properties(tx, image["id"], image["properties"])


def update(tx: Transaction, image_id: str, **values: Any) -> None:
    """Columns of the row; `updated_at` becomes now."""
    values["updated_at"] = clock.now()
    tx.execute(IMAGES.update().where(IMAGES.c.id == image_id).values(**values))


def set_properties(tx: Transaction, image_id: str, properties: Mapping[str, str]) -> None:
    """Exactly these."""
    tx.execute(PROPERTIES.delete().where(PROPERTIES.c.image_id == image_id))
    if properties:
        rows = [{"image_id": image_id, "name": name, "value": value} for name, value in properties.items()]
        tx.execute(PROPERTIES.insert(), rows)


def set_tags(tx: Transaction, image_id: str, tags: Iterable[str]) -> None:
    """Exactly these."""
    tx.execute(TAGS.delete().where(TAGS.c.image_id == image_id))
    add_tags(tx, image_id, tags)


def add_tags(tx: Transaction, image_id: str, tags: Iterable[str]) -> None:
    rows = [{"image_id": image_id, "value": tag} for tag in dict.fromkeys(tags)]
    if rows:
        tx.execute(TAGS.insert(), rows)


def remove_tag(tx: Transaction, image_id: str, tag: str) -> bool:
    gone = tx.execute(TAGS.delete().where(TAGS.c.image_id == image_id, TAGS.c.value == tag))
    return gone.rowcount == 1


def add_location(tx: Transaction, image_id: str, data_id: str, store: str, url: str) -> None:
    tx.execute(
        LOCATIONS.insert().values(
            id=data_id, image_id=image_id, store=store, url=url, metadata={"store": store}
        )
    )


def locations(tx: Transaction, ids: list[str]) -> list[Row]:
    return [dict(row) for row in tx.execute(_LOCATIONS, {"ids": ids}).mappings()] if ids else []


def usage(tx: Transaction, owner: str | None) -> int:
    """Bytes that an owner's images hold, counted from the rows."""
    return int(tx.execute(_USAGE, {"owner": owner}).scalar() or 0)


def delete(tx: Transaction, image_id: str) -> None:
    """The row and all that belongs to it; the data itself is a flow's."""
    for table in (PROPERTIES, TAGS, MEMBERS, LOCATIONS):
        tx.execute(table.delete().where(table.c.image_id == image_id))
    tx.execute(IMAGES.delete().where(IMAGES.c.id == image_id))


def known_urls(tx: Transaction) -> set[str]:
    return {url for (url,) in tx.execute(select(LOCATIONS.c.url))}


def has_location(tx: Transaction, data_id: str) -> bool:
    return tx.execute(select(LOCATIONS.c.id).where(LOCATIONS.c.id == data_id)).first() is not None
