"""The table of contents of the Image API v2."""

from typing import Any

from celaje.common.wsgi import Route
from celaje.image import patch
from celaje.image.api import (
    actions,
    cache,
    image_file,
    image_import,
    images,
    info,
    locations,
    members,
    schemas,
    stores,
    tags,
    task_schemas,
    tasks,
    versions,
)
from celaje.image.api.metadefs import routes as metadefs

_IMAGE = "/v2/images/{image_id}"
_MEMBER = f"{_IMAGE}/members/{{member_id}}"
_TAG = f"{_IMAGE}/tags/{{tag}}"


def build(conf: Any) -> list[Route]:
    """The formats that an image may have are the operator's: so the schemas, and the table, are made late."""

    def row(method: str, path: str, rule: str | None, handler: Any, **more: Any) -> Route:
        """Rules speak of an image, which the handler loads."""
        return Route(method, path, rule, handler, authorize="handler", **more)

    patches = (patch.MEDIA, patch.MEDIA_OLD)
    return [
        Route("GET", "/", None, versions.choices),
        Route("GET", "/versions", None, versions.versions),
        Route("GET", "/v2/schemas/image", "default", schemas.show_image),
        Route("GET", "/v2/schemas/images", "default", schemas.show_images),
        Route("GET", "/v2/schemas/member", "default", schemas.show_member),
        Route("GET", "/v2/schemas/members", "default", schemas.show_members),
        Route("GET", "/v2/schemas/task", "default", task_schemas.show_task),
        Route("GET", "/v2/schemas/tasks", "default", task_schemas.show_tasks),
        Route("GET", "/v2/info/import", "default", info.import_methods),
        Route("GET", "/v2/info/stores", "default", stores.index),
        Route("GET", "/v2/info/stores/detail", "stores_info_detail", stores.detail),
        Route("GET", "/v2/cache", "cache_list", cache.index),
        Route("DELETE", "/v2/cache", "cache_delete", cache.clear, status=204),
        Route("PUT", "/v2/cache/{image_id}", "cache_image", cache.queue, status=202, body="none"),
        Route("DELETE", "/v2/cache/{image_id}", "cache_delete", cache.delete, status=204),
        Route("GET", "/v2/info/usage", "default", info.usage),
        Route("GET", "/v2/images", "get_images", images.index),
        row("POST", "/v2/images", "add_image", images.create, status=201, schema=schemas.create_body(conf)),
        row("GET", _IMAGE, "get_image", images.show),
        row("PATCH", _IMAGE, "modify_image", images.update, media_types=patches),
        row("DELETE", _IMAGE, "delete_image", images.delete, status=204),
        row("GET", f"{_IMAGE}/file", "download_image", image_file.download),
        row("PUT", f"{_IMAGE}/file", "upload_image", image_file.upload, status=204, body="raw"),
        row("PUT", f"{_IMAGE}/stage", "modify_image", image_file.stage, status=204, body="raw"),
        row(
            "POST",
            f"{_IMAGE}/import",
            "modify_image",
            image_import.start,
            status=202,
            schema=image_import.BODY,
        ),
        row("GET", f"{_IMAGE}/locations", "fetch_image_location", locations.index),
        row(
            "POST",
            f"{_IMAGE}/locations",
            "add_image_location",
            locations.create,
            status=202,
            schema=locations.CREATE,
        ),
        row("GET", f"{_IMAGE}/tasks", "get_image", tasks.of_image),
        row(
            "DELETE",
            "/v2/stores/{store_id}/{image_id}",
            "delete_image_location",
            stores.delete,
            status=204,
        ),
        Route("GET", "/v2/tasks", "tasks_api_access", tasks.index),
        Route("POST", "/v2/tasks", "tasks_api_access", tasks.create, status=201, schema=tasks.CREATE),
        Route("GET", "/v2/tasks/{task_id}", "tasks_api_access", tasks.show),
        Route("DELETE", "/v2/tasks/{task_id}", "tasks_api_access", tasks.delete, status=204),
        row(
            "POST", f"{_IMAGE}/actions/deactivate", "deactivate", actions.deactivate, status=204, body="none"
        ),
        row(
            "POST", f"{_IMAGE}/actions/reactivate", "reactivate", actions.reactivate, status=204, body="none"
        ),
        row("PUT", _TAG, "modify_image", tags.add, status=204, body="none"),
        row("DELETE", _TAG, "modify_image", tags.remove, status=204, body="none"),
        row("GET", f"{_IMAGE}/members", "get_members", members.index),
        row("POST", f"{_IMAGE}/members", "add_member", members.create, schema=members.CREATE),
        row("GET", _MEMBER, "get_member", members.show),
        row("PUT", _MEMBER, "modify_member", members.update, schema=members.UPDATE),
        *metadefs.ROUTES,
        row("DELETE", _MEMBER, "delete_member", members.delete, status=204),
    ]
