"""Where a token leads to: the project, domain or system that a login asks for, and the roles there."""

from dataclasses import dataclass
from typing import Any

from celaje.common.db import Transaction
from celaje.identity.db import effective, logins
from celaje.identity.errors import Invalid, LoginFailed
from celaje.identity.inference import Inference
from celaje.identity.login.proof import Proof

Row = dict[str, Any]


@dataclass(slots=True)
class Scope:
    """`kind` as in Token.scope; `row` is the project's or domain's with its domain's name; `roles` are
    (id, name) pairs with the implied ones."""

    kind: str = ""
    row: Row | None = None
    roles: tuple[tuple[str, str], ...] = ()


def choose(tx: Transaction, proof: Proof, asked: Any, inference: Inference, default_domain_id: str) -> Scope:
    """`asked` is the request's `scope`, None if it names none: then the default project if it can be.
    Raises LoginFailed where the user has nothing to do with it."""
    if proof.credential is not None:
        return _of_credential(tx, proof, asked, inference)
    if asked == "unscoped":
        return Scope()
    if asked is None:
        if proof.token is not None:
            return Scope()
        return _default(tx, proof.user, inference)
    if not isinstance(asked, dict):
        raise Invalid("Invalid input for field 'scope': it is neither an object nor 'unscoped'.")
    kinds = [kind for kind in ("project", "domain", "system", "OS-TRUST:trust", "unscoped") if kind in asked]
    if len(kinds) != 1:
        raise Invalid("Invalid input for field 'scope': exactly one of project, domain and system is needed.")
    match kinds[0]:
        case "project":
            row = _project(tx, asked["project"], default_domain_id)
            return _on_project(tx, proof.user, row, inference)
        case "domain":
            return _on_domain(tx, proof.user, asked["domain"], inference)
        case "system":
            return _on_system(tx, proof.user, asked["system"], inference)
        case "unscoped":
            return Scope()
    raise LoginFailed(cause="there are no trusts here")


def _project(tx: Transaction, named: Row, default_domain_id: str) -> Row:
    if "id" in named:
        row = logins.project(tx, named["id"])
    elif "name" not in named:
        raise Invalid("Invalid input for field scope/project: id or name must be present.")
    else:
        domain = named.get("domain")
        if domain is None:
            row = logins.project_by_name(tx, named["name"], domain_id=default_domain_id)
        elif not {"id", "name"} & domain.keys():
            raise Invalid("Invalid input for field scope/project/domain: id or name must be present.")
        else:
            row = logins.project_by_name(
                tx, named["name"], domain_id=domain.get("id"), domain_name=domain.get("name")
            )
    if row is None:
        raise LoginFailed(cause=f"no project {named.get('id') or named.get('name')}")
    return row


def _on_project(tx: Transaction, user: Row, row: Row, inference: Inference) -> Scope:
    if not row["enabled"] or not row["domain_enabled"]:
        raise LoginFailed(cause=f"project {row['id']} or its domain is disabled")
    roles = inference.in_token(effective.roles_on_project(tx, user["id"], row))
    if not roles:
        raise LoginFailed(cause=f"user {user['id']} has no role on project {row['id']}")
    return Scope("project", row, roles)


def _on_domain(tx: Transaction, user: Row, named: Row, inference: Inference) -> Scope:
    if not {"id", "name"} & named.keys():
        raise Invalid("Invalid input for field scope/domain: id or name must be present.")
    row = logins.domain(tx, domain_id=named.get("id"), name=named.get("name"))
    if row is None or not row["enabled"]:
        raise LoginFailed(cause=f"no domain {named.get('id') or named.get('name')}, or it is disabled")
    roles = inference.in_token(effective.roles_on_domain(tx, user["id"], row["id"]))
    if not roles:
        raise LoginFailed(cause=f"user {user['id']} has no role on domain {row['id']}")
    return Scope("domain", row, roles)


def _on_system(tx: Transaction, user: Row, named: Row, inference: Inference) -> Scope:
    if not named.get("all"):
        raise Invalid("Invalid input for field scope/system: only the whole system (all) can be asked for.")
    roles = inference.in_token(effective.roles_on_system(tx, user["id"]))
    if not roles:
        raise LoginFailed(cause=f"user {user['id']} has no role on the system")
    return Scope("system", None, roles)


def _default(tx: Transaction, user: Row, inference: Inference) -> Scope:
    """The user's default project; unscoped where there is none or it is of no use to them."""
    row = logins.project(tx, user["default_project_id"]) if user["default_project_id"] else None
    if row is None or row["is_domain"]:
        return Scope()
    try:
        return _on_project(tx, user, row, inference)
    except LoginFailed:
        return Scope()


def _of_credential(tx: Transaction, proof: Proof, asked: Any, inference: Inference) -> Scope:
    """An application credential leads to its own project only, with those of its roles that the user still
    has there."""
    if asked is not None:
        raise LoginFailed(cause="an application credential has its own scope")
    assert proof.credential is not None
    row = logins.project(tx, proof.credential["project_id"])
    if row is None:
        raise LoginFailed(cause="the application credential's project is gone")
    held = inference.closure(effective.roles_on_project(tx, proof.user["id"], row))
    granted = [role_id for role_id in proof.credential["roles"] if role_id in held]
    roles = inference.in_token(granted)
    if not roles or len(granted) < len(proof.credential["roles"]):
        raise LoginFailed(cause="the user has lost a role of the application credential")
    if not row["enabled"] or not row["domain_enabled"]:
        raise LoginFailed(cause=f"project {row['id']} or its domain is disabled")
    return Scope("project", row, roles)
