"""Ports' rows, their security groups and bindings. Called by the API's units and by the binding flows."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import bindparam, delete, insert, select

from celaje.common import clock, mac_addresses
from celaje.common.db import DuplicateRow, Prepared, Transaction, fetch_all
from celaje.network import errors, states
from celaje.network.db import ipam, networks
from celaje.network.db.tables import NETWORKS, PORT_SECURITY_GROUPS, PORTS

Row = dict[str, Any]

_GET = Prepared(select(PORTS).where(PORTS.c.id == bindparam("port")))
_INSERT = Prepared(insert(PORTS))
_DELETE = Prepared(delete(PORTS).where(PORTS.c.id == bindparam("port")))
_ADD_GROUP = Prepared(insert(PORT_SECURITY_GROUPS))
_GROUPS = Prepared(
    select(PORT_SECURITY_GROUPS.c.security_group_id)
    .where(PORT_SECURITY_GROUPS.c.port_id == bindparam("port"))
    .order_by(PORT_SECURITY_GROUPS.c.security_group_id)
)
_DROP_GROUPS = Prepared(
    delete(PORT_SECURITY_GROUPS).where(PORT_SECURITY_GROUPS.c.port_id == bindparam("port"))
)
_OWNER_COLUMNS = (NETWORKS.c.id, NETWORKS.c.project_id, NETWORKS.c.shared, NETWORKS.c.router_external)
_OWNER = Prepared(select(*_OWNER_COLUMNS).where(NETWORKS.c.id == bindparam("network")))


def get(tx: Transaction, port_id: str) -> Row | None:
    return _GET.one(tx, port=port_id)


def new_mac(base: str) -> str:
    return mac_addresses.below(base, clock.random_bytes(3))


def add(tx: Transaction, row: Row, *, mac_given: bool) -> None:
    try:
        _INSERT.run(tx, **row)
    except DuplicateRow as error:
        if mac_given:
            raise errors.MacAddressInUse(network_id=row["network_id"], mac=row["mac_address"]) from error
        raise errors.AllocationRace(what="A MAC address") from error


def remove(tx: Transaction, port_id: str) -> bool:
    ipam.release_port(tx, port_id)
    _DROP_GROUPS.run(tx, port=port_id)
    return _DELETE.run(tx, port=port_id) == 1


def set_groups(tx: Transaction, port_id: str, group_ids: Sequence[str], *, new: bool = False) -> None:
    if not new:
        _DROP_GROUPS.run(tx, port=port_id)
    for group_id in group_ids:
        _ADD_GROUP.run(tx, port_id=port_id, security_group_id=group_id)


def groups_of(tx: Transaction, port_ids: Sequence[str]) -> dict[str, list[str]]:
    if len(port_ids) == 1:
        rows = _GROUPS.all(tx, port=port_ids[0])
        return {port_ids[0]: [row["security_group_id"] for row in rows]}
    found: dict[str, list[str]] = {port_id: [] for port_id in port_ids}
    if port_ids:
        statement = select(PORT_SECURITY_GROUPS).where(PORT_SECURITY_GROUPS.c.port_id.in_(port_ids))
        for row in fetch_all(tx, statement.order_by(PORT_SECURITY_GROUPS.c.security_group_id)):
            found[row["port_id"]].append(row["security_group_id"])
    return found


def network_owners(tx: Transaction, network_ids: Sequence[str]) -> dict[str, Row]:
    """Project and sharing of the networks, for policy checks on what lies in them."""
    if not network_ids:
        return {}
    wanted = set(network_ids)
    if len(wanted) == 1:
        rows = _OWNER.all(tx, network=wanted.pop())
    else:
        rows = fetch_all(tx, select(*_OWNER_COLUMNS).where(NETWORKS.c.id.in_(wanted)))
    return {row["id"]: row for row in rows}


# The binding, for conductor/bind_port.py.


def begin_binding(tx: Transaction, port_id: str, generation: int) -> Row | None:
    """What the host's worker is told of the port; None when this binding has been overtaken."""
    port = get(tx, port_id)
    if port is None or port["binding_generation"] != generation:
        return None
    network = networks.describe(tx, port["network_id"])
    if network is None:
        return None
    fixed = ipam.of_ports(tx, [port_id])[port_id]
    return {
        "host": port["binding_host_id"],
        "device_id": port["device_id"],
        "device_owner": port["device_owner"],
        "data": {
            "id": port_id,
            "generation": generation,
            **{
                name: port[name]
                for name in (
                    "mac_address",
                    "admin_state_up",
                    "device_id",
                    "device_owner",
                    "port_security_enabled",
                    "allowed_address_pairs",
                )
            },
            "vnic_type": port["binding_vnic_type"],
            "fixed_ips": [{"ip_address": f["ip_address"], "subnet_id": f["subnet_id"]} for f in fixed],
            "network": network,
        },
    }


def finish_binding(tx: Transaction, port_id: str, generation: int, wiring: Row) -> bool:
    """The port is wired. False when another binding has overtaken this one."""
    port = get(tx, port_id)
    if port is None or port["binding_generation"] != generation:
        return False
    return states.PORT.move(
        tx,
        PORTS,
        port_id,
        "ACTIVE" if port["admin_state_up"] else "DOWN",
        sources={"BUILD"},
        binding_vif_type=wiring["vif_type"],
        binding_vif_details=wiring["vif_details"],
        revision_number=port["revision_number"] + 1,
        updated_at=clock.now(),
    )


def fail_binding(tx: Transaction, port_id: str, generation: int) -> bool:
    """The port could not be wired; False when that is no longer this binding's business."""
    port = get(tx, port_id)
    if port is None or port["binding_generation"] != generation or port["status"] != "BUILD":
        return False
    return states.PORT.move(
        tx,
        PORTS,
        port_id,
        "DOWN",
        sources={"BUILD"},
        binding_vif_type="binding_failed",
        binding_vif_details={},
        revision_number=port["revision_number"] + 1,
        updated_at=clock.now(),
    )


def is_wired(tx: Transaction, port_id: str, generation: int) -> bool:
    port = get(tx, port_id)
    return (
        port is not None
        and port["binding_generation"] == generation
        and port["binding_vif_type"] not in ("unbound", "binding_failed")
        and port["status"] != "BUILD"
    )


def belongs(tx: Transaction, port_id: str, host: str) -> bool:
    """Whether the port's row puts it on the host, wired or on its way."""
    port = get(tx, port_id)
    if port is None or port["binding_host_id"] != host:
        return False
    return port["binding_vif_type"] not in ("unbound", "binding_failed")
