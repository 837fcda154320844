"""How volumes of a type are encrypted, and what of it a volume's user may see."""

from typing import Any

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.common.errors import Invalid
from celaje.common.wsgi import Request, Response
from celaje.volume import errors
from celaje.volume.api import lookup, schemas
from celaje.volume.api.volume_view import moment
from celaje.volume.db import attachments, encryptions, volumes

Row = dict[str, Any]

_PROPERTIES: dict[str, schemas.Schema] = {
    "key_size": {
        "type": ["string", "integer", "null"],
        "pattern": "^[0-9]+$",
        "minimum": 0,
        "maximum": schemas.LARGEST_INTEGER,
    },
    "provider": {"type": "string", "maxLength": 255},
    "control_location": {"enum": ["front-end", "back-end"]},
    "cipher": {"type": ["string", "null"], "maxLength": 255},
}
CREATE = schemas.wrapped(
    "encryption",
    {"type": "object", "properties": _PROPERTIES, "required": ["provider", "control_location"]},
)
UPDATE = schemas.wrapped("encryption", {"type": "object", "properties": _PROPERTIES})
# What both sides of a volume's encryption need to know of it; the key's id stands in the volume.
_OF_VOLUME = ("control_location", "cipher", "key_size", "provider")


def _asked(request: Request) -> Row:
    """What was given, with a key size as a number."""
    asked = dict(request.body["encryption"])
    if asked.get("key_size") is not None:
        asked["key_size"] = int(asked["key_size"])
        if asked["key_size"] > schemas.LARGEST_INTEGER:
            raise Invalid("key_size is too large.")
    return asked


def _refuse_when_used(tx: Transaction, type_id: str, verb: str) -> None:
    if volumes.with_type(tx, [type_id]):
        raise Invalid(f"Cannot {verb} encryption specs. Volume type in use.")


def _view(row: Row) -> Row:
    return {
        **row,
        "created_at": moment(row["created_at"]),
        "updated_at": moment(row["updated_at"]),
        "deleted": False,
        "deleted_at": None,
    }


def _find(request: Request, tx: Transaction, type_id: str) -> Row:
    lookup.volume_type(request, tx, type_id)
    row = encryptions.of_type(tx, type_id)
    return _view(row) if row is not None else {}


def index(request: Request, type_id: str) -> Row:
    """An empty object for a type whose volumes are plain."""
    return request.service.database.read(lambda tx: _find(request, tx, type_id))


def show(request: Request, type_id: str, encryption_id: str) -> Row:
    """One item; Cinder calls its name an id."""
    found = request.service.database.read(lambda tx: _find(request, tx, type_id))
    if encryption_id not in found:
        raise errors.VolumeTypeEncryptionNotFound(type_id=type_id)
    return {encryption_id: found[encryption_id]}


def create(request: Request, type_id: str) -> Row:
    asked = {**_asked(request), "volume_type_id": type_id, "encryption_id": clock.new_uuid()}

    def unit(tx: Transaction) -> None:
        _refuse_when_used(tx, type_id, "create")
        lookup.volume_type(request, tx, type_id)
        if encryptions.of_type(tx, type_id) is not None:
            raise errors.VolumeTypeEncryptionExists(type_id=type_id)
        columns = {key: asked.get(key) for key in ("volume_type_id", "encryption_id", *_PROPERTIES)}
        encryptions.insert_row(tx, {**columns, "created_at": clock.now()})

    request.service.database.write(unit)
    return {"encryption": asked}


def update(request: Request, type_id: str, encryption_id: str) -> Row:
    asked = _asked(request)

    def unit(tx: Transaction) -> None:
        lookup.volume_type(request, tx, type_id)
        _refuse_when_used(tx, type_id, "update")
        columns = {key: asked[key] for key in _PROPERTIES if key in asked}
        if not encryptions.change(tx, type_id, {**columns, "updated_at": clock.now()}):
            raise errors.VolumeTypeEncryptionNotFound(type_id=type_id)

    request.service.database.write(unit)
    return {"encryption": asked}


def delete(request: Request, type_id: str, encryption_id: str) -> Response:
    def unit(tx: Transaction) -> None:
        _refuse_when_used(tx, type_id, "delete")
        if not encryptions.remove(tx, type_id):
            raise errors.VolumeTypeEncryptionNotFound(type_id=type_id)

    request.service.database.write(unit)
    return Response(status=202)


def of_volume(request: Request, volume_id: str) -> Row:
    def query(tx: Transaction) -> Row:
        row = lookup.volume(request, tx, volume_id)
        shown: Row = {"encryption_key_id": row["encryption_key_id"]}
        kept = encryptions.of_type(tx, row["volume_type_id"])
        if kept is not None:
            shown |= {key: kept[key] for key in _OF_VOLUME}
        return shown

    return request.service.database.read(query)


def item_of_volume(request: Request, volume_id: str, key: str) -> Response:
    """The bare value as text, as Cinder sends it."""
    found = of_volume(request, volume_id)
    if key not in found:
        raise errors.MetadataKeyNotFound(key=key)
    value = found[key]
    return Response(text=b"" if value is None else str(value).encode(), content_type="text/plain")


def of_attachment(request: Request, attachment_id: str) -> Row:
    """What a hypervisor opens the volume with. Ours: Nova asks Barbican, which is not here. It is told to the
    service role only, and only while the volume is open to a host (see docs/decisions/0006)."""
    service = request.service

    def query(tx: Transaction) -> Row:
        attachment = attachments.get(tx, attachment_id)
        if attachment is None or attachment["connection_info"] is None:
            raise errors.VolumeAttachmentNotFound(filter=f"attachment_id = {attachment_id}")
        row = volumes.get(tx, attachment["volume_id"])
        if row is None or row["encryption_key_id"] is None:
            raise errors.VolumeAttachmentNotFound(filter=f"encrypted, attachment_id = {attachment_id}")
        kept = encryptions.of_type(tx, row["volume_type_id"]) or {}
        shown = {key: kept.get(key) for key in _OF_VOLUME}
        return {**shown, "passphrase": service.keys.passphrase(tx, row["encryption_key_id"])}

    return {"encryption": service.database.read(query)}
