"""Networks' rows and segments. Called by the API's units and by flows."""

from typing import Any

from sqlalchemy import bindparam, func, or_, select

from celaje.common.db import Prepared, Transaction, fetch_all, fetch_value
from celaje.common.errors import Conflict
from celaje.network import errors
from celaje.network.db.tables import IP_ALLOCATIONS, NETWORKS, PORTS, SUBNETS
from celaje.network.segments import Range, Segment, SegmentPlan

Row = dict[str, Any]

_ONE = select(NETWORKS).where(NETWORKS.c.id == bindparam("network"))
_GET = Prepared(_ONE)
_LOCK = Prepared(_ONE.with_for_update())
_HOLD = Prepared(_ONE.with_for_update(read=True))
_SUBNETS = Prepared(
    select(SUBNETS)
    .where(SUBNETS.c.network_id == bindparam("network"))
    .order_by(SUBNETS.c.created_at, SUBNETS.c.id)
)
_SUBNET_IDS = Prepared(
    select(SUBNETS.c.id, SUBNETS.c.network_id)
    .where(SUBNETS.c.network_id.in_(bindparam("networks", expanding=True)))
    .order_by(SUBNETS.c.created_at, SUBNETS.c.id)
)


def get(tx: Transaction, network_id: str) -> Row | None:
    return _GET.one(tx, network=network_id)


def lock(tx: Transaction, network_id: str) -> Row | None:
    """The row, held until the transaction ends: what must not overlap on a network is decided one at a
    time (on SQLite every unit is alone anyway)."""
    return _LOCK.one(tx, network=network_id)


def hold(tx: Transaction, network_id: str) -> Row | None:
    """The row, which nobody deletes before the transaction ends; others may hold it too."""
    return _HOLD.one(tx, network=network_id)


def subnets(tx: Transaction, network_id: str) -> list[Row]:
    """The network's subnets, oldest first."""
    return _SUBNETS.all(tx, network=network_id)


def subnet_ids(tx: Transaction, network_ids: list[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {network_id: [] for network_id in network_ids}
    for row in _SUBNET_IDS.all(tx, networks=network_ids) if network_ids else ():
        found[row["network_id"]].append(row["id"])
    return found


def choose_segment(tx: Transaction, plan: SegmentPlan, wanted: Segment | None) -> Segment:
    """A segment that no network has: the wanted one, or one of the projects' types."""
    if wanted is not None and (
        wanted.segmentation_id is not None or wanted.network_type in ("flat", "local")
    ):
        if wanted.key and fetch_value(tx, select(NETWORKS.c.id).where(NETWORKS.c.segment_key == wanted.key)):
            raise _taken(wanted)
        return wanted
    kinds = [wanted.network_type] if wanted else plan.project_types
    for kind in kinds:
        if kind == "local":
            return Segment("local", None, None)
        for chosen in plan.ranges_of(kind, wanted.physical_network if wanted else None):
            number = _free_number(tx, kind, chosen)
            if number is not None:
                return Segment(kind, chosen.physical_network, number)
    raise errors.NoNetworkAvailable()


def _free_number(tx: Transaction, kind: str, chosen: Range) -> int | None:
    """Behind the greatest number in use, or else the first gap."""
    inside = [
        NETWORKS.c.network_type == kind,
        NETWORKS.c.segmentation_id.between(chosen.first, chosen.last),
    ]
    if chosen.physical_network is not None:
        inside.append(NETWORKS.c.physical_network == chosen.physical_network)
    greatest = fetch_value(tx, select(func.max(NETWORKS.c.segmentation_id)).where(*inside))
    if greatest is None:
        return chosen.first
    if greatest < chosen.last:
        return greatest + 1
    expected = chosen.first
    statement = select(NETWORKS.c.segmentation_id).where(*inside).order_by(NETWORKS.c.segmentation_id)
    for (number,) in tx.execute(statement):
        if number != expected:
            return expected
        expected += 1
    return expected if expected <= chosen.last else None


def _taken(segment: Segment) -> Conflict:
    if segment.network_type == "flat":
        return errors.FlatNetworkInUse(physical_network=segment.physical_network)
    if segment.network_type == "vlan":
        return errors.VlanIdInUse(vlan_id=segment.segmentation_id, physical_network=segment.physical_network)
    return errors.TunnelIdInUse(tunnel_id=segment.segmentation_id)


def used_by_others(tx: Transaction, network: Row) -> bool:
    """Whether projects other than the owner have ports or subnets on it."""
    for table in (PORTS, SUBNETS):
        found = fetch_value(
            tx,
            select(table.c.id)
            .where(table.c.network_id == network["id"], table.c.project_id != network["project_id"])
            .where(table.c.project_id != "")
            .limit(1),
        )
        if found:
            return True
    return False


def describe(tx: Transaction, network_id: str) -> Row | None:
    """What drivers are told of a network (drivers/base.py, NetworkData)."""
    network = get(tx, network_id)
    return None if network is None else description(network, subnets(tx, network_id))


def description(network: Row, subnet_rows: list[Row]) -> Row:
    return {
        **{
            name: network[name]
            for name in ("id", "mtu", "network_type", "physical_network", "segmentation_id")
        },
        "subnets": [
            {
                name: subnet[name]
                for name in (
                    "id",
                    "cidr",
                    "ip_version",
                    "gateway_ip",
                    "enable_dhcp",
                    "dns_nameservers",
                    "host_routes",
                )
            }
            for subnet in subnet_rows
        ],
    }


def hosts(tx: Transaction, network_id: str) -> list[str]:
    """Hosts on which ports of the network are bound."""
    statement = (
        select(PORTS.c.binding_host_id)
        .where(
            PORTS.c.network_id == network_id,
            PORTS.c.binding_host_id != "",
            PORTS.c.binding_vif_type.not_in(("unbound", "binding_failed")),
        )
        .distinct()
    )
    return [row["binding_host_id"] for row in fetch_all(tx, statement)]


def addresses_used(tx: Transaction, network_ids: list[str]) -> dict[str, int]:
    """Addresses given out, by subnet."""
    statement = (
        select(IP_ALLOCATIONS.c.subnet_id, func.count().label("used"))
        .where(IP_ALLOCATIONS.c.network_id.in_(network_ids))
        .group_by(IP_ALLOCATIONS.c.subnet_id)
    )
    return {row["subnet_id"]: row["used"] for row in fetch_all(tx, statement)}


def mine_or_shared(project_id: str | None) -> Any:
    """The networks that a project's members may know of."""
    return or_(
        NETWORKS.c.project_id == project_id, NETWORKS.c.shared.is_(True), NETWORKS.c.router_external.is_(True)
    )
