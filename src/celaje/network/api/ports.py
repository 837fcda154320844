"""Ports: attributes, addresses, security groups, binding to a host.

Source: Networking API v2.0, extensions binding, port-security, allowed-address-pairs, security-group.
"""

from typing import Any

from sqlalchemy import or_, select

from celaje.common.db import Transaction, fetch_all, fetch_value
from celaje.common.wsgi import Request
from celaje.network import errors
from celaje.network.api import binding
from celaje.network.api import converters as to
from celaje.network.api.attributes import (
    BOOLEAN_KIND,
    DESCRIPTION,
    NAME,
    REQUIRED,
    Attribute,
    Body,
    Resource,
    sees_all,
)
from celaje.network.api.collection import Collection, Row, View
from celaje.network.api.port_view import port_view
from celaje.network.db import floating_ips, ipam, networks, ports, routers, security_groups
from celaje.network.db.security_groups import standard
from celaje.network.db.tables import (
    IP_ALLOCATIONS,
    NETWORKS,
    PORT_SECURITY_GROUPS,
    PORTS,
    ROUTERS,
    SECURITY_GROUPS,
)

# Made and deleted with their router, floating IP or network, never by themselves.
ROUTER_OWNERS = ("network:router_interface", "network:router_gateway", "network:floatingip")

# What a host must be told anew when it changes.
_WIRED = (
    "fixed_ips",
    "mac_address",
    "admin_state_up",
    "allowed_address_pairs",
    "port_security_enabled",
    "security_groups",
)

_EXTRA_OPTION = to.dictionary(
    {
        "opt_name": to.string(64, empty=False),
        "opt_value": to.or_none(to.string(255)),
        "ip_version": to.integer(4, 6),
    },
    ("opt_name",),
)


def _sub_rules(body: Body) -> list[str]:
    found = []
    for entry in body.get("fixed_ips") or ():
        found += [f"fixed_ips:{key}" for key in entry]
    for pair in body.get("allowed_address_pairs") or ():
        found += [f"allowed_address_pairs:{key}" for key in pair]
    return sorted(set(found))


class Ports(Collection):
    resource = Resource(
        "port",
        "ports",
        {
            "name": NAME,
            "description": DESCRIPTION,
            "network_id": Attribute(to.uuid, default=REQUIRED, put=False),
            "admin_state_up": Attribute(to.boolean, default=True, kind=BOOLEAN_KIND),
            "mac_address": Attribute(to.or_none(to.mac_address), rule=True),
            "fixed_ips": Attribute(to.or_none(to.fixed_ips), rule=True, kind=("array",)),
            "device_id": Attribute(to.null_as("", to.string()), default="", rule=True),
            "device_owner": Attribute(to.null_as("", to.string()), default="", rule=True),
            "security_groups": Attribute(to.or_none(to.list_of(to.uuid)), kind=("array",)),
            "port_security_enabled": Attribute(to.boolean, rule=True, kind=BOOLEAN_KIND),
            "allowed_address_pairs": Attribute(to.address_pairs, default=[], rule=True, kind=("array",)),
            "extra_dhcp_opts": Attribute(
                to.null_as([], to.list_of(_EXTRA_OPTION)), default=[], kind=("array",)
            ),
            "binding:host_id": Attribute(to.null_as("", to.string()), default="", rule=True),
            "binding:vnic_type": Attribute(to.one_of(*binding.VNIC_TYPES), default="normal", rule=True),
            "binding:profile": Attribute(
                to.null_as({}, to.any_dictionary), default={}, rule=True, kind=("object",)
            ),
            "propagate_uplink_status": Attribute(to.boolean, put=False, kind=BOOLEAN_KIND),
            "qos_policy_id": Attribute(to.nothing),
            "dns_name": Attribute(to.null_as("", to.string())),
            "dns_domain": Attribute(to.null_as("", to.string())),
        },
        hidden=("binding:vif_type", "binding:vif_details", "binding:host_id", "binding:profile"),
        sub_rules=_sub_rules,
    )
    table = PORTS
    not_found = errors.PortNotFound
    quota = "port"
    columns = {
        **{
            name: PORTS.c[name]
            for name in (
                "id",
                "project_id",
                "network_id",
                "name",
                "description",
                "admin_state_up",
                "status",
                "mac_address",
                "device_id",
                "device_owner",
                "port_security_enabled",
                "revision_number",
                "created_at",
                "updated_at",
            )
        },
        "binding:host_id": PORTS.c.binding_host_id,
        "binding:vnic_type": PORTS.c.binding_vnic_type,
        "binding:vif_type": PORTS.c.binding_vif_type,
    }
    filters = {
        "fixed_ips": lambda values: _with_addresses(values),  # noqa: PLW0108 (defined below)
        "security_groups": lambda values: PORTS.c.id.in_(
            select(PORT_SECURITY_GROUPS.c.port_id).where(PORT_SECURITY_GROUPS.c.security_group_id.in_(values))
        ),
    }

    def visible(self, project_id: str | None) -> Any:
        """A project's own ports, and all on its networks."""
        owned = select(NETWORKS.c.id).where(NETWORKS.c.project_id == project_id)
        return or_(PORTS.c.project_id == project_id, PORTS.c.network_id.in_(owned))

    def relations(self, tx: Transaction, rows: Any) -> dict[str, Any]:
        ids = [row["id"] for row in rows]
        return {
            "fixed_ips": ipam.of_ports(tx, ids),
            "security_groups": ports.groups_of(tx, ids),
            "networks": ports.network_owners(tx, [row["network_id"] for row in rows]),
        }

    def target(self, row: Row, relations: dict[str, Any], view: View) -> dict[str, Any]:
        network = relations["networks"].get(row["network_id"], {})
        return _target(view, network)

    def view(self, row: Row, relations: dict[str, Any]) -> View:
        return port_view(row, relations)

    def create(self, request: Request, tx: Transaction, body: Body, rules: list[str]) -> Row:
        network = networks.hold(tx, body["network_id"])
        if network is None or not _knows(request, network):
            raise errors.NetworkNotFound(id=body["network_id"])
        target = _target(body, network)
        for name in ("create_port", *rules):
            request.authorize(target, rule=name)
        self._refuse_foreign_router(request, tx, body)
        self.check_quota(request, tx, body["project_id"])
        conf = request.service.conf
        secure = _after(body, network, "port_security_enabled")
        _check_lists(conf, body, secure)
        mac = body.get("mac_address") or ports.new_mac(conf.base_mac)
        row: Row = {
            **standard(body["project_id"], body["description"]),
            "network_id": network["id"],
            "name": body["name"],
            "admin_state_up": body["admin_state_up"],
            "status": "DOWN",
            "flow_id": None,
            "mac_address": mac,
            "device_id": body["device_id"],
            "device_owner": body["device_owner"],
            "port_security_enabled": secure,
            "allowed_address_pairs": _with_macs(body["allowed_address_pairs"], mac),
            "extra_dhcp_opts": body["extra_dhcp_opts"],
            "binding_host_id": body["binding:host_id"],
            "binding_vnic_type": body["binding:vnic_type"],
            "binding_vif_type": "unbound",
            "binding_vif_details": {},
            "binding_profile": body["binding:profile"],
            "binding_generation": 0,
        }
        groups = self._groups(request, tx, body, row, secure)
        subnet_rows = networks.subnets(tx, network["id"])
        fixed = ipam.allocate(tx, network["id"], subnet_rows, row["id"], mac, body.get("fixed_ips"))
        if body.get("security_groups") and not fixed:
            raise errors.PortSecurityAndIPRequiredForSecurityGroups()
        if row["binding_host_id"]:
            row.update(binding.prepare(request.service, tx, row))
        ports.add(tx, row, mac_given=bool(body.get("mac_address")))
        ports.set_groups(tx, row["id"], groups, new=True)
        return row

    def update(self, request: Request, tx: Transaction, row: Row, body: Body) -> None:
        for name in ("qos_policy_id", "dns_name", "dns_domain"):
            body.pop(name, None)
        conf = request.service.conf
        self._refuse_foreign_router(request, tx, {**row, **body})
        secure = _after(body, row, "port_security_enabled")
        merged = {"fixed_ips": None, **row, **body}
        _check_lists(conf, merged, secure)
        changed = {name for name in _WIRED if name in body}
        fixed = body.pop("fixed_ips", None)
        if fixed is not None:
            self._change_addresses(tx, row, fixed)
        self._change_groups(request, tx, row, body, secure)
        if body.get("mac_address", row["mac_address"]) != row["mac_address"]:
            self._check_mac(tx, row, body["mac_address"])
        if "mac_address" in body and body["mac_address"] is None:
            body["mac_address"] = ports.new_mac(conf.base_mac)
        if "allowed_address_pairs" in body:
            mac = _after(body, row, "mac_address")
            body["allowed_address_pairs"] = _with_macs(body["allowed_address_pairs"], mac)
        values = {name.replace(":", "_"): value for name, value in body.items()}
        bound = binding.change(request.service, tx, row, values, bool(changed))
        self.save(tx, row, {**values, **bound})
        if fixed is not None:
            routers.addresses_changed(request.service.flows, tx, row["id"])

    def delete(self, request: Request, tx: Transaction, row: Row) -> None:
        if row["device_owner"] in ROUTER_OWNERS and self._owner_lives(tx, row):
            raise errors.ServicePortInUse(id=row["id"], reason=f"has device owner {row['device_owner']}")
        drop_port(request.service, tx, row)

    def _owner_lives(self, tx: Transaction, row: Row) -> bool:
        if row["device_owner"] == "network:floatingip":
            return floating_ips.get(tx, row["device_id"]) is not None
        return fetch_value(tx, select(ROUTERS.c.id).where(ROUTERS.c.id == row["device_id"])) is not None

    def _refuse_foreign_router(self, request: Request, tx: Transaction, body: Body) -> None:
        """A port cannot be put on a router by writing its device: that has an operation of its own."""
        owner = body.get("device_owner") or ""
        if owner not in ROUTER_OWNERS[:2] or request.allows("context_is_admin"):
            return
        found = fetch_value(tx, select(ROUTERS.c.project_id).where(ROUTERS.c.id == body.get("device_id")))
        if found is not None and found != request.context.project_id:
            raise errors.HTTPBadRequest(
                f"The following device_id {body.get('device_id')} is not owned by your project or matches "
                "another project router."
            )

    def _groups(self, request: Request, tx: Transaction, body: Body, row: Row, secure: bool) -> list[str]:
        wanted = body.get("security_groups")
        if wanted is None:
            if not secure or row["device_owner"].startswith("network:"):
                return []
            return [security_groups.ensure_default(tx, row["project_id"])]
        if wanted and not secure:
            raise errors.PortSecurityAndIPRequiredForSecurityGroups()
        _check_groups(request, tx, wanted, row["project_id"])
        return wanted

    def _change_groups(self, request: Request, tx: Transaction, row: Row, body: Body, secure: bool) -> None:
        wanted = body.pop("security_groups", None)
        if wanted is None:
            if not secure and row["port_security_enabled"] and ports.groups_of(tx, [row["id"]])[row["id"]]:
                raise errors.PortSecurityPortHasSecurityGroup()
            return
        if wanted and not secure:
            raise errors.PortSecurityAndIPRequiredForSecurityGroups()
        _check_groups(request, tx, wanted, row["project_id"])
        ports.set_groups(tx, row["id"], wanted)

    def _change_addresses(self, tx: Transaction, row: Row, wanted: list[dict[str, str]]) -> None:
        """Addresses that stay are kept, others go back, new ones are given."""
        held = ipam.of_ports(tx, [row["id"]])[row["id"]]
        rest = list(wanted)
        kept = []
        for each in held:
            match = next((entry for entry in rest if _same(entry, each)), None)
            if match is None:
                ipam.release(tx, each)
            else:
                rest.remove(match)
                kept.append(each)
        gone = {each["ip_address"] for each in held} - {each["ip_address"] for each in kept}
        if gone:
            floating_ips.refuse_losing(tx, row["id"], gone)
        subnet_rows = networks.subnets(tx, row["network_id"])
        ipam.allocate(
            tx, row["network_id"], subnet_rows, row["id"], row["mac_address"], rest, start=len(kept)
        )

    def _check_mac(self, tx: Transaction, row: Row, mac: str | None) -> None:
        if row["binding_vif_type"] not in ("unbound", "binding_failed"):
            raise errors.PortBound(
                id=row["id"], vif_type=row["binding_vif_type"], old_mac=row["mac_address"], new_mac=mac
            )
        clash = fetch_value(
            tx, select(PORTS.c.id).where(PORTS.c.network_id == row["network_id"], PORTS.c.mac_address == mac)
        )
        if clash is not None:
            raise errors.MacAddressInUse(network_id=row["network_id"], mac=mac)


def drop_port(service: Any, tx: Transaction, row: Row) -> None:
    """The port is gone with this transaction; a flow takes it off its host."""
    floating_ips.disassociate_port(service.flows, tx, row["id"])
    ports.remove(tx, row["id"])
    binding.undo(service, tx, row, deleted=True)


def _target(view: View, network: Row) -> dict[str, Any]:
    return {
        **view,
        "network:project_id": network.get("project_id"),
        "shared": network.get("shared", False),
    }


def _after(body: Body, row: Row, name: str) -> Any:
    """The attribute once the request is done."""
    return body[name] if name in body else row[name]


def _knows(request: Request, network: Row) -> bool:
    return (
        network["project_id"] == request.context.project_id
        or network["shared"]
        or network["router_external"]
        or sees_all(request)
    )


def _check_lists(conf: Any, body: Body, secure: bool) -> None:
    if len(body.get("fixed_ips") or ()) > conf.max_fixed_ips_per_port:
        raise errors.InvalidInput(reason="Exceeded maximum amount of fixed ips per port")
    pairs = body.get("allowed_address_pairs") or ()
    if len(pairs) > conf.max_allowed_address_pair:
        raise errors.HTTPBadRequest(
            f"The number of allowed address pair exceeds the maximum {conf.max_allowed_address_pair}."
        )
    if pairs and not secure:
        raise errors.AddressPairAndPortSecurityRequired()


def _with_macs(pairs: list[dict[str, str]], mac: str) -> list[dict[str, str]]:
    """A pair without a MAC means the port's own."""
    found: list[dict[str, str]] = []
    for pair in pairs:
        whole = {"ip_address": pair["ip_address"], "mac_address": pair.get("mac_address", mac)}
        if whole in found:
            raise errors.HTTPBadRequest(
                f"Request contains duplicate address pair: mac_address {whole['mac_address']} "
                f"ip_address {whole['ip_address']}."
            )
        found.append(whole)
    return found


def _check_groups(request: Request, tx: Transaction, wanted: list[str], project_id: str) -> None:
    if not wanted:
        return
    statement = select(SECURITY_GROUPS.c.id, SECURITY_GROUPS.c.project_id).where(
        SECURITY_GROUPS.c.id.in_(wanted)
    )
    owners = {row["id"]: row["project_id"] for row in fetch_all(tx, statement)}
    for group_id in wanted:
        owner = owners.get(group_id)
        if owner is None or (owner not in (project_id, request.context.project_id) and not sees_all(request)):
            raise errors.SecurityGroupNotFound(id=group_id)


def _same(entry: dict[str, str], held: Row) -> bool:
    if "ip_address" in entry and entry["ip_address"] != held["ip_address"]:
        return False
    return entry.get("subnet_id", held["subnet_id"]) == held["subnet_id"]


def _with_addresses(values: list[str]) -> Any:
    """`fixed_ips=ip_address=A`, `=subnet_id=S`, `=ip_address_substr=T`: kinds must all fit, values of one
    kind are alternatives."""
    columns = {"ip_address": IP_ALLOCATIONS.c.ip_address, "subnet_id": IP_ALLOCATIONS.c.subnet_id}
    by_kind: dict[str, list[str]] = {}
    for value in values:
        kind, equals, wanted = value.partition("=")
        if not equals or kind not in (*columns, "ip_address_substr"):
            raise errors.HTTPBadRequest(f"Invalid filter for fixed_ips: '{to.shown(value)}'")
        by_kind.setdefault(kind, []).append(wanted)
    conditions = []
    for kind, given in by_kind.items():
        if kind == "ip_address_substr":
            conditions.append(
                or_(*(IP_ALLOCATIONS.c.ip_address.contains(each, autoescape=True) for each in given))
            )
        else:
            conditions.append(columns[kind].in_(given))
    return PORTS.c.id.in_(select(IP_ALLOCATIONS.c.port_id).where(*conditions))


PORTS_API = Ports()
