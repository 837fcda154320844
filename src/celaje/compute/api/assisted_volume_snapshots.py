"""POST /os-assisted-volume-snapshots: the volume service asks the host that has a volume open to copy it.

Nova puts a fresh file over the volume's and has the guest go on in `new_file`, so that the old one is the
snapshot. Here the guest stays where it is and `new_file`, which is there and empty, gets the content of this
moment (docs/decisions/0007): nothing has to be merged back, hence there is no DELETE.
"""

from typing import Any

from celaje.common.db import Transaction
from celaje.common.errors import Invalid
from celaje.common.wsgi import Request
from celaje.compute.db import servers

Body = dict[str, Any]

_COPIED_IN = ("active", "paused")


def create(request: Request) -> Body:
    """Answered at once. What it comes to is told to the volume service by os-update_snapshot_status."""
    asked = request.body["snapshot"]
    volume_id, info = asked["volume_id"], asked["create_info"]
    copy = {"id": info["snapshot_id"], "file": info["new_file"], "format": info["type"]}

    resource = ("volume_copy", copy["id"])

    def unit(tx: Transaction) -> None:
        if request.service.flows.submitted(tx, "server.copy_volume", resource):
            return
        found = servers.attached_device(tx, volume_id)
        if found is None:
            raise Invalid(f"Volume {volume_id} is attached to no server.")
        row, device = found
        if row["vm_state"] not in _COPIED_IN or not row["worker"]:
            raise Invalid(f"Server {row['id']} is {row['vm_state']}: it has no volume open.")
        request.service.flows.submit(
            tx,
            "server.copy_volume",
            resource=resource,
            arguments={
                "server": servers.for_driver(row),
                "worker": row["worker"],
                "device": servers.device_for_worker(device),
                "copy": copy,
            },
            project_id=row["project_id"],
        )

    request.service.database.write(unit)
    return {"snapshot": {"id": info["snapshot_id"], "volumeId": volume_id}}
