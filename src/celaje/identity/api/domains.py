"""Domains."""

from typing import Any

from celaje.common.wsgi import Request
from celaje.identity.api import views

Row = dict[str, Any]


def view(request: Request, row: Row) -> Row:
    body = {
        "id": row["id"],
        "name": row["name"],
        "description": row["description"],
        "enabled": bool(row["enabled"]),
        "tags": row["tags"],
        "options": row["options"],
    }
    return views.linked(request, "domains", views.with_extra(body, row))


def collection(request: Request, rows: list[Row]) -> Row:
    return views.collection(request, "domains", (view(request, row) for row in rows))
