"""POST /servers: from the request to the rows and the flows that build the servers.

Reads what the request names (flavor, image, networks, volumes, key pair, group), says 4xx where it does not
fit, and writes rows, quota check and flows in one transaction.
"""

import re
from typing import Any

from sqlalchemy import bindparam, select

from celaje.common import clock
from celaje.common.db import Prepared, Transaction, fetch_all, fetch_one
from celaje.common.errors import Invalid, NotFound, OverQuota
from celaje.common.wsgi import Request, Response
from celaje.compute import quota
from celaje.compute.api.parameters import is_true
from celaje.compute.api.requested_devices import Devices, read_devices
from celaje.compute.api.requested_networks import read_networks
from celaje.compute.api.server_views import ServerViews
from celaje.compute.db import nodes, servers
from celaje.compute.db.tables import (
    FLAVOR_ACCESS,
    FLAVOR_EXTRA_SPECS,
    FLAVORS,
    KEYPAIRS,
    SERVER_GROUP_MEMBERS,
    SERVER_GROUPS,
    SERVERS,
)

Body = dict[str, Any]

_P = "os_compute_api:servers:create"
_FLAVOR = Prepared(select(FLAVORS).where(FLAVORS.c.flavorid == bindparam("of_id")))
_EXTRA_SPECS = Prepared(
    select(FLAVOR_EXTRA_SPECS).where(FLAVOR_EXTRA_SPECS.c.flavor_id == bindparam("of_flavor"))
)


def create(request: Request) -> Response:
    wanted = request.body["server"]
    hints = request.body.get("os:scheduler_hints") or request.body.get("OS-SCH-HNT:scheduler_hints") or {}
    service = request.service
    if wanted.get("personality"):
        raise Invalid("Personality files are not supported; use user_data or a config drive.")
    flavor, key = service.database.read(_flavor_and_key, request, wanted)
    image = _image(request, wanted.get("imageRef") or None, flavor)
    devices = read_devices(request, wanted, image, flavor)
    if not devices.root_is_volume and flavor["root_gb"] == 0:
        request.authorize(rule=f"{_P}:zero_disk_flavor")
    _fits(devices.image or image, flavor, devices.root_is_volume)
    networks, group_names = read_networks(request, wanted)
    placement = _destination(request, wanted)
    least, most = _counts(wanted)
    if most > 1 and any(network.get("port_id") for network in networks):
        raise Invalid("Unable to launch multiple instances with a single configured port ID.")
    if most > 1 and any(network.get("fixed_ip") for network in networks):
        raise Invalid("max_count cannot be greater than 1 if an fixed_ip is specified.")
    if most > 1 and devices.names_a_volume:
        raise Invalid("Cannot attach one or more volumes to multiple instances")
    password = wanted.get("adminPass") or clock.new_token(16)[: service.conf.password_length]
    order = _Order(request, wanted, hints, flavor, key, image, devices, networks, group_names, placement)
    rows = service.database.write(order.write, least, most)
    views = ServerViews(request)
    if is_true(wanted.get("return_reservation_id", False)):
        return Response({"reservation_id": rows[0]["reservation_id"]}, 202)
    first = rows[0]
    shown: Body = {
        "id": first["id"],
        "links": views.links(first["id"]),
        "OS-DCF:diskConfig": first["disk_config"],
        "security_groups": wanted.get("security_groups") or [{"name": "default"}],
        "adminPass": password,
    }
    return Response({"server": shown}, 202, headers={"Location": shown["links"][0]["href"]})


class _Order:
    """All that was read of one request; `write` is its unit."""

    def __init__(  # noqa: PLR0917
        self,
        request: Request,
        wanted: Body,
        hints: Body,
        flavor: Body,
        key: Body | None,
        image: Body | None,
        devices: Devices,
        networks: list[Body],
        group_names: list[str],
        placement: Body,
    ):
        self.request = request
        self.wanted = wanted
        self.hints = hints
        self.flavor = flavor
        self.key = key
        self.image = image
        self.devices = devices
        self.networks = networks
        self.group_names = group_names
        self.placement = placement

    def write(self, tx: Transaction, least: int, most: int) -> list[Body]:
        """Rows, quota and flows of all servers. Raises OverServerQuota, and what the names deserve."""
        project_id = self.request.context.project_id or ""
        count = self._allowed(tx, project_id, least, most)
        group = self._group(tx, count)
        spec = self._spec(tx, group)
        reservation = f"r-{clock.new_uuid().replace('-', '')[:8]}"
        rows = []
        for number in range(count):
            row = self._row(project_id, number, count, reservation)
            listed = [
                {**device, "id": clock.new_uuid(), "server_id": row["id"]} for device in self.devices.rows
            ]
            metadata = self.wanted.get("metadata") or {}
            row["flow_id"] = self._submit(tx, row, spec, listed, metadata)
            servers.create(tx, row, metadata, dict.fromkeys(self.wanted.get("tags") or ()), listed)
            if group:
                tx.execute(SERVER_GROUP_MEMBERS.insert(), {"group_id": group["id"], "server_id": row["id"]})
            rows.append(row)
        return rows

    def _allowed(self, tx: Transaction, project_id: str, least: int, most: int) -> int:
        """As many as the quota lets in, between `least` and `most`."""
        limits = quota.limits(tx, self.request.service.conf, project_id)
        items = limits["metadata_items"]
        if 0 <= items < len(self.wanted.get("metadata") or ()):
            raise OverQuota(f"Maximum number of metadata items exceeds {items}")
        for count in range(most, least - 1, -1):
            asked = {
                "instances": count,
                "cores": count * self.flavor["vcpus"],
                "ram": count * self.flavor["memory_mb"],
            }
            try:
                quota.check(tx, limits, project_id, asked)
            except OverQuota:
                if count == least:
                    raise
                continue
            return count
        raise AssertionError("unreachable")

    def _group(self, tx: Transaction, count: int) -> Body | None:
        hint = self.hints.get("group")
        group_id = hint[0] if isinstance(hint, list) and hint else hint
        if not group_id:
            return None
        context = self.request.context
        group = fetch_one(tx, select(SERVER_GROUPS).where(SERVER_GROUPS.c.id == group_id))
        if group is None or group["project_id"] != context.project_id:
            raise Invalid(f"Instance group {group_id} could not be found.")
        members = fetch_all(
            tx, select(SERVER_GROUP_MEMBERS).where(SERVER_GROUP_MEMBERS.c.group_id == group_id)
        )
        allowed = quota.limits(tx, self.request.service.conf, context.project_id or "")[
            "server_group_members"
        ]
        if 0 <= allowed < len(members) + count:
            raise OverQuota("Quota exceeded, too many servers in group")
        return {key: group[key] for key in ("id", "policy", "rules")}

    def _spec(self, tx: Transaction, group: Body | None) -> Body:
        """What the scheduler decides by."""
        flavor = self.flavor
        disk = flavor["ephemeral_gb"] + -(-flavor["swap"] // 1024)
        if not self.devices.root_is_volume:
            disk += flavor["root_gb"]
        image = self.devices.image or self.image
        spec: Body = {
            "resources": [float(flavor["vcpus"]), float(flavor["memory_mb"]), float(disk)],
            "extra_specs": flavor["extra_specs"],
            "image": {key: image.get(key) for key in ("disk_format", "properties")} if image else None,
            "group": group,
            **self.placement,
        }
        for hint, key in (("same_host", "same_hosts"), ("different_host", "different_hosts")):
            asked = self.hints.get(hint)
            if asked:
                ids = [asked] if isinstance(asked, str) else asked
                found = fetch_all(
                    tx,
                    select(SERVERS.c.host).where(
                        SERVERS.c.id.in_(ids),
                        SERVERS.c.project_id == self.request.context.project_id,
                        SERVERS.c.host.is_not(None),
                    ),
                )
                spec[key] = sorted({row["host"] for row in found})
        zone = spec.get("availability_zone")
        known = {self.request.service.conf.default_availability_zone}
        if zone and zone not in known:
            known |= {
                name.strip()
                for aggregate in nodes.aggregates(tx)
                for name in aggregate["metadata"].get("availability_zone", "").split(",")
            }
            if zone not in known:
                raise Invalid("The requested availability zone is not available")
        return spec

    def _row(self, project_id: str, number: int, count: int, reservation: str) -> Body:
        wanted, flavor = self.wanted, self.flavor
        now = clock.now()
        name = wanted["name"] if count == 1 else f"{wanted['name']}-{number + 1}"
        row: Body = dict.fromkeys(column.key for column in SERVERS.c)
        row |= {
            "id": clock.new_uuid(),
            "project_id": project_id,
            "user_id": self.request.context.user_id or "",
            "name": name,
            "description": wanted.get("description") if self.request.at_least(2, 19) else wanted["name"],
            "hostname": _hostname(wanted.get("hostname"), name, number, count),
            "reservation_id": reservation,
            "launch_index": number,
            "vm_state": "building",
            "task_state": "scheduling",
            "power_state": 0,
            "progress": 0,
            "locked": False,
            "availability_zone": None,
            "pinned_availability_zone": self.placement.get("availability_zone"),
            "image_id": self.image["id"] if self.image else None,
            "image_meta": _image_meta(self.devices.image or self.image),
            "flavor": flavor,
            "flavorid": flavor["flavorid"],
            "vcpus": flavor["vcpus"],
            "memory_mb": flavor["memory_mb"],
            "root_gb": flavor["root_gb"],
            "ephemeral_gb": flavor["ephemeral_gb"],
            "key_name": self.key["name"] if self.key else None,
            "key_data": self.key["public_key"] if self.key else None,
            "user_data": wanted.get("user_data"),
            "config_drive": is_true(wanted.get("config_drive", False)),
            "disk_config": wanted.get("OS-DCF:diskConfig", "MANUAL"),
            "access_ip_v4": wanted.get("accessIPv4") or None,
            "access_ip_v6": wanted.get("accessIPv6") or None,
            "root_device_name": self.devices.root_name,
            "security_groups": self.group_names,
            "scheduler_hints": self.hints or None,
            "trusted_image_certificates": wanted.get("trusted_image_certificates"),
            "deleted": False,
            "created_at": now,
            "updated_at": now,
        }
        return row

    def _submit(self, tx: Transaction, row: Body, spec: Body, devices: list[Body], metadata: Body) -> str:
        conf = self.request.service.conf
        zone = self.placement.get("availability_zone") or conf.default_availability_zone
        server = {
            **servers.for_driver({**row, "availability_zone": zone}, metadata),
            "user_data": row["user_data"],
        }
        return self.request.service.flows.submit(
            tx,
            "server.create",
            resource=("server", row["id"]),
            arguments={
                "server": server,
                "spec": spec,
                "image": self.image,
                "networks": self.networks,
                "devices": [servers.device_for_worker(device) for device in devices],
                "config_drive": row["config_drive"],
            },
        )


def _flavor_and_key(tx: Transaction, request: Request, wanted: Body) -> tuple[Body, Body | None]:
    context = request.context
    flavor = flavor_of(tx, str(wanted["flavorRef"]), context.project_id, context.is_admin)
    key = None
    if wanted.get("key_name"):
        key = fetch_one(
            tx,
            select(KEYPAIRS).where(
                KEYPAIRS.c.user_id == context.user_id, KEYPAIRS.c.name == wanted["key_name"]
            ),
        )
        if key is None:
            raise Invalid("Invalid key_name provided.")
    return flavor, key


def flavor_of(tx: Transaction, reference: str, project_id: str | None, is_admin: bool) -> Body:
    """The flavor as a server keeps it. A reference may be a URL that ends with the id. Raises Invalid."""
    flavorid = reference.rstrip("/").rpartition("/")[2]
    found = _FLAVOR.one(tx, of_id=flavorid)
    if found is not None and not found["is_public"] and not is_admin:
        access = select(FLAVOR_ACCESS).where(
            FLAVOR_ACCESS.c.flavor_id == found["id"], FLAVOR_ACCESS.c.project_id == project_id
        )
        found = found if fetch_one(tx, access) else None
    if found is None or found["disabled"]:
        raise Invalid(f"Flavor {flavorid} could not be found.")
    specs = _EXTRA_SPECS.all(tx, of_flavor=found["id"])
    names = ("flavorid", "name", "memory_mb", "vcpus", "root_gb", "ephemeral_gb", "swap", "rxtx_factor")
    return {
        **{name: found[name] for name in names},
        "extra_specs": {row["key"]: row["value"] for row in specs},
    }


def _image(request: Request, image_id: str | None, flavor: Body) -> Body | None:
    if not image_id:
        return None
    try:
        image = request.service.ground.clients.image.show(image_id)
    except NotFound as error:
        raise Invalid(f"Image {image_id} could not be found.") from error
    return described_image(image)


def described_image(image: Body) -> Body:
    """An image as workers and the scheduler need it; what is no field of Glance's is a property."""
    known = [
        "id",
        "name",
        "status",
        "visibility",
        "protected",
        "checksum",
        "os_hash_algo",
        "os_hash_value",
        "size",
        "virtual_size",
        "disk_format",
        "container_format",
        "min_disk",
        "min_ram",
        "owner",
        "created_at",
        "updated_at",
        "tags",
        "self",
        "file",
        "schema",
        "os_hidden",
        "stores",
        "locations",
        "direct_url",
    ]
    kept = ("id", "status", "checksum", "os_hash_algo", "os_hash_value", "size", "disk_format")
    return {
        **{name: image.get(name) for name in kept},
        "container_format": image.get("container_format") or "bare",
        "min_disk": image.get("min_disk") or 0,
        "min_ram": image.get("min_ram") or 0,
        "properties": {
            key: value for key, value in image.items() if key not in known and isinstance(value, str)
        },
    }


def _fits(image: Body | None, flavor: Body, root_is_volume: bool) -> None:
    if image is None:
        return
    if image.get("status") not in (None, "active"):
        raise Invalid(f"Image {image['id']} is not active.")
    if int(image.get("min_ram") or 0) > flavor["memory_mb"]:
        raise Invalid("Flavor's memory is too small for requested image.")
    if root_is_volume or flavor["root_gb"] == 0:
        return
    if (image.get("size") or 0) > flavor["root_gb"] << 30:
        raise Invalid(
            f"Flavor's disk is too small for requested image. Flavor disk is {flavor['root_gb'] << 30} "
            f"bytes, image is {image['size']} bytes."
        )
    if int(image.get("min_disk") or 0) > flavor["root_gb"]:
        raise Invalid(
            f"Flavor's disk is smaller than the minimum size specified in image metadata. Flavor disk is "
            f"{flavor['root_gb'] << 30} bytes, minimum size is {int(image['min_disk']) << 30} bytes."
        )


def _destination(request: Request, wanted: Body) -> Body:
    """Zone, and the host that an administrator may name: az:host:node, or (2.74) host and node."""
    found: Body = {"availability_zone": request.service.conf.default_schedule_zone}
    zone = wanted.get("availability_zone")
    if zone and ":" in zone:
        name, host, node = (*zone.split(":"), None)[:3] if zone.count(":") < 3 else ("", "", "")
        if not (name or host or node):
            raise Invalid("Unable to parse availability_zone")
        found["availability_zone"] = name or None
        if host or node:
            request.authorize(rule=f"{_P}:forced_host")
            found |= {
                "force_hosts": [host] if host else None,
                "force_nodes": [node] if node else None,
                "skip_filters": True,
            }
    elif zone:
        found["availability_zone"] = zone
    if "host" in wanted or "hypervisor_hostname" in wanted:
        request.authorize(rule=f"{_P}:requested_destination")
        if found.get("skip_filters"):
            raise Invalid("A host is named in availability_zone and by itself; name it once.")
        found |= {
            "force_hosts": [wanted["host"]] if wanted.get("host") else None,
            "force_nodes": [wanted["hypervisor_hostname"]] if wanted.get("hypervisor_hostname") else None,
        }
    return found


def _counts(wanted: Body) -> tuple[int, int]:
    least = int(wanted.get("min_count", 1))
    most = int(wanted.get("max_count", least))
    if least > most:
        raise Invalid("min_count must be <= max_count")
    return least, most


def _hostname(given: str | None, name: str, number: int, count: int) -> str:
    """What was asked for, or the name as a host name can be."""
    if given:
        if count > 1:
            raise Invalid("Unable to allocate a single hostname to multiple instances")
        return given
    made = re.sub(r"[^a-z0-9-]+", "", re.sub(r"[ _.]", "-", name.lower())).strip("-")[:63].rstrip("-")
    return made or f"server-{number}"


def _image_meta(image: Body | None) -> Body | None:
    if image is None:
        return None
    return {key: image.get(key) for key in ("disk_format", "min_disk", "min_ram", "properties")}
