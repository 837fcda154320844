"""Images: create, show, list, change, delete. Called through `routes.py`."""

from typing import Any
from urllib.parse import urlencode

import jsonschema_rs

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.common.db.paging import MarkerNotFound
from celaje.common.errors import Forbidden, UnsupportedMediaType
from celaje.common.wsgi import Request, Response
from celaje.common.wsgi.validation import refusal
from celaje.image import filters, patch, quota
from celaje.image.api import access, info, locations, schemas
from celaje.image.api.view import image_view
from celaje.image.db import image_list, images, uploads
from celaje.image.errors import ImageNotFound, NotAllowed, ReservedAttribute

Row = dict[str, Any]


def create(request: Request) -> Response:
    conf = request.service.conf
    image = new_image(request, request.body)
    try:
        request.authorize(access.target_of(request, image))
    except Forbidden:
        if image["owner"] != request.context.project_id:
            raise NotAllowed(f"You are not permitted to create images owned by '{image['owner']}'") from None
        raise
    access.enforce_visibility(request, access.target_of(request, image), image["visibility"])
    _check_counts(conf, image)
    request.service.protections.check_change(request, {}, image["properties"])
    limits = request.service.limits.of(image["owner"])

    def unit(tx: Transaction) -> Row:
        quota.enforce(tx, limits, image["owner"], image_count_total=1)
        images.insert(tx, image)
        return _shown(tx, request, image["id"])

    view = request.service.database.write(unit)
    service = request.service
    headers = {
        "Location": f"{request.base_url}/v2/images/{image['id']}",
        "OpenStack-image-store-ids": ",".join(store.name for store in service.stores.shown),
    }
    if info.offered(service):
        headers["OpenStack-image-import-methods"] = ",".join(info.offered(service))
    return Response(view, headers=headers)


def _shown(tx: Transaction, request: Request, image_id: str) -> Row:
    """As it is now, in the transaction that changed it."""
    image = images.get(tx, image_id)
    assert image is not None
    return _view(request, image, *_places(tx, request, image))


def new_image(request: Request, body: Row) -> Row:
    """A queued image's row with tags and properties. Raises Forbidden for what only the service sets."""
    for name in body:
        if name == "locations":
            # By JSON patch, or POST locations.
            raise ReservedAttribute(name=name)
        if name != "id":
            patch.check_name(name)
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
    own = [name for name in image["properties"] if not name.startswith(patch.RESERVED_PREFIX)]
    quota.check_count("properties", len(own), conf.image_property_quota)


def _view(request: Request, image: Row, *places: Any) -> Row:
    """With the properties that the caller may read."""
    return image_view(request.service.protections.shown(request, image), *places)


def _barred(request: Request, image: Row) -> bool:
    """Where the data of a deactivated image lies is told to administrators only, as its data is."""
    return bool(image["status"] == "deactivated" and not request.context.is_admin)


def show(request: Request, image_id: str) -> Row:
    def query(tx: Transaction) -> Row:
        image = access.load(tx, request, image_id)
        access.enforce(request, image, "get_image")
        return _view(request, image, *_places(tx, request, image))

    return request.service.database.read(query)


def _places(tx: Transaction, request: Request, image: Row) -> tuple[str | None, list[Row] | None]:
    """direct_url and locations, each where the operator shows it and the caller may see it."""
    direct = request.service.conf.show_image_direct_url and image["stores"]
    if not direct and not request.service.conf.show_multiple_locations:
        return None, None
    if _barred(request, image) or not request.allows("get_image_location", access.target_of(request, image)):
        return None, [] if request.service.conf.show_multiple_locations else None
    return _chosen(request, images.locations(tx, [image["id"]]))


def _chosen(request: Request, found: list[Row]) -> tuple[str | None, list[Row] | None]:
    conf = request.service.conf
    best = request.service.stores.by_weight(found)
    direct = best[0]["url"] if conf.show_image_direct_url and best else None
    return direct, [locations.view(row) for row in found] if conf.show_multiple_locations else None


def index(request: Request) -> Row:
    conf = request.service.conf
    query = filters.parse(request.query_pairs)
    limit = min(conf.limit_param_default if query.limit is None else query.limit, conf.api_limit_max)

    def run(tx: Transaction) -> tuple[list[Row], dict[str, list[Row]]]:
        marker = None
        if query.marker is not None:
            try:
                marker = access.load(tx, request, query.marker)
            except ImageNotFound:
                raise MarkerNotFound(marker=query.marker[:64]) from None
        found = image_list.find(
            tx,
            query,
            project_id=request.context.project_id,
            is_admin=request.context.is_admin,
            limit=limit,
            marker=marker,
        )
        places: dict[str, list[Row]] = {}
        if conf.show_image_direct_url or conf.show_multiple_locations:
            places = {image["id"]: [] for image in found}
            for row in images.locations(tx, list(places)):
                places[row["image_id"]].append(row)
        return found, places

    found, places = request.service.database.read(run)
    shown = [image for image in found if request.allows("get_image", access.target_of(request, image))]
    pairs = [(key, value) for key, value in request.query_pairs if key != "marker"]
    views = (
        [_listed(request, image, places) for image in shown]
        if places
        else [_view(request, image) for image in shown]
    )
    body: Row = {"images": views, "schema": "/v2/schemas/images"}
    body["first"] = f"/v2/images?{urlencode(pairs)}" if pairs else "/v2/images"
    if found and len(found) == limit:
        body["next"] = f"/v2/images?{urlencode([*pairs, ('marker', found[-1]['id'])])}"
    return body


def _listed(request: Request, image: Row, places: dict[str, list[Row]]) -> Row:
    allowed = request.allows("get_image_location", access.target_of(request, image))
    allowed = allowed and not _barred(request, image)
    return _view(request, image, *_chosen(request, places[image["id"]] if allowed else []))


def update(request: Request, image_id: str) -> Row:
    media = (request.http.content_type or "").partition(";")[0].strip().lower()
    if media not in (patch.MEDIA, patch.MEDIA_OLD):
        raise UnsupportedMediaType(content_type=media or "(none)")
    changes = patch.parse(request.body, media)
    _check_values(request, changes)
    known = locations.measured(request, changes)

    def unit(tx: Transaction) -> Row:
        image = access.load(tx, request, image_id, lock=True)
        before = dict(image, tags=list(image["tags"]), properties=dict(image["properties"]))
        _authorize(request, image, changes)
        patch.apply(image, changes)
        _check_text(image)
        _check_counts(request.service.conf, image)
        request.service.protections.check_change(
            request, before["properties"], image["properties"], [change.name for change in changes]
        )
        if changes:
            image["updated_at"] = clock.now()
            _save(tx, image, before)
            for change in changes:
                if change.name == "locations":
                    locations.apply(tx, request, image, change, known)
        return _shown(tx, request, image["id"])

    return request.service.database.write(unit)


def _check_values(request: Request, changes: list[patch.Change]) -> None:
    validator = request.service.image_validator
    for change in changes:
        value = {change.name: [change.value] if change.part is not None else change.value}
        if change.operation != "remove" and not validator.is_valid(value):
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
    if service.cache is not None:
        service.cache.remove(image_id)
