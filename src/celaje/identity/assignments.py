"""The list of role assignments: as stored, or effective, that is with groups taken apart into their users,
inherited roles into the projects below, and prior roles into what they imply."""

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, select

from celaje.common.db import Transaction, fetch_all
from celaje.identity.db import effective, grants, groups, projects, users
from celaje.identity.db.statements import values
from celaje.identity.db.tables import ASSIGNMENTS, GROUPS, PROJECTS, USERS
from celaje.identity.inference import Inference

Row = dict[str, Any]

_A = ASSIGNMENTS.c


@dataclass(frozen=True)
class Wanted:
    """The filters of GET /v3/role_assignments; None: not filtered by that."""

    user_id: str | None = None
    group_id: str | None = None
    role_id: str | None = None
    project_id: str | None = None
    domain_id: str | None = None
    system: bool = False
    inherited: bool | None = None
    effective: bool = False
    subtree: bool = False


@dataclass(frozen=True)
class Assignment:
    """One line of the list. The last three tell where an effective one comes from."""

    actor: str
    actor_id: str
    target: str
    target_id: str
    role_id: str
    inherited: bool = False
    by_group: str | None = None
    inherited_from: tuple[str, str] | None = None  # ("domain" or "project", id)
    by_role: str | None = None


def find(tx: Transaction, wanted: Wanted, inference: Inference) -> list[Assignment]:
    if not wanted.effective:
        return [_stored(row) for row in grants.matching(tx, _conditions(tx, wanted))]
    return _effective(tx, wanted, inference)


def _stored(row: Row) -> Assignment:
    return Assignment(**{name: row[name] for name in grants.KEY})


def _project_ids(tx: Transaction, wanted: Wanted) -> list[str]:
    assert wanted.project_id is not None
    below = [row["id"] for row in projects.subtree(tx, wanted.project_id)] if wanted.subtree else []
    return [wanted.project_id, *below]


def _conditions(tx: Transaction, wanted: Wanted) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.user_id:
        found += [_A.actor == "user", _A.actor_id == wanted.user_id]
    if wanted.group_id:
        found += [_A.actor == "group", _A.actor_id == wanted.group_id]
    if wanted.role_id:
        found.append(_A.role_id == wanted.role_id)
    if wanted.project_id:
        found += [_A.target == "project", _A.target_id.in_(_project_ids(tx, wanted))]
    if wanted.domain_id:
        found += [_A.target == "domain", _A.target_id == wanted.domain_id]
    if wanted.system:
        found.append(_A.target == "system")
    if wanted.inherited is not None:
        # What somebody has on the system is not inherited and is told whatever is asked, as in Keystone.
        found.append(_A.inherited.is_(wanted.inherited) | (_A.target == "system"))
    return found


def _effective(tx: Transaction, wanted: Wanted, inference: Inference) -> list[Assignment]:
    found = [_stored(row) for row in grants.matching(tx, _sources(tx, wanted))]
    found = _by_users(tx, found)
    found = _on_projects(tx, found)
    found = _with_implied(found, inference)
    project_ids = set(_project_ids(tx, wanted)) if wanted.project_id else set()
    return [each for each in dict.fromkeys(found) if _fits(each, wanted, project_ids)]


def _sources(tx: Transaction, wanted: Wanted) -> list[ColumnElement[bool]]:
    """Only the stored rows from which a wanted one can follow; `_fits` does the rest."""
    found: list[ColumnElement[bool]] = []
    if wanted.user_id:
        users.get(tx, wanted.user_id)
        actors = [wanted.user_id, *users.group_ids(tx, wanted.user_id)]
        found.append(_A.actor_id.in_(actors))
    if wanted.project_id:
        targets = set(_project_ids(tx, wanted))
        for project_id in list(targets):
            row = projects.find(tx, project_id)
            targets.update(effective.ancestors(tx, row) if row else ())
        found.append(_A.target_id.in_(sorted(targets)))
    if wanted.domain_id:
        found += [_A.target == "domain", _A.target_id == wanted.domain_id, _A.inherited.is_(False)]
    # The system only where it is asked for.
    found.append(_A.target == "system" if wanted.system else _A.target != "system")
    if wanted.inherited is not None:
        found.append(_A.inherited.is_(wanted.inherited))
    return found


def _by_users(tx: Transaction, found: list[Assignment]) -> list[Assignment]:
    members = groups.members_of(tx, {each.actor_id for each in found if each.actor == "group"})
    apart: list[Assignment] = []
    for each in found:
        if each.actor == "user":
            apart.append(each)
        else:
            apart += [
                replace(each, actor="user", actor_id=user_id, by_group=each.actor_id)
                for user_id in members.get(each.actor_id, ())
            ]
    return apart


def _on_projects(tx: Transaction, found: list[Assignment]) -> list[Assignment]:
    below = {
        each.target_id: sorted(effective.below(tx, {each.target_id})) for each in found if each.inherited
    }
    apart: list[Assignment] = []
    for each in found:
        if not each.inherited:
            apart.append(each)
        else:
            origin = (each.target, each.target_id)
            apart += [
                replace(each, target="project", target_id=project_id, inherited_from=origin)
                for project_id in below[each.target_id]
            ]
    return apart


def _with_implied(found: list[Assignment], inference: Inference) -> list[Assignment]:
    apart: list[Assignment] = []
    for each in found:
        # A domain's own role counts by what it implies.
        if not inference.roles.get(each.role_id, ("", ""))[1]:
            apart.append(each)
        pending, seen = [each.role_id], {each.role_id}
        while pending:
            prior = pending.pop()
            for implied in sorted(inference.implied.get(prior, ())):
                if implied not in seen:
                    seen.add(implied)
                    pending.append(implied)
                    apart.append(replace(each, role_id=implied, by_role=prior))
    return apart


def _fits(each: Assignment, wanted: Wanted, project_ids: set[str]) -> bool:
    if wanted.user_id and each.actor_id != wanted.user_id:
        return False
    if wanted.role_id and each.role_id != wanted.role_id:
        return False
    if wanted.project_id and (each.target != "project" or each.target_id not in project_ids):
        return False
    if wanted.domain_id and (each.target != "domain" or each.target_id != wanted.domain_id):
        return False
    return not wanted.system or each.target == "system"


@dataclass(slots=True)
class Names:
    """Names and domains of everything that a list of assignments mentions; one statement a kind."""

    users: dict[str, Row]
    groups: dict[str, Row]
    projects: dict[str, Row]

    @classmethod
    def read(cls, tx: Transaction, found: list[Assignment]) -> "Names":
        people = cls._rows(tx, USERS, {each.actor_id for each in found if each.actor == "user"})
        teams = cls._rows(tx, GROUPS, {each.actor_id for each in found if each.actor == "group"})
        places = cls._rows(tx, PROJECTS, {each.target_id for each in found if each.target != "system"})
        domains = {row["domain_id"] for rows in (people, teams, places) for row in rows.values()}
        places |= cls._rows(tx, PROJECTS, domains - places.keys())
        return cls(people, teams, places)

    @staticmethod
    def _rows(tx: Transaction, table: Any, ids: set[str]) -> dict[str, Row]:
        if not ids:
            return {}
        columns = select(table.c.id, table.c.name, table.c.domain_id)
        rows = fetch_all(tx, columns.where(table.c.id.in_(sorted(ids))))
        return {row["id"]: row for row in rows}


def projects_of_domain(tx: Transaction, domain_id: str) -> set[str]:
    return set(values(tx, select(PROJECTS.c.id).where(PROJECTS.c.domain_id == domain_id)))
