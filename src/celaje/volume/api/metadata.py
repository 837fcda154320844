"""Metadata of volumes and snapshots, and of the image that a volume was made from."""

import hashlib
from collections.abc import Callable
from typing import Any

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.common.errors import Invalid, PreconditionFailed
from celaje.common.wsgi import Request, Response
from celaje.volume import errors
from celaje.volume.api import lookup, schemas
from celaje.volume.db import snapshots, volumes

Row = dict[str, Any]

METADATA = schemas.wrapped("metadata", schemas.METADATA)
# One item: {"meta": {key: value}}.
ITEM = schemas.wrapped("meta", {**schemas.METADATA, "minProperties": 1, "maxProperties": 1})
_IMAGE_VALUE: schemas.Schema = {
    "type": "object",
    "patternProperties": {"^[a-zA-Z0-9-_:. /]{1,255}$": {"type": "string", "maxLength": 65535}},
    "additionalProperties": False,
}
SET_IMAGE = schemas.wrapped(
    "os-set_image_metadata", schemas.record({"metadata": _IMAGE_VALUE}, ("metadata",))
)
UNSET_IMAGE = schemas.wrapped(
    "os-unset_image_metadata",
    schemas.record({"key": {"type": "string", "minLength": 1, "maxLength": 255}}, ("key",)),
)


class MetadataOf:
    """The five operations on the `metadata` of one kind of resource. The handlers' last argument is the
    resource's id under whatever name the route gives it."""

    def __init__(
        self, load: Callable[[Request, Transaction, str], Row], change: Callable[..., None], etag: bool
    ):
        self._load = load
        self._change = change
        self._etag = etag

    def index(self, request: Request, **ids: str) -> Response | Row:
        row = request.service.database.read(lambda tx: self._load(request, tx, _only(ids)))
        return self._answer(request, row["metadata"])

    def create(self, request: Request, **ids: str) -> Response | Row:
        """Adds to what there is."""
        given = request.body["metadata"]
        return self._answer(request, self._write(request, _only(ids), lambda old: {**old, **given}))

    def replace(self, request: Request, **ids: str) -> Response | Row:
        given = request.body["metadata"]
        return self._answer(request, self._write(request, _only(ids), lambda old: given))

    def show_item(self, request: Request, key: str, **ids: str) -> Row:
        row = request.service.database.read(lambda tx: self._load(request, tx, _only(ids)))
        if key not in row["metadata"]:
            raise errors.MetadataKeyNotFound(key=key)
        return {"meta": {key: row["metadata"][key]}}

    def update_item(self, request: Request, key: str, **ids: str) -> Row:
        given = request.body["meta"]
        if key not in given:
            raise Invalid("Request body and URI mismatch")
        self._write(request, _only(ids), lambda old: {**old, **given})
        return {"meta": given}

    def delete_item(self, request: Request, key: str, **ids: str) -> Response:
        def without(old: Row) -> Row:
            if key not in old:
                raise errors.MetadataKeyNotFound(key=key)
            return {name: value for name, value in old.items() if name != key}

        self._write(request, _only(ids), without)
        return Response(status=200)

    def _write(self, request: Request, row_id: str, new: Callable[[Row], Row]) -> Row:
        def unit(tx: Transaction) -> Row:
            row = self._load(request, tx, row_id)
            self._check_etag(request, row["metadata"])
            metadata = new(row["metadata"])
            self._change(tx, row_id, metadata=metadata, updated_at=clock.now())
            return metadata

        return request.service.database.write(unit)

    def _check_etag(self, request: Request, metadata: Row) -> None:
        """If-Match, since 3.15: somebody else's change in between is refused."""
        expected = request.header("If-Match")
        if self._etag and expected and request.at_least(3, 15) and expected.strip('"') != _etag(metadata):
            raise PreconditionFailed("The metadata was changed meanwhile (its ETag is another).")

    def _answer(self, request: Request, metadata: Row) -> Response | Row:
        body = {"metadata": metadata}
        if self._etag and request.at_least(3, 15):
            return Response(body, headers={"Etag": _etag(metadata)})
        return body


def _etag(metadata: Row) -> str:
    text = "\n".join(f"{key}\t{value}" for key, value in sorted(metadata.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _only(ids: dict[str, str]) -> str:
    (found,) = ids.values()
    return found


OF_VOLUMES = MetadataOf(lookup.volume, volumes.change, etag=True)
OF_SNAPSHOTS = MetadataOf(lookup.snapshot, snapshots.change, etag=False)


def show_image(request: Request, volume_id: str) -> Row:
    row = request.service.database.read(lambda tx: lookup.volume(request, tx, volume_id))
    return {"metadata": row["image_metadata"] or {}}


def set_image(request: Request, volume_id: str) -> Row:
    given = request.body["os-set_image_metadata"]["metadata"]

    def unit(tx: Transaction) -> Row:
        row = lookup.volume(request, tx, volume_id)
        metadata = {**(row["image_metadata"] or {}), **given}
        volumes.change(tx, volume_id, image_metadata=metadata, updated_at=clock.now())
        return {"metadata": metadata}

    return request.service.database.write(unit)


def unset_image(request: Request, volume_id: str) -> Response:
    key = request.body["os-unset_image_metadata"]["key"]

    def unit(tx: Transaction) -> None:
        row = lookup.volume(request, tx, volume_id)
        metadata = dict(row["image_metadata"] or {})
        if key not in metadata:
            raise errors.MetadataKeyNotFound(key=key)
        del metadata[key]
        volumes.change(tx, volume_id, image_metadata=metadata, updated_at=clock.now())

    request.service.database.write(unit)
    return Response(status=200)
