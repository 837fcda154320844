"""QoS specs: limits that a front end or a back end holds for the volumes of the types that name them."""

from typing import Any

from celaje.common import clock
from celaje.common.db import DuplicateRow, Transaction
from celaje.common.errors import Invalid
from celaje.common.wsgi import Request, Response
from celaje.volume import errors
from celaje.volume.api import links, listing, lookup, schemas
from celaje.volume.db import qos, types
from celaje.volume.db.tables import QOS_SPECS

Row = dict[str, Any]

CREATE = schemas.wrapped(
    "qos_specs", {"type": "object", "properties": {"name": schemas.NAME}, "required": ["name"]}
)
UPDATE = schemas.wrapped("qos_specs", schemas.EXTRA_SPECS)
DELETE_KEYS = schemas.record(
    {
        "keys": {
            "type": "array",
            "items": {"type": "string", "minLength": 1, "maxLength": 255},
            "uniqueItems": True,
        }
    },
    ("keys",),
)
_CONSUMERS = ("front-end", "back-end", "both")

LISTING = listing.Listing(
    QOS_SPECS,
    {key: key for key in ("id", "name", "consumer", "created_at", "updated_at")},
    {
        "id": listing.equals(QOS_SPECS.c.id),
        "name": listing.equals(QOS_SPECS.c.name),
        "consumer": listing.equals(QOS_SPECS.c.consumer),
    },
    {},
)


def _view(row: Row) -> Row:
    return {key: row[key] for key in ("id", "name", "consumer", "specs")}


def _shown(request: Request, row: Row) -> Row:
    return {"qos_specs": _view(row), "links": links.of(request, "qos-specs", row["id"])}


def _find(tx: Transaction, qos_id: str) -> Row:
    row = qos.get(tx, qos_id)
    if row is None:
        raise errors.QosSpecsNotFound(specs_id=qos_id)
    return row


def index(request: Request) -> Row:
    rows, beside = request.service.database.read(lambda tx: LISTING.read(request, tx, lambda _: []))
    body: Row = {"qos_specs": [_view(row) for row in rows]}
    if "links" in beside:
        body["qos_specs_links"] = beside["links"]
    return body


def show(request: Request, qos_id: str) -> Row:
    return _shown(request, request.service.database.read(_find, qos_id))


def create(request: Request) -> Row:
    asked = dict(request.body["qos_specs"])
    name = asked.pop("name").strip()
    consumer = _consumer(asked.pop("consumer", "back-end"))
    row: Row = {
        "id": clock.new_uuid(),
        "name": name,
        "consumer": consumer,
        "specs": _plain(asked),
        "created_at": clock.now(),
    }

    def unit(tx: Transaction) -> None:
        if qos.exists(tx, name):
            raise errors.QosSpecsExists(specs_id=name)
        try:
            qos.insert(tx, row)
        except DuplicateRow:
            raise errors.QosSpecsExists(specs_id=name) from None

    request.service.database.write(unit)
    return _shown(request, row)


def update(request: Request, qos_id: str) -> Row:
    asked = dict(request.body["qos_specs"])

    def unit(tx: Transaction) -> None:
        row = _find(tx, qos_id)
        consumer = _consumer(asked.pop("consumer", row["consumer"]))
        specs = {**row["specs"], **_plain(asked)}
        qos.change(tx, qos_id, consumer=consumer, specs=specs, updated_at=clock.now())

    given = dict(asked)
    request.service.database.write(unit)
    return {"qos_specs": given}


def _consumer(value: Any) -> str:
    if value not in _CONSUMERS:
        raise errors.InvalidQosSpecs(
            reason=f"Valid consumer of QoS specs are: {', '.join(_CONSUMERS)}, not {str(value)[:64]}"
        )
    return value


def _plain(specs: Row) -> Row:
    """Keys and values as strings: what a driver or hypervisor is to read of them is its own business."""
    for key, value in specs.items():
        if not key or len(key) > 255 or isinstance(value, (dict, list)) or len(str(value)) > 255:
            raise errors.InvalidQosSpecs(reason=f"{key[:64]} must be a name with a plain value")
    return {key: value if value is None else str(value) for key, value in specs.items()}


def delete(request: Request, qos_id: str) -> Response:
    force = schemas.flag(request.query.get("force"), "force")

    def unit(tx: Transaction) -> None:
        _find(tx, qos_id)
        if not force and qos.types_of(tx, qos_id):
            raise Invalid("Qos specs still in use.")
        qos.disassociate(tx, qos_id)
        qos.remove(tx, qos_id)

    request.service.database.write(unit)
    return Response(status=202)


def delete_keys(request: Request, qos_id: str) -> Response:
    keys = request.body["keys"]

    def unit(tx: Transaction) -> None:
        row = _find(tx, qos_id)
        for key in keys:
            if key not in row["specs"]:
                raise errors.QosSpecsKeyNotFound(specs_id=qos_id, specs_key=key)
        left = {key: value for key, value in row["specs"].items() if key not in keys}
        qos.change(tx, qos_id, specs=left, updated_at=clock.now())

    request.service.database.write(unit)
    return Response(status=202)


def associations(request: Request, qos_id: str) -> Row:
    def query(tx: Transaction) -> list[Row]:
        _find(tx, qos_id)
        return qos.types_of(tx, qos_id)

    found = request.service.database.read(query)
    return {
        "qos_associations": [
            {"association_type": "volume_type", "name": row["name"], "id": row["id"]} for row in found
        ]
    }


def associate(request: Request, qos_id: str) -> Response:
    type_id = _type_in_query(request)

    def unit(tx: Transaction) -> None:
        _find(tx, qos_id)
        row = lookup.volume_type(request, tx, type_id)
        if row["qos_specs_id"] not in (None, qos_id):
            raise errors.InvalidVolumeType(
                reason=f"Type {type_id} is already associated with another qos specs: {row['qos_specs_id']}"
            )
        types.change(tx, type_id, qos_specs_id=qos_id, updated_at=clock.now())

    request.service.database.write(unit)
    return Response(status=202)


def disassociate(request: Request, qos_id: str) -> Response:
    type_id = _type_in_query(request)

    def unit(tx: Transaction) -> None:
        _find(tx, qos_id)
        lookup.volume_type(request, tx, type_id)
        qos.disassociate(tx, qos_id, type_id)

    request.service.database.write(unit)
    return Response(status=202)


def disassociate_all(request: Request, qos_id: str) -> Response:
    def unit(tx: Transaction) -> None:
        _find(tx, qos_id)
        qos.disassociate(tx, qos_id)

    request.service.database.write(unit)
    return Response(status=202)


def _type_in_query(request: Request) -> str:
    type_id = request.query.get("vol_type_id")
    if not type_id:
        raise Invalid("Volume Type id must not be None.")
    return type_id
