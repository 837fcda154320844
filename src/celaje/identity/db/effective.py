"""Which roles a user has where, by all ways: own and group assignments, inherited ones.

On the path of every login: statements are built once. What roles imply is added by `inference.py`.
"""

from typing import Any

from sqlalchemy import bindparam, false, or_, select, true, union_all

from celaje.common.db import Prepared, Transaction
from celaje.identity.db.statements import tuples, values
from celaje.identity.db.tables import ASSIGNMENTS, MEMBERSHIPS, NO_DOMAIN, PROJECTS

_A = ASSIGNMENTS.c
_GROUPS_OF_USER = select(MEMBERSHIPS.c.group_id).where(MEMBERSHIPS.c.user_id == bindparam("user_id"))


def _of_user(*conditions: Any) -> Any:
    own = select(_A.role_id).where(_A.actor == "user", _A.actor_id == bindparam("user_id"), *conditions)
    by_group = select(_A.role_id).where(_A.actor == "group", _A.actor_id.in_(_GROUPS_OF_USER), *conditions)
    return union_all(own, by_group)


_ITSELF = (_A.target == "project") & (_A.target_id == bindparam("target_id")) & (_A.inherited == false())
# Most projects stand directly below their domain: a plain parameter is cheaper than a list of them.
_ON_PROJECT = Prepared(
    _of_user(or_(_ITSELF, (_A.inherited == true()) & (_A.target_id == bindparam("domain_id"))))
)
_ON_DEEP_PROJECT = _of_user(
    or_(_ITSELF, (_A.inherited == true()) & _A.target_id.in_(bindparam("above", expanding=True)))
)
_ON_DOMAIN = Prepared(
    _of_user(_A.target == "domain", _A.target_id == bindparam("target_id"), _A.inherited == false())
)
_ON_SYSTEM = Prepared(_of_user(_A.target == "system", _A.inherited == false()))
_PARENT = select(PROJECTS.c.parent_id).where(PROJECTS.c.id == bindparam("id"))

# Everything that somebody has, in one go: for the lists of what one can log in to.
_ALL_OF_USER = union_all(
    select(_A.target, _A.target_id, _A.inherited).where(
        _A.actor == "user", _A.actor_id == bindparam("user_id")
    ),
    select(_A.target, _A.target_id, _A.inherited).where(
        _A.actor == "group", _A.actor_id.in_(_GROUPS_OF_USER)
    ),
)
_BELOW = select(PROJECTS.c.id).where(
    or_(
        PROJECTS.c.parent_id.in_(bindparam("above", expanding=True)),
        PROJECTS.c.domain_id.in_(bindparam("above", expanding=True)),
    )
)


def _of_groups(*conditions: Any) -> Any:
    return select(_A.role_id).where(
        _A.actor == "group", _A.actor_id.in_(bindparam("groups", expanding=True)), *conditions
    )


# Groups that only a login knows of: an identity provider has vouched for them.
_GROUPS_ON_PROJECT = _of_groups(
    or_(_ITSELF, (_A.inherited == true()) & _A.target_id.in_(bindparam("above", expanding=True)))
)
_GROUPS_ON_DOMAIN = _of_groups(
    _A.target == "domain", _A.target_id == bindparam("target_id"), _A.inherited == false()
)
_GROUPS_ON_SYSTEM = _of_groups(_A.target == "system", _A.inherited == false())
_ALL_OF_GROUPS = select(_A.target, _A.target_id, _A.inherited).where(
    _A.actor == "group", _A.actor_id.in_(bindparam("groups", expanding=True))
)


def roles_on_project(
    tx: Transaction,
    user_id: str,
    project: dict[str, Any],
    groups: tuple[str, ...] = (),
    nearby: set[str] | None = None,
) -> set[str]:
    """Role ids. `project` is its row; `groups` are those that the login found beside the stored ones;
    `nearby` those of `logins.place`, if it was asked."""
    more: set[str] = set()
    if groups:
        above = ancestors(tx, project)
        more = set(values(tx, _GROUPS_ON_PROJECT, groups=list(groups), target_id=project["id"], above=above))
    at_the_top = project["is_domain"] or project["parent_id"] == project["domain_id"]
    if nearby is not None and at_the_top:
        return nearby | more
    return _of_users_own(tx, user_id, project) | more


def _of_users_own(tx: Transaction, user_id: str, project: dict[str, Any]) -> set[str]:
    place = {"user_id": user_id, "target_id": project["id"]}
    if project["is_domain"]:
        return set(_ON_PROJECT.column(tx, **place, domain_id=NO_DOMAIN))
    if project["parent_id"] == project["domain_id"]:
        return set(_ON_PROJECT.column(tx, **place, domain_id=project["domain_id"]))
    return set(values(tx, _ON_DEEP_PROJECT, **place, above=ancestors(tx, project)))


def roles_on_domain(tx: Transaction, user_id: str, domain_id: str, groups: tuple[str, ...] = ()) -> set[str]:
    found = set(_ON_DOMAIN.column(tx, user_id=user_id, target_id=domain_id))
    if groups:
        found |= set(values(tx, _GROUPS_ON_DOMAIN, groups=list(groups), target_id=domain_id))
    return found


def roles_on_system(tx: Transaction, user_id: str, groups: tuple[str, ...] = ()) -> set[str]:
    found = set(_ON_SYSTEM.column(tx, user_id=user_id))
    if groups:
        found |= set(values(tx, _GROUPS_ON_SYSTEM, groups=list(groups)))
    return found


def ancestors(tx: Transaction, project: dict[str, Any]) -> list[str]:
    """Ids from the parent up to and with the domain; one statement a level, none for a project that stands
    directly below its domain."""
    if project["is_domain"]:
        return []
    domain_id = project["domain_id"]
    above: list[str] = []
    parent = project["parent_id"] or domain_id
    while parent and parent != domain_id and parent not in above:
        above.append(parent)
        parent = tx.execute(_PARENT, {"id": parent}).scalar()
    return [*above, domain_id]


def targets_of(
    tx: Transaction, user_id: str, groups: tuple[str, ...] = ()
) -> tuple[set[str], set[str], bool]:
    """Ids of the projects and of the domains on which the user has any role, and whether on the system."""
    rows = list(tuples(tx, _ALL_OF_USER, user_id=user_id))
    if groups:
        rows += tuples(tx, _ALL_OF_GROUPS, groups=list(groups))
    projects: set[str] = set()
    domains: set[str] = set()
    system = False
    sources: set[str] = set()
    for target, target_id, inherited in rows:
        if inherited:
            sources.add(target_id)
        elif target == "project":
            projects.add(target_id)
        elif target == "domain":
            domains.add(target_id)
        else:
            system = True
    return projects | below(tx, sources), domains, system


def below(tx: Transaction, above: set[str]) -> set[str]:
    """Ids of all projects in these domains or below these projects."""
    found: set[str] = set()
    level = set(above)
    while level:
        level = set(values(tx, _BELOW, above=sorted(level))) - found
        found |= level
    return found
