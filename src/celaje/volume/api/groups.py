"""Groups of volumes (since 3.13): created, copied (3.14), changed and deleted together."""

from typing import Any

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.common.errors import Invalid
from celaje.common.wsgi import Request, Response
from celaje.volume import errors
from celaje.volume.api import group_members, group_types, listing, lookup, schemas, status_reset
from celaje.volume.api.volume_view import moment
from celaje.volume.db import group_types as type_rows
from celaje.volume.db import groups, snapshots, types, volumes
from celaje.volume.db.tables import GROUPS, VOLUMES
from celaje.volume.states import GROUPS as STATES
from celaje.volume.states import VOLUMES as VOLUME_STATES

Row = dict[str, Any]

_TYPE_NAME: schemas.Schema = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"\S"}
CREATE = schemas.wrapped(
    "group",
    schemas.record(
        {
            "description": schemas.DESCRIPTION,
            "group_type": _TYPE_NAME,
            "name": schemas.OPTIONAL_NAME,
            "volume_types": {
                "type": "array",
                "minItems": 1,
                "items": {"type": "string", "maxLength": 255},
                "uniqueItems": True,
            },
            "availability_zone": schemas.OPTIONAL_NAME,
        },
        ("group_type", "volume_types"),
    ),
)
_MEMBERS: schemas.Schema = {"type": ["string", "null"], "maxLength": 65535}
UPDATE = schemas.wrapped(
    "group",
    schemas.record(
        {
            "description": schemas.DESCRIPTION,
            "name": schemas.OPTIONAL_NAME,
            "add_volumes": _MEMBERS,
            "remove_volumes": _MEMBERS,
        },
        minProperties=1,
    ),
)
DELETE = schemas.wrapped("delete", schemas.record({"delete-volumes": schemas.BOOLEAN}))
CREATE_FROM_SOURCE = schemas.wrapped(
    "create-from-src",
    schemas.record(
        {
            "description": schemas.DESCRIPTION,
            "name": schemas.OPTIONAL_NAME,
            "source_group_id": schemas.UUID,
            "group_snapshot_id": schemas.UUID,
        },
        oneOf=[{"required": ["group_snapshot_id"]}, {"required": ["source_group_id"]}],
    ),
)
_MAY_BE_SET = ("available", "creating", "deleting", "error", "error_deleting", "updating", "in-use")
RESET_STATUS = schemas.wrapped("reset_status", schemas.record({"status": {"type": "string"}}, ("status",)))
REPLICATION: schemas.Schema = {"type": ["object", "null"]}

LISTING = listing.Listing(
    GROUPS,
    {key: key for key in ("id", "name", "status", "created_at", "updated_at")},
    {
        "name": listing.equals(GROUPS.c.name),
        "status": listing.equals(GROUPS.c.status),
        "group_type": listing.equals(GROUPS.c.group_type_id),
    },
    {"host": listing.equals(GROUPS.c.host), "project_id": listing.equals(GROUPS.c.project_id)},
    resource="group",
    missing=lambda marker: errors.GroupNotFound(group_id=marker),
)
_own = listing.of_project(GROUPS)


def _restrict(request: Request) -> list[listing.Condition]:
    """What the old API of consistency groups has made is shown there only."""
    return [*_own(request), GROUPS.c.group_type_id.not_in(type_rows.RESERVED)]


def summary(row: Row) -> Row:
    return {"id": row["id"], "name": row["name"]}


def detailed(request: Request, tx: Transaction, row: Row) -> Row:
    shown: Row = {
        "id": row["id"],
        "status": row["status"],
        "availability_zone": row["availability_zone"],
        "created_at": moment(row["created_at"]),
        "name": row["name"],
        "description": row["description"],
        "group_type": row["group_type_id"],
        "volume_types": row["volume_types"],
    }
    if request.at_least(3, 14):
        shown |= {
            "group_snapshot_id": row["group_snapshot_id"],
            "source_group_id": row["source_group_id"],
        }
    if request.at_least(3, 25) and schemas.flag(request.query.get("list_volume"), "list_volume"):
        shown["volumes"] = [volume["id"] for volume in groups.volumes_of(tx, row["id"])]
    if request.at_least(3, 38):
        shown["replication_status"] = "disabled"
    if request.at_least(3, 58) and request.allows("group:group_project_attribute"):
        shown["project_id"] = row["project_id"]
    return shown


def find(request: Request, tx: Transaction, group_id: str, rule: str | None = None) -> Row:
    row = find_any(request, tx, group_id, rule)
    refuse_reserved(tx, row["group_type_id"])
    return row


def find_any(request: Request, tx: Transaction, group_id: str, rule: str | None = None) -> Row:
    """Consistency groups too."""
    tx.hold(GROUPS, group_id)
    row = groups.get_of_project(tx, group_id, lookup.scope_of(request))
    if row is None:
        raise errors.GroupNotFound(group_id=group_id)
    request.authorize(lookup.target(row), rule)
    return row


def refuse_reserved(tx: Transaction, type_id: str) -> None:
    if type_rows.is_reserved(tx, type_id):
        raise Invalid(
            f"Group_type {type_id} is reserved for migrating CGs to groups. Migrated group can only be "
            "operated by CG APIs."
        )


def index(request: Request) -> Row:
    rows, beside = request.service.database.read(lambda tx: LISTING.read(request, tx, _restrict))
    return _listed([summary(row) for row in rows], beside)


def detail(request: Request) -> Row:
    def query(tx: Transaction) -> Row:
        rows, beside = LISTING.read(request, tx, _restrict)
        return _listed([detailed(request, tx, row) for row in rows], beside)

    return request.service.database.read(query)


def _listed(shown: list[Row], beside: Row) -> Row:
    return {"groups": shown, **({"group_links": beside["links"]} if "links" in beside else {})}


def show(request: Request, group_id: str) -> Row:
    def query(tx: Transaction) -> Row:
        return {"group": detailed(request, tx, find(request, tx, group_id))}

    return request.service.database.read(query)


def create(request: Request) -> Row:
    asked = request.body["group"]

    def unit(tx: Transaction) -> Row:
        group_type = _group_type(request, tx, asked["group_type"])
        refuse_reserved(tx, group_type["id"])
        return new_group(request, tx, asked, group_type)

    return {"group": summary(request.service.database.write(unit))}


def new_group(request: Request, tx: Transaction, asked: Row, group_type: Row) -> Row:
    """`asked` has name, description, volume_types (ids or names), availability_zone."""
    wanted = [lookup.volume_type_by_name_or_id(request, tx, name) for name in asked["volume_types"]]
    zone = _zone(request, tx, asked.get("availability_zone"))
    row = _new_row(request, tx, asked, group_type["id"], [each["id"] for each in wanted])
    row["availability_zone"] = zone or request.service.conf.storage_availability_zone
    row["flow_id"] = request.service.flows.submit(
        tx,
        "group.create",
        resource=("group", row["id"]),
        arguments={
            "group_id": row["id"],
            "requests": [
                {
                    "size": 0,
                    "availability_zone": zone,
                    # What a type asks of a back end, its groups ask of it together.
                    "extra_specs": {**each["extra_specs"], **group_type["group_specs"]},
                    "hints": {},
                }
                for each in wanted
            ],
        },
    )
    groups.insert(tx, row)
    return row


def _zone(request: Request, tx: Transaction, asked: str | None) -> str | None:
    return lookup.zone(request, tx, asked) if asked else None


def _group_type(request: Request, tx: Transaction, wanted: str) -> Row:
    """By id or name."""
    row = type_rows.by_name(tx, wanted)
    return group_types.find(request, tx, row["id"] if row is not None else wanted)


def _new_row(request: Request, tx: Transaction, asked: Row, type_id: str, volume_types: list[str]) -> Row:
    request.service.quotas.check_group(tx, request.context.project_id)
    name = asked.get("name")
    return {
        "id": clock.new_uuid(),
        "project_id": request.context.project_id,
        "user_id": request.context.user_id,
        "name": name.strip() if name else name,
        "description": asked.get("description"),
        "status": "creating",
        "group_type_id": type_id,
        "volume_types": volume_types,
        "group_snapshot_id": None,
        "source_group_id": None,
        "created_at": clock.now(),
    }


def create_from_source(request: Request) -> Row:
    asked = request.body["create-from-src"]

    def unit(tx: Transaction) -> Row:
        row = copied_group(request, tx, asked)
        refuse_reserved(tx, row["group_type_id"])
        return row

    return {"group": summary(request.service.database.write(unit))}


def copied_group(request: Request, tx: Transaction, asked: Row) -> Row:
    """`asked` has name, description, and either source_group_id or group_snapshot_id."""
    parents, source = _parents(request, tx, asked)
    beside: list[int] = []
    for volume_type, sizes in _by_type(tx, parents):
        request.service.quotas.check(
            tx, request.context.project_id, volume_type, volumes=sizes, snapshots=[], beside=beside
        )
        beside += sizes
    row = _new_row(request, tx, asked, source["group_type_id"], source["volume_types"])
    row |= {
        "availability_zone": source["availability_zone"],
        "host": source["host"],
        "group_snapshot_id": asked.get("group_snapshot_id"),
        "source_group_id": asked.get("source_group_id"),
    }
    new = [_copy_of(request, tx, row, parent) for parent in parents]
    row["flow_id"] = request.service.flows.submit(
        tx,
        "group.create_from_source",
        resource=("group", row["id"]),
        arguments={
            "group_id": row["id"],
            "copies": [_copying(tx, volume, parent) for volume, parent in zip(new, parents, strict=True)],
        },
    )
    groups.insert(tx, row)
    for volume in new:
        volumes.insert(tx, {**volume, "flow_id": row["flow_id"]})
    return row


def _parents(request: Request, tx: Transaction, asked: Row) -> tuple[list[Row], Row]:
    """What the new volumes are copied from, each {"volume", "snapshot" or None, "size"}, and their group."""
    if asked.get("group_snapshot_id"):
        taken = groups.get_snapshot_of_project(tx, asked["group_snapshot_id"], lookup.scope_of(request))
        if taken is None:
            raise errors.GroupSnapshotNotFound(group_snapshot_id=asked["group_snapshot_id"])
        source = groups.get(tx, taken["group_id"])
        assert source is not None
        found = []
        for snapshot in groups.snapshots_of(tx, taken["id"]):
            volume = volumes.get(tx, snapshot["volume_id"])
            assert volume is not None
            found.append({"volume": volume, "snapshot": snapshot, "size": snapshot["volume_size"]})
        if not found:
            raise errors.InvalidGroup(reason="Group snapshot is empty. No group will be created.")
        states = {taken["status"], *(each["snapshot"]["status"] for each in found)}
    else:
        source = find_any(request, tx, asked["source_group_id"], "group:get")
        members = groups.volumes_of(tx, source["id"])
        found = [{"volume": each, "snapshot": None, "size": each["size"]} for each in members]
        if not found:
            raise errors.InvalidGroup(reason="Source Group is empty. No group will be created.")
        states = {source["status"], *(each["status"] for each in members)}
    if not states <= {"available", "in-use"}:
        raise errors.InvalidGroup(
            reason="The source must be available with all that belongs to it, it is "
            f"{', '.join(sorted(states))}."
        )
    return found, source


def _by_type(tx: Transaction, parents: list[Row]) -> list[tuple[Row, list[int]]]:
    sizes: dict[str, list[int]] = {}
    for parent in parents:
        sizes.setdefault(parent["volume"]["volume_type_id"], []).append(parent["size"])
    found = []
    for type_id, each in sizes.items():
        volume_type = types.get(tx, type_id)
        assert volume_type is not None
        found.append((volume_type, each))
    return found


def _copy_of(request: Request, tx: Transaction, group: Row, parent: Row) -> Row:
    origin, snapshot = parent["volume"], parent["snapshot"]
    project_id, key_id = request.context.project_id, origin["encryption_key_id"]
    if key_id is not None:
        key_id = request.service.keys.copy(tx, key_id, owner=origin["project_id"], project_id=project_id)
    kept = ("name", "description", "bootable", "multiattach", "volume_type_id", "metadata", "image_metadata")
    return {
        **{key: origin[key] for key in kept},
        "id": clock.new_uuid(),
        "project_id": project_id,
        "user_id": request.context.user_id,
        "size": parent["size"],
        "status": "creating",
        "attach_status": "detached",
        "availability_zone": group["availability_zone"],
        "snapshot_id": snapshot["id"] if snapshot else None,
        "source_volid": None if snapshot else origin["id"],
        "group_id": group["id"],
        "consumes_quota": True,
        "encryption_key_id": key_id,
        "created_at": clock.now(),
    }


def _copying(tx: Transaction, volume: Row, parent: Row) -> Row:
    volume_type = types.get(tx, volume["volume_type_id"])
    assert volume_type is not None
    origin, snapshot = parent["volume"], parent["snapshot"]
    source: Row
    if snapshot is not None:
        source = {"kind": "snapshot", "snapshot": snapshots.for_driver(snapshot, origin)}
    else:
        attached = origin["status"] == "in-use"
        source = {"kind": "volume", "volume": volumes.for_driver(origin), "attached": attached}
    return {
        "volume_id": volume["id"],
        "request": {
            "size": volume["size"],
            "availability_zone": None,
            "extra_specs": volume_type["extra_specs"],
            "hints": {},
            "pinned": origin["host"],
        },
        "source": source,
    }


def update(request: Request, group_id: str) -> Response:
    asked = request.body["group"]
    request.service.database.write(
        lambda tx: group_members.change_group(request, tx, find(request, tx, group_id), asked)
    )
    return Response(status=202)


def delete(request: Request, group_id: str) -> Response:
    with_volumes = schemas.truth(request.body["delete"].get("delete-volumes", False))

    def unit(tx: Transaction) -> None:
        begin_deletion(request, tx, find(request, tx, group_id), with_volumes=with_volumes)

    request.service.database.write(unit)
    return Response(status=202)


def begin_deletion(request: Request, tx: Transaction, row: Row, *, with_volumes: bool) -> None:
    group_id = row["id"]
    if row["flow_id"] is not None or row["status"] not in STATES.sources("deleting"):
        raise errors.InvalidGroup(
            reason=f"Group status must be available or error, but current status is: {row['status']}"
        )
    if groups.has_snapshots(tx, group_id):
        raise errors.InvalidGroup(reason="Group has existing snapshots.")
    members = groups.volumes_of(tx, group_id)
    if members and not with_volumes:
        raise errors.InvalidGroup(
            reason=f"Group {group_id} still contains volumes. The delete-volumes flag is required to "
            "delete it."
        )
    for volume in members:
        _check_deletable(tx, volume, group_id)
    if not members:
        with request.service.changes.told(tx, "group.delete", "group", group_id):
            groups.remove(tx, group_id)
        return
    flow_id = request.service.flows.submit(
        tx,
        "group.delete",
        resource=("group", group_id),
        arguments={
            "group_id": group_id,
            "volumes": [volumes.for_driver(each) for each in members],
        },
        project_id=row["project_id"],
    )
    now = clock.now()
    STATES.move(tx, GROUPS, group_id, "deleting", flow_id=flow_id, updated_at=now)
    for volume in members:
        VOLUME_STATES.move(
            tx, VOLUMES, volume["id"], "deleting", flow_id=flow_id, expires_at=None, updated_at=now
        )


def _check_deletable(tx: Transaction, volume: Row, group_id: str) -> None:
    if volume["attach_status"] == "attached":
        raise errors.InvalidGroup(reason=f"Volume in group {group_id} is attached. Need to detach first.")
    if snapshots.of_volume(tx, volume["id"]):
        raise errors.InvalidGroup(reason="Volume in group still has dependent snapshots.")
    if volume["flow_id"] is not None:
        raise errors.InvalidGroup(
            reason=f"Volume {volume['id']} in group is {volume['status']}: an operation under way holds it."
        )


def reset_status(request: Request, group_id: str) -> Response:
    return status_reset.set_status(
        request,
        request.body["reset_status"]["status"],
        _MAY_BE_SET,
        what="Group",
        find=lambda tx: find(request, tx, group_id),
        change=groups.change,
        held=errors.InvalidGroup,
    )


def replicate(request: Request, group_id: str) -> Response:
    """enable_replication and its like: no group here is of a type that replicates."""
    request.service.database.read(lambda tx: find(request, tx, group_id))
    raise Invalid(f"Invalid group type: Group {group_id} is not a replication group type.")
