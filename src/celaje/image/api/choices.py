"""Which store a request means: by the header X-Image-Meta-Store, or by an import's body."""

from typing import Any

from celaje.common.errors import Conflict, Invalid
from celaje.common.wsgi import Request


def store_of(request: Request) -> str:
    """Where an upload goes. Raises Invalid for a store that is not there or takes no data."""
    stores = request.service.stores
    name = request.header("X-Image-Meta-Store") or stores.default
    if name not in stores.writable:
        raise Invalid(f"Store {name[:64]} is not known here, or is only read.")
    return name


def stores_of(request: Request, body: dict[str, Any]) -> list[str]:
    """Where an import or copy goes. Raises Conflict for a store that is not there or takes no data."""
    stores = request.service.stores
    named = body.get("stores") or []
    header = request.header("X-Image-Meta-Store")
    if named and body.get("all_stores"):
        raise Invalid("The parameters 'stores' and 'all_stores' exclude each other.")
    if header and (named or body.get("all_stores")):
        raise Invalid("The header X-Image-Meta-Store and stores in the body exclude each other.")
    if body.get("all_stores"):
        return stores.writable
    found = list(dict.fromkeys(named or ([header] if header else [stores.default])))
    for name in found:
        if name not in stores.writable:
            raise Conflict(f"Store {name[:64]} is not known here, or is only read.")
    return found
