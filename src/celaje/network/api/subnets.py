"""Subnets, IPv4 and IPv6: attributes, checks, pools of addresses.

Source: Networking API v2.0, subnets; the automatic gateway and pools as Neutron makes them.
"""

import ipaddress
from typing import Any

from sqlalchemy import insert, or_, select

from celaje.common.db import Transaction
from celaje.common.wsgi import Request
from celaje.network import addresses, errors
from celaje.network.api import converters as to
from celaje.network.api.attributes import (
    BOOLEAN_KIND,
    DESCRIPTION,
    INTEGER_KIND,
    NAME,
    REQUIRED,
    Attribute,
    Body,
    Resource,
    sees_all,
)
from celaje.network.api.collection import Collection, Row, View
from celaje.network.db import ipam, networks, ports, subnets
from celaje.network.db.security_groups import standard
from celaje.network.db.tables import IP_ALLOCATIONS, NETWORKS, SUBNETS

_MODES = ("slaac", "dhcpv6-stateful", "dhcpv6-stateless")


def _ip_version(value: Any) -> int:
    number = to.integer()(value)
    if number not in (4, 6):
        raise to.BadValue(f"'{number}' is not in [4, 6]")
    return number


class Subnets(Collection):
    resource = Resource(
        "subnet",
        "subnets",
        {
            "name": NAME,
            "description": DESCRIPTION,
            "network_id": Attribute(to.uuid, default=REQUIRED, put=False),
            "ip_version": Attribute(_ip_version, default=REQUIRED, put=False, kind=INTEGER_KIND),
            "cidr": Attribute(to.or_none(to.cidr), put=False),
            "prefixlen": Attribute(to.or_none(to.integer(0, 128)), put=False, kind=INTEGER_KIND),
            "subnetpool_id": Attribute(to.or_none(to.uuid), put=False),
            "use_default_subnetpool": Attribute(to.boolean, default=False, put=False, kind=BOOLEAN_KIND),
            "gateway_ip": Attribute(to.or_none(to.ip_address)),
            "allocation_pools": Attribute(to.or_none(to.allocation_pools), kind=("array",)),
            "dns_nameservers": Attribute(
                to.null_as([], to.list_of(to.ip_address)), default=[], kind=("array",)
            ),
            "host_routes": Attribute(to.host_routes, default=[], kind=("array",)),
            "enable_dhcp": Attribute(to.boolean, default=True, kind=BOOLEAN_KIND),
            "ipv6_ra_mode": Attribute(to.or_none(to.one_of(*_MODES)), put=False),
            "ipv6_address_mode": Attribute(to.or_none(to.one_of(*_MODES)), put=False),
            "service_types": Attribute(to.list_of(to.string(255)), default=[], rule=True, kind=("array",)),
            "segment_id": Attribute(to.nothing, rule=True),
            "dns_publish_fixed_ip": Attribute(to.boolean, kind=BOOLEAN_KIND),
        },
    )
    table = SUBNETS
    not_found = errors.SubnetNotFound
    quota = "subnet"
    default_sort = ("id",)
    columns = {
        name: SUBNETS.c[name]
        for name in (
            "id",
            "project_id",
            "network_id",
            "name",
            "description",
            "ip_version",
            "cidr",
            "gateway_ip",
            "enable_dhcp",
            "ipv6_address_mode",
            "ipv6_ra_mode",
            "subnetpool_id",
            "revision_number",
            "created_at",
            "updated_at",
        )
    }
    filters = {
        "shared": lambda values: SUBNETS.c.network_id.in_(
            select(NETWORKS.c.id).where(NETWORKS.c.shared.is_(values[-1].lower() in ("true", "1")))
        ),
        "router:external": lambda values: SUBNETS.c.network_id.in_(
            select(NETWORKS.c.id).where(NETWORKS.c.router_external.is_(values[-1].lower() in ("true", "1")))
        ),
    }

    def visible(self, project_id: str | None) -> Any:
        within = select(NETWORKS.c.id).where(networks.mine_or_shared(project_id))
        return or_(SUBNETS.c.project_id == project_id, SUBNETS.c.network_id.in_(within))

    def relations(self, tx: Transaction, rows: Any) -> dict[str, Any]:
        return {
            "pools": subnets.pools_shown(tx, rows),
            "networks": ports.network_owners(tx, [row["network_id"] for row in rows]),
        }

    def target(self, row: Row, relations: dict[str, Any], view: View) -> dict[str, Any]:
        network = relations["networks"].get(row["network_id"], {})
        return {
            **view,
            "network:project_id": network.get("project_id"),
            "shared": network.get("shared", False),
            "router:external": network.get("router_external", False),
        }

    def view(self, row: Row, relations: dict[str, Any]) -> View:
        network = relations["networks"].get(row["network_id"], {})
        return {
            "id": row["id"],
            "name": row["name"],
            "network_id": row["network_id"],
            "ip_version": row["ip_version"],
            "cidr": row["cidr"],
            "gateway_ip": row["gateway_ip"],
            "allocation_pools": relations["pools"][row["id"]],
            "dns_nameservers": row["dns_nameservers"],
            "host_routes": row["host_routes"],
            "enable_dhcp": row["enable_dhcp"],
            "ipv6_ra_mode": row["ipv6_ra_mode"],
            "ipv6_address_mode": row["ipv6_address_mode"],
            "subnetpool_id": row["subnetpool_id"],
            "service_types": row["service_types"],
            "segment_id": None,
            "dns_publish_fixed_ip": False,
            "router:external": bool(network.get("router_external", False)),
        }

    def create(self, request: Request, tx: Transaction, body: Body, rules: list[str]) -> Row:
        network = networks.lock(tx, body["network_id"])
        if network is None or not self._knows(request, network):
            raise errors.NetworkNotFound(id=body["network_id"])
        target = {**body, "network:project_id": network["project_id"]}
        for name in ("create_subnet", *rules):
            request.authorize(target, rule=name)
        self.check_quota(request, tx, body["project_id"])
        cidr = body["cidr"] = self._cidr(request, tx, body)
        prefix = ipaddress.ip_network(cidr)
        _check_version(body, prefix)
        _check_modes(body)
        clash = addresses.overlapping(prefix, [s["cidr"] for s in networks.subnets(tx, network["id"])])
        if clash is not None:
            raise errors.SubnetOverlap(cidr=cidr, network_id=network["id"])
        gateway = body["gateway_ip"] if "gateway_ip" in body else addresses.default_gateway(prefix)
        _check_gateway(gateway, prefix)
        _check_lists(request.service.conf, "new subnet", body)
        if prefix.version == 6 and network["mtu"] < 1280:
            raise errors.InvalidInput(reason=f"MTU {network['mtu']} of the network is too small for IPv6")
        if body.get("allocation_pools") is not None:
            pools = addresses.check_pools(body["allocation_pools"], prefix, gateway)
        else:
            pools = addresses.default_pools(prefix, gateway)
        row = {
            **standard(body["project_id"], body["description"]),
            "network_id": network["id"],
            "name": body["name"],
            "ip_version": prefix.version,
            "cidr": str(prefix),
            "gateway_ip": gateway,
            "enable_dhcp": body["enable_dhcp"],
            "dns_nameservers": body["dns_nameservers"],
            "host_routes": body["host_routes"],
            "service_types": body["service_types"],
            "ipv6_address_mode": body.get("ipv6_address_mode"),
            "ipv6_ra_mode": body.get("ipv6_ra_mode"),
            "subnetpool_id": body.get("subnetpool_id"),
        }
        tx.execute(insert(SUBNETS).values(**row))
        ipam.set_pools(tx, row["id"], pools)
        self._tell_hosts(request, tx, network["id"])
        return row

    def update(self, request: Request, tx: Transaction, row: Row, body: Body) -> None:
        prefix = ipaddress.ip_network(row["cidr"])
        body.pop("segment_id", None)
        body.pop("dns_publish_fixed_ip", None)
        gateway = body.get("gateway_ip", row["gateway_ip"])
        _check_lists(request.service.conf, row["id"], body)
        for name, version_of in (("dns_nameservers", ipaddress.ip_address),):
            for value in body.get(name, ()):
                if version_of(value).version != row["ip_version"]:
                    raise errors.InvalidInput(
                        reason=f"{name} '{value}' does not match the ip_version '{row['ip_version']}'"
                    )
        if gateway != row["gateway_ip"]:
            _check_gateway(gateway, prefix)
            self._refuse_used_gateway(tx, row)
        wanted = body.pop("allocation_pools", None)
        if wanted is not None:
            ipam.set_pools(tx, row["id"], addresses.check_pools(wanted, prefix, gateway))
        elif gateway != row["gateway_ip"] and gateway is not None:
            number = int(ipaddress.ip_address(gateway))
            for first, last in ipam.pools_of(tx, [row["id"]])[row["id"]]:
                if first <= number <= last:
                    words = f"{addresses.text(first, prefix.version)}-{addresses.text(last, prefix.version)}"
                    raise errors.GatewayConflictWithAllocationPools(ip_address=gateway, pool=words)
        self.save(tx, row, body)
        self._tell_hosts(request, tx, row["network_id"])

    def delete(self, request: Request, tx: Transaction, row: Row) -> None:
        # Addresses that hosts made themselves (SLAAC) go with the subnet; given ones hold it.
        automatic = row["ipv6_address_mode"] in ("slaac", "dhcpv6-stateless")
        held = [
            port["id"]
            for port in subnets.ports_on(tx, row["id"])
            if not automatic or port["device_owner"].startswith("network:router")
        ]
        if held:
            words = ", ".join(held[:10])
            raise errors.SubnetInUse(
                id=row["id"],
                reason=f"One or more ports have an IP allocation from this subnet: {words}",
            )
        tx.execute(IP_ALLOCATIONS.delete().where(IP_ALLOCATIONS.c.subnet_id == row["id"]))
        ipam.set_pools(tx, row["id"], [])
        self.delete_row(tx, row)
        self._tell_hosts(request, tx, row["network_id"])

    def _knows(self, request: Request, network: Row) -> bool:
        return (
            network["project_id"] == request.context.project_id
            or network["shared"]
            or network["router_external"]
            or sees_all(request)
        )

    def _cidr(self, request: Request, tx: Transaction, body: Body) -> str:
        """The prefix asked for, or one carved out of a subnet pool."""
        pool_id = body.get("subnetpool_id")
        pool = None
        if body.pop("use_default_subnetpool", False) and pool_id is None:
            pool = subnets.default_pool(tx, body["ip_version"])
            if pool is None:
                raise errors.HTTPBadRequest(f"No default subnetpool found for IPv{body['ip_version']}")
            body["subnetpool_id"] = pool["id"]
        elif pool_id is not None:
            pool = subnets.pool_row(tx, pool_id)
            if pool is None or not (
                pool["shared"] or pool["project_id"] == body["project_id"] or sees_all(request)
            ):
                raise errors.SubnetPoolNotFound(id=pool_id)
        if pool is None:
            if body.get("cidr") is None:
                raise errors.HTTPBadRequest("a subnetpool must be specified in the absence of a cidr")
            if body.get("prefixlen") is not None:
                raise errors.HTTPBadRequest("prefixlen can only be given with a subnetpool")
            return body["cidr"]
        return _from_pool(tx, pool, body)

    def _refuse_used_gateway(self, tx: Transaction, row: Row) -> None:
        if row["gateway_ip"] is None:
            return
        port_id = ipam.holder(tx, row["id"], row["gateway_ip"])
        if port_id is not None:
            raise errors.GatewayIpInUse(ip_address=row["gateway_ip"], port_id=port_id)

    def _tell_hosts(self, request: Request, tx: Transaction, network_id: str) -> None:
        for host in networks.hosts(tx, network_id):
            request.service.flows.submit(
                tx,
                "network.sync",
                resource=("network", network_id),
                arguments={"network_id": network_id, "host": host},
            )


def _from_pool(tx: Transaction, pool: Row, body: Body) -> str:
    if pool["ip_version"] != body["ip_version"]:
        raise errors.HTTPBadRequest("Cannot allocate a subnet of another ip_version than the subnetpool's")
    cidr = body.get("cidr")
    length = body.get("prefixlen")
    if cidr is not None:
        if length is not None:
            raise errors.HTTPBadRequest("cidr and prefixlen cannot be given together")
        length = ipaddress.ip_network(cidr).prefixlen
    length = length if length is not None else pool["default_prefixlen"]
    if not pool["min_prefixlen"] <= length <= pool["max_prefixlen"]:
        raise errors.SubnetAllocationError(
            reason=f"prefix length {length} is not between {pool['min_prefixlen']} and "
            f"{pool['max_prefixlen']}"
        )
    if cidr is not None:
        if not subnets.in_pool(pool, cidr):
            raise errors.SubnetAllocationError(
                reason=f"Cannot allocate requested subnet {cidr} from the pool"
            )
        used = [
            row.cidr
            for row in tx.execute(select(SUBNETS.c.cidr).where(SUBNETS.c.subnetpool_id == pool["id"]))
        ]
        if addresses.overlapping(ipaddress.ip_network(cidr), used):
            raise errors.SubnetAllocationError(
                reason=f"Cannot allocate requested subnet {cidr} from the pool"
            )
        return cidr
    found = subnets.carve(tx, pool, length)
    if found is None:
        raise errors.SubnetAllocationError(
            reason=f"Insufficient prefix space to allocate subnet size /{length}"
        )
    return found


def _check_version(body: Body, prefix: addresses.Network) -> None:
    version = body["ip_version"]
    if prefix.version != version:
        raise errors.InvalidInput(reason=f"cidr '{prefix}' does not match the ip_version '{version}'")
    if prefix.prefixlen == 0 or (prefix.version == 4 and prefix.prefixlen == 32 and body["enable_dhcp"]):
        raise errors.InvalidInput(reason=f"a subnet cannot have the prefix '{prefix}'")
    if prefix.is_multicast:
        raise errors.InvalidInput(reason="Multicast IP subnet is not supported")
    if prefix.is_loopback:
        raise errors.InvalidInput(reason="Loopback IP subnet is not supported")
    for server in body["dns_nameservers"]:
        if ipaddress.ip_address(server).version != version:
            raise errors.InvalidInput(
                reason=f"dns_nameservers '{server}' does not match the ip_version '{version}'"
            )
    for route in body["host_routes"]:
        if ipaddress.ip_network(route["destination"]).version != version:
            raise errors.InvalidInput(
                reason=f"host_routes '{route['destination']}' does not match the ip_version '{version}'"
            )


def _check_modes(body: Body) -> None:
    address_mode, ra_mode = body.get("ipv6_address_mode"), body.get("ipv6_ra_mode")
    if address_mode is None and ra_mode is None:
        return
    if body["ip_version"] == 4:
        raise errors.InvalidInput(reason="ipv6_ra_mode and ipv6_address_mode are not valid with ip_version 4")
    if not body["enable_dhcp"]:
        raise errors.InvalidInput(
            reason="ipv6_ra_mode or ipv6_address_mode cannot be set with enable_dhcp off"
        )
    if address_mode and ra_mode and address_mode != ra_mode:
        raise errors.InvalidInput(
            reason=f"ipv6_ra_mode set to '{ra_mode}' with ipv6_address_mode set to '{address_mode}' is not "
            "valid. If both attributes are set, they must be the same value"
        )
    if "slaac" in (address_mode, ra_mode) or "dhcpv6-stateless" in (address_mode, ra_mode):
        prefix = ipaddress.ip_network(body["cidr"]) if body.get("cidr") else None
        if prefix is not None and prefix.prefixlen != 64:
            raise errors.InvalidInput(
                reason=f"Invalid CIDR {prefix} for IPv6 address mode. OpenStack uses the EUI-64 address "
                "format, which requires the prefix to be /64"
            )


def _check_gateway(gateway: str | None, prefix: addresses.Network) -> None:
    if gateway is None:
        return
    address = ipaddress.ip_address(gateway)
    if address.version != prefix.version:
        raise errors.InvalidInput(reason=f"gateway_ip '{gateway}' does not match the ip_version")
    first, last = addresses.host_range(prefix)
    # A gateway outside of the subnet is allowed (it may be on-link); one at its edges is nobody.
    edges = address in prefix and not first <= int(address) <= last and prefix.version == 4
    if edges:
        raise errors.InvalidInput(reason="Gateway is not valid on subnet")


def _check_lists(conf: Any, subnet: str, body: Body) -> None:
    if len(body.get("dns_nameservers", ())) > conf.max_dns_nameservers:
        raise errors.DNSNameServersExhausted(subnet_id=subnet, quota=conf.max_dns_nameservers)
    if len(body.get("host_routes", ())) > conf.max_subnet_host_routes:
        raise errors.HostRoutesExhausted(subnet_id=subnet, quota=conf.max_subnet_host_routes)


SUBNETS_API = Subnets()
