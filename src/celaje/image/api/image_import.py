"""POST import: data becomes an image's, or an image's data is copied. Flows: image.import and image.copy."""

import re
from typing import Any

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.common.errors import Conflict, Invalid
from celaje.common.wsgi import Request
from celaje.image import quota
from celaje.image.api import access, choices
from celaje.image.conductor.reworking import METADATA, ON_FILES
from celaje.image.db import images, uploads
from celaje.image.db.tables import IMAGES
from celaje.image.errors import NotAllowed
from celaje.image.states import IMAGE

Row = dict[str, Any]

BODY: Row = {
    "type": "object",
    "properties": {
        "method": {
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "uri": {"type": "string", "maxLength": 2048},
                "glance_image_id": {"type": "string", "maxLength": 255},
                "glance_region": {"type": "string", "maxLength": 255},
                "glance_service_interface": {"type": "string", "maxLength": 255},
            },
            "required": ["name"],
        },
        "stores": {"type": "array", "items": {"type": "string"}},
        "all_stores": {"type": "boolean"},
        "all_stores_must_succeed": {"type": "boolean"},
    },
    "required": ["method"],
}
_UUID = re.compile(r"[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}")


def start(request: Request, image_id: str) -> None:
    service = request.service
    method = request.body["method"]
    name = method["name"]
    if name not in service.conf.enabled_import_methods:
        raise Invalid(f"Unknown import method name '{name[:64]}'.")
    source = _SOURCES.get(name, lambda request: {})(request)

    limits = service.limits.of(request.context.project_id)

    def unit(tx: Transaction) -> None:
        quota.enforce(tx, limits, request.context.project_id, image_size_total=0)
        image = access.load(tx, request, image_id, lock=True)
        _refuse_state(image, name)
        access.enforce(request, image, "copy_image" if name == "copy-image" else "modify_image")
        for word in ("container_format", "disk_format"):
            if image[word] is None:
                raise Conflict(f"'{word}' needs to be set before import")
        stores = choices.stores_of(request, request.body)
        if name == "copy-image":
            _copy(tx, request, image, stores)
        else:
            _import(tx, request, image, stores, source)

    service.database.write(unit)


def _refuse_state(image: Row, method: str) -> None:
    status = image["status"]
    if method == "copy-image":
        if status != "active":
            raise Conflict(f"Only an active image can be copied, this one is {status}.")
    elif status == "active":
        raise Conflict("An image that is active cannot be the target of an import.")
    elif method == "glance-direct":
        if status != "uploading":
            raise Conflict(
                f"Image needs to be in 'uploading' state before 'glance-direct' method can be used, it is "
                f"{status}."
            )
    elif status != "queued":
        raise Conflict(f"Image needs to be in 'queued' state to use '{method}' method, it is {status}.")


def _web(request: Request) -> Row:
    uri = request.body["method"].get("uri")
    if not uri:
        raise Invalid("The method web-download needs a URI to download from.")
    request.service.web.check(uri)
    return {"kind": "web", "uri": uri}


def _glance(request: Request) -> Row:
    method = request.body["method"]
    for word in ("glance_region", "glance_image_id"):
        if not method.get(word):
            raise Invalid(f"The method glance-download needs '{word}' to be set.")
    if not _UUID.fullmatch(method["glance_image_id"]):
        raise Invalid(f"Remote image id does not look like a UUID: {method['glance_image_id'][:64]}")
    return {
        "kind": "glance",
        "region": method["glance_region"],
        "image_id": method["glance_image_id"],
        "interface": method.get("glance_service_interface", "public"),
    }


_SOURCES = {"web-download": _web, "glance-download": _glance}


def _import(tx: Transaction, request: Request, image: Row, stores: list[str], source: Row) -> None:
    service = request.service
    staged = None
    if not source:
        staged = next((row for row in uploads.of_image(tx, image["id"]) if row["lease_until"] is None), None)
        if staged is None:
            raise Conflict("The image's data is still being staged.")
        source = {"kind": "staged", "id": staged["id"]}
        quota.check_storage(tx, service.conf, image["owner"], staged["size"])
    described = {key: image[key] for key in ("id", "disk_format", "container_format")}
    described["limit"] = quota.room(tx, service.conf, image["owner"])
    flow_id = _submit(tx, request, "image.import", described, source, stores, _plugins(request, source))
    moved = IMAGE.move(
        tx,
        IMAGES,
        image["id"],
        "importing",
        sources={image["status"]},
        flow_id=flow_id,
        updated_at=clock.now(),
    )
    if not moved:
        raise Conflict("Another operation on the image was first.")
    if staged is not None:
        uploads.hand_over(tx, staged["id"], flow_id)
        service.flows.signal(tx, staged["id"], "ended", {"lost": False})


def _copy(tx: Transaction, request: Request, image: Row, stores: list[str]) -> None:
    found = images.locations(tx, [image["id"]])
    there = {row["store"] for row in found}
    if request.body.get("all_stores"):
        stores = [name for name in stores if name not in there]
        if not stores:
            # Every store has it: whoever watches the copy is told that nothing is left.
            images.note_import(tx, image["id"], importing_to_stores="", failed_import="")
            return
    for name in stores:
        if name in there:
            raise Conflict(f"Image is already present at store '{name}'")
    described = {key: image[key] for key in ("id", "disk_format", "container_format")}
    described["limit"] = max(image["size"] or 0, request.service.conf.image_size_cap)
    held = request.service.stores.by_name
    readable = [row for row in found if row["store"] in held]
    if not readable:
        raise NotAllowed("None of the stores that hold the image's data is there any more.")
    first = readable[0]
    source = {"kind": "stored", "store": first["store"], "url": first["url"]}
    if image["os_hash_algo"] == "sha512":
        source["hash"] = image["os_hash_value"]
    flow_id = _submit(tx, request, "image.copy", described, source, stores)
    if not images.hold(tx, image["id"], flow_id):
        raise Conflict(
            f"New operation on image '{image['id']}' is not permitted as prior operation is still in progress"
        )


def _plugins(request: Request, source: Row) -> Row:
    """What the operator's plugins are to do with this import."""
    conf = request.service.conf
    names = conf.image_import_options.image_import_plugins
    given = conf.inject_metadata_properties
    plan: Row = {"properties": {}, "steps": [[name, clock.new_uuid()] for name in names if name in ON_FILES]}
    if plan["steps"] and source["kind"] != "staged":
        plan["fetched"] = clock.new_uuid()
    if METADATA in names and not set(request.context.roles) & set(given.ignore_user_roles):
        plan["properties"] = given.inject
    return plan


def _submit(  # noqa: PLR0917
    tx: Transaction,
    request: Request,
    flow: str,
    image: Row,
    source: Row,
    stores: list[str],
    plugins: Row | None = None,
) -> str:
    """The flow, and before its first byte a row for all that it writes."""
    body = request.body
    writes = [["staging", data_id] for _, data_id in plugins["steps"]] if plugins else []
    if plugins and "fetched" in plugins:
        writes.append(["staging", plugins["fetched"]])
    targets = [[store, clock.new_uuid()] for store in stores]
    flow_id = request.service.flows.submit(
        tx,
        flow,
        resource=("image", image["id"]),
        arguments={
            "image": image,
            "source": source,
            "targets": targets,
            "must_succeed": body.get("all_stores_must_succeed", True),
            "input": {
                "image_id": image["id"],
                "import_req": body,
                "backend": stores,
            },
            **({"plugins": plugins} if plugins else {}),
        },
    )
    for store, data_id in [*targets, *writes]:
        uploads.insert(tx, id=data_id, flow_id=flow_id, image_id=image["id"], store=store)
    images.note_import(
        tx, image["id"], import_task=flow_id, importing_to_stores=",".join(stores), failed_import=""
    )
    return flow_id
