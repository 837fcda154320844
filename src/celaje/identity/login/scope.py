"""Where a token leads to: the project, domain or system that a login asks for, and the roles there."""

from dataclasses import dataclass
from typing import Any

from celaje.common.db import Transaction
from celaje.identity import delegation
from celaje.identity.db import effective, logins, trusts
from celaje.identity.errors import ForbiddenAction, Invalid, LoginFailed, RoleNotFound
from celaje.identity.inference import Inference
from celaje.identity.login.proof import Proof

Row = dict[str, Any]

_KINDS = ("project", "domain", "system", "OS-TRUST:trust", "unscoped")


@dataclass(slots=True)
class Scope:
    """`kind` as in Token.scope; `row` is the project's or domain's with its domain's name; `roles` are
    (id, name) pairs with the implied ones. `trust` is its row, `user` whom it makes of the trustee."""

    kind: str = ""
    row: Row | None = None
    roles: tuple[tuple[str, str], ...] = ()
    trust: Row | None = None
    user: Row | None = None


def choose(tx: Transaction, proof: Proof, asked: Any, inference: Inference) -> Scope:
    """`asked` is the request's `scope`, None if it names none: then the default project if it can be.
    Raises LoginFailed where the user has nothing to do with it."""
    if proof.credential is not None:
        return _of_credential(tx, proof, asked, inference)
    if proof.access is not None:
        return _bound(tx, proof, proof.access["project_id"], proof.access["roles"], inference)
    if proof.trust_id is not None:
        return _by_trust(tx, proof, {"id": proof.trust_id}, inference)
    if proof.project_id is not None:
        asked = {"project": {"id": proof.project_id}}
    if asked == "unscoped":
        return Scope()
    if asked is None:
        if proof.token is not None:
            return Scope()
        return _default(tx, proof, inference)
    if not isinstance(asked, dict):
        raise Invalid("Invalid input for field 'scope': it is neither an object nor 'unscoped'.")
    kinds = [kind for kind in _KINDS if kind in asked]
    if not kinds:
        raise Invalid("Expecting to find system, project, domain, OS-TRUST:trust or unscoped in scope.")
    if len(kinds) != 1:
        raise Invalid("Invalid input for field 'scope': exactly one of project, domain and system is needed.")
    if proof.token is not None and proof.token.scope == "system" and kinds[0] in ("project", "domain"):
        raise ForbiddenAction(
            action="Using a system-scoped token to create a project-scoped or domain-scoped token "
            "is not allowed."
        )
    match kinds[0]:
        case "project":
            return _on_project(tx, proof, *_place(tx, proof, asked["project"]), inference)
        case "domain":
            return _on_domain(tx, proof, asked["domain"], inference)
        case "system":
            return _on_system(tx, proof, inference)
        case "OS-TRUST:trust":
            return _by_trust(tx, proof, asked["OS-TRUST:trust"], inference)
    return Scope()


def _place(tx: Transaction, proof: Proof, named: Row) -> tuple[Row, set[str]]:
    """The project's row, and the user's roles nearby."""
    user_id = proof.user["id"]
    if "id" in named:
        row, nearby = logins.place(tx, user_id, named["id"])
    elif "name" not in named:
        raise Invalid("Invalid input for field scope/project: id or name must be present.")
    else:
        domain = named.get("domain")
        if domain is None:
            raise Invalid("Expecting to find domain in project.")
        if not {"id", "name"} & domain.keys():
            raise Invalid("Invalid input for field scope/project/domain: id or name must be present.")
        row, nearby = logins.place_by_name(
            tx, user_id, named["name"], domain_id=domain.get("id"), domain_name=domain.get("name")
        )
    if row is None:
        raise LoginFailed(cause=f"no project {named.get('id') or named.get('name')}")
    return row, nearby


def _check_enabled(row: Row) -> None:
    if not row["enabled"] or not row["domain_enabled"]:
        raise LoginFailed(cause=f"project {row['id']} or its domain is disabled")


def _on_project(tx: Transaction, proof: Proof, row: Row, nearby: set[str], inference: Inference) -> Scope:
    _check_enabled(row)
    user_id = proof.user["id"]
    roles = inference.in_token(effective.roles_on_project(tx, user_id, row, proof.groups, nearby))
    if not roles:
        raise LoginFailed(cause=f"user {user_id} has no role on project {row['id']}")
    return Scope("project", row, roles)


def _on_domain(tx: Transaction, proof: Proof, named: Row, inference: Inference) -> Scope:
    if not {"id", "name"} & named.keys():
        raise Invalid("Invalid input for field scope/domain: id or name must be present.")
    row = logins.domain(tx, domain_id=named.get("id"), name=named.get("name"))
    if row is None or not row["enabled"]:
        raise LoginFailed(cause=f"no domain {named.get('id') or named.get('name')}, or it is disabled")
    user_id = proof.user["id"]
    roles = inference.in_token(effective.roles_on_domain(tx, user_id, row["id"], proof.groups))
    if not roles:
        raise LoginFailed(cause=f"user {user_id} has no role on domain {row['id']}")
    return Scope("domain", row, roles)


def _on_system(tx: Transaction, proof: Proof, inference: Inference) -> Scope:
    """There is no part of the system to ask for: whatever `system` holds, it is the whole."""
    user_id = proof.user["id"]
    roles = inference.in_token(effective.roles_on_system(tx, user_id, proof.groups))
    if not roles:
        raise LoginFailed(cause=f"user {user_id} has no role on the system")
    return Scope("system", None, roles)


def _default(tx: Transaction, proof: Proof, inference: Inference) -> Scope:
    """The user's default project; unscoped where there is none or it is of no use to them."""
    project_id = proof.user["default_project_id"]
    row, nearby = logins.place(tx, proof.user["id"], project_id) if project_id else (None, set())
    if row is None or row["is_domain"]:
        return Scope()
    try:
        return _on_project(tx, proof, row, nearby, inference)
    except LoginFailed:
        return Scope()


def _of_credential(tx: Transaction, proof: Proof, asked: Any, inference: Inference) -> Scope:
    """An application credential leads to its own project only, with those of its roles that the user still
    has there."""
    if asked is not None:
        raise LoginFailed(cause="an application credential has its own scope")
    assert proof.credential is not None
    return _bound(tx, proof, proof.credential["project_id"], proof.credential["roles"], inference)


def _bound(
    tx: Transaction, proof: Proof, project_id: str, role_ids: list[str], inference: Inference
) -> Scope:
    """The roles that somebody handed on, if the user still has all of them there."""
    row = logins.project(tx, project_id)
    if row is None:
        raise LoginFailed(cause="the project of the delegation is gone")
    _check_enabled(row)
    held = inference.closure(effective.roles_on_project(tx, proof.user["id"], row, proof.groups))
    roles = inference.in_token(role_id for role_id in role_ids if role_id in held)
    if not roles or not held.issuperset(role_ids):
        raise LoginFailed(cause="the user has lost a role that they handed on")
    return Scope("project", row, roles)


def _by_trust(tx: Transaction, proof: Proof, named: Row, inference: Inference) -> Scope:
    """As the trustor where the trust says so, else as oneself; with the trust's roles on its project."""
    if "id" not in named:
        raise Invalid("Expecting to find trust_id in trust.")
    trust = trusts.find(tx, str(named["id"]))
    if trust is None:
        raise LoginFailed(cause=f"no trust {named.get('id')}")
    if proof.user["id"] != trust["trustee_user_id"]:
        raise ForbiddenAction(action="User is not a trustee.")
    trustor = logins.user(tx, trust["trustor_user_id"])
    for who, person in (("Trustor", trustor), ("Trustee", proof.user)):
        if person is None or not person["enabled"]:
            raise ForbiddenAction(f"{who} is disabled.")
        if not person["domain_enabled"]:
            raise ForbiddenAction(f"{who} domain is disabled.")
    delegation.check_chain(tx, trust)
    user = trustor if trust["impersonation"] else None
    if not trust["project_id"]:
        return Scope(trust=trust, user=user)
    row = logins.project(tx, trust["project_id"])
    if row is None:
        raise LoginFailed(cause="the trust's project is gone")
    _check_enabled(row)
    try:
        delegation.check_roles(trust, delegation.trustor_roles(tx, trust, inference))
    except RoleNotFound as error:
        raise ForbiddenAction("Trustee has no delegated roles.") from error
    return Scope("project", row, inference.in_token(trust["roles"]), trust, user)
