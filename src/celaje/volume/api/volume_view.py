"""How a volume looks, by microversion and by who asks."""

from typing import Any

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.common.wsgi import Request
from celaje.volume.db import attachments, clusters, groups, types

Row = dict[str, Any]


def moment(value: Any) -> str | None:
    return clock.iso(value, microseconds=True)


# Cinder has no words of its own for these.
_SHOWN_AS = {"migrating": "maintenance", "managing": "creating"}


def shown_status(volume: Row) -> str:
    if volume["status"] == "migrating" and volume["attach_status"] == "attached":
        return "in-use"
    return str(_SHOWN_AS.get(volume["status"], volume["status"]))


class VolumeView:
    """Asks once, for all volumes of an answer, what each of them needs."""

    def __init__(self, request: Request):
        self._request = request
        context = request.context
        self._admin = context.is_admin
        self._sees_hosts = self._admin or "service" in context.roles
        project = {"project_id": context.project_id}
        self._host_attribute = request.allows("volume_extension:volume_host_attribute", project)
        self._migration_attribute = request.allows("volume_extension:volume_mig_status_attribute", project)
        # Of the groups of an answer's volumes those that are consistency groups.
        self._consistency_groups: set[str] = set()
        self._clusters: set[str] = set()
        self._base = f"{request.base_url}/v3/{context.project_id}/volumes"
        self._bookmark = f"{request.base_url}/{context.project_id}/volumes"

    def links(self, volume_id: str) -> list[Row]:
        return [
            {"rel": "self", "href": f"{self._base}/{volume_id}"},
            {"rel": "bookmark", "href": f"{self._bookmark}/{volume_id}"},
        ]

    def summary(self, volume: Row) -> Row:
        return {"id": volume["id"], "name": volume["name"], "links": self.links(volume["id"])}

    def details(self, tx: Transaction, volumes: list[Row], *, brief: bool = False) -> list[Row]:
        """One query for the types and one for the attachments, however many volumes."""
        names = types.names(tx)
        # Only these can have an attached one.
        wanted = [row["id"] for row in volumes if row["attach_status"] != "detached"]
        attached = attachments.of_volumes(tx, wanted) if wanted else {}
        if self._admin and self._request.at_least(3, 61):
            self._clusters = clusters.names(tx)
        self._consistency_groups = groups.consistent(tx, {row["group_id"] for row in volumes})
        view = self.brief if brief else self.detail
        return [view(row, names.get(row["volume_type_id"]), attached.get(row["id"], [])) for row in volumes]

    def detail(self, volume: Row, type_name: str | None, attached: list[Row]) -> Row:
        """As shown alone and in lists."""
        shown = self.brief(volume, type_name, attached)
        shown["os-vol-tenant-attr:tenant_id"] = volume["project_id"]
        if self._host_attribute:
            shown["os-vol-host-attr:host"] = volume.get("host")
        if self._migration_attribute:
            shown["os-vol-mig-status-attr:migstat"] = volume.get("migration_status")
            shown["os-vol-mig-status-attr:name_id"] = volume.get("name_id")
        if volume.get("image_metadata"):
            shown["volume_image_metadata"] = volume["image_metadata"]
        return shown

    def brief(self, volume: Row, type_name: str | None, attached: list[Row]) -> Row:
        """As it is answered to those who create and update: without what were extensions once."""
        request = self._request
        group_id = volume.get("group_id")
        shown: Row = {
            "id": volume["id"],
            "status": shown_status(volume),
            "size": volume["size"],
            "availability_zone": volume["availability_zone"],
            "created_at": moment(volume["created_at"]),
            "updated_at": moment(volume.get("updated_at")),
            "name": volume["name"],
            "description": volume["description"],
            "volume_type": type_name,
            "snapshot_id": volume["snapshot_id"],
            "source_volid": volume["source_volid"],
            "metadata": self._metadata(volume, attached),
            "links": self.links(volume["id"]),
            "user_id": volume["user_id"],
            "bootable": "true" if volume["bootable"] else "false",
            "encrypted": volume.get("encryption_key_id") is not None,
            "replication_status": None,
            "consistencygroup_id": group_id if group_id in self._consistency_groups else None,
            "multiattach": volume["multiattach"],
            "attachments": [self._attachment(row) for row in attached],
        }
        if self._admin:
            shown["migration_status"] = volume.get("migration_status")
        version = request.version or (3, 0)
        if version >= (3, 13):
            shown["group_id"] = group_id
        if version >= (3, 21) and self._admin:
            shown["provider_id"] = volume.get("provider_id")
        if version >= (3, 48):
            # Every driver here gives each volume a target of its own.
            shown["shared_targets"] = False
            shown["service_uuid"] = volume.get("service_uuid")
        if version >= (3, 61) and self._admin:
            host = volume.get("host") or ""
            shown["cluster_name"] = host if host.partition("#")[0] in self._clusters else None
        if version >= (3, 63):
            shown["volume_type_id"] = volume["volume_type_id"]
        if version >= (3, 64) and volume.get("encryption_key_id"):
            shown["encryption_key_id"] = volume["encryption_key_id"]
        if version >= (3, 65):
            shown["consumes_quota"] = volume["consumes_quota"]
        return shown

    def _metadata(self, volume: Row, attached: list[Row]) -> Row:
        """With what Cinder keeps in its administrative metadata and shows there."""
        shown = volume["metadata"]
        if volume.get("readonly") is not None:
            shown = {**shown, "readonly": str(volume["readonly"])}
        if attached and attached[0]["attach_mode"] in ("rw", "ro"):
            shown = {**shown, "attached_mode": attached[0]["attach_mode"]}
        if self._sees_hosts and volume.get("pending_size"):
            # What the compute service extends an attached volume to.
            shown = {**shown, "extend_new_size": str(volume["pending_size"])}
        return shown

    def _attachment(self, row: Row) -> Row:
        return {
            "id": row["volume_id"],
            "attachment_id": row["id"],
            "volume_id": row["volume_id"],
            "server_id": row["instance_uuid"],
            "host_name": row["attached_host"] if self._sees_hosts else None,
            "device": row["mountpoint"],
            "attached_at": moment(row["attach_time"]),
        }
