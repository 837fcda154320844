"""Tags of an image, one at a time."""

from celaje.common.db import Transaction
from celaje.common.errors import Invalid
from celaje.common.wsgi import Request
from celaje.image import quota
from celaje.image.api import access
from celaje.image.db import images
from celaje.image.errors import TagNotFound


def add(request: Request, image_id: str, tag: str) -> None:
    _check(tag)

    def unit(tx: Transaction) -> None:
        image = access.load(tx, request, image_id, lock=True)
        access.enforce(request, image, "modify_image")
        if tag in image["tags"]:
            return
        quota.check_count("tags", len(image["tags"]) + 1, request.service.conf.image_tag_quota)
        images.add_tags(tx, image["id"], [tag])
        images.update(tx, image["id"])

    request.service.database.write(unit)


def remove(request: Request, image_id: str, tag: str) -> None:
    _check(tag)

    def unit(tx: Transaction) -> None:
        image = access.load(tx, request, image_id, lock=True)
        access.enforce(request, image, "modify_image")
        if not images.remove_tag(tx, image["id"], tag):
            raise TagNotFound(tag=tag, image_id=image["id"])
        images.update(tx, image["id"])

    request.service.database.write(unit)


def _check(tag: str) -> None:
    access.refuse_nul(tag, "A tag")
    if len(tag) > 255:
        raise Invalid("A tag has at most 255 characters.")
