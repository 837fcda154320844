"""What a project's catalog is narrowed to: endpoints and endpoint groups (`/v3/OS-EP-FILTER/projects`)."""

from typing import Any

from celaje.common.db import Transaction
from celaje.common.wsgi import Request
from celaje.identity.api import endpoint_groups, endpoints, projects, views
from celaje.identity.db import endpoint_filters
from celaje.identity.db import projects as project_rows
from celaje.identity.db.tables import ENDPOINT_GROUP_PROJECTS, ENDPOINT_PROJECTS
from celaje.identity.errors import EndpointFilterNotFound, EndpointGroupNotFound, Taken

Row = dict[str, Any]


def _pair(tx: Transaction, project_id: str, endpoint_id: str) -> None:
    endpoints.get(tx, endpoint_id)
    project_rows.get(tx, project_id)


def list_endpoints(request: Request, project_id: str) -> Row:
    def query(tx: Transaction) -> list[Row]:
        project_rows.get(tx, project_id)
        return endpoint_filters.endpoints_of_project(tx, project_id)

    found = request.service.database.read(query)
    return views.collection(request, "endpoints", (endpoints.view(request, row) for row in found))


def list_projects(request: Request, endpoint_id: str) -> Row:
    def query(tx: Transaction) -> list[Row]:
        endpoints.get(tx, endpoint_id)
        return project_rows.with_tags(tx, endpoint_filters.projects_of_endpoint(tx, endpoint_id))

    return projects.collection(request, request.service.database.read(query))


def check(request: Request, project_id: str, endpoint_id: str) -> None:
    def query(tx: Transaction) -> None:
        _pair(tx, project_id, endpoint_id)
        key = {"project_id": project_id, "endpoint_id": endpoint_id}
        if not endpoint_filters.associated(tx, ENDPOINT_PROJECTS, **key):
            raise EndpointFilterNotFound(**key)

    request.service.database.read(query)


def add(request: Request, project_id: str, endpoint_id: str) -> None:
    def unit(tx: Transaction) -> None:
        _pair(tx, project_id, endpoint_id)
        if not endpoint_filters.associate(
            tx, ENDPOINT_PROJECTS, project_id=project_id, endpoint_id=endpoint_id
        ):
            raise Taken(kind="project_endpoint", what="Duplicate entry")
        request.service.catalog.changed_by(tx)

    request.service.database.write(unit)


def remove(request: Request, project_id: str, endpoint_id: str) -> None:
    def unit(tx: Transaction) -> None:
        key = {"project_id": project_id, "endpoint_id": endpoint_id}
        if not endpoint_filters.dissociate(tx, ENDPOINT_PROJECTS, **key):
            raise EndpointFilterNotFound(**key)
        request.service.catalog.changed_by(tx)

    request.service.database.write(unit)


def list_groups(request: Request, project_id: str) -> Row:
    def query(tx: Transaction) -> list[Row]:
        project_rows.get(tx, project_id)
        return endpoint_filters.groups_of_project(tx, project_id)

    found = request.service.database.read(query)
    return views.collection(request, "endpoint_groups", (endpoint_groups.view(request, row) for row in found))


def _group(tx: Transaction, project_id: str, group_id: str) -> Row:
    project_rows.get(tx, project_id)
    endpoint_filters.group(tx, group_id)
    return {"project_id": project_id, "endpoint_group_id": group_id}


def show_group(request: Request, group_id: str, project_id: str) -> Row:
    def query(tx: Transaction) -> Row:
        key = _group(tx, project_id, group_id)
        if not endpoint_filters.associated(tx, ENDPOINT_GROUP_PROJECTS, **key):
            raise EndpointGroupNotFound(id=group_id)
        return key

    body = request.service.database.read(query)
    path = f"OS-EP-FILTER/endpoint_groups/{group_id}/projects/{project_id}"
    body["links"] = {"self": f"{request.base_url}/v3/{path}"}
    return {"project_endpoint_group": body}


def add_group(request: Request, group_id: str, project_id: str) -> None:
    def unit(tx: Transaction) -> None:
        if not endpoint_filters.associate(tx, ENDPOINT_GROUP_PROJECTS, **_group(tx, project_id, group_id)):
            raise Taken(kind="project_endpoint_group", what="Duplicate entry")
        request.service.catalog.changed_by(tx)

    request.service.database.write(unit)


def remove_group(request: Request, group_id: str, project_id: str) -> None:
    def unit(tx: Transaction) -> None:
        key = _group(tx, project_id, group_id)
        if not endpoint_filters.dissociate(tx, ENDPOINT_GROUP_PROJECTS, **key):
            raise EndpointGroupNotFound(id=group_id)
        request.service.catalog.changed_by(tx)

    request.service.database.write(unit)
