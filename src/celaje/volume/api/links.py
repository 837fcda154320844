"""The two links that Cinder's views give a resource. Called by views."""

from typing import Any

from celaje.common.wsgi import Request

Row = dict[str, Any]


def of(request: Request, collection: str, row_id: str) -> list[Row]:
    project_id = request.context.project_id
    return [
        {"rel": "self", "href": f"{request.base_url}/v3/{project_id}/{collection}/{row_id}"},
        {"rel": "bookmark", "href": f"{request.base_url}/{project_id}/{collection}/{row_id}"},
    ]
