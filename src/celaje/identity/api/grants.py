"""Giving and taking roles: users and groups on projects, domains and the system, inherited or not.

One handler serves all of these URLs; `handlers` binds it to what each path says.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from celaje.common.db import Transaction
from celaje.common.wsgi import Request
from celaje.identity.api import roles as role_views
from celaje.identity.api import views
from celaje.identity.api.access import target
from celaje.identity.db import grants, groups, projects, roles, users
from celaje.identity.errors import (
    AssignmentNotFound,
    DomainNotFound,
    ForbiddenAction,
    GroupNotFound,
    Invalid,
    ProjectNotFound,
    RoleNotFound,
    UserNotFound,
)

Row = dict[str, Any]

SYSTEM = "system"


@dataclass(frozen=True)
class Kind:
    """What a path says: `actor` is "user" or "group", `target` "project", "domain" or "system"."""

    actor: str
    target: str
    inherited: bool = False

    @property
    def path(self) -> str:
        """Up to the roles."""
        where = "/system" if self.target == SYSTEM else f"/{self.target}s/{{{self.target}_id}}"
        prefix = "/v3/OS-INHERIT" if self.inherited else "/v3"
        return f"{prefix}{where}/{self.actor}s/{{{self.actor}_id}}/roles"

    @property
    def suffix(self) -> str:
        return "/inherited_to_projects" if self.inherited else ""

    def rule(self, verb: str) -> str:
        """`verb` is list, check, create or revoke."""
        plural = "s" if verb == "list" else ""
        if self.target == SYSTEM:
            return f"identity:{verb}_system_grant{plural}_for_{self.actor}"
        return f"identity:{verb}_grant{plural}"


KINDS = [
    Kind(actor, target, inherited)
    for inherited in (False, True)
    for target in ("project", "domain", SYSTEM)
    for actor in ("user", "group")
    if not (inherited and target == SYSTEM)
]


def _checked(request: Request, tx: Transaction, kind: Kind, ids: dict[str, str]) -> Row:
    """The grant that the path names, without or with its role, once the rule has let the caller pass."""
    actor_id = ids[f"{kind.actor}_id"]
    actor = users.find(tx, actor_id) if kind.actor == "user" else groups.find(tx, actor_id)
    where: Row | None = None
    if kind.target != SYSTEM:
        where = projects.find(tx, ids[f"{kind.target}_id"])
        if where is not None and kind.target == "domain" and not where["is_domain"]:
            where = None
    role_id = ids.get("role_id")
    role = roles.find(tx, role_id) if role_id else None
    found = target({kind.actor: actor, "role": role})
    if kind.target != SYSTEM:
        found |= target({kind.target: where})
    request.authorize(found)
    if role_id and role is None:
        raise RoleNotFound(id=role_id)
    if actor is None:
        raise UserNotFound(id=actor_id) if kind.actor == "user" else GroupNotFound(id=actor_id)
    if kind.target != SYSTEM and where is None:
        target_id = ids[f"{kind.target}_id"]
        raise ProjectNotFound(id=target_id) if kind.target == "project" else DomainNotFound(id=target_id)
    grant: Row = {
        "actor": kind.actor,
        "actor_id": actor_id,
        "target": kind.target,
        "target_id": where["id"] if where else SYSTEM,
        "inherited": kind.inherited,
    }
    if role is not None:
        grant["role_id"] = role_id
    return grant


def _check_role_fits(tx: Transaction, grant: Row) -> None:
    """A domain's own role is for the projects of that domain; on the system it says nothing. On a domain it
    may stand, as in Keystone."""
    role = roles.find(tx, grant["role_id"])
    if role is None or not role["domain_id"] or grant["target"] == "domain":
        return
    if grant["target"] == SYSTEM:
        raise Invalid(
            f"Role {role['id']} is a domain-specific role. Unable to use a domain-specific role in a system "
            "assignment."
        )
    project = projects.get(tx, grant["target_id"])
    if role["domain_id"] != (project["id"] if project["is_domain"] else project["domain_id"]):
        raise ForbiddenAction(
            f"Role {role['id']} belongs to domain {role['domain_id']} and cannot be assigned on a project "
            "outside of it."
        )


def _missing(grant: Row) -> AssignmentNotFound:
    return AssignmentNotFound(
        role_id=grant["role_id"], actor_id=grant["actor_id"], target_id=grant["target_id"]
    )


def index(request: Request, kind: Kind, ids: dict[str, str]) -> Row:
    def query(tx: Transaction) -> list[Row]:
        return grants.roles_of(tx, _checked(request, tx, kind, ids))

    found = request.service.database.read(query)
    return views.collection(request, "roles", (role_views.view(request, row) for row in found))


def check(request: Request, kind: Kind, ids: dict[str, str]) -> None:
    def query(tx: Transaction) -> None:
        grant = _checked(request, tx, kind, ids)
        if grants.find(tx, grant) is None:
            raise _missing(grant)

    request.service.database.read(query)


def create(request: Request, kind: Kind, ids: dict[str, str]) -> None:
    def unit(tx: Transaction) -> None:
        grant = _checked(request, tx, kind, ids)
        _check_role_fits(tx, grant)
        grants.add(tx, grant)

    request.service.database.write(unit)


def revoke(request: Request, kind: Kind, ids: dict[str, str]) -> None:
    service = request.service

    def unit(tx: Transaction) -> None:
        grant = _checked(request, tx, kind, ids)
        if not grants.remove(tx, grant):
            raise _missing(grant)
        service.revoking.revoke(tx, *_events(service, tx, grant))

    service.database.write(unit)


def _events(service: Any, tx: Transaction, grant: Row) -> list[Row]:
    """Whose tokens hold the role by this grant. A role of a domain is in them as what it implies."""
    if grant["actor"] == "user":
        actors = [grant["actor_id"]]
    else:
        actors = groups.member_ids(tx, grant["actor_id"])
    inference = service.inference.get(tx)
    role_ids = [grant["role_id"]]
    if inference.roles.get(grant["role_id"], ("", ""))[1]:
        role_ids = sorted(inference.closure(role_ids))
    where: Row = {}
    if not grant["inherited"] and grant["target"] in ("project", "domain"):
        where = {f"{grant['target']}_id": grant["target_id"]}
    return [{"user_id": user_id, "role_id": role_id, **where} for user_id in actors for role_id in role_ids]


def handlers(kind: Kind) -> dict[str, Callable[..., Any]]:
    """The functions of one kind's routes, by verb."""

    def bound(handler: Callable[[Request, Kind, dict[str, str]], Any]) -> Callable[..., Any]:
        def handle(request: Request, **ids: str) -> Any:
            return handler(request, kind, ids)

        return handle

    return {
        "list": bound(index),
        "check": bound(check),
        "create": bound(create),
        "revoke": bound(revoke),
    }
