"""Tags of networks, subnets, ports, routers and the others: one set of handlers for all.

Source: Networking API v2.0, extension standard-attr-tag.
"""

from typing import Any

from celaje.common.db import Transaction
from celaje.common.wsgi import Request, Response
from celaje.network import errors
from celaje.network.api.collection import Collection, Row, retrying
from celaje.network.api.converters import BadValue, list_of, string
from celaje.network.db import tags

_TAG = string(255, empty=False)
_MOST = 50


class Tags:
    def __init__(self, collection: Collection):
        self._collection = collection

    def listing(self, request: Request, resource_id: str) -> dict[str, Any]:
        def read(tx: Transaction) -> list[str]:
            row = self._row(request, tx, resource_id, "get")
            return tags.of(tx, [row["id"]]).get(row["id"], [])

        return {"tags": request.service.database.read(read)}

    def show(self, request: Request, resource_id: str, tag: str) -> Response:
        if tag not in self.listing(request, resource_id)["tags"]:
            raise errors.TagNotFound(tag=tag[:64])
        return Response(status=204)

    def replace(self, request: Request, resource_id: str) -> dict[str, Any]:
        wanted = _read(request)

        def unit(tx: Transaction) -> list[str]:
            row = self._row(request, tx, resource_id, "update")
            tags.replace(tx, row["id"], wanted)
            self._collection.save(tx, row, {})
            return sorted(wanted)

        return {"tags": retrying(request.service, unit)}

    def add(self, request: Request, resource_id: str, tag: str) -> Response:
        wanted = _checked([tag])[0]

        def unit(tx: Transaction) -> None:
            row = self._row(request, tx, resource_id, "update")
            if len(tags.of(tx, [row["id"]]).get(row["id"], [])) >= _MOST:
                raise errors.HTTPBadRequest(f"A resource has at most {_MOST} tags")
            tags.add(tx, row["id"], wanted)
            self._collection.save(tx, row, {})

        retrying(request.service, unit)
        return Response(status=201)

    def remove(self, request: Request, resource_id: str, tag: str) -> Response:
        def unit(tx: Transaction) -> None:
            row = self._row(request, tx, resource_id, "update")
            if not tags.remove(tx, row["id"], tag):
                raise errors.TagNotFound(tag=tag[:64])
            self._collection.save(tx, row, {})

        retrying(request.service, unit)
        return Response(status=204)

    def clear(self, request: Request, resource_id: str) -> Response:
        def unit(tx: Transaction) -> None:
            row = self._row(request, tx, resource_id, "update")
            tags.forget(tx, row["id"])
            self._collection.save(tx, row, {})

        retrying(request.service, unit)
        return Response(status=204)

    def _row(self, request: Request, tx: Transaction, resource_id: str, verb: str) -> Row:
        row = self._collection.find(request, tx, resource_id)
        self._collection.authorize(request, tx, row, f"{verb}_{self._collection.resource.name}")
        return row


def _read(request: Request) -> list[str]:
    body = request.body
    if not isinstance(body, dict) or "tags" not in body:
        raise errors.HTTPBadRequest("Unable to find 'tags' in request body")
    return _checked(body["tags"])


def _checked(values: Any) -> list[str]:
    try:
        found = list_of(_TAG, distinct=False)(values)
    except BadValue as error:
        raise errors.HTTPBadRequest(f"Invalid input for tags. Reason: {error}.") from None
    if len(set(found)) > _MOST:
        raise errors.HTTPBadRequest(f"A resource has at most {_MOST} tags")
    return list(dict.fromkeys(found))
