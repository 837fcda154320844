"""Rows of servers and what belongs to one server: metadata, tags, ports, block devices.

Called by API handlers and flows; every function takes the transaction first.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import bindparam, delete, insert, select, update

from celaje.common import clock
from celaje.common.db import DuplicateRow, Prepared, Transaction, fetch_all, fetch_one
from celaje.compute.db.tables import (
    BLOCK_DEVICES,
    INTERFACES,
    SERVER_GROUP_MEMBERS,
    SERVER_GROUPS,
    SERVER_METADATA,
    SERVER_TAGS,
    SERVERS,
)

Row = dict[str, Any]

_BY_ID = Prepared(select(SERVERS).where(SERVERS.c.id == bindparam("row")))
_INSERT = Prepared(insert(SERVERS))
_CHANGE = Prepared(update(SERVERS).where(SERVERS.c.id == bindparam("row"), SERVERS.c.deleted.is_(False)))
_INSERT_METADATA = insert(SERVER_METADATA)
_INSERT_TAGS = insert(SERVER_TAGS)
_INSERT_DEVICES = insert(BLOCK_DEVICES)
_INSERT_INTERFACES = Prepared(insert(INTERFACES))
_DEVICES_OF = Prepared(
    select(BLOCK_DEVICES)
    .where(BLOCK_DEVICES.c.server_id == bindparam("server"))
    .order_by(BLOCK_DEVICES.c.created_at, BLOCK_DEVICES.c.id)
)
_DEVICE_OF_VOLUME = Prepared(
    select(BLOCK_DEVICES).where(
        BLOCK_DEVICES.c.server_id == bindparam("server"), BLOCK_DEVICES.c.volume_id == bindparam("volume")
    )
)
_ADD_DEVICE = Prepared(_INSERT_DEVICES)
_CHANGE_DEVICE = Prepared(update(BLOCK_DEVICES).where(BLOCK_DEVICES.c.id == bindparam("row")))
_TAKE_DEVICE = Prepared(
    update(BLOCK_DEVICES).where(
        BLOCK_DEVICES.c.id == bindparam("row"), BLOCK_DEVICES.c.state == bindparam("source")
    )
)
_REMOVE_DEVICE = Prepared(delete(BLOCK_DEVICES).where(BLOCK_DEVICES.c.id == bindparam("row")))
_INTERFACES_OF = Prepared(
    select(INTERFACES)
    .where(INTERFACES.c.server_id == bindparam("server"))
    .order_by(INTERFACES.c.position, INTERFACES.c.created_at)
)
_INTERFACE = Prepared(
    select(INTERFACES).where(
        INTERFACES.c.server_id == bindparam("server"), INTERFACES.c.port_id == bindparam("port")
    )
)
_CHANGE_INTERFACE = Prepared(
    update(INTERFACES).where(
        INTERFACES.c.server_id == bindparam("server"), INTERFACES.c.port_id == bindparam("port")
    )
)
_METADATA_OF = Prepared(select(SERVER_METADATA).where(SERVER_METADATA.c.server_id == bindparam("server")))
_TAGS_OF = Prepared(
    select(SERVER_TAGS.c.tag)
    .where(SERVER_TAGS.c.server_id == bindparam("server"))
    .order_by(SERVER_TAGS.c.tag)
)
_GROUP_OF = Prepared(
    select(SERVER_GROUPS)
    .join(SERVER_GROUP_MEMBERS, SERVER_GROUP_MEMBERS.c.group_id == SERVER_GROUPS.c.id)
    .where(SERVER_GROUP_MEMBERS.c.server_id == bindparam("server"))
)
_BURY = Prepared(
    update(SERVERS)
    .where(SERVERS.c.id == bindparam("row"))
    .values(
        deleted=True,
        vm_state="deleted",
        task_state=None,
        flow_id=None,
        power_state=0,
        progress=0,
        admin_password=None,
    )
)
_BURY_OTHERS = [
    Prepared(delete(table).where(table.c.server_id == bindparam("server")))
    for table in (BLOCK_DEVICES, INTERFACES, SERVER_TAGS, SERVER_GROUP_MEMBERS)
]


def get(tx: Transaction, server_id: str) -> Row | None:
    """The server's row, deleted ones too; held, in a unit that writes."""
    tx.hold(SERVERS, server_id)
    return _BY_ID.one(tx, row=server_id)


def create(
    tx: Transaction, row: Row, metadata: dict[str, str], tags: Iterable[str], devices: Sequence[Row]
) -> None:
    _INSERT.run(tx, **row)
    if metadata:
        tx.execute(
            _INSERT_METADATA, [{"server_id": row["id"], "key": k, "value": v} for k, v in metadata.items()]
        )
    tags = list(tags)
    tx.moved("server", row["id"], row["task_state"] or row["vm_state"])
    if tags:
        tx.execute(_INSERT_TAGS, [{"server_id": row["id"], "tag": tag} for tag in tags])
    if devices:
        tx.execute(_INSERT_DEVICES, list(devices))


def change(tx: Transaction, server_id: str, **values: Any) -> bool:
    """Attributes only; states change through states.py."""
    values.setdefault("updated_at", clock.now())
    return _CHANGE.run(tx, row=server_id, **values) == 1


def devices(tx: Transaction, server_id: str) -> list[Row]:
    return _DEVICES_OF.all(tx, server=server_id)


def device_of_volume(tx: Transaction, server_id: str, volume_id: str) -> Row | None:
    return _DEVICE_OF_VOLUME.one(tx, server=server_id, volume=volume_id)


def attached_device(tx: Transaction, volume_id: str) -> tuple[Row, Row] | None:
    """A server that has the volume plugged, and the device."""
    device = fetch_one(
        tx,
        select(BLOCK_DEVICES).where(
            BLOCK_DEVICES.c.volume_id == volume_id, BLOCK_DEVICES.c.state == "attached"
        ),
    )
    server = get(tx, device["server_id"]) if device else None
    return (server, device) if device and server else None


def add_device(tx: Transaction, row: Row) -> bool:
    """False when the server has that volume already."""
    try:
        with tx.attempt():
            _ADD_DEVICE.run(tx, **row)
    except DuplicateRow:
        return False
    return True


def change_device(tx: Transaction, device_id: str, **values: Any) -> bool:
    return _CHANGE_DEVICE.run(tx, row=device_id, updated_at=clock.now(), **values) == 1


def take_device(tx: Transaction, device_id: str, source: str, state: str, flow_id: str) -> bool:
    """Put an attachment that is in state `source` under a flow."""
    values = {"state": state, "flow_id": flow_id, "updated_at": clock.now()}
    return _TAKE_DEVICE.run(tx, row=device_id, source=source, **values) == 1


def remove_device(tx: Transaction, device_id: str) -> None:
    _REMOVE_DEVICE.run(tx, row=device_id)


def interfaces(tx: Transaction, server_id: str) -> list[Row]:
    return _INTERFACES_OF.all(tx, server=server_id)


def interface(tx: Transaction, server_id: str, port_id: str) -> Row | None:
    return _INTERFACE.one(tx, server=server_id, port=port_id)


def put_interfaces(tx: Transaction, server_id: str, ports: Sequence[Row]) -> None:
    """Write the server's ports down: {"info", "owned", "tag"} each, in their order; known ones are
    renewed."""
    now = clock.now()
    known = {row["port_id"]: row for row in interfaces(tx, server_id)}
    position = max((row["position"] for row in known.values()), default=-1)
    fresh = []
    renew_interfaces(tx, server_id, [port["info"] for port in ports if port["info"]["port_id"] in known])
    for port in ports:
        info = port["info"]
        if info["port_id"] in known:
            continue
        position += 1
        fresh.append(
            {
                "server_id": server_id,
                "port_id": info["port_id"],
                "position": position,
                "network_id": info["network"]["id"],
                "mac_address": info["mac_address"],
                "owned": port["owned"],
                "tag": port.get("tag"),
                "info": info,
                "created_at": now,
            }
        )
    _INSERT_INTERFACES.run_many(tx, fresh)


def renew_interfaces(tx: Transaction, server_id: str, infos: Iterable[Row]) -> None:
    """Ports as they are now. One that the server has no more stays away: it may have been deleted since."""
    for info in infos:
        _CHANGE_INTERFACE.run(
            tx, server=server_id, port=info["port_id"], info=info, mac_address=info["mac_address"]
        )


def remove_interface(tx: Transaction, server_id: str, port_id: str) -> None:
    tx.execute(delete(INTERFACES).where(INTERFACES.c.server_id == server_id, INTERFACES.c.port_id == port_id))


def metadata(tx: Transaction, server_id: str) -> dict[str, str]:
    return {row["key"]: row["value"] for row in _METADATA_OF.all(tx, server=server_id)}


def set_metadata(tx: Transaction, server_id: str, items: dict[str, str], replace: bool) -> dict[str, str]:
    """Merge the items in, or put them in the place of all there were; the result."""
    table = SERVER_METADATA
    before = {} if replace else metadata(tx, server_id)
    gone = delete(table).where(table.c.server_id == server_id)
    tx.execute(gone if replace else gone.where(table.c.key.in_(list(items))))
    if items:
        tx.execute(
            _INSERT_METADATA, [{"server_id": server_id, "key": k, "value": v} for k, v in items.items()]
        )
    return {**before, **items}


def remove_metadata(tx: Transaction, server_id: str, key: str) -> bool:
    table = SERVER_METADATA
    gone = tx.execute(delete(table).where(table.c.server_id == server_id, table.c.key == key))
    return gone.rowcount == 1


def tags(tx: Transaction, server_id: str) -> list[str]:
    return [row["tag"] for row in _TAGS_OF.all(tx, server=server_id)]


def set_tags(tx: Transaction, server_id: str, wanted: Iterable[str]) -> None:
    tx.execute(delete(SERVER_TAGS).where(SERVER_TAGS.c.server_id == server_id))
    rows = [{"server_id": server_id, "tag": tag} for tag in dict.fromkeys(wanted)]
    if rows:
        tx.execute(_INSERT_TAGS, rows)


def remove_tag(tx: Transaction, server_id: str, tag: str) -> bool:
    table = SERVER_TAGS
    gone = tx.execute(delete(table).where(table.c.server_id == server_id, table.c.tag == tag))
    return gone.rowcount == 1


def group_of(tx: Transaction, server_id: str) -> Row | None:
    """The server group that the server is a member of."""
    return _GROUP_OF.one(tx, server=server_id)


def group_hosts(tx: Transaction, group_id: str, but: str) -> dict[str, int]:
    """How many members of the group, `but` this server, are on which host."""
    statement = (
        select(SERVERS.c.host)
        .join(SERVER_GROUP_MEMBERS, SERVER_GROUP_MEMBERS.c.server_id == SERVERS.c.id)
        .where(
            SERVER_GROUP_MEMBERS.c.group_id == group_id,
            SERVERS.c.deleted.is_(False),
            SERVERS.c.host.is_not(None),
            SERVERS.c.id != but,
        )
    )
    hosts: dict[str, int] = {}
    for row in fetch_all(tx, statement):
        hosts[row["host"]] = hosts.get(row["host"], 0) + 1
    return hosts


def forget_made_volumes(tx: Transaction, server_id: str) -> None:
    """The build failed and its volumes were taken back: rows that did not name one from the start."""
    table = BLOCK_DEVICES
    tx.execute(
        update(table)
        .where(table.c.server_id == server_id)
        .values(attachment_id=None, connection_info=None, state="failed")
    )
    tx.execute(
        update(table)
        .where(table.c.server_id == server_id, table.c.source_type != "volume")
        .values(volume_id=None)
    )


def for_driver(row: Row, meta: dict[str, str] | None = None) -> Row:
    """A server as workers and drivers know it."""
    return {
        "uuid": row["id"],
        "name": row["name"],
        "hostname": row["hostname"],
        "project_id": row["project_id"],
        "node": row["node"],
        "availability_zone": row["availability_zone"],
        "flavor": {
            key: row["flavor"][key]
            for key in ("vcpus", "memory_mb", "root_gb", "ephemeral_gb", "swap", "extra_specs")
        },
        "metadata": meta or {},
        "key_name": row["key_name"],
        "key_data": row["key_data"],
        "created": clock.iso(row["created_at"]),
    }


def device_for_worker(row: Row) -> Row:
    """A block device without its bookkeeping."""
    return {key: value for key, value in row.items() if key not in ("created_at", "updated_at", "flow_id")}


def bury(tx: Transaction, server_id: str) -> None:
    """The server is gone: its row stays for administrators, what belonged to it goes."""
    now = clock.now()
    _BURY.run(tx, row=server_id, deleted_at=now, terminated_at=now, updated_at=now)
    for statement in _BURY_OTHERS:
        statement.run(tx, server=server_id)
