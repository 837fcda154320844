"""Deactivate and reactivate an image."""

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.common.wsgi import Request
from celaje.image.api import access
from celaje.image.db.tables import IMAGES
from celaje.image.errors import NotAllowed
from celaje.image.states import IMAGE


def deactivate(request: Request, image_id: str) -> None:
    _turn(request, image_id, "active", "deactivated")


def reactivate(request: Request, image_id: str) -> None:
    _turn(request, image_id, "deactivated", "active")


def _turn(request: Request, image_id: str, source: str, goal: str) -> None:
    def unit(tx: Transaction) -> None:
        image = access.load(tx, request, image_id, lock=True)
        access.enforce(request, image, request.route.rule if request.route and request.route.rule else "")
        if image["status"] == goal:
            return
        if not IMAGE.move(tx, IMAGES, image["id"], goal, sources={source}, updated_at=clock.now()):
            word = "Deactivating" if goal == "deactivated" else "Reactivating"
            raise NotAllowed(f"{word} image in status '{image['status']}' is not allowed.")

    request.service.database.write(unit)
