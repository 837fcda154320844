"""Quota limits as set for projects, users and classes, and what is counted against them. Called by the quota
and limit handlers; the check at creation stands in `compute/quota.py`."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import bindparam, delete, func, select

from celaje.common import clock
from celaje.common.db import Transaction, fetch_all
from celaje.compute import quota
from celaje.compute.db.tables import QUOTA_CLASSES, QUOTAS, SERVER_GROUPS

_GROUPS = (
    select(func.count()).select_from(SERVER_GROUPS).where(SERVER_GROUPS.c.project_id == bindparam("project"))
)
_GROUPS_OF_USER = _GROUPS.where(SERVER_GROUPS.c.user_id == bindparam("user"))


def limits(tx: Transaction, conf: Any, project_id: str, user_id: str = "") -> dict[str, int]:
    """Resource, under the API's name -> limit in force."""
    return _renamed(quota.limits(tx, conf, project_id, user_id))


def defaults(tx: Transaction, conf: Any) -> dict[str, int]:
    """What a project without limits of its own has."""
    return class_limits(tx, conf, "default")


def class_limits(tx: Transaction, conf: Any, name: str) -> dict[str, int]:
    found = {key: int(conf.quota[key]) for key in conf.quota}
    statement = select(QUOTA_CLASSES).where(QUOTA_CLASSES.c.class_name == name)
    found |= {row["resource"]: row["hard_limit"] for row in fetch_all(tx, statement)}
    return _renamed(found)


def in_use(tx: Transaction, project_id: str, user_id: str = "") -> dict[str, int]:
    """Instances, cores, ram (MiB) and server groups. The other limits are per user or per server."""
    parameters = {"project": project_id, **({"user": user_id} if user_id else {})}
    groups = tx.execute(_GROUPS_OF_USER if user_id else _GROUPS, parameters).scalar_one()
    return {**quota.usage(tx, project_id, user_id), "server_groups": groups}


def set_limits(tx: Transaction, project_id: str, user_id: str, values: Mapping[str, int]) -> None:
    now = clock.now()
    for name, limit in values.items():
        resource = _stored(name)
        where = (
            QUOTAS.c.project_id == project_id,
            QUOTAS.c.user_id == user_id,
            QUOTAS.c.resource == resource,
        )
        changed = tx.execute(QUOTAS.update().where(*where).values(hard_limit=limit, updated_at=now))
        if changed.rowcount == 0:
            tx.execute(
                QUOTAS.insert().values(
                    project_id=project_id,
                    user_id=user_id,
                    resource=resource,
                    hard_limit=limit,
                    created_at=now,
                )
            )


def set_class_limits(tx: Transaction, name: str, values: Mapping[str, int]) -> None:
    now = clock.now()
    for key, limit in values.items():
        resource = _stored(key)
        where = (QUOTA_CLASSES.c.class_name == name, QUOTA_CLASSES.c.resource == resource)
        changed = tx.execute(QUOTA_CLASSES.update().where(*where).values(hard_limit=limit, updated_at=now))
        if changed.rowcount == 0:
            tx.execute(
                QUOTA_CLASSES.insert().values(
                    class_name=name, resource=resource, hard_limit=limit, created_at=now
                )
            )


def forget(tx: Transaction, project_id: str, user_id: str | None) -> None:
    """Back to the defaults; without `user_id` for the project with all its users."""
    statement = delete(QUOTAS).where(QUOTAS.c.project_id == project_id)
    if user_id is not None:
        statement = statement.where(QUOTAS.c.user_id == user_id)
    tx.execute(statement)


# The API's name of a limit and the option's differ in one case.
_API_NAME = "injected_file_path_bytes"
_OPTION_NAME = "injected_file_path_length"


def _stored(name: str) -> str:
    return _OPTION_NAME if name == _API_NAME else name


def _renamed(found: dict[str, int]) -> dict[str, int]:
    if _OPTION_NAME in found:
        found[_API_NAME] = found.pop(_OPTION_NAME)
    return found
