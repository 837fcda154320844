"""Security group rules: what goes together, and what does not.

Source: Networking API v2.0, extension security-group; protocol names and numbers from IANA's registry.
"""

import ipaddress
from typing import Any

from sqlalchemy import or_, select

from celaje.common import clock
from celaje.common.db import Transaction, fetch_all, fetch_one
from celaje.common.wsgi import Request
from celaje.network import errors
from celaje.network.api import converters as to
from celaje.network.api.attributes import DESCRIPTION, INTEGER_KIND, REQUIRED, Attribute, Body, Resource
from celaje.network.api.collection import Collection, Row, View
from celaje.network.db import security_groups
from celaje.network.db.tables import SECURITY_GROUP_RULES, SECURITY_GROUPS

PROTOCOLS = {
    "ah": 51,
    "dccp": 33,
    "egp": 8,
    "esp": 50,
    "gre": 47,
    "hopopt": 0,
    "icmp": 1,
    "icmpv6": 58,
    "igmp": 2,
    "ip": 0,
    "ipip": 4,
    "ipv6-encap": 41,
    "ipv6-frag": 44,
    "ipv6-icmp": 58,
    "ipv6-nonxt": 59,
    "ipv6-opts": 60,
    "ipv6-route": 43,
    "ospf": 89,
    "pgm": 113,
    "rsvp": 46,
    "sctp": 132,
    "tcp": 6,
    "udp": 17,
    "udplite": 136,
    "vrrp": 112,
}
_PORTED = ("tcp", "udp", "sctp", "dccp", "udplite", "6", "17", "132", "33", "136")
_ICMP = ("icmp", "1", "icmpv6", "ipv6-icmp", "58")
_ONLY_IPV6 = ("ipv6-encap", "ipv6-frag", "ipv6-icmp", "icmpv6", "ipv6-nonxt", "ipv6-opts", "ipv6-route", "58")


def _protocol(value: Any) -> str | None:
    if value is None or (isinstance(value, str) and value.lower() in ("", "any")):
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if isinstance(value, str):
        lower = value.lower()
        if lower in PROTOCOLS:
            return lower
        if lower.isascii() and lower.isdigit() and len(lower) <= 3 and int(lower) <= 255:
            return str(int(lower))
    raise to.BadValue(
        f"Security group rule protocol {to.shown(value)} not supported. Only protocol values "
        f"{sorted(PROTOCOLS)} and integer representations [0 to 255] are supported"
    )


def _ethertype(value: Any) -> str:
    if isinstance(value, str) and value.lower() in ("ipv4", "ipv6"):
        return "IPv4" if value.lower() == "ipv4" else "IPv6"
    raise to.BadValue(f"'{to.shown(value)}' is not in ['IPv4', 'IPv6']")


def _port(value: Any) -> int | None:
    return None if value is None or value == "" else to.integer(-1, 65535)(value)


# The columns that are shown as they are.
_SHOWN = (
    "id",
    "project_id",
    "security_group_id",
    "direction",
    "ethertype",
    "protocol",
    "port_range_min",
    "port_range_max",
    "remote_ip_prefix",
    "remote_group_id",
    "description",
    "revision_number",
)


class SecurityGroupRules(Collection):
    resource = Resource(
        "security_group_rule",
        "security_group_rules",
        {
            "security_group_id": Attribute(to.uuid, default=REQUIRED, put=False),
            "direction": Attribute(to.one_of("ingress", "egress"), default=REQUIRED, put=False),
            "ethertype": Attribute(_ethertype, default="IPv4", put=False),
            "protocol": Attribute(_protocol, default=None, put=False, kind=INTEGER_KIND),
            "port_range_min": Attribute(_port, default=None, put=False, kind=INTEGER_KIND),
            "port_range_max": Attribute(_port, default=None, put=False, kind=INTEGER_KIND),
            "remote_ip_prefix": Attribute(to.or_none(to.loose_cidr), default=None, put=False),
            "remote_group_id": Attribute(to.or_none(to.uuid), default=None, put=False),
            "remote_address_group_id": Attribute(to.nothing, put=False),
            "description": DESCRIPTION,
        },
    )
    table = SECURITY_GROUP_RULES
    not_found = errors.SecurityGroupRuleNotFound
    quota = "security_group_rule"
    tagged = False
    columns = {name: SECURITY_GROUP_RULES.c[name] for name in (*_SHOWN, "created_at", "updated_at")}

    def visible(self, project_id: str | None) -> Any:
        own = select(SECURITY_GROUPS.c.id).where(SECURITY_GROUPS.c.project_id == project_id)
        return or_(
            SECURITY_GROUP_RULES.c.project_id == project_id, SECURITY_GROUP_RULES.c.security_group_id.in_(own)
        )

    def relations(self, tx: Transaction, rows: Any) -> dict[str, Any]:
        ids = {row["security_group_id"] for row in rows}
        if not ids:
            return {"owners": {}}
        statement = select(SECURITY_GROUPS.c.id, SECURITY_GROUPS.c.project_id).where(
            SECURITY_GROUPS.c.id.in_(ids)
        )
        return {"owners": {row["id"]: row["project_id"] for row in fetch_all(tx, statement)}}

    def target(self, row: Row, relations: dict[str, Any], view: View) -> dict[str, Any]:
        return {**view, "security_group:project_id": relations["owners"].get(row["security_group_id"])}

    def view(self, row: Row, relations: dict[str, Any]) -> View:
        return rule_view(row)

    def create(self, request: Request, tx: Transaction, body: Body, rules: list[str]) -> Row:
        group = fetch_one(
            tx, select(SECURITY_GROUPS).where(SECURITY_GROUPS.c.id == body["security_group_id"])
        )
        if group is None or not _reaches(request, group):
            raise errors.SecurityGroupNotFound(id=body["security_group_id"])
        request.authorize({**body, "security_group:project_id": group["project_id"]})
        body.pop("remote_address_group_id", None)
        check(body)
        remote = body["remote_group_id"]
        if remote is not None and remote != group["id"]:
            other = fetch_one(tx, select(SECURITY_GROUPS).where(SECURITY_GROUPS.c.id == remote))
            if other is None or not _reaches(request, other):
                raise errors.SecurityGroupNotFound(id=remote)
        self.check_quota(request, tx, body["project_id"])
        project_id = body.pop("project_id")
        row = security_groups.add_rule(tx, project_id, body.pop("security_group_id"), **body)
        security_groups.touch(tx, group["id"])
        return row

    def delete(self, request: Request, tx: Transaction, row: Row) -> None:
        self.delete_row(tx, row)
        security_groups.touch(tx, row["security_group_id"])


def _reaches(request: Request, group: Row) -> bool:
    return group["project_id"] == request.context.project_id or request.allows("context_is_admin")


def rule_view(row: Row) -> View:
    """The rule, also as its group shows it."""
    shown = {name: row[name] for name in _SHOWN}
    return {
        **shown,
        "tenant_id": row["project_id"],
        "remote_address_group_id": None,
        "normalized_cidr": row["remote_ip_prefix"],
        "created_at": clock.iso(row["created_at"], zulu=True),
        "updated_at": clock.iso(row["updated_at"], zulu=True),
        "tags": [],
    }


def check(rule: Body) -> None:
    """Raises SecurityGroupRuleInvalid when the parts do not fit each other; puts IPv6's name of ICMP in."""
    protocol, ethertype = rule["protocol"], rule["ethertype"]
    low, high = rule["port_range_min"], rule["port_range_max"]
    prefix = rule["remote_ip_prefix"]
    if prefix is not None and rule["remote_group_id"] is not None:
        raise errors.SecurityGroupRuleInvalid("Only remote_ip_prefix or remote_group_id may be provided.")
    if prefix is not None and f"IPv{ipaddress.ip_network(prefix).version}" != ethertype:
        raise errors.SecurityGroupRuleInvalid(f"Conflicting value ethertype {ethertype} for CIDR {prefix}.")
    if ethertype == "IPv6" and protocol == "icmp":
        rule["protocol"] = protocol = "ipv6-icmp"
    if ethertype == "IPv4" and protocol in _ONLY_IPV6:
        raise errors.SecurityGroupRuleInvalid(f"Invalid ethertype {ethertype} for protocol {protocol}.")
    if low is None and high is None:
        return
    if protocol in _ICMP:
        _check_icmp(low, high)
    elif protocol is None:
        raise errors.SecurityGroupRuleInvalid("Must also specify protocol if port range is given.")
    elif protocol not in _PORTED:
        raise errors.SecurityGroupRuleInvalid(
            f"Port range cannot be specified for protocol {protocol}. Port range is only supported for TCP, "
            "UDP, UDPLITE, SCTP and DCCP."
        )
    elif low is None or high is None or not 1 <= low <= high:
        raise errors.SecurityGroupRuleInvalid(
            "For TCP/UDP protocols, port_range_min must be <= port_range_max, and both from 1 to 65535."
        )


def _check_icmp(kind: int | None, code: int | None) -> None:
    """For ICMP the range's ends are type and code."""
    for name, value in (("port_range_min", kind), ("port_range_max", code)):
        if value is not None and not 0 <= value <= 255:
            raise errors.SecurityGroupRuleInvalid(
                f"Invalid value for ICMP {'type' if name.endswith('min') else 'code'} ({name}) {value}. "
                "It must be 0 to 255."
            )
    if kind is None and code is not None:
        raise errors.SecurityGroupRuleInvalid(
            f"ICMP code (port-range-max) {code} is provided but ICMP type (port-range-min) is missing."
        )


SECURITY_GROUP_RULES_API = SecurityGroupRules()
