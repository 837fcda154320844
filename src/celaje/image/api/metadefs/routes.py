"""The metadata definitions' part of the image service's table of contents."""

from collections.abc import Callable
from functools import partial, update_wrapper
from typing import Any

from celaje.common.wsgi import Route
from celaje.image.api.metadefs import namespaces, resource_types, schemas
from celaje.image.api.metadefs.definitions import OBJECTS, PROPERTIES, TAGS, Kind

_ALL = "/v2/metadefs/namespaces"
_ONE = f"{_ALL}/{{namespace}}"


def _row(method: str, path: str, rule: str, handler: Any, **more: Any) -> Route:
    """Rules speak of the namespace, which the handler loads."""
    return Route(method, path, rule, handler, authorize="handler", **more)


def _schema(name: str) -> Callable[..., Any]:
    return update_wrapper(partial(schemas.show, name=name), schemas.show)


def _of(kind: Kind, schema: dict[str, Any]) -> list[Route]:
    path = f"{_ONE}/{kind.plural}"
    one = f"{path}/{{name}}"
    return [
        _row("GET", path, f"get_metadef_{kind.plural}", kind.index),
        _row("DELETE", path, "delete_metadef_namespace", kind.clear, status=204),
        _row("GET", one, f"get_metadef_{kind.name}", kind.show),
        _row("PUT", one, f"modify_metadef_{kind.name}", kind.update, schema=schema),
        _row("DELETE", one, kind.remove_rule, kind.delete, status=204),
    ]


ROUTES = [
    *(Route("GET", f"/v2/schemas/metadefs/{name}", "default", _schema(name)) for name in schemas.NAMES),
    Route("GET", "/v2/metadefs/resource_types", "list_metadef_resource_types", resource_types.index),
    Route("GET", _ALL, "get_metadef_namespaces", namespaces.index),
    Route("POST", _ALL, "add_metadef_namespace", namespaces.create, status=201, schema=schemas.NAMESPACE),
    _row("GET", _ONE, "get_metadef_namespace", namespaces.show),
    _row("PUT", _ONE, "modify_metadef_namespace", namespaces.update, schema=schemas.NAMESPACE_UPDATE),
    _row("DELETE", _ONE, "delete_metadef_namespace", namespaces.delete, status=204),
    _row("GET", f"{_ONE}/resource_types", "get_metadef_resource_type", resource_types.of_namespace),
    _row(
        "POST",
        f"{_ONE}/resource_types",
        "add_metadef_resource_type_association",
        resource_types.associate,
        status=201,
        schema=schemas.ASSOCIATION,
    ),
    _row(
        "DELETE",
        f"{_ONE}/resource_types/{{resource_type}}",
        "remove_metadef_resource_type_association",
        resource_types.dissociate,
        status=204,
    ),
    *_of(OBJECTS, schemas.OBJECT),
    _row(
        "POST",
        f"{_ONE}/objects",
        "add_metadef_object",
        OBJECTS.create,
        status=201,
        schema=schemas.OBJECT,
    ),
    *_of(PROPERTIES, schemas.PROPERTY),
    _row(
        "POST",
        f"{_ONE}/properties",
        "add_metadef_property",
        PROPERTIES.create,
        status=201,
        schema=schemas.PROPERTY,
    ),
    *_of(TAGS, schemas.TAG),
    _row("POST", f"{_ONE}/tags", "add_metadef_tags", TAGS.create_all, status=201, schema=schemas.TAGS),
    _row("POST", f"{_ONE}/tags/{{name}}", "add_metadef_tag", TAGS.create_one, status=201, body="none"),
]
