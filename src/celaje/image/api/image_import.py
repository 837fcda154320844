"""POST import: the method glance-direct makes staged data the image's. The work is the flow image.import."""

from typing import Any

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.common.errors import Conflict, Invalid
from celaje.common.wsgi import Request
from celaje.image import quota
from celaje.image.api import access
from celaje.image.db import uploads
from celaje.image.db.tables import IMAGES
from celaje.image.states import IMAGE

BODY: dict[str, Any] = {
    "type": "object",
    "properties": {
        "method": {
            "type": "object",
            "properties": {"name": {"type": "string"}},
            "required": ["name"],
        },
        "stores": {"type": "array", "items": {"type": "string"}},
        "all_stores": {"type": "boolean"},
        "all_stores_must_succeed": {"type": "boolean"},
    },
    "required": ["method"],
}


def start(request: Request, image_id: str) -> None:
    service = request.service
    method = request.body["method"]["name"]
    if method not in service.conf.enabled_import_methods:
        raise Invalid(f"Unknown import method name '{method[:64]}'.")
    store = _store(request)

    def unit(tx: Transaction) -> None:
        image = access.load(tx, request, image_id, lock=True)
        access.enforce(request, image, "modify_image")
        _begin(tx, service, image, store)

    service.database.write(unit)


def _store(request: Request) -> str:
    service = request.service
    named = request.body.get("stores") or []
    header = request.header("X-Image-Meta-Store")
    if header and not named:
        named = [header]
    unknown = [name for name in named if name not in service.stores]
    if unknown:
        raise Invalid(f"Store {unknown[0][:64]} is not known here.")
    return named[0] if named else service.default_store


def _begin(tx: Transaction, service: Any, image: dict[str, Any], store: str) -> None:
    if image["status"] != "uploading":
        raise Conflict(
            f"Image needs to be in 'uploading' state before 'glance-direct' method can be used, "
            f"it is {image['status']}."
        )
    for name in ("container_format", "disk_format"):
        if image[name] is None:
            raise Conflict(f"'{name}' needs to be set before import")
    staged = next((row for row in uploads.of_image(tx, image["id"]) if row["lease_until"] is None), None)
    if staged is None:
        raise Conflict("The image's data is still being staged.")
    quota.check_storage(tx, service.conf, image["owner"], staged["size"])
    data_id = clock.new_uuid()
    described = {key: image[key] for key in ("id", "disk_format", "container_format")}
    flow_id = service.flows.submit(
        tx,
        "image.import",
        resource=("image", image["id"]),
        arguments={
            "image": {**described, "limit": service.conf.image_size_cap},
            "staged": staged["id"],
            "data_id": data_id,
            "store": store,
        },
    )
    IMAGE.move(
        tx,
        IMAGES,
        image["id"],
        "importing",
        sources={"uploading"},
        flow_id=flow_id,
        updated_at=clock.now(),
    )
    uploads.insert(tx, id=data_id, flow_id=flow_id, image_id=image["id"], store=store)
    uploads.hand_over(tx, staged["id"], flow_id)
    service.flows.signal(tx, staged["id"], "ended", {"lost": False})
