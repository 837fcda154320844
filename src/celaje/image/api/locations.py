"""Where an image's data lies: locations by JSON patch, and the newer GET and POST locations.

A location's store says whether a client may name it at all: web servers through `web.py`, nothing of a file
system. Sizes are asked for before the transaction that uses them.
"""

from typing import Any
from urllib.parse import urldefrag

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.common.errors import CelajeError, Conflict, Invalid
from celaje.common.wsgi import Request
from celaje.image import patch
from celaje.image.api import access
from celaje.image.db import images
from celaje.image.db.tables import IMAGES
from celaje.image.errors import NotAllowed
from celaje.image.states import IMAGE
from celaje.image.web import UriRefused

Row = dict[str, Any]

_HASH_LENGTHS = {"md5": 32, "sha1": 40, "sha256": 64, "sha512": 128}
CREATE: Row = {
    "type": "object",
    "properties": {
        "url": {"type": "string", "maxLength": 2048},
        "validation_data": {
            "type": "object",
            "properties": {
                "os_hash_algo": {"enum": list(_HASH_LENGTHS)},
                "os_hash_value": {"type": "string", "maxLength": 128},
            },
            "dependentRequired": {"os_hash_value": ["os_hash_algo"], "os_hash_algo": ["os_hash_value"]},
            "additionalProperties": False,
        },
    },
    "required": ["url"],
}


def index(request: Request, image_id: str) -> list[Row]:
    """For other services: a worker on this host takes the data from there."""

    def query(tx: Transaction) -> list[Row]:
        image = access.load(tx, request, image_id)
        access.enforce(request, image, "fetch_image_location")
        return images.locations(tx, [image["id"]])

    return [view(row) for row in request.service.database.read(query)]


def view(row: Row) -> Row:
    return {"url": row["url"], "metadata": row["metadata"]}


def create(request: Request, image_id: str) -> None:
    service = request.service
    url = request.body["url"]
    validation = request.body.get("validation_data") or {}
    check_hash(validation)

    def unit(tx: Transaction) -> None:
        image = access.load(tx, request, image_id, lock=True)
        access.enforce(request, image, "add_image_location")
        if image["status"] != "queued":
            raise Conflict(f"It's not allowed to add locations if image status is {image['status']}.")
        store = _accepting(request, url)
        flow_id = service.flows.submit(
            tx,
            "image.add_location",
            resource=("image", image["id"]),
            arguments={
                "image_id": image["id"],
                "store": store.name,
                "url": url,
                "validation": validation,
                "hashing": service.conf.do_secure_hash,
                "input": {"image_id": image["id"], "loc_url": url, "validation_data": validation},
            },
        )
        moved = IMAGE.move(
            tx,
            IMAGES,
            image["id"],
            "importing",
            sources={"queued"},
            flow_id=flow_id,
            updated_at=clock.now(),
        )
        if not moved:
            raise Conflict("Another operation on the image was first.")
        images.note_import(tx, image["id"], import_task=flow_id)

    service.database.write(unit)


def check_hash(validation: Row) -> None:
    algorithm, value = validation.get("os_hash_algo"), validation.get("os_hash_value")
    if value is None:
        return
    if algorithm not in _HASH_LENGTHS:
        raise Invalid(f"os_hash_algo must be one of {', '.join(_HASH_LENGTHS)}.")
    length = _HASH_LENGTHS[algorithm]
    if len(value) != length or not all(digit in "0123456789abcdefABCDEF" for digit in value):
        raise Invalid(f"os_hash_value is no digest by {algorithm}, which has {length} hexadecimal digits.")


def _accepting(request: Request, url: str) -> Any:
    store = request.service.stores.accepting(url)
    if store is None:
        # What the http store would say tells most.
        request.service.web.check(url)
        raise UriRefused(uri=url[:255], reason="no store here takes locations of its kind")
    return store


# By JSON patch.


def measured(request: Request, changes: list[patch.Change]) -> dict[str, tuple[Any, int | None]]:
    """Store and size of every URL that the changes name and that no image has yet. Raises Invalid for one
    that cannot be a location, or is not there."""
    found: dict[str, tuple[Any, int | None]] = {}
    if not request.service.conf.show_multiple_locations:
        return found
    for change in changes:
        if change.name != "locations" or change.operation == "remove":
            continue
        for location in change.value if isinstance(change.value, list) else [change.value]:
            url = location["url"]
            if url.startswith("file:"):
                continue  # one of ours, if it is known already; refused otherwise
            try:
                store = _accepting(request, url)
                found[url] = (store, store.size(urldefrag(url)[0]))
            except CelajeError as error:
                raise Invalid(f"Invalid location: {error.message}") from error
    return found


def apply(
    tx: Transaction,
    request: Request,
    image: Row,
    change: patch.Change,
    known: dict[str, tuple[Any, int | None]],
) -> None:
    """One change of /locations. `image` is the row, which is brought up to date."""
    if not request.service.conf.show_multiple_locations:
        raise NotAllowed(f"It's not allowed to {change.operation} locations if locations are invisible.")
    rule = "delete_image_location" if change.operation == "remove" else "set_image_location"
    access.enforce(request, image, rule)
    allowed = ("active",) if change.operation == "remove" else ("active", "queued")
    if image["status"] not in allowed:
        raise Conflict(
            f"It's not allowed to {change.operation} locations if image status is {image['status']}."
        )
    if change.operation == "replace" and not change.value:
        raise NotAllowed("Cannot set locations to empty list.")
    found = images.locations(tx, [image["id"]])
    if change.operation == "remove":
        _remove(tx, request, image, change, found)
    elif change.operation == "add":
        _add(tx, request, image, change.value, _position(change, len(found)), known)
    else:
        _replace(tx, request, image, change.value, found, known)


def _position(change: patch.Change, count: int) -> int:
    text = change.part or ""
    if text == "-" and change.operation == "add":
        return count
    last = count if change.operation == "add" else count - 1
    if not (text.isascii() and text.isdigit()) or len(text) > 6 or int(text) > last:
        raise Invalid(f"Invalid position {text[:32]} in locations.")
    return int(text)


def _add(  # noqa: PLR0917
    tx: Transaction,
    request: Request,
    image: Row,
    value: Row,
    position: int,
    known: dict[str, tuple[Any, int | None]],
) -> None:
    url = value["url"]
    found = images.locations(tx, [image["id"]])
    if any(row["url"] == url for row in found) or url not in known:
        raise Invalid(f"Invalid location: {url[:255]}")
    _take_validation(tx, image, value.get("validation_data") or {})
    store, size = known[url]
    location_id = clock.new_uuid()
    images.add_location(tx, image["id"], location_id, store.name, url, value["metadata"], position)
    images.name_stores(tx, image["id"], request.service.stores.ordered)
    if image["status"] == "queued":
        _refuse_formatless(image)
        IMAGE.move(tx, IMAGES, image["id"], "active", sources={"queued"}, size=size)
        image["status"], image["size"] = "active", size


def _refuse_formatless(image: Row) -> None:
    missing = [name for name in ("disk_format", "container_format") if image[name] is None]
    if missing:
        raise Invalid(f"Properties {', '.join(missing)} must be set prior to saving data.")


def _take_validation(tx: Transaction, image: Row, data: Row) -> None:
    """Digests that the client vouches for: they become the queued image's; an active one must have them."""
    if not data:
        return
    names = ("checksum", "os_hash_algo", "os_hash_value")
    given = {name: data[name] for name in names if name in data}
    if image["status"] == "queued" and image["os_hash_value"] is None:
        check_hash(data)
        images.update(tx, image["id"], **given)
        image.update(given)
        return
    for name, value in given.items():
        if image[name] != value:
            raise Conflict(f"The {name} of validation_data is not the image's.")


def _remove(tx: Transaction, request: Request, image: Row, change: patch.Change, found: list[Row]) -> None:
    if len(found) == 1:
        raise NotAllowed("The last location of an image cannot be removed.")
    row = found[_position(change, len(found))]
    images.remove_location(tx, row["id"])
    images.name_stores(tx, image["id"], request.service.stores.ordered)
    data = [[row["store"], row["url"]]]
    request.service.flows.submit(
        tx, "image.delete", resource=("image", image["id"]), arguments={"data": data}
    )


def _replace(  # noqa: PLR0917
    tx: Transaction,
    request: Request,
    image: Row,
    value: list[Row],
    found: list[Row],
    known: dict[str, tuple[Any, int | None]],
) -> None:
    """All of an image that has none yet; of one that has some, their metadata and order alone."""
    if not found:
        for position, location in enumerate(value):
            _add(tx, request, image, location, position, known)
        return
    by_url = {row["url"]: row for row in found}
    if len(value) != len(found) or {location["url"] for location in value} != set(by_url):
        raise Invalid("Locations of an image that has some cannot be replaced by others.")
    for position, location in enumerate(value):
        row = by_url[location["url"]]
        metadata = {**location["metadata"], "store": row["store"]}
        images.describe_location(tx, row["id"], metadata, position)
