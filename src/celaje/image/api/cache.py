"""The image cache of the host that answers: what is in it, and what shall be."""

from typing import Any

from celaje.common.db import Transaction
from celaje.common.errors import Invalid, NotFound
from celaje.common.wsgi import Request
from celaje.image.api import access
from celaje.image.cache import ImageCache

Row = dict[str, Any]


def _cache(request: Request) -> ImageCache:
    cache = request.service.cache
    if cache is None:
        raise NotFound("Caching via API is not supported at this site.")
    return cache


def index(request: Request) -> Row:
    found = _cache(request).entries()
    cached = [
        {
            "image_id": row["image_id"],
            "hits": row["hits"],
            "last_accessed": row["last_accessed"].timestamp(),
            "last_modified": row["last_modified"].timestamp(),
            "size": row["size"],
        }
        for row in found
        if row["cached"]
    ]
    return {"cached_images": cached, "queued_images": [row["image_id"] for row in found if not row["cached"]]}


def queue(request: Request, image_id: str) -> None:
    cache = _cache(request)
    image = _load(request, image_id)
    if image["status"] != "active":
        raise Invalid("Only images with status active can be targeted for queueing")
    cache.queue(image["id"])


def delete(request: Request, image_id: str) -> None:
    cache = _cache(request)
    cache.remove(_load(request, image_id)["id"])


def _load(request: Request, image_id: str) -> Row:
    def query(tx: Transaction) -> Row:
        return access.load(tx, request, image_id)

    return request.service.database.read(query)


def clear(request: Request) -> None:
    cache = _cache(request)
    target = (request.header("X-Image-Cache-Clear-Target") or "").lower()
    if target not in ("", "cache", "queue"):
        raise Invalid("If provided 'x-image-cache-clear-target' must be 'cache', 'queue' or empty string.")
    cache.clear(cached=target != "queue", queued=target != "cache")
