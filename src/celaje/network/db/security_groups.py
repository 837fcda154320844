"""Security groups' and rules' rows, and every project's default group. Called by the API's units."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import bindparam, insert, select, update

from celaje.common import clock
from celaje.common.db import DuplicateRow, Prepared, Transaction, fetch_all, fetch_value
from celaje.network import errors
from celaje.network.db.tables import SECURITY_GROUP_RULES, SECURITY_GROUPS

Row = dict[str, Any]

_DEFAULT = Prepared(select(SECURITY_GROUPS.c.id).where(SECURITY_GROUPS.c.default_of == bindparam("project")))


def default_id(tx: Transaction, project_id: str) -> str | None:
    return _DEFAULT.value(tx, project=project_id)


def ensure_default(tx: Transaction, project_id: str) -> str:
    """The project's default group, made when it is first needed."""
    found = default_id(tx, project_id)
    if found is not None:
        return found
    group = add_group(tx, project_id, "default", "Default security group", default=True)
    for ethertype in ("IPv4", "IPv6"):
        add_rule(
            tx, project_id, group["id"], direction="ingress", ethertype=ethertype, remote_group_id=group["id"]
        )
    return group["id"]


def add_group(
    tx: Transaction,
    project_id: str,
    name: str,
    description: str,
    *,
    stateful: bool = True,
    default: bool = False,
) -> Row:
    """A group with the two rules that let everything out."""
    row = {
        **standard(project_id, description),
        "name": name,
        "stateful": stateful,
        "default_of": project_id if default else None,
    }
    try:
        tx.execute(insert(SECURITY_GROUPS).values(**row))
    except DuplicateRow as error:
        raise errors.AllocationRace(what="The default security group") from error
    for ethertype in ("IPv4", "IPv6"):
        add_rule(tx, project_id, row["id"], direction="egress", ethertype=ethertype)
    return row


def standard(project_id: str, description: str = "") -> Row:
    """The columns that every resource begins with."""
    now = clock.now()
    return {
        "id": clock.new_uuid(),
        "project_id": project_id,
        "description": description,
        "revision_number": 1,
        "created_at": now,
        "updated_at": now,
    }


def add_rule(
    tx: Transaction, project_id: str, group_id: str, *, direction: str, ethertype: str, **match: Any
) -> Row:
    """Raises SecurityGroupRuleExists for a rule that the group has."""
    row: Row = {
        **standard(project_id, match.pop("description", "")),
        "security_group_id": group_id,
        "direction": direction,
        "ethertype": ethertype,
        "protocol": None,
        "port_range_min": None,
        "port_range_max": None,
        "remote_ip_prefix": None,
        "remote_group_id": None,
        **match,
    }
    row["rule_key"] = rule_key(row)
    existing = fetch_value(
        tx,
        select(SECURITY_GROUP_RULES.c.id).where(
            SECURITY_GROUP_RULES.c.security_group_id == group_id,
            SECURITY_GROUP_RULES.c.rule_key == row["rule_key"],
        ),
    )
    if existing:
        raise errors.SecurityGroupRuleExists(id=existing)
    try:
        tx.execute(insert(SECURITY_GROUP_RULES).values(**row))
    except DuplicateRow as error:
        raise errors.AllocationRace(what="The security group rule") from error
    return row


def rule_key(rule: Mapping[str, Any]) -> str:
    names = (
        "direction",
        "ethertype",
        "protocol",
        "port_range_min",
        "port_range_max",
        "remote_ip_prefix",
        "remote_group_id",
    )
    return "/".join("" if rule[name] is None else str(rule[name]) for name in names)


def rules_of(tx: Transaction, group_ids: list[str]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {group_id: [] for group_id in group_ids}
    if group_ids:
        statement = select(SECURITY_GROUP_RULES).where(
            SECURITY_GROUP_RULES.c.security_group_id.in_(group_ids)
        )
        for row in fetch_all(
            tx, statement.order_by(SECURITY_GROUP_RULES.c.created_at, SECURITY_GROUP_RULES.c.id)
        ):
            found[row["security_group_id"]].append(row)
    return found


def touch(tx: Transaction, group_id: str) -> None:
    """A rule came or went: the group has a new revision."""
    tx.execute(
        update(SECURITY_GROUPS)
        .where(SECURITY_GROUPS.c.id == group_id)
        .values(revision_number=SECURITY_GROUPS.c.revision_number + 1, updated_at=clock.now())
    )
