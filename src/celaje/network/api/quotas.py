"""Quotas of projects: limits, defaults, usage.

Source: Networking API v2.0, extensions quotas and quota_details.
"""

from typing import Any

from celaje.common.wsgi import Request, Response
from celaje.network import errors, quota
from celaje.network.api.converters import BadValue, integer, shown

_LIMIT = integer(-1, 2**31 - 1)


def listing(request: Request) -> dict[str, Any]:
    """Projects that have limits of their own."""
    request.authorize(rule="get_quota")
    conf = request.service.conf

    def read(tx: Any) -> list[dict[str, Any]]:
        own = quota.projects(tx)
        if not request.allows("context_is_admin"):
            own = [project for project in own if project == request.context.project_id]
        return [
            {**quota.limits(tx, conf, project), "project_id": project, "tenant_id": project}
            for project in own
        ]

    return {"quotas": request.service.database.read(read)}


def show(request: Request, project_id: str) -> dict[str, Any]:
    _authorize(request, project_id, "get_quota")
    return {"quota": request.service.database.read(quota.limits, request.service.conf, project_id)}


def own(request: Request) -> dict[str, Any]:
    """The project that the token is for."""
    request.authorized = True
    project_id = request.context.project_id
    return {"project": {"project_id": project_id}, "tenant": {"tenant_id": project_id}}


def default(request: Request, project_id: str) -> dict[str, Any]:
    _authorize(request, project_id, "get_quota")
    return {"quota": quota.default_limits(request.service.conf)}


def details(request: Request, project_id: str) -> dict[str, Any]:
    _authorize(request, project_id, "get_quota")

    def read(tx: Any) -> dict[str, Any]:
        limits, used = quota.limits(tx, request.service.conf, project_id), quota.usage(tx, project_id)
        return {name: {"limit": limits[name], "used": used[name], "reserved": 0} for name in limits}

    return {"quota": request.service.database.read(read)}


def update(request: Request, project_id: str) -> dict[str, Any]:
    _authorize(request, project_id, "update_quota")
    body = request.body
    if not isinstance(body, dict) or not isinstance(body.get("quota"), dict):
        raise errors.HTTPBadRequest("Unable to find 'quota' in request body")
    changes = {}
    for name, value in body["quota"].items():
        if name in ("project_id", "tenant_id", "force", "check_limit"):
            continue
        if name not in quota.RESOURCES:
            raise errors.HTTPBadRequest(f"Unrecognized attribute(s) '{shown(name)}'")
        try:
            changes[name] = _LIMIT(value)
        except BadValue as error:
            raise errors.HTTPBadRequest(f"Invalid input for {name}. Reason: {error}.") from None

    def unit(tx: Any) -> dict[str, int]:
        quota.set_limits(tx, project_id, changes)
        return quota.limits(tx, request.service.conf, project_id)

    return {"quota": request.service.database.write(unit)}


def delete(request: Request, project_id: str) -> Response:
    _authorize(request, project_id, "delete_quota")
    request.service.database.write(quota.reset, project_id)
    return Response(status=204)


def _authorize(request: Request, project_id: str, rule: str) -> None:
    if len(project_id) > 64 or "\x00" in project_id:
        raise errors.HTTPBadRequest("Invalid project id.")
    request.authorize({"project_id": project_id, "tenant_id": project_id}, rule=rule)
