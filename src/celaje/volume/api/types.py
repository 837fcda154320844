"""Volume types, their extra specs, who may use private ones, and projects' default types."""

from typing import Any

from sqlalchemy import String, cast

from celaje.common import clock
from celaje.common.db import DuplicateRow, Transaction
from celaje.common.errors import Invalid
from celaje.common.wsgi import Request, Response
from celaje.volume import errors
from celaje.volume.api import listing, lookup, schemas
from celaje.volume.db import types, volumes
from celaje.volume.db.seeds import DEFAULT_TYPE
from celaje.volume.db.tables import TYPES

Row = dict[str, Any]

_SPEC_KEY = "^[a-zA-Z0-9-_:. /]{1,255}$"
_SPECS: schemas.Schema = {
    "type": "object",
    "patternProperties": {_SPEC_KEY: {"type": ["string", "null"], "maxLength": 255}},
    "additionalProperties": False,
}
CREATE = schemas.wrapped(
    "volume_type",
    schemas.record(
        {
            "name": schemas.NAME,
            "description": schemas.DESCRIPTION,
            "extra_specs": _SPECS,
            "os-volume-type-access:is_public": schemas.BOOLEAN,
        },
        ("name",),
    ),
)
UPDATE = schemas.wrapped(
    "volume_type",
    schemas.record(
        {
            "name": {"type": ["string", "null"], "minLength": 1, "maxLength": 255},
            "description": schemas.DESCRIPTION,
            "is_public": schemas.BOOLEAN,
            # openstacksdk's name for it, which Cinder's own schema does not know.
            "os-volume-type-access:is_public": schemas.BOOLEAN,
        }
    ),
)
CREATE_SPECS = schemas.wrapped("extra_specs", {**schemas.EXTRA_SPECS, "minProperties": 1})
UPDATE_SPEC = {**schemas.EXTRA_SPECS, "minProperties": 1, "maxProperties": 1}
_PROJECT = schemas.record({"project": {"type": "string", "minLength": 1, "maxLength": 255}}, ("project",))
ADD_ACCESS = schemas.wrapped("addProjectAccess", _PROJECT)
REMOVE_ACCESS = schemas.wrapped("removeProjectAccess", _PROJECT)
SET_DEFAULT = schemas.wrapped("default_type", schemas.record({"volume_type": schemas.NAME}, ("volume_type",)))

# What users see of a type's extra specs; the rest tells of the machinery.
_VISIBLE_SPECS = ("RESKEY:availability_zones", "multiattach", "replication_enabled")


def _by_publicity(value: str, request: Request) -> listing.Condition:
    """Administrators may ask for private ones, or with None for all; others see what they may use."""
    if not request.context.is_admin or value.lower() in ("none", ""):
        return cast(TYPES.c.id, String).is_not(None)
    return TYPES.c.is_public.is_(schemas.flag(value, "is_public"))


LISTING = listing.Listing(
    TYPES,
    {key: key for key in ("id", "name", "created_at", "updated_at")},
    {
        "name": listing.equals(TYPES.c.name),
        "is_public": _by_publicity,
        "extra_specs": listing.has_items(TYPES.c.extra_specs),
    },
    {"description": listing.equals(TYPES.c.description)},
)


def _restrict(request: Request) -> list[listing.Condition]:
    if request.context.is_admin:
        asked = request.query.get("is_public")
        return [] if asked is not None else [TYPES.c.is_public.is_(True)]
    return [types.visible_to(request.context.project_id)]


class TypeView:
    def __init__(self, request: Request):
        self._specs = request.allows("volume_extension:access_types_extra_specs")
        self._all_specs = request.allows("volume_extension:types_extra_specs:read_sensitive")
        self._qos = request.allows("volume_extension:access_types_qos_specs_id")

    def show(self, row: Row) -> Row:
        shown: Row = {
            "id": row["id"],
            "name": row["name"],
            "is_public": row["is_public"],
            "description": row["description"],
        }
        if self._specs:
            shown["extra_specs"] = self.specs(row)
        if self._qos:
            shown["qos_specs_id"] = row.get("qos_specs_id")
        shown["os-volume-type-access:is_public"] = row["is_public"]
        return shown

    def managed(self, row: Row) -> Row:
        """What Cinder answers to those who create and update types: a little less than it shows."""
        shown = {key: row[key] for key in ("id", "name", "is_public", "description")}
        return {**shown, "extra_specs": self.specs(row)}

    def specs(self, row: Row) -> Row:
        specs = row["extra_specs"]
        if self._all_specs:
            return specs
        return {key: specs[key] for key in _VISIBLE_SPECS if key in specs}


def index(request: Request) -> Row:
    rows, beside = request.service.database.read(lambda tx: LISTING.read(request, tx, _restrict))
    view = TypeView(request)
    body: Row = {"volume_types": [view.show(row) for row in rows]}
    if "links" in beside:
        body["volume_type_links"] = beside["links"]
    return body


def show(request: Request, type_id: str) -> Row:
    def query(tx: Transaction) -> Row:
        if type_id == "default":
            return lookup.default_type(request, tx)
        return lookup.volume_type(request, tx, type_id)

    shown = TypeView(request).show(request.service.database.read(query))
    if type_id == "default":
        del shown["os-volume-type-access:is_public"]
    return {"volume_type": shown}


def create(request: Request) -> Row:
    asked = request.body["volume_type"]
    row: Row = {
        "id": clock.new_uuid(),
        "name": asked["name"].strip(),
        "description": asked.get("description"),
        "is_public": schemas.truth(asked.get("os-volume-type-access:is_public", True)),
        "extra_specs": asked.get("extra_specs") or {},
        "created_at": clock.now(),
    }

    def unit(tx: Transaction) -> None:
        if types.by_name(tx, row["name"]) is not None:
            raise errors.VolumeTypeExists(name=row["name"])
        try:
            types.insert_type(tx, row)
        except DuplicateRow:
            raise errors.VolumeTypeExists(name=row["name"]) from None

    request.service.database.write(unit)
    access = {"os-volume-type-access:is_public": row["is_public"]}
    return {"volume_type": {**TypeView(request).managed(row), **access}}


def update(request: Request, type_id: str) -> Row:
    asked = request.body["volume_type"]
    values: Row = {key: asked[key] for key in ("name", "description") if asked.get(key) is not None}
    if "name" in values:
        values["name"] = values["name"].strip()
        if not values["name"]:
            raise Invalid("Volume type name can not be empty.")
    for key in ("is_public", "os-volume-type-access:is_public"):
        if key in asked:
            values["is_public"] = schemas.truth(asked[key])
    if not values:
        raise Invalid("Specify volume type name, description, is_public or a combination thereof.")

    def unit(tx: Transaction) -> Row:
        row = lookup.volume_type(request, tx, type_id)
        other = types.by_name(tx, values["name"]) if "name" in values else None
        if other is not None and other["id"] != type_id:
            raise errors.VolumeTypeExists(name=values["name"])
        types.change(tx, type_id, updated_at=clock.now(), **values)
        return {**row, **values}

    return {"volume_type": TypeView(request).managed(request.service.database.write(unit))}


def delete(request: Request, type_id: str) -> Response:
    def unit(tx: Transaction) -> None:
        row = lookup.volume_type(request, tx, type_id)
        configured = request.service.conf.default_volume_type
        if row["name"] in (DEFAULT_TYPE, configured) or types.is_default_of_some_project(tx, type_id):
            raise errors.VolumeTypeDefault(volume_type_id=type_id)
        if volumes.with_type(tx, [type_id]):
            raise errors.VolumeTypeInUse(volume_type_id=type_id)
        types.remove_access(tx, type_id)
        types.remove_type(tx, type_id)

    request.service.database.write(unit)
    return Response(status=202)


# Extra specs.


def index_specs(request: Request, type_id: str) -> Row:
    row = request.service.database.read(lambda tx: lookup.volume_type(request, tx, type_id))
    return {"extra_specs": TypeView(request).specs(row)}


def create_specs(request: Request, type_id: str) -> Row:
    given = request.body["extra_specs"]
    _change_specs(request, type_id, lambda old: {**old, **given})
    return {"extra_specs": given}


def show_spec(request: Request, type_id: str, key: str) -> Row:
    row = request.service.database.read(lambda tx: lookup.volume_type(request, tx, type_id))
    specs = TypeView(request).specs(row)
    if key not in specs:
        raise errors.VolumeTypeExtraSpecNotFound(volume_type_id=type_id, key=key)
    return {key: specs[key]}


def update_spec(request: Request, type_id: str, key: str) -> Row:
    if key not in request.body:
        raise Invalid("Request body and URI mismatch")
    _change_specs(request, type_id, lambda old: {**old, **request.body})
    return request.body


def delete_spec(request: Request, type_id: str, key: str) -> Response:
    def without(old: Row) -> Row:
        if key not in old:
            raise errors.VolumeTypeExtraSpecNotFound(volume_type_id=type_id, key=key)
        return {name: value for name, value in old.items() if name != key}

    _change_specs(request, type_id, without)
    return Response(status=202)


def _change_specs(request: Request, type_id: str, new: Any) -> None:
    def unit(tx: Transaction) -> None:
        row = lookup.volume_type(request, tx, type_id)
        if volumes.with_type(tx, [type_id]):
            # Its volumes lie where they lie because of what it said when they were placed.
            raise Invalid("Volume Type is currently in use.")
        types.change(tx, type_id, extra_specs=new(row["extra_specs"]), updated_at=clock.now())

    request.service.database.write(unit)


# Access to private types.


def index_access(request: Request, type_id: str) -> Row:
    def query(tx: Transaction) -> list[Row]:
        row = lookup.volume_type(request, tx, type_id)
        if row["is_public"]:
            raise errors.VolumeTypeNotFound("Access list not available for public volume types.")
        return types.access(tx, type_id)

    found = request.service.database.read(query)
    return {
        "volume_type_access": [
            {"volume_type_id": row["volume_type_id"], "project_id": row["project_id"]} for row in found
        ]
    }


def add_access(request: Request, type_id: str) -> Response:
    project_id = request.body["addProjectAccess"]["project"]

    def unit(tx: Transaction) -> None:
        row = lookup.volume_type(request, tx, type_id)
        if row["is_public"]:
            raise errors.InvalidInput(
                reason="Type access modification is not applicable to public volume type."
            )
        if any(each["project_id"] == project_id for each in types.access(tx, type_id)):
            raise errors.VolumeTypeAccessExists(volume_type_id=type_id, project_id=project_id)
        types.add_access(tx, type_id, project_id)

    request.service.database.write(unit)
    return Response(status=202)


def remove_access(request: Request, type_id: str) -> Response:
    project_id = request.body["removeProjectAccess"]["project"]

    def unit(tx: Transaction) -> None:
        row = lookup.volume_type(request, tx, type_id)
        if row["is_public"]:
            raise errors.InvalidInput(
                reason="Type access modification is not applicable to public volume type."
            )
        if not types.remove_access(tx, type_id, project_id):
            raise errors.VolumeTypeAccessNotFound(volume_type_id=type_id, project_id=project_id)

    request.service.database.write(unit)
    return Response(status=202)


# Default types of projects, since 3.62.


def index_defaults(request: Request) -> Row:
    found = request.service.database.read(types.defaults)
    return {"default_types": [_default(row["project_id"], row["volume_type_id"]) for row in found]}


def show_default(request: Request, of_project: str) -> Row:
    type_id = request.service.database.read(types.default_of, of_project)
    if type_id is None:
        raise errors.DefaultTypeNotFound(project_id=of_project)
    return {"default_type": _default(of_project, type_id)}


def set_default(request: Request, of_project: str) -> Row:
    wanted = request.body["default_type"]["volume_type"]

    def unit(tx: Transaction) -> str:
        row = lookup.volume_type_by_name_or_id(request, tx, wanted)
        types.set_default(tx, of_project, row["id"])
        return row["id"]

    return {"default_type": _default(of_project, request.service.database.write(unit))}


def unset_default(request: Request, of_project: str) -> Response:
    request.service.database.write(types.unset_default, of_project)
    return Response(status=204)


def _default(project_id: str, type_id: str) -> Row:
    return {"project_id": project_id, "volume_type_id": type_id}
