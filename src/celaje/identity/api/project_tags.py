"""Tags of a project."""

from typing import Any

from celaje.common.db import Transaction
from celaje.common.wsgi import Request
from celaje.identity.api.access import checked
from celaje.identity.api.projects import MOST_TAGS, TAGS
from celaje.identity.db import projects
from celaje.identity.errors import Invalid, ProjectNotFound, TagNotFound
from celaje.identity.tree import check_immutable

Row = dict[str, Any]

REPLACE = {
    "type": "object",
    "properties": {"tags": TAGS},
    "required": ["tags"],
    "additionalProperties": False,
}


def _project(request: Request, tx: Transaction, project_id: str) -> Row:
    return checked(request, projects.find(tx, project_id), "project", ProjectNotFound(id=project_id))


def _changed(request: Request, tx: Transaction, project_id: str) -> Row:
    row = _project(request, tx, project_id)
    check_immutable(row, {"tags": []}, "project")
    return row


def _body(request: Request, tags: list[str]) -> Row:
    return {"tags": tags, "links": {"self": request.url}}


def index(request: Request, project_id: str) -> Row:
    def query(tx: Transaction) -> list[str]:
        _project(request, tx, project_id)
        return projects.tags_of(tx, project_id)

    return _body(request, request.service.database.read(query))


def replace(request: Request, project_id: str) -> Row:
    def unit(tx: Transaction) -> list[str]:
        _changed(request, tx, project_id)
        projects.set_tags(tx, project_id, request.body["tags"])
        return projects.tags_of(tx, project_id)

    return _body(request, request.service.database.write(unit))


def clear(request: Request, project_id: str) -> None:
    def unit(tx: Transaction) -> None:
        _changed(request, tx, project_id)
        projects.set_tags(tx, project_id, [])

    request.service.database.write(unit)


def check(request: Request, project_id: str, value: str) -> None:
    def query(tx: Transaction) -> None:
        _project(request, tx, project_id)
        if value not in projects.tags_of(tx, project_id):
            raise TagNotFound(id=value)

    request.service.database.read(query)


def add(request: Request, project_id: str, value: str) -> None:
    def unit(tx: Transaction) -> None:
        _changed(request, tx, project_id)
        if len(value) > 255 or "," in value:
            raise Invalid(f"Invalid input for field 'tags': {value[:64]!r} is not a tag")
        if len(projects.tags_of(tx, project_id)) >= MOST_TAGS:
            raise Invalid(f"Invalid input for field 'tags': a project has at most {MOST_TAGS}")
        projects.add_tag(tx, project_id, value)

    request.service.database.write(unit)


def remove(request: Request, project_id: str, value: str) -> None:
    def unit(tx: Transaction) -> None:
        _changed(request, tx, project_id)
        if not projects.remove_tag(tx, project_id, value):
            raise TagNotFound(id=value)

    request.service.database.write(unit)
