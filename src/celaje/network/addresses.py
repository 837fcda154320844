"""Arithmetic on IP addresses: keys that sort, pools of a subnet, EUI-64. No database.

Called by the API's checks, by `db/ipam.py` and by tests.
"""

import ipaddress
import itertools
from collections.abc import Iterable, Sequence

from celaje.network import errors

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

Pool = tuple[int, int]


def key(address: str | int | Address) -> str:
    """32 hexadecimal digits that sort like the numbers."""
    number = int(ipaddress.ip_address(address)) if isinstance(address, str) else int(address)
    return f"{number:032x}"


def text(number: int, version: int) -> str:
    cls = ipaddress.IPv4Address if version == 4 else ipaddress.IPv6Address
    return str(cls(number))


def default_gateway(network: Network) -> str | None:
    """The first host of the subnet; a subnet of one address has none."""
    if network.version == 6 and network.prefixlen >= 127:
        return str(network[0]) if network.prefixlen == 127 else None
    if network.prefixlen >= network.max_prefixlen - 1:
        return str(network[0]) if network.prefixlen == network.max_prefixlen - 1 else None
    return str(network[1])


def host_range(network: Network) -> Pool:
    """First and last address that a host may have (RFC 950, RFC 3021; for IPv6 all but the subnet-router
    anycast address, RFC 4291)."""
    first, last = int(network.network_address), int(network[-1])
    if network.version == 4 and network.prefixlen < 31:
        return first + 1, last - 1
    if network.version == 6 and network.prefixlen < 127:
        return first + 1, last
    return first, last


def default_pools(network: Network, gateway: str | None) -> list[Pool]:
    """All host addresses but the gateway's."""
    first, last = host_range(network)
    if gateway is None:
        return [(first, last)]
    inside = int(ipaddress.ip_address(gateway))
    if not first <= inside <= last:
        return [(first, last)]
    return [(start, end) for start, end in ((first, inside - 1), (inside + 1, last)) if start <= end]


def check_pools(pools: Sequence[dict[str, str]], network: Network, gateway: str | None) -> list[Pool]:
    """The pools of a request as numbers, ordered. Raises InvalidAllocationPool, OutOfBoundsAllocationPool,
    OverlappingAllocationPools, GatewayConflictWithAllocationPools."""
    found: list[Pool] = []
    first_host, last_host = host_range(network)
    for pool in pools:
        words = f"{pool['start']}-{pool['end']}"
        start, end = ipaddress.ip_address(pool["start"]), ipaddress.ip_address(pool["end"])
        if start.version != network.version or end.version != network.version or int(end) < int(start):
            raise errors.InvalidAllocationPool(pool=words)
        if int(start) < first_host or int(end) > last_host:
            raise errors.OutOfBoundsAllocationPool(pool=words, cidr=str(network))
        if gateway is not None and int(start) <= int(ipaddress.ip_address(gateway)) <= int(end):
            raise errors.GatewayConflictWithAllocationPools(ip_address=gateway, pool=words)
        found.append((int(start), int(end)))
    found.sort()
    for (begin, finish), (next_begin, next_finish) in itertools.pairwise(found):
        if next_begin <= finish:
            raise errors.OverlappingAllocationPools(
                first=_words(begin, finish, network.version),
                second=_words(next_begin, next_finish, network.version),
                cidr=str(network),
            )
    return found


def _words(start: int, end: int, version: int) -> str:
    return f"{text(start, version)}-{text(end, version)}"


def eui64(prefix: Network, mac: str) -> int:
    """The address that a host makes of its MAC by SLAAC (RFC 4291, appendix A)."""
    octets = [int(part, 16) for part in mac.split(":")]
    octets[0] ^= 2
    low = bytes([*octets[:3], 0xFF, 0xFE, *octets[3:]])
    return int(prefix.network_address) | int.from_bytes(low, "big")


def overlapping(network: Network, others: Iterable[str]) -> str | None:
    """The first of `others` that shares an address with `network`."""
    for other in others:
        candidate = ipaddress.ip_network(other)
        if candidate.version == network.version and network.overlaps(candidate):
            return other
    return None


def merged_prefixes(prefixes: Iterable[str]) -> list[str]:
    networks = [ipaddress.ip_network(prefix) for prefix in prefixes]
    return [str(each) for each in ipaddress.collapse_addresses(networks)]  # type: ignore[type-var]
