"""JSON Schemas of tasks, as /v2/schemas shows them. Source: the Image API v2 reference."""

from celaje.common.wsgi import Request
from celaje.image.api.schemas import Schema, collection

_ID = "^([0-9a-fA-F]){8}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){12}$"
_PROPERTIES: Schema = {
    "id": {"type": "string", "description": "The task's identifier", "pattern": _ID},
    "type": {
        "type": "string",
        "description": "What the task does",
        "enum": ["import", "api_image_import", "location_import"],
    },
    "status": {
        "type": "string",
        "description": "How far it is",
        "enum": ["pending", "processing", "success", "failure"],
    },
    "input": {"type": ["null", "object"], "description": "What it was asked for"},
    "result": {"type": ["null", "object"], "description": "What came of it"},
    "owner": {"type": "string", "description": "Project that asked for it"},
    "message": {"type": "string", "description": "Why it failed, or how much it has copied"},
    "expires_at": {"type": ["null", "string"], "description": "Until when the ended task is shown"},
    "created_at": {"type": "string", "description": "When it was asked for"},
    "updated_at": {"type": "string", "description": "When it last changed"},
    "image_id": {"type": "string", "description": "The image that it works on"},
    "request_id": {"type": "string", "description": "The request that asked for it"},
    "user_id": {"type": "string", "description": "Who asked for it"},
    "self": {"type": "string", "readOnly": True},
    "schema": {"type": "string", "readOnly": True},
}


def show_task(request: Request) -> Schema:
    return {"name": "task", "properties": _PROPERTIES}


def show_tasks(request: Request) -> Schema:
    return collection("tasks", show_task(request), paged=True)
