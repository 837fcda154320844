"""Servers as the API shows them, key by key and microversion by microversion.

Called by the handlers of servers with rows and what belongs to them; asks nobody.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from celaje.common import clock
from celaje.common.wsgi import Request
from celaje.compute import states

Body = dict[str, Any]

_PROGRESS = ("ACTIVE", "BUILD", "REBUILD", "RESIZE", "VERIFY_RESIZE", "MIGRATING")
_P = "os_compute_api:"


@dataclass(slots=True)
class Belongings:
    """What a server's view shows beside its row."""

    metadata: dict[str, str] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    interfaces: list[Body] = field(default_factory=list)
    devices: list[Body] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    host_status: str = ""


class ServerViews:
    """Made once a request: what depends on the caller and the microversion is decided here, not per
    server."""

    def __init__(self, request: Request):
        self._base = request.base_url
        self._minor = request.version[1] if request.version else 1
        self._extended = request.allows(f"{_P}os-extended-server-attributes")
        self._extra_specs = self._minor >= 47 and request.allows(f"{_P}servers:show:flavor-extra-specs")
        self.host_status = self._minor >= 16 and request.allows(f"{_P}servers:show:host_status")

    def links(self, server_id: str) -> list[Body]:
        return [
            {"rel": "self", "href": f"{self._base}/v2.1/servers/{server_id}"},
            {"rel": "bookmark", "href": f"{self._base}/servers/{server_id}"},
        ]

    def basic(self, row: Body) -> Body:
        return {"id": row["id"], "name": row["name"], "links": self.links(row["id"])}

    def detail(self, row: Body, own: Belongings, *, groups: bool = False) -> Body:
        minor = self._minor
        shown_status = states.status(row["vm_state"], row["task_state"])
        server: Body = {
            "id": row["id"],
            "name": row["name"],
            "status": shown_status,
            "tenant_id": row["project_id"],
            "user_id": row["user_id"],
            "metadata": own.metadata,
            "hostId": host_id(row["project_id"], row["host"]),
            "image": self._image(row),
            "flavor": self._flavor(row),
            "created": clock.iso(row["created_at"], zulu=True),
            "updated": clock.iso(row["updated_at"] or row["created_at"], zulu=True),
            "addresses": addresses(own.interfaces),
            "accessIPv4": row["access_ip_v4"] or "",
            "accessIPv6": row["access_ip_v6"] or "",
            "links": self.links(row["id"]),
            "OS-DCF:diskConfig": row["disk_config"],
        }
        if shown_status in ("ERROR", "DELETED") and row["fault"]:
            server["fault"] = self._fault(row["fault"])
        if shown_status in _PROGRESS:
            server["progress"] = row["progress"]
        server |= {
            "OS-EXT-AZ:availability_zone": row["availability_zone"] or "" if row["host"] else "",
            "config_drive": "True" if row["config_drive"] else "",
            "key_name": row["key_name"],
            "OS-SRV-USG:launched_at": clock.iso(row["launched_at"], microseconds=True),
            "OS-SRV-USG:terminated_at": clock.iso(row["terminated_at"], microseconds=True),
        }
        if row["security_groups"]:
            server["security_groups"] = [{"name": name} for name in row["security_groups"]]
        if self._extended:
            server |= self._extended_attributes(row)
        server |= {
            "OS-EXT-STS:task_state": row["task_state"],
            "OS-EXT-STS:vm_state": row["vm_state"],
            "OS-EXT-STS:power_state": row["power_state"],
            "os-extended-volumes:volumes_attached": self._volumes(own.devices),
        }
        if minor >= 9:
            server["locked"] = row["locked"]
        if self.host_status:
            server["host_status"] = own.host_status
        if minor >= 19:
            server["description"] = row["description"]
        if minor >= 26:
            server["tags"] = own.tags
        if minor >= 63:
            server["trusted_image_certificates"] = row["trusted_image_certificates"]
        if minor >= 71 and groups:
            server["server_groups"] = own.groups
        if minor >= 73:
            server["locked_reason"] = row["locked_reason"]
        if minor >= 90 and not self._extended:
            server["OS-EXT-SRV-ATTR:hostname"] = row["hostname"]
        if minor >= 96:
            server["pinned_availability_zone"] = row["pinned_availability_zone"]
        if minor >= 100:
            server["scheduler_hints"] = row["scheduler_hints"] or {}
        return server

    def _image(self, row: Body) -> Any:
        if not row["image_id"]:
            return ""
        bookmark = {"rel": "bookmark", "href": f"{self._base}/images/{row['image_id']}"}
        image: Body = {"id": row["image_id"], "links": [bookmark]}
        if self._minor >= 98:
            image["properties"] = (row["image_meta"] or {}).get("properties") or {}
        return image

    def _flavor(self, row: Body) -> Body:
        flavor = row["flavor"]
        if self._minor < 47:
            bookmark = {"rel": "bookmark", "href": f"{self._base}/flavors/{row['flavorid']}"}
            return {"id": row["flavorid"], "links": [bookmark]}
        shown = {
            "vcpus": flavor["vcpus"],
            "ram": flavor["memory_mb"],
            "disk": flavor["root_gb"],
            "ephemeral": flavor["ephemeral_gb"],
            "swap": flavor["swap"],
            "original_name": flavor["name"],
        }
        if self._extra_specs:
            shown["extra_specs"] = flavor["extra_specs"]
        return shown

    def _fault(self, fault: Body) -> Body:
        shown = {key: fault[key] for key in ("code", "created", "message")}
        if self._extended or fault["code"] != 500:
            shown["details"] = fault["details"]
        return shown

    def _extended_attributes(self, row: Body) -> Body:
        shown: Body = {
            "OS-EXT-SRV-ATTR:host": row["host"],
            "OS-EXT-SRV-ATTR:instance_name": instance_name(row["id"]),
            "OS-EXT-SRV-ATTR:hypervisor_hostname": row["node"],
        }
        if self._minor >= 3:
            properties = (row["image_meta"] or {}).get("properties") or {}
            shown |= {
                "OS-EXT-SRV-ATTR:hostname": row["hostname"],
                "OS-EXT-SRV-ATTR:kernel_id": properties.get("kernel_id") or "",
                "OS-EXT-SRV-ATTR:launch_index": row["launch_index"],
                "OS-EXT-SRV-ATTR:ramdisk_id": properties.get("ramdisk_id") or "",
                "OS-EXT-SRV-ATTR:reservation_id": row["reservation_id"],
                "OS-EXT-SRV-ATTR:root_device_name": row["root_device_name"],
                "OS-EXT-SRV-ATTR:user_data": row["user_data"],
            }
        return shown

    def _volumes(self, devices: Sequence[Body]) -> list[Body]:
        shown = []
        for device in devices:
            if not device["volume_id"]:
                continue
            volume: Body = {"id": device["volume_id"]}
            if self._minor >= 3:
                volume["delete_on_termination"] = device["delete_on_termination"]
            shown.append(volume)
        return shown


def instance_name(server_id: str) -> str:
    """The name at the hypervisor."""
    return f"instance-{server_id[:8]}"


def host_id(project_id: str, host: str | None) -> str:
    """The host, unrecognisable but the same for all of a project's servers there."""
    if not host:
        return ""
    return hashlib.sha224(f"{project_id}{host}".encode(), usedforsecurity=False).hexdigest()


def addresses(interfaces: Sequence[Body], extended: bool = True) -> dict[str, list[Body]]:
    """By network name: fixed addresses, each followed by its floating ones."""
    found: dict[str, list[Body]] = {}
    for interface in interfaces:
        info = interface["info"]
        listed = found.setdefault(info["network"]["name"], [])
        for fixed in info["fixed_ips"]:
            floating = [one["ip_address"] for one in fixed.get("floating_ips") or ()]
            for address, kind in [(fixed["ip_address"], "fixed"), *((one, "floating") for one in floating)]:
                entry: Body = {"version": 6 if ":" in address else 4, "addr": address}
                if extended:
                    entry["OS-EXT-IPS:type"] = kind
                    entry["OS-EXT-IPS-MAC:mac_addr"] = info["mac_address"]
                listed.append(entry)
    return found
