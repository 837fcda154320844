"""Queries on attachments, and what they say about their volume's state. Called by API and conductor."""

import datetime
from collections.abc import Iterable
from typing import Any

from sqlalchemy import bindparam, select, update

from celaje.common import clock
from celaje.common.db import Prepared, Transaction, fetch_all
from celaje.volume.db.rows import Row, Rows
from celaje.volume.db.tables import ATTACHMENTS, VOLUMES
from celaje.volume.states import STEADY
from celaje.volume.states import VOLUMES as VOLUME_STATES

_rows = Rows(ATTACHMENTS)
get, get_of_project = _rows.get, _rows.get_of_project
insert, change, remove = _rows.insert, _rows.change, _rows.remove

_of_volume = Prepared(
    select(ATTACHMENTS)
    .where(ATTACHMENTS.c.volume_id == bindparam("volume"))
    .order_by(ATTACHMENTS.c.created_at, ATTACHMENTS.c.id)
)
_hold = Prepared(
    update(ATTACHMENTS)
    .where(
        ATTACHMENTS.c.id == bindparam("row"),
        ATTACHMENTS.c.flow_id.is_(None),
        ATTACHMENTS.c.attach_status.in_(("reserved", "attaching", "attached")),
    )
    .values(flow_id=bindparam("holder"), connector=bindparam("link", type_=ATTACHMENTS.c.connector.type))
)

_volume_of = select(ATTACHMENTS.c.volume_id).where(ATTACHMENTS.c.id == bindparam("row"))
_hold_volume_of = select(VOLUMES.c.id).where(VOLUMES.c.id == _volume_of.scalar_subquery()).with_for_update()


def hold_volume_of(tx: Transaction, attachment_id: str) -> None:
    """Before the attachment is read or changed: who decides by all attachments of a volume, or settles its
    state by them, holds the volume, and all take it first, so that no two wait for each other."""
    if tx.holds:
        tx.execute(_hold_volume_of, {"row": attachment_id})


def of_volume(tx: Transaction, volume_id: str) -> list[Row]:
    return _of_volume.all(tx, volume=volume_id)


def of_volumes(tx: Transaction, volume_ids: Iterable[str]) -> dict[str, list[Row]]:
    """The attached ones of several volumes, for their views: one query."""
    found: dict[str, list[Row]] = {}
    wanted = list(volume_ids)
    for start in range(0, len(wanted), 500):
        statement = (
            select(ATTACHMENTS)
            .where(
                ATTACHMENTS.c.volume_id.in_(wanted[start : start + 500]),
                ATTACHMENTS.c.attach_status == "attached",
            )
            .order_by(ATTACHMENTS.c.created_at, ATTACHMENTS.c.id)
        )
        for row in fetch_all(tx, statement):
            found.setdefault(row["volume_id"], []).append(row)
    return found


def hold(tx: Transaction, attachment_id: str, flow_id: str, connector: Row) -> bool:
    """A connect flow takes the attachment; False when another flow has it or it is being detached."""
    return _hold.run(tx, row=attachment_id, holder=flow_id, link=connector) == 1


def expired(tx: Transaction, now: datetime.datetime, limit: int = 100) -> list[Row]:
    statement = (
        select(ATTACHMENTS.c.id, ATTACHMENTS.c.project_id)
        .where(ATTACHMENTS.c.expires_at <= now, ATTACHMENTS.c.flow_id.is_(None))
        .order_by(ATTACHMENTS.c.expires_at)
        .limit(limit)
    )
    return fetch_all(tx, statement)


def settle_volume(tx: Transaction, volume_id: str, *, also: tuple[str, ...] = (), **values: Any) -> str:
    """Give the volume the state that its attachments say, unless a flow or an operator has put it into
    another: in-use if one is attached, else attaching, reserved, and without any available. Returns it.
    `also`: states from which it comes back as well."""
    # Of two that let go at once the later one must see that the other has.
    tx.hold(VOLUMES, volume_id)
    status, attached = state_of(of_volume(tx, volume_id))
    # Attachments hold terms of their own; a volume's own term is for states without an attachment.
    VOLUME_STATES.move(
        tx,
        VOLUMES,
        volume_id,
        status,
        sources={*STEADY, *also} & VOLUME_STATES.sources(status),
        attach_status=attached,
        expires_at=None,
        updated_at=clock.now(),
        **values,
    )
    return status


def give_back(tx: Transaction, volume_id: str, flow_id: str, held_as: str, **values: Any) -> bool:
    """A flow lets go of the volume that it held as `held_as`: the state is what the attachments say by now,
    since a server may have let go of the volume meanwhile. False: the flow did not hold it so."""
    tx.hold(VOLUMES, volume_id)
    status, attached = state_of(of_volume(tx, volume_id))
    return VOLUME_STATES.move(
        tx,
        VOLUMES,
        volume_id,
        status,
        sources=(held_as,),
        held_by=flow_id,
        attach_status=attached,
        updated_at=clock.now(),
        **values,
    )


def state_of(attachments: list[Row]) -> tuple[str, str]:
    """Volume status and attach_status that follow from its attachments."""
    states = {row["attach_status"] for row in attachments}
    if not states:
        return "available", "detached"
    if states & {"attached", "detaching", "error_detaching"}:
        return "in-use", "attached"
    if "attaching" in states:
        return "attaching", "attaching"
    return "reserved", "detached"
