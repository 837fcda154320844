"""Volumes of a server: made for it, reserved, connected. Used by the flows that build and attach."""

from typing import Any

from celaje.common.db import Transaction
from celaje.common.flow import Run
from celaje.compute.db import nodes

Body = dict[str, Any]


def make_volume(run: Run, server: Body, device: Body) -> Body:
    """The device with its volume, which is made first if its source is an image, a snapshot or nothing."""
    if device["destination_type"] != "volume":
        return device
    volumes = run.conductor.clients.volume
    volume_id = device.get("volume_id")
    size = device.get("volume_size")
    if not volume_id:
        # The name is the volume's key: a repeated step finds it, an undo takes it back.
        name = f"{server['uuid']}-{device['device_name'].rpartition('/')[2]}"
        run.undo(volumes.delete_volume_named, name)
        wanted: Body = {"name": name, "size": size}
        for key, source in (
            ("imageRef", device.get("image_id")),
            ("snapshot_id", device.get("snapshot_id")),
            ("volume_type", device.get("volume_type")),
        ):
            if source:
                wanted[key] = source
        volume_id = run.step(volumes.create_volume, wanted)["id"]
        size = run.step(volumes.await_volume, volume_id, "available", only=name)["size"]
    return {**device, "volume_id": volume_id, "volume_size": size}


def connect_volume(run: Run, server: Body, device: Body, host: Body) -> Body:
    """The device with attachment_id and connection_info, as the worker wants it."""
    if device["destination_type"] != "volume":
        return device
    volumes = run.conductor.clients.volume
    connector = run.write(_connector, host["host"], host["node"])
    run.undo(volumes.delete_attachments_of, device["volume_id"], server["uuid"])
    attachment = run.step(volumes.create_attachment, device["volume_id"], server["uuid"])
    told = {**connector, "mountpoint": device["device_name"]}
    connected = run.step(volumes.update_attachment, attachment["id"], told)
    return {
        **device,
        "attachment_id": attachment["id"],
        "connection_info": with_volume_id(connected["connection_info"], device["volume_id"]),
    }


def with_volume_id(connection_info: Body, volume_id: str) -> Body:
    """The volume service answers its connection flat (v3 attachments) or with `data`; workers want the
    latter, with the volume's id in it."""
    if "data" not in connection_info:
        data = {key: value for key, value in connection_info.items() if key != "driver_volume_type"}
        connection_info = {"driver_volume_type": connection_info.get("driver_volume_type"), "data": data}
    data = {"volume_id": volume_id, **connection_info["data"]}
    return {**connection_info, "data": data, "serial": volume_id}


def _connector(tx: Transaction, host: str, node: str) -> Body:
    row = nodes.get(tx, host, node)
    return (row or {}).get("connector") or {"host": host}
