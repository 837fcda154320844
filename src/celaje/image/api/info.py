"""What this image service offers: import methods. Stores are in stores.py."""

from typing import Any

from celaje.common.wsgi import Request
from celaje.image import quota
from celaje.image.limits import usage_of


def import_methods(request: Request) -> dict[str, Any]:
    return {
        "import-methods": {
            "description": "Import methods available.",
            "type": "array",
            "value": offered(request.service),
        }
    }


def usage(request: Request) -> dict[str, Any]:
    """What the project has of what identity limits; nothing where it limits nothing."""
    service, project_id = request.service, request.context.project_id
    if not service.limits.enabled:
        return {"usage": {}}
    limits = service.limits.of(project_id)
    return {"usage": usage_of(limits, service.database.read(quota.usage, project_id))}


def offered(service: Any) -> list[str]:
    """Where there is one store, nothing can be copied."""
    methods = service.conf.enabled_import_methods
    return [name for name in methods if name != "copy-image" or service.stores.multiple]
