"""Quotas of servers: what a project may have, what it has.

Use is counted from the rows, in the transaction that inserts: it cannot drift. Limits: the project's own
row, else the class "default", else the option of [quota].
"""

from typing import Any

from sqlalchemy import bindparam, func, or_, select

from celaje.common.db import Prepared, Transaction, serialise
from celaje.compute.db.tables import QUOTA_CLASSES, QUOTAS, SERVERS
from celaje.compute.errors import OverServerQuota

_OWN = Prepared(
    select(QUOTAS.c.user_id, QUOTAS.c.resource, QUOTAS.c.hard_limit).where(
        QUOTAS.c.project_id == bindparam("project"),
        or_(QUOTAS.c.user_id == "", QUOTAS.c.user_id == bindparam("user")),
    )
)
_DEFAULTS = Prepared(
    select(QUOTA_CLASSES.c.resource, QUOTA_CLASSES.c.hard_limit).where(
        QUOTA_CLASSES.c.class_name == "default"
    )
)
_COUNTED = select(
    func.count().label("instances"),
    func.coalesce(func.sum(SERVERS.c.vcpus), 0).label("cores"),
    func.coalesce(func.sum(SERVERS.c.memory_mb), 0).label("ram"),
).where(SERVERS.c.project_id == bindparam("project"), SERVERS.c.deleted.is_(False))
_COUNT = Prepared(_COUNTED)
_COUNT_OF_USER = Prepared(_COUNTED.where(SERVERS.c.user_id == bindparam("user")))


def limits(tx: Transaction, conf: Any, project_id: str, user_id: str = "") -> dict[str, int]:
    """The limits in force for the project (and for one user in it, where there are such): -1 is none."""
    found = {name: int(conf.quota[name]) for name in conf.quota}
    found |= {row["resource"]: row["hard_limit"] for row in _DEFAULTS.all(tx)}
    own = _OWN.all(tx, project=project_id, user=user_id)
    found |= {row["resource"]: row["hard_limit"] for row in own if not row["user_id"]}
    if user_id:
        found |= {row["resource"]: row["hard_limit"] for row in own if row["user_id"] == user_id}
    return found


def usage(tx: Transaction, project_id: str, user_id: str = "") -> dict[str, int]:
    """Instances, cores and ram (MiB) in use."""
    row = (
        _COUNT_OF_USER.one(tx, project=project_id, user=user_id)
        if user_id
        else _COUNT.one(tx, project=project_id)
    )
    assert row is not None
    return {key: int(value) for key, value in row.items()}


def check(tx: Transaction, allowed: dict[str, int], project_id: str, asked: dict[str, int]) -> None:
    """Raise OverServerQuota when `asked` does not fit into `allowed` (see `limits`) any more; called before
    the insert, in its unit."""
    serialise(tx, f"quota {project_id}")
    used = usage(tx, project_id)
    over = [
        name
        for name, more in asked.items()
        if more > 0 and 0 <= allowed.get(name, -1) < used.get(name, 0) + more
    ]
    if over:
        raise OverServerQuota(
            overs=", ".join(over),
            requested=", ".join(str(asked[name]) for name in over),
            used=", ".join(str(used[name]) for name in over),
            allowed=", ".join(str(allowed[name]) for name in over),
        )
