"""Images: create, show, list, change, delete. Called through `routes.py`."""

from typing import Any
from urllib.parse import urlencode

import jsonschema_rs

from celaje.common import clock
from celaje.common.db import DuplicateRow, Transaction
from celaje.common.db.paging import MarkerNotFound
from celaje.common.errors import Conflict, Forbidden
from celaje.common.wsgi import Request, Response
from celaje.common.wsgi.validation import refusal
from celaje.image import filters, patch, quota
from celaje.image.api import access, schemas
from celaje.image.api.view import image_view
from celaje.image.db import image_list, images, uploads
from celaje.image.errors import ImageNotFound, NotAllowed

Row = dict[str, Any]


def create(request: Request) -> Response:
    conf = request.service.conf
    image = _new_image(request)
    try:
        request.authorize(access.target_of(request, image))
    except Forbidden:
        if image["owner"] != request.context.project_id:
            raise NotAllowed(f"You are not permitted to create images owned by '{image['owner']}'") from None
        raise
    access.enforce_visibility(request, access.target_of(request, image), image["visibility"])
    _check_counts(conf, image)
    try:
        request.service.database.write(images.insert, image)
    except DuplicateRow:
        raise Conflict(f"Image ID {image['id']} already exists!") from None
    headers = {
        "Location": f"{request.base_url}/v2/images/{image['id']}",
        "OpenStack-image-store-ids": ",".join(request.service.stores),
    }
    if conf.enabled_import_methods:
        headers["OpenStack-image-import-methods"] = ",".join(conf.enabled_import_methods)
    return Response(image_view(image), headers=headers)


def _new_image(request: Request) -> Row:
    body = request.body
    for name in body:
        if name != "id":
            patch.check_name(name)
    if "locations" in body:
        raise NotAllowed("It's not allowed to set locations if locations are invisible.")
    now = clock.now()
    image: Row = {
        "id": body.get("id", "").lower() or clock.new_uuid(),
        "name": None,
        "status": "queued",
        "visibility": "shared",
        "owner": request.context.project_id,
        "disk_format": None,
        "container_format": None,
        "size": None,
        "virtual_size": None,
        "checksum": None,
        "os_hash_algo": None,
        "os_hash_value": None,
        "min_disk": 0,
        "min_ram": 0,
        "protected": False,
        "os_hidden": False,
        "stores": None,
        "flow_id": None,
        "created_at": now,
        "updated_at": now,
        "tags": [],
        "properties": {},
    }
    patch.apply(image, [patch.Change("add", name, value) for name, value in body.items() if name != "id"])
    _check_text(image)
    return image


def _check_text(image: Row) -> None:
    for text in (image["name"], image["owner"], *image["tags"]):
        if text is not None:
            access.refuse_nul(text, "A value")
    for name, value in image["properties"].items():
        access.refuse_nul(name, "A property's name")
        access.refuse_nul(value, "A property's value")
    for number in ("min_ram", "min_disk"):
        # A JSON number like 1.0 is an integer to the schema.
        image[number] = int(image[number])


def _check_counts(conf: Any, image: Row) -> None:
    quota.check_count("tags", len(image["tags"]), conf.image_tag_quota)
    quota.check_count("properties", len(image["properties"]), conf.image_property_quota)


def show(request: Request, image_id: str) -> Row:
    def query(tx: Transaction) -> Row:
        image = access.load(tx, request, image_id)
        access.enforce(request, image, "get_image")
        return image_view(image, _direct_url(tx, request, image))

    return request.service.database.read(query)


def _direct_url(tx: Transaction, request: Request, image: Row) -> str | None:
    if not request.service.conf.show_image_direct_url or not image["stores"]:
        return None
    if not request.allows("get_image_location", access.target_of(request, image)):
        return None
    found = images.locations(tx, [image["id"]])
    return found[0]["url"] if found else None


def index(request: Request) -> Row:
    conf = request.service.conf
    query = filters.parse(request.query_pairs)
    limit = min(conf.limit_param_default if query.limit is None else query.limit, conf.api_limit_max)

    def run(tx: Transaction) -> list[Row]:
        marker = None
        if query.marker is not None:
            try:
                marker = access.load(tx, request, query.marker)
            except ImageNotFound:
                raise MarkerNotFound(marker=query.marker[:64]) from None
        return image_list.find(
            tx,
            query,
            project_id=request.context.project_id,
            is_admin=request.context.is_admin,
            limit=limit,
            marker=marker,
        )

    found = request.service.database.read(run)
    shown = [image for image in found if request.allows("get_image", access.target_of(request, image))]
    pairs = [(key, value) for key, value in request.query_pairs if key != "marker"]
    body: Row = {"images": [image_view(image) for image in shown], "schema": "/v2/schemas/images"}
    body["first"] = f"/v2/images?{urlencode(pairs)}" if pairs else "/v2/images"
    if found and len(found) == limit:
        body["next"] = f"/v2/images?{urlencode([*pairs, ('marker', found[-1]['id'])])}"
    return body


def update(request: Request, image_id: str) -> Row:
    media = (request.http.content_type or "").partition(";")[0].strip().lower()
    changes = patch.parse(request.body, media)
    _check_values(request, changes)

    def unit(tx: Transaction) -> Row:
        image = access.load(tx, request, image_id, lock=True)
        before = dict(image, tags=list(image["tags"]), properties=dict(image["properties"]))
        _authorize(request, image, changes)
        patch.apply(image, changes)
        _check_text(image)
        _check_counts(request.service.conf, image)
        if changes:
            image["updated_at"] = clock.now()
            _save(tx, image, before)
        return image

    return image_view(request.service.database.write(unit))


def _check_values(request: Request, changes: list[patch.Change]) -> None:
    validator = request.service.image_validator
    for change in changes:
        value = {change.name: change.value}
        if change.operation != "remove" and change.name != "locations" and not validator.is_valid(value):
            raise refusal(schemas.create_body(request.service.conf), value, "image")


def validator(conf: Any) -> Any:
    return jsonschema_rs.validator_for(schemas.create_body(conf))


def _authorize(request: Request, image: Row, changes: list[patch.Change]) -> None:
    access.enforce(request, image, "modify_image")
    for change in changes:
        if change.name == "owner" and change.value != image["owner"] and not request.context.is_admin:
            raise NotAllowed("Owner can't be updated by non admin.")
        if change.name == "visibility" and change.operation != "remove":
            access.enforce_visibility(request, access.target_of(request, image), change.value)


def _save(tx: Transaction, image: Row, before: Row) -> None:
    columns = [name for name in patch.SETTABLE if name != "tags"]
    changed = {name: image[name] for name in columns if image[name] != before[name]}
    images.update(tx, image["id"], **changed)
    if image["tags"] != before["tags"]:
        images.set_tags(tx, image["id"], image["tags"])
    if image["properties"] != before["properties"]:
        images.set_properties(tx, image["id"], image["properties"])


def delete(request: Request, image_id: str) -> None:
    service = request.service

    def unit(tx: Transaction) -> None:
        image = access.load(tx, request, image_id, lock=True)
        access.enforce(request, image, "delete_image")
        if image["protected"]:
            raise NotAllowed(f"Image {image_id} is protected and cannot be deleted.")
        data = [[row["store"], row["url"]] for row in images.locations(tx, [image["id"]])]
        for row in uploads.of_image(tx, image["id"]):
            # Staged data is removed by its guard; data that still flows by the thread that receives it.
            if row["lease_until"] is None and row["id"] == row["flow_id"]:
                service.flows.signal(tx, row["flow_id"], "ended", {"lost": True})
        images.delete(tx, image["id"])
        if data:
            service.flows.submit(
                tx, "image.delete", resource=("image", image["id"]), arguments={"data": data}
            )

    service.database.write(unit)
