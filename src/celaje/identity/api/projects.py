"""Projects."""

from typing import Any

from celaje.common.wsgi import Request
from celaje.identity.api import views

Row = dict[str, Any]


def view(request: Request, row: Row) -> Row:
    body = {
        "id": row["id"],
        "name": row["name"],
        "domain_id": row["domain_id"] or None,
        "description": row["description"],
        "enabled": bool(row["enabled"]),
        "parent_id": row["parent_id"],
        "is_domain": bool(row["is_domain"]),
        "tags": row["tags"],
        "options": row["options"],
    }
    return views.linked(request, "projects", views.with_extra(body, row))


def collection(request: Request, rows: list[Row]) -> Row:
    return views.collection(request, "projects", (view(request, row) for row in rows))
