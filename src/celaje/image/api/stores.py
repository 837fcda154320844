"""The stores as clients see them, and an image's deletion from one of them."""

from typing import Any

from celaje.common.db import Transaction
from celaje.common.errors import Conflict, NotFound
from celaje.common.wsgi import Request
from celaje.image.api import access
from celaje.image.db import images
from celaje.image.errors import NotAllowed
from celaje.image.stores.base import Store

Row = dict[str, Any]


def index(request: Request) -> Row:
    return {"stores": [_plain(request, store) for store in request.service.stores.shown]}


def detail(request: Request) -> Row:
    found = []
    for store in request.service.stores.shown:
        shown = {**_plain(request, store), "type": store.kind, "weight": store.weight}
        found.append({**shown, "properties": store.properties()})
    return {"stores": found}


def _plain(request: Request, store: Store) -> Row:
    shown: Row = {"id": store.name}
    if store.description:
        shown["description"] = store.description
    if store.weight:
        shown["weight"] = store.weight
    if store.name == request.service.stores.default:
        shown["default"] = "true"
    if store.read_only:
        shown["read-only"] = "true"
    return shown


def delete(request: Request, store_id: str, image_id: str) -> None:
    service = request.service

    def unit(tx: Transaction) -> None:
        image = access.load(tx, request, image_id, lock=True)
        access.enforce(request, image, "delete_image_location")
        if store_id not in service.stores.by_name:
            raise Conflict(f"The selected store {store_id[:64]} is not available on this node.")
        if image["status"] != "active":
            raise Conflict(f"Only of an active image can one copy be deleted, this one is {image['status']}.")
        if image["protected"]:
            raise NotAllowed(f"Image {image_id} is protected and cannot be deleted.")
        found = images.locations(tx, [image["id"]])
        here = [row for row in found if row["store"] == store_id]
        if not here:
            raise NotFound(f"Image {image_id} is not stored in store {store_id}.")
        if len(here) == len(found):
            raise NotAllowed("The last copy of an image's data cannot be deleted.")
        if image["flow_id"] is not None:
            raise Conflict("The image is just being copied.")
        for row in here:
            images.remove_location(tx, row["id"])
        images.name_stores(tx, image["id"], service.stores.ordered)
        data = [[row["store"], row["url"]] for row in here]
        service.flows.submit(tx, "image.delete", resource=("image", image["id"]), arguments={"data": data})

    service.database.write(unit)
