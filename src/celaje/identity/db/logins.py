"""What a login reads: the user and the project or domain that it names, with their domains, and the user's
roles on the project, each in one statement that is built once."""

import datetime
from typing import Any

from sqlalchemy import and_, bindparam, case, false, func, or_, select, true, update

from celaje.common import clock
from celaje.common.db import Prepared, Transaction
from celaje.identity.db.tables import (
    APPLICATION_CREDENTIALS,
    ASSIGNMENTS,
    MEMBERSHIPS,
    NO_DOMAIN,
    PROJECTS,
    USERS,
)

Row = dict[str, Any]

_DOMAINS = PROJECTS.alias("domains")
_U = USERS.c

_USER = select(
    _U.id,
    _U.name,
    _U.domain_id,
    _U.enabled,
    _U.default_project_id,
    _U.password_hash,
    _U.password_expires_at,
    _U.failed_logins,
    _U.failed_login_at,
    _U.password_set_at,
    _U.password_self_service,
    _U.created_at,
    _U.last_active_at,
    _U.options,
    _DOMAINS.c.name.label("domain_name"),
    _DOMAINS.c.enabled.label("domain_enabled"),
).join_from(USERS, _DOMAINS, _DOMAINS.c.id == _U.domain_id)
_USER_BY_ID = Prepared(_USER.where(_U.id == bindparam("id")))
_USER_BY_NAME_AND_DOMAIN_ID = Prepared(
    _USER.where(_U.domain_id == bindparam("domain"), _U.name == bindparam("name"))
)
_USER_BY_NAME_AND_DOMAIN_NAME = Prepared(
    _USER.where(
        _U.name == bindparam("name"),
        _DOMAINS.c.domain_id == NO_DOMAIN,
        _DOMAINS.c.name == bindparam("domain"),
    )
)

_P = PROJECTS.c
# A project that acts as a domain has none above it; it stands for itself.
_PROJECT = select(
    _P.id,
    _P.name,
    case((_P.is_domain, _P.id), else_=_P.domain_id).label("domain_id"),
    _P.parent_id,
    _P.is_domain,
    _P.enabled,
    func.coalesce(_DOMAINS.c.name, _P.name).label("domain_name"),
    func.coalesce(_DOMAINS.c.enabled, _P.enabled).label("domain_enabled"),
).join_from(PROJECTS, _DOMAINS, _DOMAINS.c.id == _P.domain_id, isouter=True)
_PROJECT_BY_ID = Prepared(_PROJECT.where(_P.id == bindparam("id")))
_PROJECT_BY_NAME = Prepared(_PROJECT.where(_P.domain_id == bindparam("domain"), _P.name == bindparam("name")))
_DOMAIN_BY_ID = Prepared(_PROJECT.where(_P.id == bindparam("id"), _P.is_domain))
_DOMAIN_BY_NAME = Prepared(
    _PROJECT.where(_P.domain_id == NO_DOMAIN, _P.name == bindparam("name"), _P.is_domain)
)

# A row a role that the user has there, by themselves or by a group, directly or inherited from the domain.
_A = ASSIGNMENTS.c
_GROUPS_OF_USER = select(MEMBERSHIPS.c.group_id).where(MEMBERSHIPS.c.user_id == bindparam("user_id"))
_HELD_NEARBY = and_(
    or_(
        and_(_A.actor == "user", _A.actor_id == bindparam("user_id")),
        and_(_A.actor == "group", _A.actor_id.in_(_GROUPS_OF_USER)),
    ),
    or_(
        and_(_A.target == "project", _A.target_id == _P.id, _A.inherited == false()),
        and_(_A.inherited == true(), _A.target_id == _P.domain_id),
    ),
)
_PLACE = _PROJECT.add_columns(_A.role_id).outerjoin(ASSIGNMENTS, _HELD_NEARBY)
_PLACE_BY_ID = Prepared(_PLACE.where(_P.id == bindparam("id")))
_PLACE_BY_NAME_AND_DOMAIN_ID = Prepared(
    _PLACE.where(_P.domain_id == bindparam("domain"), _P.name == bindparam("name"))
)
_PLACE_BY_NAME_AND_DOMAIN_NAME = Prepared(
    _PLACE.where(
        _P.name == bindparam("name"),
        _DOMAINS.c.domain_id == NO_DOMAIN,
        _DOMAINS.c.name == bindparam("domain"),
    )
)

_C = APPLICATION_CREDENTIALS.c
_CREDENTIAL_BY_ID = Prepared(select(APPLICATION_CREDENTIALS).where(_C.id == bindparam("id")))
_CREDENTIAL_BY_NAME = Prepared(
    select(APPLICATION_CREDENTIALS).where(_C.user_id == bindparam("user_id"), _C.name == bindparam("name"))
)


def user(tx: Transaction, user_id: str) -> Row | None:
    return _USER_BY_ID.one(tx, id=user_id)


def user_by_name(
    tx: Transaction, name: str, *, domain_id: str | None = None, domain_name: str | None = None
) -> Row | None:
    if domain_id is not None:
        return _USER_BY_NAME_AND_DOMAIN_ID.one(tx, name=name, domain=domain_id)
    return _USER_BY_NAME_AND_DOMAIN_NAME.one(tx, name=name, domain=domain_name)


def project(tx: Transaction, project_id: str) -> Row | None:
    return _PROJECT_BY_ID.one(tx, id=project_id)


def project_by_name(tx: Transaction, name: str, domain_id: str) -> Row | None:
    return _PROJECT_BY_NAME.one(tx, name=name, domain=domain_id)


def place(tx: Transaction, user_id: str, project_id: str) -> tuple[Row | None, set[str]]:
    """The project, and the ids of the user's roles there but for those that are inherited from projects
    above it."""
    return _place(_PLACE_BY_ID.all(tx, user_id=user_id, id=project_id))


def place_by_name(
    tx: Transaction,
    user_id: str,
    name: str,
    *,
    domain_id: str | None = None,
    domain_name: str | None = None,
) -> tuple[Row | None, set[str]]:
    if domain_id is not None:
        return _place(_PLACE_BY_NAME_AND_DOMAIN_ID.all(tx, user_id=user_id, name=name, domain=domain_id))
    return _place(_PLACE_BY_NAME_AND_DOMAIN_NAME.all(tx, user_id=user_id, name=name, domain=domain_name))


def _place(rows: list[Row]) -> tuple[Row | None, set[str]]:
    held = {role_id for row in rows if (role_id := row.pop("role_id")) is not None}
    return (rows[0] if rows else None), held


def domain(tx: Transaction, *, domain_id: str | None = None, name: str | None = None) -> Row | None:
    if domain_id is not None:
        return _DOMAIN_BY_ID.one(tx, id=domain_id)
    return _DOMAIN_BY_NAME.one(tx, name=name)


def application_credential(
    tx: Transaction, *, credential_id: str | None = None, user_id: str | None = None, name: str | None = None
) -> Row | None:
    if credential_id is not None:
        return _CREDENTIAL_BY_ID.one(tx, id=credential_id)
    return _CREDENTIAL_BY_NAME.one(tx, user_id=user_id, name=name)


def count_failure(tx: Transaction, user_id: str) -> None:
    tx.execute(
        update(USERS)
        .where(_U.id == user_id)
        .values(failed_logins=_U.failed_logins + 1, failed_login_at=clock.now())
    )


def forget_failures(tx: Transaction, user_id: str) -> None:
    tx.execute(update(USERS).where(_U.id == user_id).values(failed_logins=0, failed_login_at=None))


def touch(tx: Transaction, user_id: str, now: datetime.datetime) -> None:
    tx.execute(update(USERS).where(_U.id == user_id).values(last_active_at=now))
