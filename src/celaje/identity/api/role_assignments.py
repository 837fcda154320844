"""GET /v3/role_assignments."""

from typing import Any

from celaje.common.db import Transaction
from celaje.common.wsgi import Request
from celaje.identity import assignments
from celaje.identity.api import listing, views
from celaje.identity.api.access import target
from celaje.identity.assignments import Assignment, Names, Wanted
from celaje.identity.db import projects
from celaje.identity.errors import Invalid, ProjectNotFound
from celaje.identity.inference import Inference

Row = dict[str, Any]


def index(request: Request) -> Row:
    wanted = _wanted(request)
    with_names = listing.flag(request, "include_names")
    service = request.service

    def query(tx: Transaction) -> tuple[list[Assignment], Names | None, Inference]:
        _authorize(request, tx, wanted)
        inference = service.inference.get(tx)
        found = assignments.find(tx, wanted, inference)
        if own_domain := request.context.domain_id:
            inside = assignments.projects_of_domain(tx, own_domain) | {own_domain}
            found = [each for each in found if each.target_id in inside]
        return found, Names.read(tx, found) if with_names else None, inference

    found, names, inference = service.database.read(query)
    return {
        "role_assignments": [_view(request, each, names, inference) for each in found],
        "links": {"next": None, "self": views.address(request), "previous": None},
    }


def _wanted(request: Request) -> Wanted:
    query = request.query
    wanted = Wanted(
        user_id=query.get("user.id") or None,
        group_id=query.get("group.id") or None,
        role_id=query.get("role.id") or None,
        project_id=query.get("scope.project.id") or None,
        domain_id=query.get("scope.domain.id") or None,
        system=query.get("scope.system") == "all",
        inherited=(
            query["scope.OS-INHERIT:inherited_to"] == "projects"
            if "scope.OS-INHERIT:inherited_to" in query
            else None
        ),
        effective=listing.flag(request, "effective"),
        subtree=listing.flag(request, "include_subtree"),
    )
    if wanted.domain_id and wanted.project_id:
        raise Invalid("Specify a domain or project, not both")
    if wanted.domain_id and wanted.system:
        raise Invalid("Specify system or domain, not both")
    if wanted.project_id and wanted.system:
        raise Invalid("Specify system or project, not both")
    if wanted.user_id and wanted.group_id:
        raise Invalid("Specify a user or group, not both")
    if wanted.effective and wanted.group_id:
        raise Invalid("Combining effective and group filter will always result in an empty list.")
    if wanted.effective and wanted.inherited and wanted.domain_id:
        raise Invalid(
            "Combining effective, domain and inherited filters will always result in an empty list."
        )
    return wanted


def _authorize(request: Request, tx: Transaction, wanted: Wanted) -> None:
    if not wanted.subtree:
        request.authorize(target(domain_id=request.context.domain_id))
        return
    project = projects.find(tx, wanted.project_id) if wanted.project_id else None
    request.authorize(
        target({"project": project}, domain_id=project["domain_id"] if project else None),
        rule="identity:list_role_assignments_for_tree",
    )
    if not wanted.project_id:
        raise Invalid("scope.project.id must be specified if include_subtree is also specified")
    if project is None:
        raise ProjectNotFound(id=wanted.project_id)


def _view(request: Request, each: Assignment, names: Names | None, inference: Inference) -> Row:
    body: Row = {"links": {}, "scope": _scope(each, names)}
    actors = None
    if names is not None:
        actors = names.users if each.actor == "user" else names.groups
    body[each.actor] = _named(each.actor_id, actors, names)
    body["role"] = {"id": each.role_id}
    if names and each.role_id in inference.roles:
        name, domain_id = inference.roles[each.role_id]
        body["role"]["name"] = name
        if domain_id:
            body["role"]["domain"] = _domain(domain_id, names)
    if each.inherited:
        body["scope"]["OS-INHERIT:inherited_to"] = "projects"
    root = f"{request.base_url}/v3"
    body["links"]["assignment"] = root + _path(each)
    if each.by_group:
        body["links"]["membership"] = f"{root}/groups/{each.by_group}/users/{each.actor_id}"
    if each.by_role:
        # Keystone's order of the two.
        body["links"]["prior_role"] = f"{root}/prior_role/{each.role_id}/implies/{each.by_role}"
    return body


def _scope(each: Assignment, names: Names | None) -> Row:
    if each.target == "system":
        return {"system": {"all": True}}
    if each.target == "domain":
        return {"domain": _domain(each.target_id, names)}
    return {"project": _named(each.target_id, names.projects if names else None, names)}


def _named(thing_id: str, rows: dict[str, Row] | None, names: Names | None) -> Row:
    row = rows.get(thing_id) if rows else None
    if row is None or names is None:
        return {"id": thing_id}
    return {"id": thing_id, "name": row["name"], "domain": _domain(row["domain_id"], names)}


def _domain(domain_id: str, names: Names | None) -> Row:
    row = names.projects.get(domain_id) if names else None
    return {"id": domain_id, "name": row["name"]} if row else {"id": domain_id}


def _path(each: Assignment) -> str:
    """The URL of the stored assignment from which this one follows."""
    kind, place = each.inherited_from or (each.target, each.target_id)
    where = "/system" if kind == "system" else f"/{kind}s/{place}"
    who = f"/groups/{each.by_group}" if each.by_group else f"/{each.actor}s/{each.actor_id}"
    path = f"{where}{who}/roles/{each.by_role or each.role_id}"
    return f"/OS-INHERIT{path}/inherited_to_projects" if each.inherited else path
