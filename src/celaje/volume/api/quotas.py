"""Quota sets, quota classes and limits."""

from typing import Any

from celaje.common.db import Transaction
from celaje.common.errors import Invalid
from celaje.common.wsgi import Request, Response
from celaje.volume.api import schemas
from celaje.volume.db import quotas, types
from celaje.volume.quota import PER_TYPE, RESOURCES

Row = dict[str, Any]

_LIMITS: schemas.Schema = {"type": "object", "minProperties": 1}
UPDATE = schemas.wrapped("quota_set", _LIMITS)
UPDATE_CLASS = schemas.wrapped("quota_class_set", {"type": "object"})
# What a body may hold that is no limit.
_IGNORED = ("tenant_id", "id", "project_id")


def show(request: Request, of_project: str) -> Row:
    request.authorize({"project_id": of_project})
    usage = schemas.flag(request.query.get("usage"), "usage")

    def query(tx: Transaction) -> Row:
        limits = request.service.quotas.limits(tx, of_project)
        if not usage:
            return dict(limits)
        used = request.service.quotas.usage(tx, of_project, types.names(tx))
        return {
            name: {"limit": limit, "in_use": used.get(name, 0), "reserved": 0}
            for name, limit in limits.items()
        }

    return {"quota_set": {**request.service.database.read(query), "id": of_project}}


def defaults(request: Request, of_project: str) -> Row:
    request.authorize({"project_id": of_project})
    found = request.service.database.read(request.service.quotas.defaults)
    return {"quota_set": {**found, "id": of_project}}


def update(request: Request, of_project: str) -> Row:
    if len(of_project) > 64:
        raise Invalid("quota_set_name has more than 64 characters.")

    def unit(tx: Transaction) -> Row:
        given = _checked(request, tx, request.body["quota_set"])
        used = request.service.quotas.usage(tx, of_project, types.names(tx))
        for name, limit in given.items():
            if name != "per_volume_gigabytes" and 0 <= limit < used.get(name, 0):
                raise Invalid(
                    f"Quota {name} limit must be equal or greater than existing resources. Current usage is "
                    f"{used[name]} and the requested limit is {limit}."
                )
            quotas.set_limit(tx, of_project, name, limit)
        return dict(request.service.quotas.limits(tx, of_project))

    return {"quota_set": request.service.database.write(unit)}


def delete(request: Request, of_project: str) -> Response:
    request.service.database.write(quotas.forget, of_project)
    return Response(status=200)


def show_class(request: Request, class_name: str) -> Row:
    found = request.service.database.read(request.service.quotas.defaults)
    return {"quota_class_set": {**found, "id": class_name}}


def update_class(request: Request, class_name: str) -> Row:
    def unit(tx: Transaction) -> Row:
        for name, limit in _checked(request, tx, request.body["quota_class_set"]).items():
            quotas.set_limit(tx, f"class:{class_name}"[:80], name, limit)
        return dict(request.service.quotas.defaults(tx))

    return {"quota_class_set": request.service.database.write(unit)}


def _checked(request: Request, tx: Transaction, given: Row) -> dict[str, int]:
    known = {*RESOURCES, *(f"{what}_{name}" for name in types.names(tx).values() for what in PER_TYPE)}
    found: dict[str, int] = {}
    for name, value in given.items():
        if name in _IGNORED:
            continue
        if name not in known:
            raise Invalid(f"Bad key(s) in quota set: {name[:64]}")
        text = str(value).strip()
        number = text.removeprefix("-")
        if isinstance(value, bool) or not number.isdigit() or len(number) > 10:
            raise Invalid(f"Quota limit {name} must be an integer.")
        limit = int(text)
        if not -1 <= limit <= schemas.LARGEST_INTEGER:
            raise Invalid(f"Quota limit {name} must be between -1 and {schemas.LARGEST_INTEGER}.")
        found[name] = limit
    return found


_ABSOLUTE = {
    "volumes": "maxTotalVolumes",
    "gigabytes": "maxTotalVolumeGigabytes",
    "snapshots": "maxTotalSnapshots",
    "backups": "maxTotalBackups",
    "backup_gigabytes": "maxTotalBackupGigabytes",
}
_USED = {
    "volumes": "totalVolumesUsed",
    "gigabytes": "totalGigabytesUsed",
    "snapshots": "totalSnapshotsUsed",
    "backups": "totalBackupsUsed",
    "backup_gigabytes": "totalBackupGigabytesUsed",
}


def limits(request: Request) -> Row:
    """Of the caller's project; administrators may name another since 3.39."""
    project_id = request.context.project_id or ""
    if request.context.is_admin and request.at_least(3, 39):
        project_id = request.query.get("project_id", request.query.get("tenant_id", project_id))

    def query(tx: Transaction) -> Row:
        found = request.service.quotas.limits(tx, project_id)
        shown = {_ABSOLUTE[name]: found[name] for name in _ABSOLUTE}
        if request.allows("limits_extension:used_limits", {"project_id": project_id}):
            used = request.service.quotas.usage(tx, project_id, types.names(tx))
            shown.update({_USED[name]: used[name] for name in _USED})
        return shown

    return {"limits": {"rate": [], "absolute": request.service.database.read(query)}}
