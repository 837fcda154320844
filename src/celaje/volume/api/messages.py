"""User messages (since 3.3): why an operation failed after it was accepted."""

from typing import Any

from celaje.common.db import Transaction
from celaje.common.wsgi import Request, Response
from celaje.volume import errors
from celaje.volume.api import listing, lookup
from celaje.volume.api.volume_view import moment
from celaje.volume.db import messages
from celaje.volume.db.tables import MESSAGES

Row = dict[str, Any]

LISTING = listing.Listing(
    MESSAGES,
    {
        "id": "id",
        "created_at": "created_at",
        "guaranteed_until": "expires_at",
        "resource_type": "resource_type",
        "resource_uuid": "resource_uuid",
        "message_level": "message_level",
        "request_id": "request_id",
        "event_id": "action_id",
    },
    {
        "resource_uuid": listing.equals(MESSAGES.c.resource_uuid),
        "resource_type": listing.equals(MESSAGES.c.resource_type),
        "request_id": listing.equals(MESSAGES.c.request_id),
        "message_level": listing.equals(MESSAGES.c.message_level),
        "event_id": lambda value, request: (
            (MESSAGES.c.resource_type + "_" + MESSAGES.c.action_id + "_" + MESSAGES.c.detail_id)
            == value.removeprefix("VOLUME_")
        ),
    },
    {"project_id": listing.equals(MESSAGES.c.project_id)},
    resource="message",
)
_restrict = listing.of_project(MESSAGES)


def _view(request: Request, row: Row) -> Row:
    base = f"{request.base_url}/v3/{request.context.project_id}/messages/{row['id']}"
    bookmark = f"{request.base_url}/{request.context.project_id}/messages/{row['id']}"
    return {
        "id": row["id"],
        "event_id": f"VOLUME_{row['resource_type']}_{row['action_id']}_{row['detail_id']}",
        "user_message": messages.words(row, with_cause=request.context.is_admin),
        "message_level": row["message_level"],
        "created_at": moment(row["created_at"]),
        "guaranteed_until": moment(row["expires_at"]),
        "request_id": row["request_id"],
        "links": [{"rel": "self", "href": base}, {"rel": "bookmark", "href": bookmark}],
        "resource_type": row["resource_type"],
        "resource_uuid": row["resource_uuid"],
    }


def index(request: Request) -> Row:
    rows, beside = request.service.database.read(lambda tx: LISTING.read(request, tx, _restrict))
    body: Row = {"messages": [_view(request, row) for row in rows]}
    if "links" in beside:
        body["messages_links"] = beside["links"]
    return body


def _find(request: Request, tx: Transaction, message_id: str) -> Row:
    row = messages.get(tx, message_id)
    scope = lookup.scope_of(request)
    if row is None or (scope is not None and row["project_id"] != scope):
        raise errors.MessageNotFound(message_id=message_id)
    request.authorize(lookup.target(row))
    return row


def show(request: Request, message_id: str) -> Row:
    row = request.service.database.read(lambda tx: _find(request, tx, message_id))
    return {"message": _view(request, row)}


def delete(request: Request, message_id: str) -> Response:
    def unit(tx: Transaction) -> None:
        messages.remove(tx, _find(request, tx, message_id)["id"])

    request.service.database.write(unit)
    return Response(status=204)
