"""Tasks: what brings data into images, watched; and the old way of an administrator to start an import."""

import datetime
from typing import Any
from urllib.parse import urlencode

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.common.db.paging import MarkerNotFound
from celaje.common.errors import Invalid, MethodNotAllowed, NotFound
from celaje.common.wsgi import Request, Response
from celaje.image import patch, quota
from celaje.image.api import access
from celaje.image.api.images import new_image
from celaje.image.db import images, tasks, uploads

Row = dict[str, Any]

CREATE: Row = {
    "type": "object",
    "properties": {
        "type": {"enum": ["import", "export", "clone", "api_image_import", "location_import"]},
        "input": {"type": "object"},
        "status": {"type": "string"},
    },
    "required": ["type", "input"],
}
# What the tasks of an image do not have.
_LINKS = ("self", "schema")
_SORT_KEYS = ("created_at", "updated_at", "status", "type", "id")
_FILTERS = ("type", "status", "owner")
_STATUSES = ("pending", "processing", "success", "failure")
_KINDS = ("import", "export", "clone", "api_image_import", "location_import")


def _since(request: Request) -> datetime.datetime:
    return clock.now() - datetime.timedelta(hours=request.service.conf.task.task_time_to_live)


def index(request: Request) -> Row:
    query = request.query
    limit = _limit(request)
    sort = [(_one_of(query.get("sort_key", "created_at"), _SORT_KEYS, "sort key"), _direction(query))]
    filters = {name: query[name] for name in _FILTERS if query.get(name)}
    if "status" in filters:
        _one_of(filters["status"], _STATUSES, "status")
    if "type" in filters:
        _one_of(filters["type"], _KINDS, "type")
    owner = None if request.context.is_admin else request.context.project_id or ""

    def run(tx: Transaction) -> list[Row]:
        marker = None
        if query.get("marker"):
            marker = tasks.get(tx, query["marker"], _since(request))
            if marker is None or owner not in (None, marker["owner"]):
                raise MarkerNotFound(marker=query["marker"][:64])
        return tasks.find(
            tx, owner=owner, filters=filters, sort=sort, limit=limit, marker=marker, since=_since(request)
        )

    found = request.service.database.read(run)
    pairs = [(key, value) for key, value in request.query_pairs if key != "marker"]
    body: Row = {"tasks": [_brief(request, row) for row in found], "schema": "/v2/schemas/tasks"}
    body["first"] = f"/v2/tasks?{urlencode(pairs)}" if pairs else "/v2/tasks"
    if found and len(found) == limit:
        body["next"] = f"/v2/tasks?{urlencode([*pairs, ('marker', found[-1]['id'])])}"
    return body


def _limit(request: Request) -> int:
    conf = request.service.conf
    text = request.query.get("limit")
    if text is None:
        return conf.limit_param_default
    if not text.strip().lstrip("-").isdigit() or len(text) > 18:
        raise Invalid("limit param must be an integer")
    if int(text) < 0:
        raise Invalid("limit param must be positive")
    return min(int(text), conf.api_limit_max)


def _direction(query: dict[str, str]) -> str:
    return _one_of(query.get("sort_dir", "desc"), ("asc", "desc"), "sort direction")


def _one_of(value: str, allowed: tuple[str, ...], what: str) -> str:
    if value not in allowed:
        raise Invalid(f"Invalid {what}: {value[:64]}. It must be one of {', '.join(allowed)}.")
    return value


def show(request: Request, task_id: str) -> Row:
    def run(tx: Transaction) -> tuple[Row | None, dict[str, int]]:
        row = tasks.get(tx, task_id, _since(request))
        return row, tasks.received(tx, [task_id]) if row else {}

    row, received = request.service.database.read(run)
    if row is None or not (request.context.is_admin or row["owner"] == request.context.project_id):
        raise NotFound(f"No task found with ID {task_id[:64]}")
    return _whole(request, row, received)


def of_image(request: Request, image_id: str) -> Row:
    def run(tx: Transaction) -> tuple[list[Row], dict[str, int]]:
        image = access.load(tx, request, image_id)
        access.enforce(request, image, "get_image")
        found = tasks.of_image(tx, image["id"], _since(request))
        return found, tasks.received(tx, [row["id"] for row in found])

    found, received = request.service.database.read(run)
    return {
        "tasks": [
            {
                **{key: value for key, value in _whole(request, row, received).items() if key not in _LINKS},
                "deleted": False,
                "deleted_at": None,
                "image_id": row["image_id"],
                "user_id": row["user_id"],
                "request_id": row["request_id"],
            }
            for row in found
        ]
    }


def create(request: Request) -> Response:
    service = request.service
    body = request.body
    if body["type"] != "import":
        raise Invalid(f"Tasks of the type {body['type']} cannot be created.")
    given = body["input"]
    for name in ("import_from", "import_from_format", "image_properties"):
        if name not in given:
            raise Invalid(f"Input does not contain '{name}' field")
    properties = given["image_properties"]
    if not isinstance(properties, dict) or not isinstance(given["import_from"], str):
        raise Invalid("'import_from' must be a URL and 'image_properties' an object.")
    service.web.check(given["import_from"])
    problems = list(service.image_validator.iter_errors(properties))
    if problems:
        raise Invalid(f"'image_properties' do not fit an image: {problems[0].message[:200]}")
    for name in properties:
        patch.check_name(name)
    image = new_image(request, {**properties, "visibility": properties.get("visibility", "private")})
    image["disk_format"] = image["disk_format"] or _text(given["import_from_format"])
    image["container_format"] = image["container_format"] or "bare"
    access.enforce_visibility(request, access.target_of(request, image), image["visibility"])

    def unit(tx: Transaction) -> Row | None:
        described = {key: image[key] for key in ("id", "disk_format", "container_format")}
        described["limit"] = quota.room(tx, service.conf, image["owner"])
        data_id, store = clock.new_uuid(), service.stores.default
        flow_id = service.flows.submit(
            tx,
            "image.task_import",
            resource=("image", image["id"]),
            arguments={
                "image": described,
                "source": {"kind": "web", "uri": given["import_from"]},
                "targets": [[store, data_id]],
                "input": given,
            },
        )
        images.insert(tx, {**image, "status": "importing", "flow_id": flow_id})
        uploads.insert(tx, id=data_id, flow_id=flow_id, image_id=image["id"], store=store)
        return tasks.get(tx, flow_id, _since(request))

    row = service.database.write(unit)
    assert row is not None
    return Response(
        _whole(request, row, {}),
        headers={"Location": f"{request.base_url}/v2/tasks/{row['id']}"},
    )


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > 20:
        raise Invalid("'import_from_format' must be a format's name.")
    return value


def delete(request: Request, task_id: str) -> None:
    raise MethodNotAllowed(
        f"Tasks cannot be deleted; {request.service.conf.task.task_time_to_live} hours after their end they "
        "are not shown any more.",
        allow="GET",
    )


def _brief(request: Request, row: Row) -> Row:
    ended = row["finished_at"]
    lives = datetime.timedelta(hours=request.service.conf.task.task_time_to_live)
    return {
        "id": row["id"],
        "type": row["type"],
        "status": row["status"],
        "owner": row["owner"],
        "created_at": clock.iso(row["created_at"], zulu=True),
        "updated_at": clock.iso(row["updated_at"] or row["created_at"], zulu=True),
        "expires_at": clock.iso(ended + lives, zulu=True) if ended else None,
        "self": f"/v2/tasks/{row['id']}",
        "schema": "/v2/schemas/task",
    }


def _whole(request: Request, row: Row, received: dict[str, int]) -> Row:
    shown = _brief(request, row)
    error = row["error"]
    message = error["message"] if error else ""
    if not message and row["id"] in received:
        message = f"Copied {received[row['id']] // (1 << 20)} MiB"
    return {
        **shown,
        "input": row["arguments"].get("input", {}),
        "result": row["result"] if row["status"] == "success" else None,
        "message": message,
    }
