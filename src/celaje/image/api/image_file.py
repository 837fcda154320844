"""An image's data: PUT (to the store, or staged for an import) and GET, and where it lies."""

import re
from collections.abc import Iterator
from typing import Any

from celaje.common.db import Transaction
from celaje.common.errors import Invalid, TooLarge, UnsupportedMediaType
from celaje.common.wsgi import Request, Response
from celaje.common.wsgi.broken_off import broken_off
from celaje.image import quota
from celaje.image.api import access, choices
from celaje.image.db import images
from celaje.image.errors import NotAllowed, RangeNotSatisfiable
from celaje.image.stores.base import Reading, Store
from celaje.image.uploads import Checked, Upload

_CHUNK = 256 * 1024
_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)")


class Truncated(Invalid):
    text = "The image's data ended after {found} bytes, {expected} were announced."


class BrokenOff(Invalid):
    text = "The connection broke off after {found} bytes of the image's data."


def upload(request: Request, image_id: str) -> None:
    service = request.service
    store = service.stores.by_name[choices.store_of(request)]
    image, upload, limit, size = _begin(request, image_id, "image.upload", store)

    def receive() -> None:
        checked = Checked(
            _chunks(request, size), image, strict=service.conf.image_format.require_image_format_match
        )
        stored = store.write(upload.id, checked, limit, size=size)

        def finish(tx: Transaction) -> None:
            quota.check_storage(tx, service.conf, image["owner"], stored.size)
            service.uploads.activate(tx, upload, stored, checked.virtual_size)

        _commit(service, upload, finish)

    _guarded(service, upload, receive)


def stage(request: Request, image_id: str) -> None:
    service = request.service
    store = service.staging
    _, upload, limit, size = _begin(request, image_id, "image.stage", store)

    def receive() -> None:
        stored = store.write(upload.id, _chunks(request, size), limit, size=size)
        _commit(service, upload, lambda tx: service.uploads.staged(tx, upload, stored))

    _guarded(service, upload, receive)


def _begin(
    request: Request, image_id: str, flow: str, store: Store
) -> tuple[dict[str, Any], Upload, int, int | None]:
    service = request.service
    media = (request.http.content_type or "").partition(";")[0].strip().lower()
    if media != "application/octet-stream":
        raise UnsupportedMediaType(content_type=media or "(none)")
    size = _announced(request)
    limits = service.limits.of(request.context.project_id)

    def unit(tx: Transaction) -> tuple[dict[str, Any], Upload, int]:
        image = access.load(tx, request, image_id, lock=True)
        access.enforce(request, image, "upload_image" if flow == "image.upload" else "modify_image")
        missing = [name for name in ("disk_format", "container_format") if image[name] is None]
        if missing and flow == "image.upload":
            raise Invalid(f"Properties {', '.join(missing)} must be set prior to saving data.")
        # Glance counts it against who asks.
        total = "image_size_total" if flow == "image.upload" else "image_stage_total"
        quota.enforce(tx, limits, request.context.project_id, **{total: 0, "image_count_uploading": 0})
        limit = quota.room(tx, service.conf, image["owner"])
        if size is not None and size > limit:
            raise TooLarge(f"The incoming image is too large: {size} bytes, at most {limit} are accepted.")
        return image, service.uploads.begin(tx, flow, image, store), limit

    image, upload, limit = service.database.write(unit)
    return image, upload, limit, size


def _announced(request: Request) -> int | None:
    """How many bytes will come: Content-Length, or for a chunked body X-OpenStack-Image-Size, if given."""
    # Where neither is given, `_chunks` looks after the connection at the end.
    coming = request.http.content_length
    text = request.header("X-OpenStack-Image-Size")
    if text is None:
        return coming
    if not (text.isascii() and text.isdigit()) or len(text) > 18:
        raise Invalid("X-OpenStack-Image-Size must be a number of bytes.")
    if coming is not None and coming != int(text):
        raise Truncated(found=coming, expected=int(text))
    return int(text)


def _chunks(request: Request, size: int | None) -> Iterator[bytes]:
    stream = request.stream
    found = 0
    while True:
        try:
            chunk = stream.read(_CHUNK)
        except OSError as error:
            raise Invalid(f"The image's data could not be received: {error}") from error
        if not chunk:
            break
        found += len(chunk)
        yield chunk
    if size is not None and found != size:
        raise Truncated(found=found, expected=size)
    if size is None and broken_off(request.http.env, found):
        raise BrokenOff(found=found)


def _guarded(service: Any, upload: Upload, receive: Any) -> None:
    service.uploads.watch(upload)
    try:
        receive()
    except Exception:
        service.database.write(service.uploads.give_back, upload)
        raise
    finally:
        service.uploads.unwatch(upload)


def _commit(service: Any, upload: Upload, finish: Any) -> None:
    try:
        service.database.write(finish)
    except Exception:
        service.conductor.remove_abandoned(upload.store.name, upload.id)
        raise


def download(request: Request, image_id: str) -> Response:
    def query(tx: Transaction) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        image = access.load(tx, request, image_id)
        if image["status"] == "deactivated" and not request.context.is_admin:
            raise NotAllowed("The requested image has been deactivated. Image data download is forbidden.")
        access.enforce(request, image, "download_image")
        return image, images.locations(tx, [image["id"]])

    image, locations = request.service.database.read(query)
    if not locations:
        return Response(status=204)
    size = image["size"]
    part = None if size is None else _range(request, size)
    offset, length = part or (0, size)
    reading = _read(request.service, image["id"], locations, offset, length if part else None)
    headers = {"Accept-Ranges": "bytes"}
    if reading.length is not None:
        headers["Content-Length"] = str(reading.length)
    if image["checksum"]:
        headers["Content-MD5"] = image["checksum"]
    if part:
        headers["Content-Range"] = f"bytes {offset}-{offset + part[1] - 1}/{size}"
    return Response(
        stream=reading,
        headers=headers,
        status=206 if part else 200,
        content_type="application/octet-stream",
    )


def _read(
    service: Any, image_id: str, locations: list[dict[str, Any]], offset: int, length: int | None
) -> Reading:
    cache = service.cache
    if cache is None:
        return service.stores.read(locations, offset, length)
    cached = cache.read(image_id, offset, length)
    if cached is not None:
        return cached
    if service.stores.remote(locations):
        cache.queue(image_id)
    return service.stores.read(locations, offset, length)


def _range(request: Request, size: int) -> tuple[int, int] | None:
    """(offset, length) of the one range asked for; RFC 9110, 14.2. Glance also takes Content-Range."""
    text = request.header("Range")
    if text:
        if "," in text:
            raise Invalid("Several ranges in one request are not supported; ask for each by itself.")
        match = _RANGE.fullmatch(text.strip())
        if match is None or not (match[1] or match[2]):
            raise RangeNotSatisfiable(size=size)
        if not match[1]:
            first, last = max(0, size - int(match[2])), size - 1
        else:
            first, last = int(match[1]), min(int(match[2]) if match[2] else size - 1, size - 1)
    elif request.header("Content-Range"):
        match = _CONTENT_RANGE.fullmatch((request.header("Content-Range") or "").strip())
        if match is None:
            raise RangeNotSatisfiable(size=size)
        first, last = int(match[1]), min(int(match[2]), size - 1)
    else:
        return None
    if first > last or first >= size:
        raise RangeNotSatisfiable(size=size)
    return first, last - first + 1
