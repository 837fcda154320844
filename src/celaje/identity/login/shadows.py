"""Users of an identity provider as this cloud knows them: who stands for them, with which groups, projects
and roles. Called by a login through a provider, inside its unit."""

import datetime
from typing import Any

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.identity.db import federation, grants, groups, logins, projects, roles, users
from celaje.identity.db.tables import NO_DOMAIN
from celaje.identity.errors import GroupNotFound, LoginFailed, RoleNotFound
from celaje.identity.ids import new_id
from celaje.identity.mappings import Mapped

Row = dict[str, Any]


def bring_in(
    service: Any, tx: Transaction, provider: Row, protocol_id: str, mapped: Mapped, *, lose: bool
) -> tuple[Row, list[str]]:
    """The user's row (as `db/logins.py` reads it) and the ids of the groups that the provider vouches for.
    `lose`: the user loses roles on projects that the provider does not tell any more."""
    group_ids = _groups(tx, mapped)
    user_id = _user(tx, provider, protocol_id, mapped.user)
    _give_projects(service, tx, user_id, provider, mapped, lose=lose)
    ttl = provider["authorization_ttl"]
    until = clock.now() + datetime.timedelta(minutes=ttl or 0)
    federation.keep_groups(tx, user_id, provider["id"], group_ids if ttl else [], until)
    user = logins.user(tx, user_id)
    assert user is not None
    return user, group_ids


def _domain_id(tx: Transaction, named: Row | None, default: str) -> str:
    if not named:
        return default
    row = logins.domain(tx, domain_id=named.get("id"), name=named.get("name"))
    if row is None:
        raise LoginFailed(cause=f"the mapping names domain {named}, which is not here")
    return str(row["id"])


def _groups(tx: Transaction, mapped: Mapped) -> list[str]:
    """Groups named by id must be there; those named by name are left out where they are not."""
    for group_id in mapped.group_ids:
        if groups.find(tx, group_id) is None:
            raise GroupNotFound(id=group_id[:64])
    found = list(mapped.group_ids)
    for group in mapped.group_names:
        row = groups.named(tx, group["name"], _domain_id(tx, group["domain"], NO_DOMAIN))
        if row is not None:
            found.append(row["id"])
    return list(dict.fromkeys(found))


def _user(tx: Transaction, provider: Row, protocol_id: str, named: Row) -> str:
    """The id of whom stands for `named` here: made at the first login, renamed when the name changes."""
    known = federation.user(tx, provider["id"], protocol_id, named["id"])
    if known is None:
        return _new_user(tx, provider, protocol_id, named)
    row = users.get(tx, known["user_id"])
    changes: Row = {}
    if known["display_name"] != named["name"]:
        federation.rename_user(tx, known, named["name"])
        if not users.name_is_taken(tx, row["domain_id"], named["name"]):
            changes["name"] = named["name"]
    if named.get("email") and row["extra"].get("email") != named["email"]:
        changes["extra"] = {**row["extra"], "email": named["email"]}
    if changes:
        users.change(tx, row, changes)
    return str(row["id"])


def _new_user(tx: Transaction, provider: Row, protocol_id: str, named: Row) -> str:
    domain_id = _domain_id(tx, named.get("domain"), provider["domain_id"])
    own_name = named["name"]
    user_id = new_id()
    if users.name_is_taken(tx, domain_id, own_name):
        # Two in one domain would not be told apart by it.
        own_name = f"{own_name[:128]}@{provider['id']}"
        if users.name_is_taken(tx, domain_id, own_name):
            own_name = f"{named['name'][:128]}@{user_id}"
    users.create(
        tx,
        {
            "id": user_id,
            "name": own_name,
            "domain_id": domain_id,
            "enabled": True,
            "created_at": clock.now(),
            "failed_logins": 0,
            "password_self_service": False,
            "options": {},
            "extra": {"email": named["email"]} if named.get("email") else {},
        },
    )
    federation.add_user(
        tx,
        {
            "identity_provider_id": provider["id"],
            "protocol_id": protocol_id,
            "unique_id": named["id"],
            "user_id": user_id,
            "display_name": named["name"],
        },
    )
    return user_id


def _give_projects(
    service: Any, tx: Transaction, user_id: str, provider: Row, mapped: Mapped, *, lose: bool
) -> None:
    """Projects of the mapping are made where they are missing, and the user gets the roles there."""
    wanted: set[tuple[str, str]] = set()
    for named in mapped.projects:
        role_ids = [_role_id(tx, role["name"], provider["domain_id"]) for role in named["roles"]]
        domain_id = _domain_id(tx, named.get("domain"), provider["domain_id"])
        project_id = _project_id(tx, named["name"], domain_id)
        wanted.update((project_id, role_id) for role_id in role_ids)
    for project_id, role_id in sorted(wanted):
        grants.add(tx, _grant(user_id, project_id, role_id))
    if not lose:
        return
    for row in grants.of_user_on_projects(tx, user_id):
        if (row["target_id"], row["role_id"]) not in wanted:
            grants.remove(tx, row)
            service.revoking.revoke(
                tx, {"user_id": user_id, "role_id": row["role_id"], "project_id": row["target_id"]}
            )


def _grant(user_id: str, project_id: str, role_id: str) -> Row:
    return {
        "actor": "user",
        "actor_id": user_id,
        "target": "project",
        "target_id": project_id,
        "role_id": role_id,
        "inherited": False,
    }


def _role_id(tx: Transaction, name: str, domain_id: str) -> str:
    """Everybody's role of that name, or the one of the provider's domain."""
    by_domain = {row["domain_id"] or NO_DOMAIN: row["id"] for row in roles.named(tx, name)}
    for domain in (NO_DOMAIN, domain_id):
        if domain in by_domain:
            return str(by_domain[domain])
    raise RoleNotFound(id=name[:64])


def _project_id(tx: Transaction, name: str, domain_id: str) -> str:
    row = logins.project_by_name(tx, name, domain_id)
    if row is not None:
        return str(row["id"])
    if not 0 < len(name) <= 64:
        raise LoginFailed(cause="the mapping names a project by what is no project's name")
    project_id = new_id()
    projects.create(
        tx,
        {
            "id": project_id,
            "name": name,
            "domain_id": domain_id,
            "parent_id": domain_id,
            "is_domain": False,
            "enabled": True,
            "description": "",
            "options": {},
            "extra": {},
        },
    )
    return project_id
