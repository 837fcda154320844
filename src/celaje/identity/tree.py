"""The hierarchy of projects below their domains: where one may stand, how it may change, how it ends."""

from typing import Any

from sqlalchemy import delete, select, update

from celaje.common.db import Transaction
from celaje.identity.db import effective, projects
from celaje.identity.db.tables import ASSIGNMENTS, CREDENTIALS, GROUPS, PROJECTS, ROLES, USERS
from celaje.identity.errors import ForbiddenAction, Immutable, Invalid
from celaje.identity.revoking import Revoking

Row = dict[str, Any]


def check_place(tx: Transaction, row: Row, deepest: int) -> None:
    """Raises Invalid or ForbiddenAction where a new project cannot stand."""
    if row["is_domain"]:
        return
    domain = projects.find(tx, row["domain_id"])
    if domain is None or not domain["is_domain"]:
        raise Invalid(f"Could not find domain: {row['domain_id']}.")
    parent = domain if row["parent_id"] == domain["id"] else projects.find(tx, row["parent_id"])
    if parent is None:
        raise Invalid(f"Could not find project: {row['parent_id']}.")
    parents_domain = parent["id"] if parent["is_domain"] else parent["domain_id"]
    if parents_domain != row["domain_id"]:
        raise Invalid(
            f"Cannot create project, since it specifies its domain_id {row['domain_id']}, but specifies a "
            f"parent in a different domain ({parents_domain})."
        )
    branch = [parent, *projects.parents(tx, parent)]
    disabled = next((above["id"] for above in branch if not above["enabled"]), None)
    if disabled:
        raise Invalid(f"cannot create a project in a branch containing a disabled project: {disabled}")
    # The domain itself is a level, as Keystone counts.
    if len(branch) + 1 > deepest + 1:
        raise ForbiddenAction(f"Max hierarchy depth reached for {row['parent_id']} branch.")


def check_immutable(row: Row, given: Row | None, kind: str) -> None:
    """A resource whose option `immutable` is set changes only by an update that takes the option away and
    does nothing else."""
    if not row["options"].get("immutable"):
        return
    if given is not None and set(given) == {"options"} and not given["options"].get("immutable", True):
        return
    raise Immutable(kind=kind, id=row["id"])


def check_change(tx: Transaction, row: Row, given: Row) -> None:
    """Raises for what an update may not do to this project or domain."""
    if given.get("id", row["id"]) != row["id"]:
        raise Invalid("Cannot change ID")
    check_immutable(row, given, "domain" if row["is_domain"] else "project")
    if given.get("is_domain", row["is_domain"]) != row["is_domain"]:
        raise Invalid("Update of `is_domain` is not allowed.")
    if not row["is_domain"] and given.get("domain_id", row["domain_id"]) != row["domain_id"]:
        raise Invalid("Cannot change Domain ID")
    if given.get("parent_id", row["parent_id"]) != row["parent_id"]:
        raise ForbiddenAction("Update of `parent_id` is not allowed.")
    if "enabled" not in given or given["enabled"] == row["enabled"] or row["is_domain"]:
        return
    if given["enabled"]:
        disabled = [above for above in projects.parents(tx, row) if not above["enabled"]]
        if disabled:
            raise ForbiddenAction(f"cannot enable project {row['id']} since it has disabled parents")
    elif any(below["enabled"] for below in projects.subtree(tx, row["id"])):
        raise ForbiddenAction(
            f"cannot disable project {row['id']} since its subtree contains enabled projects."
        )


def delete_project(tx: Transaction, row: Row, revoking: Revoking) -> None:
    """A project without children goes with its assignments and what its users keep for it."""
    check_immutable(row, None, "domain" if row["is_domain"] else "project")
    if row["is_domain"]:
        delete_domain(tx, row, revoking)
        return
    if projects.children(tx, row["id"]):
        raise ForbiddenAction(
            f"Cannot delete the project {row['id']} since it is not a leaf in the hierarchy. Use the cascade "
            "option if you want to delete a whole subtree."
        )
    _forget_projects(tx, [row["id"]])
    revoking.revoke(tx, {"project_id": row["id"]})


def delete_domain(tx: Transaction, row: Row, revoking: Revoking) -> None:
    """A disabled domain goes with all that is in it: projects, users, groups, its own roles."""
    check_immutable(row, None, "domain")
    if row["enabled"]:
        raise ForbiddenAction("Cannot delete a domain that is enabled, please disable it first.")
    inside = sorted(effective.below(tx, {row["id"]}))
    for table in (USERS, GROUPS):
        actors = select(table.c.id).where(table.c.domain_id == row["id"])
        tx.execute(delete(ASSIGNMENTS).where(ASSIGNMENTS.c.actor_id.in_(actors)))
        tx.execute(delete(table).where(table.c.domain_id == row["id"]))
    _forget_projects(tx, [*inside, row["id"]])
    tx.execute(delete(ROLES).where(ROLES.c.domain_id == row["id"]))
    revoking.revoke(tx, {"domain_id": row["id"]}, *({"project_id": project_id} for project_id in inside))


def _forget_projects(tx: Transaction, ids: list[str]) -> None:
    tx.execute(
        delete(ASSIGNMENTS).where(
            ASSIGNMENTS.c.target.in_(["project", "domain"]), ASSIGNMENTS.c.target_id.in_(ids)
        )
    )
    tx.execute(delete(CREDENTIALS).where(CREDENTIALS.c.project_id.in_(ids)))
    tx.execute(update(USERS).where(USERS.c.default_project_id.in_(ids)).values(default_project_id=None))
    tx.execute(delete(PROJECTS).where(PROJECTS.c.id.in_(ids)))


def parents_as_ids(tx: Transaction, row: Row) -> Row | None:
    """Nested from the direct parent outwards: `{parent: {grandparent: None}}`."""
    nested: Row | None = None
    for above in reversed(projects.parents(tx, row)):
        nested = {above["id"]: nested}
    return nested


def subtree_as_ids(tx: Transaction, row: Row) -> Row | None:
    """Nested from the children inwards; None where there are none."""
    below: dict[str, list[str]] = {}
    for project in projects.subtree(tx, row["id"]):
        below.setdefault(project["parent_id"], []).append(project["id"])

    def nested(project_id: str) -> Row | None:
        children = below.get(project_id)
        return {child: nested(child) for child in children} if children else None

    return nested(row["id"])
