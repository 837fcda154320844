"""What this image service offers: import methods and stores."""

from typing import Any

from celaje.common.wsgi import Request


def import_methods(request: Request) -> dict[str, Any]:
    return {
        "import-methods": {
            "description": "Import methods available.",
            "type": "array",
            "value": list(request.service.conf.enabled_import_methods),
        }
    }


def stores(request: Request) -> dict[str, Any]:
    service = request.service
    return {"stores": [_plain(name, service.default_store) for name in service.stores]}


def stores_detail(request: Request) -> dict[str, Any]:
    service = request.service
    options = service.conf.glance_store
    properties = {
        "data_dir": options.filesystem_store_datadir,
        "chunk_size": options.filesystem_store_chunk_size,
        "thin_provisioning": options.filesystem_thin_provisioning,
    }
    found = []
    for name in service.stores:
        found.append({**_plain(name, service.default_store), "type": "file", "properties": properties})
    return {"stores": found}


def _plain(name: str, default: str) -> dict[str, Any]:
    return {"id": name, "default": "true"} if name == default else {"id": name}
