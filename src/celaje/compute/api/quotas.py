"""Quota sets of projects and users, their defaults, and quota classes."""

from typing import Any

from celaje.common.db import Transaction
from celaje.common.errors import Invalid
from celaje.common.wsgi import Request, Response
from celaje.compute.api.inputs import LARGEST, as_boolean, as_integer, check_query, closed, integer
from celaje.compute.api.parameters import BOOLEAN, wrapped
from celaje.compute.db import quotas

_OWN = (
    "instances",
    "cores",
    "ram",
    "metadata_items",
    "key_pairs",
    "server_groups",
    "server_group_members",
)
_FILES = ("injected_files", "injected_file_content_bytes", "injected_file_path_bytes")
# Once proxied from the network service; shown with no limit, of use to nobody, until 2.35.
_PROXIED = ("fixed_ips", "floating_ips", "security_groups", "security_group_rules")
_ORDER = ("instances", "cores", "ram", *_PROXIED, "metadata_items", *_FILES, *_OWN[4:])
_GROUPS = ("server_groups", "server_group_members")


def _schema(names: tuple[str, ...], **more: Any) -> dict[str, Any]:
    return closed({**{name: integer(-1) for name in names}, **more})


UPDATE = wrapped("quota_set", _schema(_ORDER, force=BOOLEAN))
UPDATE_2_36 = wrapped("quota_set", _schema((*_OWN, *_FILES), force=BOOLEAN))
UPDATE_2_57 = wrapped("quota_set", _schema(_OWN, force=BOOLEAN))
UPDATE_CLASS = wrapped("quota_class_set", _schema(_ORDER))
UPDATE_CLASS_2_50 = wrapped("quota_class_set", _schema((*_OWN, *_FILES)))
UPDATE_CLASS_2_57 = wrapped("quota_class_set", _schema(_OWN))


def names(request: Request, proxied_until: tuple[int, int] = (2, 36)) -> list[str]:
    """The resources that the microversion shows, in their order."""
    left = list(_ORDER)
    if request.at_least(*proxied_until):
        left = [name for name in left if name not in _PROXIED]
    if request.at_least(2, 57):
        left = [name for name in left if name not in _FILES]
    return left


def _limits(found: dict[str, int], shown: list[str]) -> dict[str, int]:
    return {name: found.get(name, -1) for name in shown}


def _user(request: Request) -> str:
    check_query(request, ("user_id",))
    return request.query.get("user_id") or ""


def show(request: Request, project_id: str) -> dict[str, Any]:
    request.authorize({"project_id": project_id})
    user = _user(request)
    found = request.service.database.read(quotas.limits, request.service.conf, project_id, user)
    return {"quota_set": {"id": project_id, **_limits(found, names(request))}}


def detail(request: Request, project_id: str) -> dict[str, Any]:
    request.authorize({"project_id": project_id})
    user = _user(request)

    def find(tx: Transaction) -> tuple[dict[str, int], dict[str, int]]:
        limits = quotas.limits(tx, request.service.conf, project_id, user)
        return limits, quotas.in_use(tx, project_id, user)

    limits, used = request.service.database.read(find)
    shown = {
        name: {"limit": limit, "in_use": used.get(name, 0), "reserved": 0}
        for name, limit in _limits(limits, names(request)).items()
    }
    return {"quota_set": {"id": project_id, **shown}}


def defaults(request: Request, project_id: str) -> dict[str, Any]:
    request.authorize({"project_id": project_id})
    found = request.service.database.read(quotas.defaults, request.service.conf)
    return {"quota_set": {"id": project_id, **_limits(found, names(request))}}


def update(request: Request, project_id: str) -> dict[str, Any]:
    request.authorize({"project_id": project_id})
    user = _user(request)
    given = request.body["quota_set"]
    force = as_boolean(given.get("force", False))
    values = {
        name: as_integer(name, value, -1)
        for name, value in given.items()
        if name != "force" and name not in _PROXIED
    }

    def unit(tx: Transaction) -> dict[str, int]:
        if not force:
            _check_range(tx, request.service.conf, project_id, user, values)
        quotas.set_limits(tx, project_id, user, values)
        return quotas.limits(tx, request.service.conf, project_id, user)

    found = request.service.database.write(unit)
    return {"quota_set": _limits(found, names(request))}


def _check_range(tx: Transaction, conf: Any, project_id: str, user: str, values: dict[str, int]) -> None:
    """A limit is not set below what is in use; a user's not above the project's."""
    used = quotas.in_use(tx, project_id, user)
    project = quotas.limits(tx, conf, project_id) if user else {}
    for name, limit in values.items():
        least, most = used.get(name, 0), project.get(name, -1)
        if 0 <= limit < least:
            raise Invalid(
                f"Quota limit {limit} for {name} must be greater than or equal to already used and reserved "
                f"{least}."
            )
        if most >= 0 and (limit > most or limit < 0):
            raise Invalid(f"Quota limit {limit} for {name} must be less than or equal to {most}.")


def delete(request: Request, project_id: str) -> Response:
    request.authorize({"project_id": project_id})
    user = _user(request) or None
    request.service.database.write(quotas.forget, project_id, user)
    return Response(status=202)


def _class_names(request: Request) -> list[str]:
    shown = names(request, proxied_until=(2, 50))
    return shown if request.at_least(2, 50) else [name for name in shown if name not in _GROUPS]


def show_class(request: Request, name: str) -> dict[str, Any]:
    check_query(request, (), (2, 102))
    found = request.service.database.read(quotas.class_limits, request.service.conf, name)
    return {"quota_class_set": {"id": name, **_limits(found, _class_names(request))}}


def update_class(request: Request, name: str) -> dict[str, Any]:
    if len(name) > 64:
        raise Invalid("quota_class_name has more than 64 characters.")
    given = request.body["quota_class_set"]
    values = {key: as_integer(key, value, -1, LARGEST) for key, value in given.items() if key not in _PROXIED}

    def unit(tx: Transaction) -> dict[str, int]:
        quotas.set_class_limits(tx, name, values)
        return quotas.class_limits(tx, request.service.conf, name)

    found = request.service.database.write(unit)
    return {"quota_class_set": _limits(found, _class_names(request))}
