"""What a resource is made of as clients see it, and how a body is read by that.

Each resource's file declares a Resource; `collection.py` reads bodies and writes answers by it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from celaje.common.wsgi import Request
from celaje.network.api.converters import BadValue, Converter, null_as, shown, string
from celaje.network.errors import HTTPBadRequest

Body = dict[str, Any]


class _Mark:
    def __init__(self, name: str):
        self._name = name

    def __repr__(self) -> str:
        return self._name


REQUIRED: Final = _Mark("REQUIRED")
# Not in the body: left out of what the handler gets.
ABSENT: Final = _Mark("ABSENT")


@dataclass(frozen=True, slots=True)
class Attribute:
    """`default` REQUIRED: a create must give it. `rule`: whoever gives it needs the policy rule
    create_<resource>:<name> or update_<resource>:<name>. `kind` is its type in the JSON Schema."""

    convert: Converter
    default: Any = ABSENT
    post: bool = True
    put: bool = True
    rule: bool = False
    kind: tuple[str, ...] = ("string",)


@dataclass(frozen=True)
class Resource:
    """`hidden`: shown only to whom get_<resource>:<name> allows it. `read_only`: in answers only."""

    name: str
    collection: str
    attributes: Mapping[str, Attribute]
    hidden: tuple[str, ...] = ()
    sub_rules: Callable[[Body], list[str]] = field(default=lambda body: [])

    def schema(self, operation: str) -> dict[str, Any]:
        """The JSON Schema of a create's or update's body: its outer shape and the types, which Neutron
        takes leniently; the converters have the last word."""
        allowed = {
            name: {"type": [*attribute.kind, "null"]}
            for name, attribute in self.attributes.items()
            if (attribute.post if operation == "create" else attribute.put)
        }
        one = {"type": "object", "properties": {**allowed, **_OWNER_SCHEMA}}
        if operation == "update":
            return {"type": "object", "properties": {self.name: one}}
        many = {"type": "array", "items": {"oneOf": [one, {"type": "object", "required": [self.name]}]}}
        return {"type": "object", "properties": {self.name: one, self.collection: many}}


_OWNER_SCHEMA = {"project_id": {"type": ["string", "null"]}, "tenant_id": {"type": ["string", "null"]}}

NAME = Attribute(null_as("", string()), default="")
DESCRIPTION = Attribute(null_as("", string()), default="")
BOOLEAN_KIND = ("boolean", "string", "integer")
INTEGER_KIND = ("integer", "string")


def items_of(request: Request, resource: Resource) -> tuple[list[Body], bool]:
    """The bodies of a create, and whether they came as a list."""
    body = request.body
    if not isinstance(body, dict) or not body:
        raise HTTPBadRequest("Resource body required")
    if resource.collection in body:
        listed = body[resource.collection]
        if not isinstance(listed, list) or not listed:
            raise HTTPBadRequest("Resources required")
        found = [
            item[resource.name] if isinstance(item, dict) and set(item) == {resource.name} else item
            for item in listed
        ]
        return [_dictionary(item, resource) for item in found], True
    return [_item(body, resource)], False


def _item(body: Body, resource: Resource) -> Body:
    if resource.name not in body:
        raise HTTPBadRequest(f"Unable to find '{resource.name}' in request body")
    return _dictionary(body[resource.name], resource)


def _dictionary(item: Any, resource: Resource) -> Body:
    if not isinstance(item, dict):
        raise HTTPBadRequest(f"Invalid input for {resource.name}: a dictionary is wanted")
    return item


def read_create(request: Request, resource: Resource, item: Body) -> tuple[Body, list[str]]:
    """The converted attributes with defaults and project_id, and the policy rules of those given."""
    _refuse_unknown(item, resource)
    values: Body = {"project_id": _owner(request, item)}
    for name, attribute in resource.attributes.items():
        if name in item:
            if not attribute.post:
                raise HTTPBadRequest(f"Attribute '{name}' not allowed in POST")
            values[name] = _convert(name, attribute, item[name])
        elif attribute.default is REQUIRED:
            raise HTTPBadRequest(f"Failed to parse request. Required attribute '{name}' not specified")
        elif attribute.default is not ABSENT:
            default = attribute.default
            values[name] = list(default) if isinstance(default, list) else default
    return values, _rules("create", resource, item, values)


def read_update(request: Request, resource: Resource) -> tuple[Body, list[str]]:
    """The converted attributes of an update, and the policy rules that they need."""
    if not isinstance(request.body, dict):
        raise HTTPBadRequest("Resource body required")
    item = _item(request.body, resource)
    _refuse_unknown(item, resource)
    values: Body = {}
    for name, value in item.items():
        attribute = resource.attributes.get(name)
        if attribute is None or not attribute.put:
            raise HTTPBadRequest(f"Cannot update read-only attribute {shown(name)}")
        values[name] = _convert(name, attribute, value)
    return values, _rules("update", resource, item, values)


def _rules(operation: str, resource: Resource, item: Body, values: Body) -> list[str]:
    names = [name for name, attribute in resource.attributes.items() if attribute.rule and name in item]
    given = {name: value for name, value in values.items() if name in item}
    return [f"{operation}_{resource.name}:{name}" for name in [*names, *resource.sub_rules(given)]]


# In answers only; a create or update that names one of them is told so.
READ_ONLY = (
    "id",
    "status",
    "revision_number",
    "created_at",
    "updated_at",
    "tags",
    "project_id",
    "tenant_id",
)


def _refuse_unknown(item: Body, resource: Resource) -> None:
    unknown = [name for name in item if name not in resource.attributes and name not in READ_ONLY]
    if unknown:
        raise HTTPBadRequest(f"Unrecognized attribute(s) '{', '.join(shown(name) for name in unknown)}'")
    for name in ("id", "status", "revision_number", "created_at", "updated_at"):
        if name in item and name not in resource.attributes:
            raise HTTPBadRequest(f"Attribute '{name}' not allowed in POST")


def _convert(name: str, attribute: Attribute, value: Any) -> Any:
    try:
        return attribute.convert(value)
    except BadValue as error:
        raise HTTPBadRequest(f"Invalid input for {name}. Reason: {error}.") from None


def _owner(request: Request, item: Body) -> str:
    """The project that gets the new resource: the caller's, or for admins and services any."""
    named = {item[key] for key in ("project_id", "tenant_id") if isinstance(item.get(key), str)}
    wrong = [
        key for key in ("project_id", "tenant_id") if key in item and not isinstance(item[key], str | None)
    ]
    if wrong or any(len(name) > 64 or "\x00" in name for name in named):
        raise HTTPBadRequest("Invalid input for project_id. Reason: it is not a project's id.")
    if len(named) > 1:
        raise HTTPBadRequest("'project_id' and 'tenant_id' do not match")
    own = request.context.project_id
    if named and named != {own} and not sees_all(request):
        raise HTTPBadRequest(
            "Specifying 'project_id' or 'tenant_id' other than the authenticated project in request "
            "requires admin privileges"
        )
    if named:
        return named.pop()
    if not own:
        raise HTTPBadRequest("Running without keystone AuthN requires that tenant_id is specified")
    return own


def sees_all(request: Request) -> bool:
    """Whether the caller reaches other projects' resources: an admin or a service."""
    return request.allows("context_is_admin") or request.allows("service_api")
