"""Which images a caller sees, and what a policy rule says about one. Called by every handler of an image.

An image that the caller may not see is not found, whatever is asked of it; one that is seen but not the
caller's to change is forbidden. That is Glance's way.
"""

import re
from typing import Any

from celaje.common.db import Transaction
from celaje.common.errors import Forbidden, Invalid
from celaje.common.wsgi import Request
from celaje.image.db import images, members
from celaje.image.errors import ImageNotFound

UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def load(tx: Transaction, request: Request, image_id: str, *, lock: bool = False) -> dict[str, Any]:
    """The image, with `shared_with_caller`. Raises ImageNotFound for one that the caller does not see."""
    image = images.get(tx, image_id, lock=lock) if UUID.fullmatch(image_id) else None
    if image is None:
        raise ImageNotFound(image_id=image_id[:64])
    image["shared_with_caller"] = _is_member(tx, request, image)
    if not _visible(request, image):
        raise ImageNotFound(image_id=image_id)
    return image


def enforce(request: Request, image: dict[str, Any], rule: str) -> None:
    """Raises Forbidden, or ImageNotFound when the caller may not even show the image."""
    target = target_of(request, image)
    try:
        request.authorize(target, rule)
    except Forbidden:
        if rule == "get_image" or not request.allows("get_image", target):
            raise ImageNotFound(image_id=image["id"]) from None
        raise


def target_of(request: Request, image: dict[str, Any]) -> dict[str, Any]:
    shared = image.get("shared_with_caller")
    return {
        "project_id": image["owner"],
        "owner": image["owner"],
        "visibility": image["visibility"],
        "member_id": request.context.project_id if shared else "",
        "user_id": request.context.user_id,
    }


def enforce_visibility(request: Request, target: dict[str, Any], visibility: str) -> None:
    """Public and community have rules of their own."""
    if visibility == "public":
        request.authorize(target, "publicize_image")
    elif visibility == "community":
        request.authorize(target, "communitize_image")


def refuse_nul(text: str, what: str) -> str:
    """Not every database stores NUL in text; it has no business in a name either."""
    if "\0" in text or (not text.isprintable() and _unencodable(text)):
        raise Invalid(f"{what} contains characters that cannot be stored.")
    return text


def _unencodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _is_member(tx: Transaction, request: Request, image: dict[str, Any]) -> bool:
    project = request.context.project_id
    if image["visibility"] != "shared" or project is None or image["owner"] == project:
        return False
    return members.get(tx, image["id"], project) is not None


def _visible(request: Request, image: dict[str, Any]) -> bool:
    if request.context.is_admin or image["owner"] is None:
        return True
    if image["visibility"] in ("public", "community"):
        return True
    return image["owner"] == request.context.project_id or image["shared_with_caller"]
