"""Servers that ran in a span of time, for usage reports. Called by the usage handlers."""

import datetime
from typing import Any

from sqlalchemy import or_, select

from celaje.common.db import Transaction, fetch_all, fetch_one
from celaje.common.db.paging import MarkerNotFound, page
from celaje.compute.db.tables import SERVERS

Row = dict[str, Any]

_COLUMNS = (
    SERVERS.c.id,
    SERVERS.c.name,
    SERVERS.c.project_id,
    SERVERS.c.flavor,
    SERVERS.c.memory_mb,
    SERVERS.c.vcpus,
    SERVERS.c.root_gb,
    SERVERS.c.ephemeral_gb,
    SERVERS.c.vm_state,
    SERVERS.c.created_at,
    SERVERS.c.launched_at,
    SERVERS.c.terminated_at,
)


def list_active(
    tx: Transaction,
    start: datetime.datetime,
    stop: datetime.datetime,
    *,
    project_id: str | None,
    limit: int | None,
    marker: str | None,
) -> list[Row]:
    """Servers that were launched before `stop` and not gone before `start`, deleted ones included. Raises
    MarkerNotFound."""
    behind = None
    if marker is not None:
        behind = fetch_one(tx, select(SERVERS.c.id, SERVERS.c.created_at).where(SERVERS.c.id == marker))
        if behind is None:
            raise MarkerNotFound(marker=marker)
    statement = select(*_COLUMNS).where(
        SERVERS.c.launched_at.is_not(None),
        SERVERS.c.launched_at < stop,
        or_(SERVERS.c.terminated_at.is_(None), SERVERS.c.terminated_at > start),
    )
    if project_id is not None:
        statement = statement.where(SERVERS.c.project_id == project_id)
    columns = {"created_at": SERVERS.c.created_at}
    sort = [("created_at", "asc")]
    return fetch_all(tx, page(statement, columns, sort, SERVERS.c.id, limit=limit, marker=behind))
