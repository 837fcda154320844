"""PUT /servers/{id}/os-volume_attachments/{volume} with another volumeId: the volume is swapped.

The volume service asks for it when it moves a volume that is in use. As in Nova since 2025 nobody else may,
unless `allow_direct_volume_swap` says so: then administrators swap as they could before.
"""

from typing import Any

from celaje.common.db import Transaction
from celaje.common.errors import Conflict, Invalid, NotFound
from celaje.common.wsgi import Request
from celaje.compute.api.server_lookup import busy
from celaje.compute.db import nodes, servers

Body = dict[str, Any]

_SWAP_IN = ("active", "paused", "resized")


def swap(request: Request, row: Body, device: Body, new_volume_id: str) -> None:
    """Answers once the new volume is reserved, so that one that cannot be taken is refused here."""
    service = request.service
    migrating = _check(request, row, device["volume_id"], new_volume_id)
    wanted = {"device": servers.device_for_worker(device), "new_volume_id": new_volume_id}
    flow_id = service.database.write(_submit, service, row, {**wanted, "migrating": migrating})
    try:
        service.flows.result(flow_id, service.conf.api_wait_timeout, "reserved")
    except NotFound as error:
        raise Invalid(error.message) from error
    except (Conflict, Invalid) as error:
        raise Invalid(f"Invalid volume: {error.message}") from error


def _check(request: Request, row: Body, old_id: str, new_id: str) -> bool:
    """Whether the volume service moves the one to the other. Raises what Nova does for volumes that do not
    fit."""
    volumes = request.service.ground.clients.volume
    try:
        old = volumes.volume(old_id)
    except NotFound as error:
        raise NotFound(f"Volume {old_id} could not be found.") from error
    try:
        new = volumes.volume(new_id)
    except NotFound as error:
        raise Invalid(f"Volume {new_id} could not be found.") from error
    if new.get("migration_status") == f"target:{old_id}":
        # What else it must be the volume service has seen to, and the request may be a repeated one.
        return True
    if not request.service.conf.allow_direct_volume_swap:
        raise Conflict(
            f"Volume {old_id} is not being migrated to {new_id} by the volume service, and a swap that does "
            "not come from it is not allowed."
        )
    if row["id"] not in {each["server_id"] for each in old["attachments"]}:
        raise Invalid("Invalid volume: Old volume is attached to a different instance.")
    if len(old["attachments"]) > 1:
        raise Conflict(
            "Swapping multi-attach volumes with more than one read/write attachment is not supported."
        )
    if new["attachments"]:
        raise Invalid("Invalid volume: New volume must be detached in order to swap.")
    if new["size"] < old["size"]:
        raise Invalid("Invalid volume: New volume must be the same size or larger.")
    return False


def _submit(tx: Transaction, service: Any, row: Body, wanted: Body) -> str:
    resource = ("volume_swap", wanted["new_volume_id"])
    known: str | None = service.flows.submitted(tx, "server.swap_volume", resource)
    if known:
        return known
    row = servers.get(tx, row["id"]) or row
    if row["vm_state"] not in _SWAP_IN or row["task_state"] is not None or not row["worker"]:
        raise busy(row, "swap_volume", _SWAP_IN)
    node = nodes.get(tx, row["host"], row["node"]) or {}
    flow_id: str = service.flows.submit(
        tx,
        "server.swap_volume",
        resource=resource,
        arguments={
            "server": servers.for_driver(row),
            "worker": row["worker"],
            "connector": node.get("connector") or {"host": row["host"]},
            **wanted,
        },
        project_id=row["project_id"],
    )
    device = wanted["device"]
    if not servers.take_device(tx, device["id"], "attached", "swapping", flow_id):
        raise Conflict(f"Volume {device['volume_id']} is {device['state']} at instance {row['id']}.")
    return flow_id
