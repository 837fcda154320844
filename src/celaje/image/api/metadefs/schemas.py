"""JSON Schemas of metadata definitions: bodies are checked against them, /v2/schemas/metadefs shows them.

Source: the Image API v2 reference.
"""

from typing import Any

from celaje.common.wsgi import Request
from celaje.image.api.schemas import Schema, collection

_TYPES = ["array", "boolean", "integer", "number", "object", "string", None]
_COUNT: Schema = {"type": "integer", "minimum": 0}
_STRINGS: Schema = {"type": "array", "items": {"type": "string"}, "uniqueItems": True}
_NAME: Schema = {"type": "string", "minLength": 1, "maxLength": 80}
_DESCRIPTION: Schema = {"type": "string"}

DEFINITIONS: Schema = {
    "positiveInteger": _COUNT,
    "positiveIntegerDefault0": {"allOf": [{"$ref": "#/definitions/positiveInteger"}, {"default": 0}]},
    "stringArray": _STRINGS,
}
_PROPERTY: Schema = {
    "name": _NAME,
    "title": {"type": "string"},
    "description": _DESCRIPTION,
    "operators": {"type": "array", "items": {"type": "string"}},
    "type": {"type": "string", "enum": _TYPES},
    "required": _STRINGS,
    "minimum": {"type": "number"},
    "maximum": {"type": "number"},
    "maxLength": _COUNT,
    "minLength": _COUNT,
    "pattern": {"type": "string", "format": "regex"},
    "enum": {"type": "array"},
    "readonly": {"type": "boolean"},
    "default": {},
    "items": {
        "type": "object",
        "properties": {"type": {"type": "string", "enum": _TYPES}, "enum": {"type": "array"}},
    },
    "maxItems": _COUNT,
    "minItems": _COUNT,
    "uniqueItems": {"type": "boolean", "default": False},
    "additionalItems": {"type": "boolean"},
}
_PROPERTIES: Schema = {
    "type": "object",
    "propertyNames": _NAME,
    "additionalProperties": {
        "type": "object",
        "required": ["title", "type"],
        "properties": _PROPERTY,
    },
}
_OBJECT: Schema = {
    "name": _NAME,
    "description": _DESCRIPTION,
    "required": _STRINGS,
    "properties": _PROPERTIES,
}
_TAG: Schema = {"name": _NAME}
_ASSOCIATION: Schema = {
    "name": {**_NAME, "description": "A resource type, best named as Heat names it"},
    "prefix": {"type": "string", "maxLength": 80, "description": "Begins the properties' names there"},
    "properties_target": {
        "type": "string",
        "maxLength": 80,
        "description": "Which of a resource's several sets of properties is meant",
    },
}
_NAMESPACE: Schema = {
    "namespace": {**_NAME, "description": "The namespace's unique name"},
    "display_name": {"type": "string", "maxLength": 80, "description": "Its name for people"},
    "description": {"type": "string", "maxLength": 500, "description": "What it is about"},
    "visibility": {"type": "string", "enum": ["public", "private"], "description": "Who sees it"},
    "protected": {"type": "boolean", "description": "If true, the namespace cannot be deleted."},
    "owner": {"type": "string", "maxLength": 255, "description": "Project that owns it"},
}
_SHOWN: Schema = {
    "created_at": {"type": "string", "readOnly": True, "format": "date-time"},
    "updated_at": {"type": "string", "readOnly": True, "format": "date-time"},
    "schema": {"type": "string", "readOnly": True},
    "self": {"type": "string", "readOnly": True},
}


def _body(properties: Schema, *required: str, shown: Schema = _SHOWN, strict: bool = True) -> Schema:
    # What a client got from us it may send back, so read-only members are no error.
    found: Schema = {"type": "object", "properties": {**properties, **shown}}
    if required:
        found["required"] = list(required)
    if strict:
        found["additionalProperties"] = False
    return found


NAMESPACE_UPDATE = _body(_NAMESPACE, "namespace")
NAMESPACE = _body(
    {
        **_NAMESPACE,
        "resource_type_associations": {"type": "array", "items": _body(_ASSOCIATION, "name", strict=False)},
        "properties": _PROPERTIES,
        "objects": {"type": "array", "items": _body(_OBJECT, "name", strict=False)},
        "tags": {"type": "array", "items": _body(_TAG, "name", strict=False)},
    },
    "namespace",
)
OBJECT = _body(_OBJECT, "name")
PROPERTY = _body(_PROPERTY, "name", "title", "type", shown={})
TAG = _body(_TAG, "name")
TAGS = _body({"tags": {"type": "array", "items": _body(_TAG, "name", strict=False)}}, "tags")
ASSOCIATION = _body(_ASSOCIATION, "name")


def _item(name: str, body: Schema) -> Schema:
    return {"name": name, "definitions": DEFINITIONS, **{k: v for k, v in body.items() if k != "type"}}


_SHOW: dict[str, Schema] = {
    "namespace": _item("namespace", NAMESPACE),
    "object": _item("object", OBJECT),
    "property": _item("property", PROPERTY),
    "tag": _item("tag", TAG),
    "resource_type": _item("resource_type_association", ASSOCIATION),
}
_PLURALS = {
    "namespaces": "namespace",
    "objects": "object",
    "properties": "property",
    "tags": "tag",
    "resource_types": "resource_type",
}


def show(request: Request, name: str) -> Any:
    if name in _SHOW:
        return _SHOW[name]
    item = _SHOW[_PLURALS[name]]
    plural = "resource_type_associations" if name == "resource_types" else name
    found = collection(plural, item, paged=name != "properties")
    if name == "properties":
        found["properties"]["properties"] = {"type": "object", "additionalProperties": item}
    return found


NAMES = (*_SHOW, *_PLURALS)
