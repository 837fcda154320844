"""What this image service offers: import methods. Stores are in stores.py, usage in usage.py."""

from typing import Any

from celaje.common.wsgi import Request


def import_methods(request: Request) -> dict[str, Any]:
    return {
        "import-methods": {
            "description": "Import methods available.",
            "type": "array",
            "value": offered(request.service),
        }
    }


def offered(service: Any) -> list[str]:
    """Where there is one store, nothing can be copied."""
    methods = service.conf.enabled_import_methods
    return [name for name in methods if name != "copy-image" or service.stores.multiple]
