"""What users who administrate nothing may filter each list by (since 3.31); shown since 3.33.

The table is Cinder's own; a file named in `resource_query_filters_file` takes its place, as there. Read by
the service at start, by every list, and by GET /resource_filters.
"""

import json
from pathlib import Path
from typing import Any

from celaje.common.errors import ConfigurationError
from celaje.common.wsgi import Request

Filters = dict[str, list[str]]

USUAL: Filters = {
    "volume": [
        *("name", "status", "metadata", "bootable", "migration_status", "availability_zone", "group_id"),
        *("size", "created_at", "updated_at", "consumes_quota"),
    ],
    "backup": ["name", "status", "volume_id"],
    "snapshot": ["name", "status", "volume_id", "metadata", "availability_zone", "consumes_quota"],
    "group": ["name"],
    "group_snapshot": ["name", "status", "group_id"],
    "attachment": ["volume_id", "status", "instance_id", "attach_status"],
    "message": ["resource_uuid", "resource_type", "event_id", "request_id", "message_level"],
    "pool": ["name", "volume_type"],
    "volume_type": ["is_public", "extra_specs"],
}


def load(path: str | None) -> Filters:
    """Raises ConfigurationError."""
    if not path:
        return USUAL
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"resource_query_filters_file: {path}: {error}.") from error
    lists = found.values() if isinstance(found, dict) else [None]
    if not all(isinstance(each, list) and all(isinstance(key, str) for key in each) for each in lists):
        raise ConfigurationError(f"resource_query_filters_file: {path} must hold lists of keys by resource.")
    return dict(found)


def index(request: Request) -> dict[str, Any]:
    wanted = request.query.get("resource")
    return {
        "resource_filters": [
            {"resource": name, "filters": keys}
            for name, keys in request.service.resource_filters.items()
            if wanted is None or name == wanted
        ]
    }
