"""A port's binding to a host, decided in the transaction that writes the port; the wiring is a flow.

Called by the ports' and routers' API. As in Neutron the vif_type is known at once, from what the host's
worker has reported; without a worker on that host the binding fails, and says so.
"""

from typing import Any

from sqlalchemy import bindparam, select

from celaje.common.db import Prepared, Transaction
from celaje.network.db.tables import SERVICES
from celaje.network.rpc import WORKER

Row = dict[str, Any]

VNIC_TYPES = (
    "normal",
    "direct",
    "macvtap",
    "baremetal",
    "direct-physical",
    "virtio-forwarder",
    "smart-nic",
    "vdpa",
    "accelerator-direct",
    "accelerator-direct-physical",
    "remote-managed",
)

_WORKER_AT = Prepared(
    select(SERVICES).where(SERVICES.c.binary == WORKER, SERVICES.c.host == bindparam("host"))
)

_FAILED: Row = {
    "status": "DOWN",
    "flow_id": None,
    "binding_vif_type": "binding_failed",
    "binding_vif_details": {},
}
_UNBOUND: Row = {"status": "DOWN", "flow_id": None, "binding_vif_type": "unbound", "binding_vif_details": {}}


def is_bound(row: Row) -> bool:
    return bool(row["binding_host_id"]) and row["binding_vif_type"] not in ("unbound", "binding_failed")


def prepare(service: Any, tx: Transaction, row: Row) -> Row:
    """The columns of a port that is being bound to row["binding_host_id"], its flow submitted."""
    generation = row["binding_generation"] + 1
    worker = _WORKER_AT.one(tx, host=row["binding_host_id"])
    details = (worker or {}).get("details") or {}
    fits = row["binding_vnic_type"] in details.get("vnic_types", ())
    if worker is None or not service.records.is_up(worker) or not fits:
        return {**_FAILED, "binding_generation": generation}
    flow_id = service.flows.submit(
        tx,
        "port.bind",
        resource=("port", row["id"]),
        project_id=row["project_id"],
        arguments={"port_id": row["id"], "generation": generation, "host": row["binding_host_id"]},
    )
    return {
        "status": "BUILD",
        "flow_id": flow_id,
        "binding_generation": generation,
        "binding_vif_type": details["vif_type"],
        "binding_vif_details": {},
    }


def change(service: Any, tx: Transaction, row: Row, values: Row, rewire: bool) -> Row:
    """The binding columns of a port that gets `values`: bound, bound anew, unbound, or as it was."""
    host = values.get("binding_host_id", row["binding_host_id"])
    moved = host != row["binding_host_id"]
    other_card = values.get("binding_vnic_type", row["binding_vnic_type"]) != row["binding_vnic_type"]
    try_again = "binding_host_id" in values and row["binding_vif_type"] == "binding_failed"
    if not host:
        if moved:
            undo(service, tx, row)
            return dict(_UNBOUND, binding_generation=row["binding_generation"] + 1)
        return {}
    if moved and is_bound(row):
        undo(service, tx, row)
    if moved or other_card or try_again or (rewire and is_bound(row)):
        return prepare(service, tx, {**row, **values})
    return {}


def undo(service: Any, tx: Transaction, row: Row, *, deleted: bool = False) -> None:
    """A flow takes the port off the host that it was bound to."""
    if not is_bound(row):
        return
    service.flows.submit(
        tx,
        "port.unbind",
        resource=("port", row["id"]),
        project_id=row["project_id"],
        arguments={
            "port_id": row["id"],
            "generation": row["binding_generation"],
            "host": row["binding_host_id"],
            "server_id": row["device_id"] if deleted and row["device_owner"].startswith("compute:") else None,
        },
    )
