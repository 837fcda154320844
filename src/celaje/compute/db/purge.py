"""Servers that were deleted long ago, removed for good. Called by `celaje db purge`."""

import datetime

from sqlalchemy import bindparam, delete, select

from celaje.common.db import Prepared, Transaction
from celaje.compute.db.tables import SERVER_METADATA, SERVERS

_OLD = Prepared(
    select(SERVERS.c.id)
    .where(
        SERVERS.c.deleted.is_(True),
        SERVERS.c.deleted_at < bindparam("moment", type_=SERVERS.c.deleted_at.type),
    )
    .order_by(SERVERS.c.deleted_at, SERVERS.c.id)
    .limit(bindparam("most"))
)
_METADATA = Prepared(delete(SERVER_METADATA).where(SERVER_METADATA.c.server_id == bindparam("server")))
_SERVER = Prepared(delete(SERVERS).where(SERVERS.c.id == bindparam("server")))


def purge(tx: Transaction, before: datetime.datetime, most: int) -> int:
    """At most so many servers that were deleted before the moment; how many there were. What else belonged to
    them went when they were deleted."""
    old = _OLD.all(tx, moment=before, most=most)
    for row in old:
        _METADATA.run(tx, server=row["id"])
        _SERVER.run(tx, server=row["id"])
    return len(old)
