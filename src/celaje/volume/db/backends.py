"""The ledger of pools: what they have, what our volumes claim of it. Called by the conductor.

A claim is the volume's own `host`, so what is claimed is counted from rows and cannot drift. Two schedulers
may disagree; two claims may not, because each locks the pool's row while it counts.
"""

from typing import Any

from sqlalchemy import bindparam, func, insert, select, update

from celaje.common import clock
from celaje.common.db import DuplicateRow, Prepared, Transaction
from celaje.volume.db import clusters
from celaje.volume.db.tables import BACKENDS, SERVICES, VOLUMES

Row = dict[str, Any]

_get = Prepared(select(BACKENDS).where(BACKENDS.c.name == bindparam("pool")))
_lock = Prepared(
    update(BACKENDS).where(BACKENDS.c.name == bindparam("pool")).values(generation=BACKENDS.c.generation + 1)
)


def _claimed(column: Any) -> Any:
    total = func.coalesce(func.sum(func.coalesce(VOLUMES.c.pending_size, VOLUMES.c.size)), 0)
    return select(total).where(column == bindparam("pool")).scalar_subquery()


# Two sums on two indexes: what lies there, and what a migration is bringing.
_allocated = Prepared(select(_claimed(VOLUMES.c.host) + _claimed(VOLUMES.c.pending_host)))
_insert = Prepared(insert(BACKENDS))
_update = Prepared(update(BACKENDS).where(BACKENDS.c.name == bindparam("pool")))
_service = Prepared(
    select(SERVICES.c.uuid, SERVICES.c.disabled).where(
        SERVICES.c.binary == "cinder-volume", SERVICES.c.host == bindparam("service_host")
    )
)
_take = Prepared(
    update(VOLUMES)
    .where(VOLUMES.c.id == bindparam("row"), VOLUMES.c.flow_id == bindparam("holder"))
    .values(
        host=bindparam("pool"),
        service_uuid=bindparam("service"),
        availability_zone=bindparam("zone"),
        updated_at=bindparam("moment"),
    )
)
_bring = Prepared(
    update(VOLUMES)
    .where(VOLUMES.c.id == bindparam("row"), VOLUMES.c.flow_id == bindparam("holder"))
    .values(pending_host=bindparam("pool"))
)
_CAPACITY = (
    "total_capacity_gb",
    "reserved_percentage",
    "max_over_subscription_ratio",
    "thin_provisioning_support",
    "availability_zone",
)


def host_of(pool: str) -> str:
    """`name@backend` of `name@backend#pool`."""
    return pool.partition("#")[0]


def record(tx: Transaction, pool: str, capacity: Row) -> None:
    """What a worker reports, or a scheduler knows, of a pool."""
    values = {key: capacity[key] for key in _CAPACITY}
    values["updated_at"] = clock.now()
    if _update.run(tx, pool=pool, **values):
        return
    try:
        with tx.attempt():
            _insert.run(tx, name=pool, host=host_of(pool), generation=0, **values)
    except DuplicateRow:  # two conductors heard of it at once: the same numbers
        return


def allocated(tx: Transaction, pool: str) -> int:
    return _allocated.value(tx, pool=pool) or 0


def limit(backend: Row) -> float | None:
    """GiB that may be promised on the pool; None: no bound is known."""
    total = backend["total_capacity_gb"]
    if total is None:
        return None
    usable = total - total * backend["reserved_percentage"] / 100
    return usable * backend["max_over_subscription_ratio"] if backend["thin_provisioning_support"] else usable


def _chosen(tx: Transaction, decision: Row, size: int) -> tuple[Row | None, str | None]:
    """The worker's service record, and why the scheduler's choice will not do, if so. Its pool is held until
    the transaction ends."""
    pool = decision["backend"]
    backend = _locked(tx, pool)
    if backend is None:
        record(tx, pool, decision["capacity"])
        backend = _locked(tx, pool)
        assert backend is not None
    service = _service.one(tx, service_host=host_of(pool))
    driven_by = service or clusters.get(tx, host_of(pool))
    if driven_by is not None and driven_by["disabled"]:
        return service, f"cinder-volume on {host_of(pool)} is disabled"
    return service, _no_room(tx, backend, size)


def claim(tx: Transaction, volume: Row, flow_id: str, decision: Row) -> Row:
    """Put the volume on the pool if there is room: {"claimed": True, "service_uuid"}; otherwise
    {"claimed": False, "reason"}. The flow must hold the volume."""
    pool = decision["backend"]
    service, refusal = _chosen(tx, decision, volume["size"])
    if refusal:
        return {"claimed": False, "reason": refusal}
    taken = _take.run(
        tx,
        row=volume["id"],
        holder=flow_id,
        pool=pool,
        service=service["uuid"] if service is not None else None,
        zone=decision["capacity"]["availability_zone"] or volume["availability_zone"],
        moment=clock.now(),
    )
    return {"claimed": taken == 1, "reason": "the volume is no longer this flow's"}


def claim_new(tx: Transaction, size: int, decision: Row) -> Row:
    """Room for a volume whose row the caller inserts in this transaction: {"claimed": True, "service_uuid"}
    or {"claimed": False, "reason"}."""
    service, refusal = _chosen(tx, decision, size)
    if refusal:
        return {"claimed": False, "reason": refusal}
    return {"claimed": True, "service_uuid": service["uuid"] if service is not None else None}


def claim_besides(tx: Transaction, volume: Row, flow_id: str, decision: Row) -> Row:
    """A second claim for a volume that is to move: {"claimed": bool, "reason"?}. The flow must hold it."""
    _, refusal = _chosen(tx, decision, volume["size"])
    if refusal:
        return {"claimed": False, "reason": refusal}
    taken = _bring.run(tx, row=volume["id"], holder=flow_id, pool=decision["backend"])
    return {"claimed": taken == 1, "reason": "the volume is no longer this flow's"}


def service_of(tx: Transaction, pool: str) -> str | None:
    """The uuid of the worker's record that drives the pool."""
    found = _service.one(tx, service_host=host_of(pool))
    return found["uuid"] if found is not None else None


def claim_more(tx: Transaction, pool: str, added: int) -> str | None:
    """Whether `added` GiB more fit, the pool locked until the transaction ends; the refusal in words."""
    backend = _locked(tx, pool)
    return _no_room(tx, backend, added) if backend is not None else None


def _locked(tx: Transaction, pool: str) -> Row | None:
    if tx.dialect != "sqlite":
        _lock.run(tx, pool=pool)
    return _get.one(tx, pool=pool)


def _no_room(tx: Transaction, backend: Row, size: int) -> str | None:
    bound = limit(backend)
    if bound is None:
        return None
    used = allocated(tx, backend["name"])
    if used + size <= bound:
        return None
    return f"{used} GiB of {bound:g} GiB are claimed on {backend['name']}, {size} GiB more do not fit"
