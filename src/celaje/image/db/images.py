"""Queries on images and what belongs to one: properties, tags, locations. Called by handlers and flows."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sqlalchemy import bindparam, case, func, select

from celaje.common import clock
from celaje.common.db import DuplicateRow, Prepared, Transaction, fetch_all
from celaje.image.db.tables import DELETED_IMAGES, IMAGES, LOCATIONS, MEMBERS, PROPERTIES, TAGS
from celaje.image.errors import IdTaken

Row = dict[str, Any]

_BY_ID = select(IMAGES).where(IMAGES.c.id == bindparam("row"))
_GET, _LOCK = Prepared(_BY_ID), Prepared(_BY_ID.with_for_update())
_INSERT = IMAGES.insert()
_STATUS = select(IMAGES.c.status).where(IMAGES.c.id == bindparam("image_id"))
_WAS = select(DELETED_IMAGES.c.id).where(DELETED_IMAGES.c.id == bindparam("image_id"))
_MANY_TAGS = select(TAGS.c.image_id, TAGS.c.value).order_by(TAGS.c.value)
_MANY_PROPERTIES = select(PROPERTIES)
# Of one image, which most requests are about, and of many.
_TAGS = Prepared(_MANY_TAGS.where(TAGS.c.image_id == bindparam("image")))
_PROPERTIES = Prepared(_MANY_PROPERTIES.where(PROPERTIES.c.image_id == bindparam("image")))
_MANY_TAGS = _MANY_TAGS.where(TAGS.c.image_id.in_(bindparam("ids", expanding=True)))
_MANY_PROPERTIES = _MANY_PROPERTIES.where(PROPERTIES.c.image_id.in_(bindparam("ids", expanding=True)))
_LOCATIONS = (
    select(LOCATIONS)
    .where(LOCATIONS.c.image_id.in_(bindparam("ids", expanding=True)))
    .order_by(LOCATIONS.c.position, LOCATIONS.c.id)
)
_USAGE = select(func.coalesce(func.sum(IMAGES.c.size), 0)).where(
    IMAGES.c.owner == bindparam("owner"), IMAGES.c.stores.is_not(None)
)


def get(tx: Transaction, image_id: str, *, lock: bool = False) -> Row | None:
    """One image with its `tags` (sorted list) and `properties` (dict). `lock`: nobody else changes it until
    this transaction ends."""
    image = (_LOCK if lock else _GET).one(tx, row=image_id)
    if image is not None:
        complete(tx, [image])
    return image


def complete(tx: Transaction, images: list[Row]) -> None:
    """Give the rows their tags and properties: one query each, however many rows."""
    by_id = {image["id"]: image for image in images}
    for image in images:
        image["tags"], image["properties"] = [], {}
    if not by_id:
        return
    if len(by_id) == 1:
        (only,) = by_id
        tags, properties = _TAGS.all(tx, image=only), _PROPERTIES.all(tx, image=only)
    else:
        ids = {"ids": list(by_id)}
        tags, properties = fetch_all(tx, _MANY_TAGS.params(ids)), fetch_all(tx, _MANY_PROPERTIES.params(ids))
    for row in tags:
        by_id[row["image_id"]]["tags"].append(row["value"])
    for row in properties:
        by_id[row["image_id"]]["properties"][row["name"]] = row["value"]


def insert(tx: Transaction, image: Mapping[str, Any]) -> None:
    """A new row with its tags and properties. Raises IdTaken when an image has the id, or had it."""
    if tx.execute(_WAS, {"image_id": image["id"]}).first() is not None:
        raise IdTaken(image_id=image["id"])
    values = {key: value for key, value in image.items() if key not in ("tags", "properties")}
    try:
        with tx.attempt():
            tx.execute(_INSERT, values)
    except DuplicateRow:
        raise IdTaken(image_id=image["id"]) from None
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


def status(tx: Transaction, image_id: str) -> str | None:
    """None: there is no such image."""
    row = tx.execute(_STATUS, {"image_id": image_id}).first()
    return row.status if row is not None else None


def hold(tx: Transaction, image_id: str, flow_id: str) -> bool:
    """Take an active image for one copy; False: another has it, or it is not active."""
    free = (IMAGES.c.id == image_id, IMAGES.c.status == "active", IMAGES.c.flow_id.is_(None))
    return tx.execute(IMAGES.update().where(*free).values(flow_id=flow_id)).rowcount == 1


def release(tx: Transaction, image_id: str, flow_id: str) -> None:
    held = (IMAGES.c.id == image_id, IMAGES.c.flow_id == flow_id)
    tx.execute(IMAGES.update().where(*held).values(flow_id=None))


def describe(tx: Transaction, image_id: str, found: Mapping[str, Any]) -> None:
    """Formats and properties as another image has them, over those that are there."""
    update(tx, image_id, disk_format=found["disk_format"], container_format=found["container_format"])
    names = list(found["properties"])
    tx.execute(PROPERTIES.delete().where(PROPERTIES.c.image_id == image_id, PROPERTIES.c.name.in_(names)))
    rows = [
        {"image_id": image_id, "name": name, "value": value} for name, value in found["properties"].items()
    ]
    if rows:
        tx.execute(PROPERTIES.insert(), rows)


def note_import(tx: Transaction, image_id: str, **values: str | None) -> None:
    """The properties os_glance_...: what an import or copy is at. None takes one away."""
    names = [f"os_glance_{name}" for name in values]
    tx.execute(PROPERTIES.delete().where(PROPERTIES.c.image_id == image_id, PROPERTIES.c.name.in_(names)))
    rows = [
        {"image_id": image_id, "name": f"os_glance_{name}", "value": value}
        for name, value in values.items()
        if value is not None
    ]
    if rows and status(tx, image_id) is not None:
        tx.execute(PROPERTIES.insert(), rows)


def add_location(  # noqa: PLR0917
    tx: Transaction,
    image_id: str,
    data_id: str,
    store: str,
    url: str,
    metadata: Mapping[str, Any] | None = None,
    position: int | None = None,
) -> None:
    """At its position, the others moved behind it; without one at the end."""
    found = locations(tx, [image_id])
    place = len(found) if position is None else min(position, len(found))
    for number, row in enumerate(found):
        wanted = number if number < place else number + 1
        if row["position"] != wanted:
            tx.execute(LOCATIONS.update().where(LOCATIONS.c.id == row["id"]).values(position=wanted))
    values = {"image_id": image_id, "position": place, "store": store, "url": url}
    tx.execute(LOCATIONS.insert().values(id=data_id, metadata={**(metadata or {}), "store": store}, **values))


def describe_location(tx: Transaction, location_id: str, metadata: Mapping[str, Any], position: int) -> None:
    changed = LOCATIONS.update().where(LOCATIONS.c.id == location_id)
    tx.execute(changed.values(metadata=dict(metadata), position=position))


def remove_location(tx: Transaction, location_id: str) -> None:
    tx.execute(LOCATIONS.delete().where(LOCATIONS.c.id == location_id))


def name_stores(tx: Transaction, image_id: str, ordered: Callable[[list[str]], list[str]]) -> None:
    """Bring the image's `stores` up to date with its locations; `ordered` puts names in their order."""
    names = ordered([row["store"] for row in locations(tx, [image_id])])
    update(tx, image_id, stores=",".join(names) or None)


def locations(tx: Transaction, ids: list[str]) -> list[Row]:
    return [dict(row) for row in tx.execute(_LOCATIONS, {"ids": ids}).mappings()] if ids else []


def usage(tx: Transaction, owner: str | None) -> int:
    """Bytes that an owner's images hold, counted from the rows."""
    return int(tx.execute(_USAGE, {"owner": owner}).scalar() or 0)


def counted(tx: Transaction, owner: str | None) -> dict[str, int]:
    """What an owner has: bytes `stored` (each copy counts) and `staged`, number of `images`, and of those
    that are `uploading`."""
    mine = IMAGES.c.owner == owner
    copies = select(func.coalesce(func.sum(IMAGES.c.size), 0)).select_from(
        LOCATIONS.join(IMAGES, IMAGES.c.id == LOCATIONS.c.image_id)
    )
    on_its_way = IMAGES.c.status.in_(("saving", "uploading", "importing"))
    numbers = select(
        func.count(),
        func.coalesce(func.sum(case((on_its_way, 1), else_=0)), 0),
        func.coalesce(func.sum(case((IMAGES.c.status == "uploading", IMAGES.c.size), else_=0)), 0),
    ).where(mine)
    found: tuple[int, ...] = tuple(tx.execute(numbers).one())
    return {
        "stored": int(tx.execute(copies.where(mine)).scalar() or 0),
        "images": found[0],
        "uploading": int(found[1]),
        "staged": int(found[2] or 0),
    }


def delete(tx: Transaction, image_id: str) -> None:
    """The row and all that belongs to it; the data itself is a flow's."""
    for table in (PROPERTIES, TAGS, MEMBERS, LOCATIONS):
        tx.execute(table.delete().where(table.c.image_id == image_id))
    tx.execute(IMAGES.delete().where(IMAGES.c.id == image_id))
    tx.execute(DELETED_IMAGES.insert().values(id=image_id, deleted_at=clock.now()))


def known_urls(tx: Transaction) -> set[str]:
    return {url for (url,) in tx.execute(select(LOCATIONS.c.url))}


def has_location(tx: Transaction, data_id: str) -> bool:
    return tx.execute(select(LOCATIONS.c.id).where(LOCATIONS.c.id == data_id)).first() is not None
