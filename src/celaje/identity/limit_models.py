"""How limits of projects and domains have to fit together: not at all (flat), or in two levels, where no
project has more than its domain."""

from typing import Any

from celaje.common.db import Transaction
from celaje.identity.db import limits, projects
from celaje.identity.errors import ForbiddenAction

Row = dict[str, Any]

MODELS = {
    "flat": "Limit enforcement and validation does not take project hierarchy into consideration.",
    "strict_two_level": "This model requires project hierarchy never exceeds a depth of two",
}


def check(tx: Transaction, model: str, wanted: list[Row]) -> None:
    """`wanted` are limits as they are to be. Raises ForbiddenAction for one that does not fit."""
    if model == "flat":
        return
    for row in wanted:
        if row["project_id"]:
            most = _of_domain(tx, row, wanted)
            if most is not None and row["resource_limit"] > most:
                raise _misfit(row)
        elif any(below["resource_limit"] > row["resource_limit"] for below in _of_children(tx, row, wanted)):
            raise _misfit(row)


def _same(one: Row, other: Row) -> bool:
    return all(one[name] == other[name] for name in ("service_id", "region_id", "resource_name"))


def _of_domain(tx: Transaction, row: Row, wanted: list[Row]) -> int | None:
    domain_id = projects.get(tx, row["project_id"])["parent_id"]
    for other in wanted:
        if other["domain_id"] == domain_id and _same(row, other):
            return int(other["resource_limit"])
    stored = limits.of_owner(tx, row, domain_id=domain_id)
    if stored is not None:
        return int(stored["resource_limit"])
    default = limits.registered_for(tx, row)
    return int(default["default_limit"]) if default else None


def _of_children(tx: Transaction, row: Row, wanted: list[Row]) -> list[Row]:
    ids = [project["id"] for project in projects.subtree(tx, row["domain_id"])]
    asked = {other["project_id"]: other for other in wanted if other["project_id"] and _same(row, other)}
    stored = [other for other in limits.of_projects(tx, row, ids) if ids and other["project_id"] not in asked]
    return [*(other for project_id, other in asked.items() if project_id in ids), *stored]


def _misfit(row: Row) -> ForbiddenAction:
    kind = "project_id" if row["project_id"] else "domain_id"
    return ForbiddenAction(
        f"Invalid resource limit: The resource limit ({kind}: {row[kind]}, resource_name: "
        f"{row['resource_name']}, resource_limit: {row['resource_limit']}, service_id: {row['service_id']}, "
        f"region_id: {row['region_id']}) doesn't satisfy current hierarchy model.."
    )
