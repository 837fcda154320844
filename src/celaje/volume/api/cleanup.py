"""POST /workers/cleanup (since 3.24): what waits for a worker that is gone is ended now, not by its deadline.

A flow that needs a dead worker waits until that is up again or its deadline has passed. Whoever knows that it
will not come back says so here: its flows are unwound at once, and their resources get the state that their
way out gives them. Where others of its cluster are up, its flows are woken instead: they do the work.
"""

from typing import Any

from celaje.common.db import Transaction
from celaje.common.wsgi import Request
from celaje.volume import errors
from celaje.volume.api import schemas
from celaje.volume.api.services import HOST
from celaje.volume.db import clusters

Row = dict[str, Any]

SCHEDULER, WORKER = "cinder-scheduler", "cinder-volume"
_TYPES = {"Volume": "volume", "Snapshot": "snapshot", "Backup": "backup", "Group": "group"}
CLEANUP = schemas.record(
    {
        "cluster_name": HOST,
        "disabled": schemas.OPTIONAL_BOOLEAN,
        "host": HOST,
        "is_up": schemas.OPTIONAL_BOOLEAN,
        "binary": {"enum": [WORKER, SCHEDULER]},
        "resource_id": schemas.OPTIONAL_UUID,
        "resource_type": {"type": ["string", "null"], "maxLength": 40},
        "service_id": {"type": ["integer", "string", "null"], "pattern": "^[0-9]*$", "maxLength": 11},
    }
)


def cleanup(request: Request) -> Row:
    """{"cleaning": services whose flows are ended or woken, "unavailable": those for which nobody can: no
    conductor is up}."""
    asked: Row = request.body or {}
    kind = _type(asked.get("resource_type"))
    records, flows = request.service.records, request.service.flows

    def unit(tx: Transaction) -> Row:
        everyone = records.list(tx)
        wanted = asked.get("resource_id")
        located = {"host", "cluster_name", "service_id"} & asked.keys()
        if wanted and not located and not flows.waiting_for(tx, wanted):
            raise errors.InvalidInput(reason=f"There is no resource with UUID {wanted} pending cleanup.")
        meant = [row for row in everyone if _is_meant(request, row, asked)]
        able = any(row["binary"] == "cinder-conductor" and records.is_up(row) for row in everyone)
        for row in meant if able else ():
            others = [each for each in everyone if _stands_in(each, row) and records.is_up(each)]
            name = _awaited(row)
            if others:
                flows.wake(tx, name)
            else:
                flows.give_up(tx, name, kind, asked.get("resource_id"))
        shown = [
            {"id": row["id"], "host": row["host"], "binary": row["binary"], "cluster_name": clusters.of(row)}
            for row in meant
        ]
        return {"cleaning": shown if able else [], "unavailable": [] if able else shown}

    return request.service.database.write(unit)


def _type(asked: str | None) -> str | None:
    if not asked:
        return None
    if asked.title() not in _TYPES:
        raise errors.InvalidInput(
            reason=f"Resource type {asked.title()} not valid, must be {' or '.join(_TYPES)}"
        )
    return _TYPES[asked.title()]


def _is_meant(request: Request, row: Row, asked: Row) -> bool:
    up = schemas.truth(asked.get("is_up") or False)
    if row["binary"] not in (WORKER, SCHEDULER) or request.service.records.is_up(row) is not up:
        return False
    disabled = asked.get("disabled")
    number = asked.get("service_id")
    return (
        asked.get("binary") in (None, row["binary"])
        and (disabled is None or row["disabled"] is schemas.truth(disabled))
        and (number in (None, "") or row["id"] == int(number))
        and asked.get("cluster_name") in (None, clusters.of(row))
        and asked.get("host") in (None, row["host"], row["host"].partition("@")[0])
    )


def _stands_in(other: Row, row: Row) -> bool:
    """Whether `other` takes the same steps."""
    if other["id"] == row["id"] or other["binary"] != row["binary"]:
        return False
    return row["binary"] == SCHEDULER or (
        clusters.of(row) is not None and clusters.of(other) == clusters.of(row)
    )


def _awaited(row: Row) -> str:
    """What the flows that need it wait for."""
    return row["topic"] if row["binary"] == SCHEDULER else f"{row['topic']}.{clusters.of(row) or row['host']}"
