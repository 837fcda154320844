"""Members: projects that a shared image is shared with; each says accepted or rejected for itself."""

from typing import Any

from celaje.common.db import DuplicateRow, Transaction
from celaje.common.errors import Conflict, Forbidden
from celaje.common.wsgi import Request
from celaje.image import quota
from celaje.image.api import access
from celaje.image.api.view import member_view
from celaje.image.db import images, members
from celaje.image.errors import MemberNotFound, NotAllowed

Row = dict[str, Any]

CREATE: Row = {
    "type": "object",
    "properties": {"member": {"type": "string", "minLength": 1, "maxLength": 255}},
    "required": ["member"],
}
UPDATE: Row = {
    "type": "object",
    "properties": {"status": {"enum": ["pending", "accepted", "rejected"]}},
    "required": ["status"],
}


def _shared(tx: Transaction, request: Request, image_id: str, *, lock: bool = False) -> Row:
    image = access.load(tx, request, image_id, lock=lock)
    if image["visibility"] != "shared":
        access.enforce(request, image, "get_image")
        raise NotAllowed("Only shared images have members.")
    return image


def create(request: Request, image_id: str) -> Row:
    member_id = access.refuse_nul(request.body["member"], "A member's id")

    def unit(tx: Transaction) -> Row:
        image = _shared(tx, request, image_id, lock=True)
        access.enforce(request, image, "add_member")
        if members.get(tx, image["id"], member_id):
            raise Conflict(f"Member {member_id} is duplicated for image {image_id}")
        count = members.count(tx, image["id"]) + 1
        quota.check_count("members", count, request.service.conf.image_member_quota)
        try:
            row = members.insert(tx, image["id"], member_id)
        except DuplicateRow:
            raise Conflict(f"Member {member_id} is duplicated for image {image_id}") from None
        images.update(tx, image["id"])
        return row

    return member_view(request.service.database.write(unit))


def index(request: Request, image_id: str) -> Row:
    def query(tx: Transaction) -> list[Row]:
        image = _shared(tx, request, image_id)
        access.enforce(request, image, "get_members")
        found = members.of_image(tx, image["id"])
        if request.context.is_admin or image["owner"] == request.context.project_id:
            return found
        # Whom else an image is shared with is not a member's business.
        return [row for row in found if row["member_id"] == request.context.project_id]

    found = request.service.database.read(query)
    return {"members": [member_view(row) for row in found], "schema": "/v2/schemas/members"}


def show(request: Request, image_id: str, member_id: str) -> Row:
    def query(tx: Transaction) -> Row:
        image = _shared(tx, request, image_id)
        try:
            access.enforce(request, image, "get_member")
        except Forbidden:
            raise MemberNotFound(member_id=member_id[:255], image_id=image_id) from None
        return _member(tx, request, image, member_id)

    return member_view(request.service.database.read(query))


def _member(tx: Transaction, request: Request, image: Row, member_id: str) -> Row:
    """A member sees itself only; the owner and an administrator see all."""
    asker = request.context
    sees = asker.is_admin or asker.project_id in (image["owner"], member_id)
    row = members.get(tx, image["id"], member_id) if sees else None
    if row is None:
        raise MemberNotFound(member_id=member_id[:255], image_id=image["id"])
    return row


def update(request: Request, image_id: str, member_id: str) -> Row:
    def unit(tx: Transaction) -> Row | None:
        image = _shared(tx, request, image_id)
        access.enforce(request, image, "get_member")
        row = _member(tx, request, image, member_id)
        # The rule compares the caller with the member that is changed: an owner cannot accept for others.
        request.authorize({**access.target_of(request, image), "member_id": row["member_id"]})
        members.set_status(tx, image["id"], member_id, request.body["status"])
        return members.get(tx, image["id"], member_id)

    changed = request.service.database.write(unit)
    assert changed is not None
    return member_view(changed)


def delete(request: Request, image_id: str, member_id: str) -> None:
    def unit(tx: Transaction) -> None:
        image = _shared(tx, request, image_id, lock=True)
        access.enforce(request, image, "delete_member")
        if not members.delete(tx, image["id"], member_id):
            raise MemberNotFound(member_id=member_id[:255], image_id=image_id)
        images.update(tx, image["id"])

    request.service.database.write(unit)
