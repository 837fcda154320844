"""Transfers: a project offers a volume, and whoever has the key takes it, with its snapshots if wanted.

Each operation is one transaction: nothing at the back end changes with a volume's owner.
"""

import hashlib
import hmac
from typing import Any

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.common.wsgi import Request, Response
from celaje.volume import errors
from celaje.volume.api import links, listing, lookup, schemas
from celaje.volume.api.volume_view import moment
from celaje.volume.db import snapshots, transfers, types, volumes
from celaje.volume.db.tables import TRANSFERS, VOLUMES
from celaje.volume.states import VOLUMES as STATES

Row = dict[str, Any]

_NAME = {"type": ["string", "null"], "minLength": 1, "maxLength": 255, "pattern": r"\S"}
_NEW: dict[str, schemas.Schema] = {"volume_id": schemas.UUID, "name": _NAME}
CREATE = schemas.wrapped("transfer", schemas.record(_NEW, ("volume_id",)))
CREATE_3_55 = schemas.wrapped(
    "transfer", schemas.record({**_NEW, "no_snapshots": schemas.BOOLEAN}, ("volume_id",))
)
ACCEPT = schemas.wrapped(
    "accept", schemas.record({"auth_key": {"type": ["string", "integer"]}}, ("auth_key",))
)
_KEY_LENGTH, _SALT_LENGTH = 16, 8

LISTING = listing.Listing(
    TRANSFERS,
    {key: key for key in ("id", "created_at", "name", "volume_id")} | {"display_name": "name"},
    {"name": listing.equals(TRANSFERS.c.name), "volume_id": listing.equals(TRANSFERS.c.volume_id)},
    {"project_id": listing.equals(TRANSFERS.c.project_id)},
    default_sort=("created_at", "asc"),
)
_restrict = listing.of_project(TRANSFERS)


def summary(request: Request, row: Row) -> Row:
    return {
        "id": row["id"],
        "volume_id": row["volume_id"],
        "name": row["name"],
        "links": links.of(request, "os-volume-transfer", row["id"]),
    }


def detailed(request: Request, row: Row) -> Row:
    shown = {**summary(request, row), "created_at": moment(row["created_at"])}
    if request.at_least(3, 55):
        shown["no_snapshots"] = row["no_snapshots"]
    if request.at_least(3, 57):
        # An accepted transfer is gone, so no shown one has a destination.
        shown |= {
            "source_project_id": row["project_id"],
            "destination_project_id": None,
            "accepted": False,
        }
    return shown


def index(request: Request) -> Row:
    return _listed(request, summary)


def detail(request: Request) -> Row:
    return _listed(request, detailed)


def _listed(request: Request, view: Any) -> Row:
    rows, beside = request.service.database.read(lambda tx: LISTING.read(request, tx, _restrict))
    body: Row = {"transfers": [view(request, row) for row in rows]}
    if "links" in beside:
        body["transfers_links"] = beside["links"]
    return body


def _find(request: Request, tx: Transaction, transfer_id: str) -> Row:
    tx.hold(TRANSFERS, transfer_id)
    row = transfers.get_of_project(tx, transfer_id, lookup.scope_of(request))
    if row is None:
        raise errors.TransferNotFound(transfer_id=transfer_id)
    request.authorize(lookup.target(row))
    return row


def show(request: Request, transfer_id: str) -> Row:
    row = request.service.database.read(lambda tx: _find(request, tx, transfer_id))
    return {"transfer": detailed(request, row)}


def create(request: Request) -> Row:
    asked = request.body["transfer"]
    no_snapshots = schemas.truth(asked.get("no_snapshots", False))
    name = asked.get("name")
    key, salt = clock.random_bytes(_KEY_LENGTH).hex()[:_KEY_LENGTH], clock.random_bytes(_SALT_LENGTH).hex()

    def unit(tx: Transaction) -> Row:
        volume = lookup.volume(request, tx, asked["volume_id"])
        with request.service.changes.told(tx, "volume.transfer.create", "volume", volume["id"]):
            _check_offer(request, tx, volume, no_snapshots)
        row: Row = {
            "id": clock.new_uuid(),
            "volume_id": volume["id"],
            "project_id": volume["project_id"],
            "name": name.strip() if name else name,
            "salt": salt,
            "digest": _digest(salt, key),
            "no_snapshots": no_snapshots,
            "created_at": clock.now(),
        }
        transfers.insert(tx, row)
        return row

    row = request.service.database.write(unit)
    return {"transfer": {**detailed(request, row), "auth_key": key}}


def _check_offer(request: Request, tx: Transaction, volume: Row, no_snapshots: bool) -> None:
    """The volume becomes awaiting-transfer, or the reason why not."""
    if volume["encryption_key_id"] is not None:
        if not request.at_least(3, 70):
            raise errors.InvalidVolume(reason="transferring encrypted volume is not supported")
        if no_snapshots:
            raise errors.InvalidVolume(
                reason="transferring an encrypted volume without its snapshots is not supported"
            )
    if volume["group_id"] is not None:
        raise errors.InvalidVolume(reason=f"Volume {volume['id']} must not be part of a group.")
    for snapshot in [] if no_snapshots else snapshots.of_volume(tx, volume["id"]):
        if snapshot["status"] != "available":
            raise errors.InvalidSnapshot(reason=f"snapshot: {snapshot['id']} status must be available")
    offered = STATES.move(
        tx, VOLUMES, volume["id"], "awaiting-transfer", sources=("available",), updated_at=clock.now()
    )
    if not offered:
        raise errors.InvalidVolume(reason="status must be available")


def accept(request: Request, transfer_id: str) -> Row:
    key = str(request.body["accept"]["auth_key"])

    def unit(tx: Transaction) -> Row:
        tx.hold(TRANSFERS, transfer_id)
        row = transfers.get(tx, transfer_id)
        if row is None:
            raise errors.TransferNotFound(transfer_id=transfer_id)
        if not hmac.compare_digest(_digest(row["salt"], key), row["digest"]):
            raise errors.InvalidAuthKey(reason=f"Attempt to transfer {transfer_id} with invalid auth key.")
        with request.service.changes.told(tx, "volume.transfer.accept", "volume", row["volume_id"]):
            _take(request, tx, row)
        return row

    row = request.service.database.write(unit)
    return {"transfer": summary(request, row)}


def _take(request: Request, tx: Transaction, row: Row) -> None:
    tx.hold(VOLUMES, row["volume_id"])
    volume = volumes.get(tx, row["volume_id"])
    if volume is None:
        raise errors.VolumeNotFound(volume_id=row["volume_id"])
    volume_type = types.get(tx, volume["volume_type_id"])
    assert volume_type is not None
    project_id, now = request.context.project_id or "", clock.now()
    with_it = [] if row["no_snapshots"] else snapshots.of_volume(tx, volume["id"])
    if project_id != volume["project_id"]:
        request.service.quotas.check(
            tx,
            project_id,
            volume_type,
            volumes=[volume["size"]],
            snapshots=[each["volume_size"] for each in with_it],
        )
    taken = STATES.move(
        tx,
        VOLUMES,
        volume["id"],
        "available",
        sources=("awaiting-transfer",),
        project_id=project_id,
        user_id=request.context.user_id,
        updated_at=now,
    )
    if not taken:
        raise errors.InvalidVolume(
            reason=f"Volume {volume['id']} status must be awaiting-transfer, it is {volume['status']}."
        )
    if volume["encryption_key_id"] is not None:
        request.service.keys.hand_over(tx, volume["encryption_key_id"], project_id)
    for each in with_it:
        snapshots.change(
            tx, each["id"], project_id=project_id, user_id=request.context.user_id, updated_at=now
        )
    transfers.remove(tx, row["id"])


def delete(request: Request, transfer_id: str) -> Response:
    """The volume stays where it is, and is available again."""

    def unit(tx: Transaction) -> None:
        row = _find(request, tx, transfer_id)
        with request.service.changes.told(tx, "volume.transfer.delete", "volume", row["volume_id"]):
            STATES.move(
                tx,
                VOLUMES,
                row["volume_id"],
                "available",
                sources=("awaiting-transfer",),
                updated_at=clock.now(),
            )
            transfers.remove(tx, transfer_id)

    request.service.database.write(unit)
    return Response(status=202)


def _digest(salt: str, key: str) -> str:
    return hmac.new(salt.encode(), key.encode(), hashlib.sha256).hexdigest()
