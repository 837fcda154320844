"""Addresses of ports: given, never twice, and given back. Called inside units by ports, routers and
floating IPs.

The primary key (subnet, address) is what holds. On PostgreSQL and MariaDB the pool's row is locked while an
address is looked for, so two transactions choose one after the other; where they meet all the same (an
address that a client named), the loser raises AllocationRace and its unit is run again.
"""

import ipaddress
from collections.abc import Sequence
from typing import Any

from sqlalchemy import bindparam, delete, func, insert, select, update

from celaje.common.db import DuplicateRow, Prepared, Transaction, fetch_all
from celaje.network import addresses, errors
from celaje.network.db.tables import ALLOCATION_POOLS, IP_ALLOCATIONS

Row = dict[str, Any]

_CHUNK = 512

_POOLS = Prepared(
    select(ALLOCATION_POOLS)
    .where(ALLOCATION_POOLS.c.subnet_id == bindparam("subnet"))
    .order_by(ALLOCATION_POOLS.c.first_key)
    .with_for_update()
)
_POOLS_OF = Prepared(
    select(ALLOCATION_POOLS)
    .where(ALLOCATION_POOLS.c.subnet_id.in_(bindparam("subnets", expanding=True)))
    .order_by(ALLOCATION_POOLS.c.first_key)
)
_TAKEN = Prepared(
    select(IP_ALLOCATIONS.c.address_key)
    .where(
        IP_ALLOCATIONS.c.subnet_id == bindparam("subnet"),
        IP_ALLOCATIONS.c.address_key >= bindparam("start"),
        IP_ALLOCATIONS.c.address_key <= bindparam("end"),
    )
    .order_by(IP_ALLOCATIONS.c.address_key)
    .limit(bindparam("most"))
)
_COUNT = Prepared(
    select(func.count()).where(
        IP_ALLOCATIONS.c.subnet_id == bindparam("subnet"),
        IP_ALLOCATIONS.c.address_key >= bindparam("start"),
        IP_ALLOCATIONS.c.address_key <= bindparam("end"),
    )
)
_HOLDER = Prepared(
    select(IP_ALLOCATIONS.c.port_id).where(
        IP_ALLOCATIONS.c.subnet_id == bindparam("subnet"), IP_ALLOCATIONS.c.address_key == bindparam("key")
    )
)
_ADD = Prepared(insert(IP_ALLOCATIONS))
_OF_PORT = Prepared(
    select(IP_ALLOCATIONS)
    .where(IP_ALLOCATIONS.c.port_id == bindparam("port"))
    .order_by(IP_ALLOCATIONS.c.position)
)
_RELEASE_PORT = Prepared(delete(IP_ALLOCATIONS).where(IP_ALLOCATIONS.c.port_id == bindparam("port")))
_MOVE_CURSOR = Prepared(
    update(ALLOCATION_POOLS)
    .where(
        ALLOCATION_POOLS.c.subnet_id == bindparam("subnet"),
        ALLOCATION_POOLS.c.first_key == bindparam("first"),
    )
    .values(cursor_key=bindparam("cursor"))
)


def set_pools(tx: Transaction, subnet_id: str, pools: Sequence[addresses.Pool]) -> None:
    """Replace the pools of a subnet."""
    tx.execute(delete(ALLOCATION_POOLS).where(ALLOCATION_POOLS.c.subnet_id == subnet_id))
    for first, last in pools:
        row = {"subnet_id": subnet_id, "first_key": addresses.key(first), "last_key": addresses.key(last)}
        tx.execute(insert(ALLOCATION_POOLS).values(**row, cursor_key=row["first_key"]))


def pools_of(tx: Transaction, subnet_ids: Sequence[str]) -> dict[str, list[addresses.Pool]]:
    found: dict[str, list[addresses.Pool]] = {subnet_id: [] for subnet_id in subnet_ids}
    for row in _POOLS_OF.all(tx, subnets=subnet_ids):
        found[row["subnet_id"]].append((int(row["first_key"], 16), int(row["last_key"], 16)))
    return found


def next_free(tx: Transaction, subnet_id: str) -> int | None:
    """An address of the subnet's pools that nobody has; None when all are given. Locks the pools."""
    for pool in _POOLS.all(tx, subnet=subnet_id):
        first, last, cursor = (int(pool[name], 16) for name in ("first_key", "last_key", "cursor_key"))
        found = _gap(tx, subnet_id, cursor, last)
        if found is None and cursor > first and not _full(tx, subnet_id, first, last):
            found = _gap(tx, subnet_id, first, cursor - 1)
        if found is not None:
            following = found + 1 if found < last else first
            _MOVE_CURSOR.run(tx, subnet=subnet_id, first=pool["first_key"], cursor=addresses.key(following))
            return found
    return None


def _full(tx: Transaction, subnet_id: str, first: int, last: int) -> bool:
    given = _COUNT.value(tx, subnet=subnet_id, start=addresses.key(first), end=addresses.key(last))
    return given > last - first


def _gap(tx: Transaction, subnet_id: str, start: int, end: int) -> int | None:
    """The lowest free address from `start` to `end`, both included."""
    most = 1
    while start <= end:
        taken = [
            int(row["address_key"], 16)
            for row in _TAKEN.all(
                tx, subnet=subnet_id, start=addresses.key(start), end=addresses.key(end), most=most
            )
        ]
        for number in taken:
            if number != start:
                return start
            start += 1
        if len(taken) < most:
            return start if start <= end else None
        # Beyond the cursor nothing is given, as a rule; only a walk through old ground looks at many.
        most = _CHUNK
    return None


def holder(tx: Transaction, subnet_id: str, address: str) -> str | None:
    """The port that has the address."""
    return _HOLDER.value(tx, subnet=subnet_id, key=addresses.key(address))


def take(tx: Transaction, subnet: Row, port_id: str, number: int, position: int) -> Row:
    """Give the address to the port. AllocationRace when somebody else has just taken it."""
    address = addresses.text(number, subnet["ip_version"])
    row = {
        "subnet_id": subnet["id"],
        "address_key": addresses.key(number),
        "ip_address": address,
        "port_id": port_id,
        "network_id": subnet["network_id"],
        "position": position,
    }
    try:
        _ADD.run(tx, **row)
    except DuplicateRow as error:
        raise errors.AllocationRace(what=f"Address {address}") from error
    return row


def allocate(  # noqa: PLR0917
    tx: Transaction,
    network_id: str,
    subnets: Sequence[Row],
    port_id: str,
    mac: str,
    wanted: Any,
    *,
    service: bool = False,
    start: int = 0,
) -> list[Row]:
    """Addresses for a new port. `wanted` is a request's fixed_ips: a list of {"subnet_id", "ip_address"},
    each with either or both; None: one of an IPv4 and one of an IPv6 subnet, as far as the network has them,
    and one of every subnet whose hosts make their own (SLAAC)."""
    if wanted is None:
        return _by_default(tx, network_id, subnets, port_id, mac)
    taken: list[Row] = []
    by_id = {subnet["id"]: subnet for subnet in subnets}
    for entry in wanted:
        subnet_id, address = entry.get("subnet_id"), entry.get("ip_address")
        if subnet_id is not None:
            subnet = by_id.get(subnet_id)
            if subnet is None:
                raise errors.InvalidInput(
                    reason=f"Failed to create port on network {network_id}, because fixed_ips included "
                    f"invalid subnet {subnet_id}"
                )
            if address is not None and ipaddress.ip_address(address) not in ipaddress.ip_network(
                subnet["cidr"]
            ):
                raise errors.InvalidIpForSubnet(ip_address=address)
        else:
            subnet = _subnet_of(subnets, address)
        position = start + len(taken)
        if address is not None:
            taken.append(_named(tx, network_id, subnet, port_id, address, position, service))
        elif _makes_its_own(subnet):
            number = addresses.eui64(ipaddress.ip_network(subnet["cidr"]), mac)
            taken.append(take(tx, subnet, port_id, number, position))
        else:
            free = next_free(tx, subnet["id"])
            if free is None:
                raise errors.IpAddressGenerationFailure(network_id=network_id)
            taken.append(take(tx, subnet, port_id, free, position))
    return taken


def _by_default(
    tx: Transaction, network_id: str, subnets: Sequence[Row], port_id: str, mac: str
) -> list[Row]:
    taken: list[Row] = []
    for version in (4, 6):
        ordinary = [s for s in subnets if s["ip_version"] == version and not _makes_its_own(s)]
        for subnet in ordinary:
            number = next_free(tx, subnet["id"])
            if number is not None:
                taken.append(take(tx, subnet, port_id, number, len(taken)))
                break
        else:
            if ordinary:
                raise errors.IpAddressGenerationFailure(network_id=network_id)
    for subnet in subnets:
        if _makes_its_own(subnet):
            number = addresses.eui64(ipaddress.ip_network(subnet["cidr"]), mac)
            taken.append(take(tx, subnet, port_id, number, len(taken)))
    return taken


def _makes_its_own(subnet: Row) -> bool:
    return subnet["ipv6_address_mode"] in ("slaac", "dhcpv6-stateless")


def _subnet_of(subnets: Sequence[Row], address: str) -> Row:
    wanted = ipaddress.ip_address(address)
    for subnet in subnets:
        if wanted in ipaddress.ip_network(subnet["cidr"]):
            return subnet
    raise errors.InvalidIpForNetwork(ip_address=address)


def _named(  # noqa: PLR0917
    tx: Transaction, network_id: str, subnet: Row, port_id: str, address: str, position: int, service: bool
) -> Row:
    number = int(ipaddress.ip_address(address))
    first, last = addresses.host_range(ipaddress.ip_network(subnet["cidr"]))
    if not first <= number <= last:
        raise errors.InvalidIpForSubnet(ip_address=address)
    if _makes_its_own(subnet) and not service:
        raise errors.InvalidInput(
            reason=f"IPv6 address {address} can not be directly assigned to a port on subnet {subnet['id']} "
            "since the subnet is configured for automatic addresses"
        )
    if holder(tx, subnet["id"], address) is not None:
        raise errors.IpAddressAlreadyAllocated(ip_address=address, subnet_id=subnet["id"])
    return take(tx, subnet, port_id, number, position)


def release_port(tx: Transaction, port_id: str) -> None:
    _RELEASE_PORT.run(tx, port=port_id)


def release(tx: Transaction, row: Row) -> None:
    tx.execute(
        delete(IP_ALLOCATIONS).where(
            IP_ALLOCATIONS.c.subnet_id == row["subnet_id"],
            IP_ALLOCATIONS.c.address_key == row["address_key"],
            IP_ALLOCATIONS.c.port_id == row["port_id"],
        )
    )


def of_ports(tx: Transaction, port_ids: Sequence[str]) -> dict[str, list[Row]]:
    if len(port_ids) == 1:
        return {port_ids[0]: _OF_PORT.all(tx, port=port_ids[0])}
    found: dict[str, list[Row]] = {port_id: [] for port_id in port_ids}
    if port_ids:
        statement = (
            select(IP_ALLOCATIONS)
            .where(IP_ALLOCATIONS.c.port_id.in_(port_ids))
            .order_by(IP_ALLOCATIONS.c.position)
        )
        for row in fetch_all(tx, statement):
            found[row["port_id"]].append(row)
    return found


def has_room(tx: Transaction, subnet_id: str) -> bool:
    """Whether a pool of the subnet has a free address."""
    for pool in _POOLS.all(tx, subnet=subnet_id):
        if not _full(tx, subnet_id, int(pool["first_key"], 16), int(pool["last_key"], 16)):
            return True
    return False
