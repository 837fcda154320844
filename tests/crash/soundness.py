"""What must hold in a cloud in which nothing is going on, whatever happened before.

`assert_sound(cloud)` looks at the rows of every service, at what the APIs show, at what the drivers have, and
compares. Used by the tests of crashes and races.
"""

from collections import Counter
from collections.abc import Collection
from typing import Any

from sqlalchemy import select

from celaje.common.db import fetch_all
from celaje.common.states import Passing
from celaje.compute.db.tables import BLOCK_DEVICES, INTERFACES, SERVERS
from celaje.image.db.tables import IMAGES, LOCATIONS
from celaje.image.states import IMAGE
from celaje.network.db.tables import PORTS
from celaje.placement.db.tables import ALLOCATIONS
from celaje.volume.db.tables import ATTACHMENTS, BACKUPS, GROUP_SNAPSHOTS, GROUPS, SNAPSHOTS, VOLUMES
from celaje.volume.states import ATTACHMENTS as ATTACHMENT_STATES
from celaje.volume.states import BACKUPS as BACKUP_STATES
from celaje.volume.states import GROUP_SNAPSHOTS as GROUP_SNAPSHOT_STATES
from celaje.volume.states import GROUPS as GROUP_STATES
from celaje.volume.states import SNAPSHOTS as SNAPSHOT_STATES
from celaje.volume.states import VOLUMES as VOLUME_STATES
from celaje.volume.states import Expiring
from tests.cloud import LabCloud, until

Row = dict[str, Any]


def rows(cloud: LabCloud, service: str, table: Any, *where: Any) -> list[Row]:
    statement = select(table).where(*where)
    return cloud.running[service].database.read(lambda tx: fetch_all(tx, statement))


def unfinished(cloud: LabCloud) -> list[str]:
    """The flows of all services that have not ended."""
    found = []
    for name, service in cloud.running.items():
        if service.flow_tables is None:
            continue
        flows = service.flow_tables.flows
        for row in rows(cloud, name, flows, flows.c.finished_at.is_(None)):
            # An upload's guard sleeps until its upload's deadline; it holds nothing of an image at rest.
            if row["state"] == "pending" and row["due_at"] > row["created_at"]:
                continue
            found.append(
                f"{name}: {row['name']} of {row['resource_id']} is {row['state']} in attempt "
                f"{row['attempt']}, at {row['step']}, waiting on {row['waiting_on']}"
            )
    return found


def until_quiet(cloud: LabCloud, seconds: float = 30.0) -> None:
    """Wait until no flow is left. One service's flow may start another's before it ends: look twice."""
    left: list[str] = []

    def quiet() -> bool:
        left[:] = unfinished(cloud) or unfinished(cloud)
        return not left

    try:
        until(quiet, seconds)
    except AssertionError:
        raise AssertionError(f"flows did not end within {seconds} s: {left}") from None


def assert_sound(cloud: LabCloud, strays: Collection[str] = ()) -> None:
    """Wait for quiet; then everything agrees with everything. Fails with all that does not. `strays`: what
    may lie at a back end although no row knows of it."""
    until_quiet(cloud)
    problems = Look(cloud, strays).problems()
    assert not problems, "the cloud is not sound:\n  " + "\n  ".join(problems)


class Look:
    """All rows of all services, read once, and the comparisons."""

    def __init__(self, cloud: LabCloud, strays: Collection[str] = ()):
        self.cloud = cloud
        self.strays = frozenset(strays)
        self.servers = {
            row["id"]: row for row in rows(cloud, "compute", SERVERS, SERVERS.c.deleted.is_(False))
        }
        self.devices = rows(cloud, "compute", BLOCK_DEVICES)
        self.interfaces = rows(cloud, "compute", INTERFACES)
        self.volumes = {row["id"]: row for row in rows(cloud, "volume", VOLUMES)}
        self.snapshots = {row["id"]: row for row in rows(cloud, "volume", SNAPSHOTS)}
        self.backups = {row["id"]: row for row in rows(cloud, "volume", BACKUPS)}
        self.groups = rows(cloud, "volume", GROUPS)
        self.group_snapshots = rows(cloud, "volume", GROUP_SNAPSHOTS)
        self.attachments = {row["id"]: row for row in rows(cloud, "volume", ATTACHMENTS)}
        self.ports = {row["id"]: row for row in rows(cloud, "network", PORTS)}
        self.images = rows(cloud, "image", IMAGES)
        self._problems: list[str] = []

    def devices_of(self, server_id: str) -> list[Row]:
        return [one for one in self.devices if one["server_id"] == server_id]

    def problems(self) -> list[str]:
        self._states()
        self._undone()
        self._servers_at_the_driver()
        self._allocations()
        self._ports()
        self._devices_and_attachments()
        self._volumes_at_the_driver()
        self._images_in_the_stores()
        self._backups_where_they_are_kept()
        self._usage_shown()
        return self._problems

    def _wrong(self, words: str) -> None:
        self._problems.append(words)

    def _same(self, what: str, left: Any, right: Any) -> None:
        if left != right:
            self._wrong(f"{what}: {left} against {right}")

    def _states(self) -> None:
        for row in self.servers.values():
            if row["task_state"] or row["flow_id"] or row["vm_state"] == "building":
                self._wrong(f"server {row['id']} is {row['vm_state']}/{row['task_state']}: {row['flow_id']}")
        tables: list[tuple[str, Any, list[Row], str]] = [
            ("volume", VOLUME_STATES, list(self.volumes.values()), "status"),
            ("backup", BACKUP_STATES, list(self.backups.values()), "status"),
            ("snapshot", SNAPSHOT_STATES, list(self.snapshots.values()), "status"),
            ("attachment", ATTACHMENT_STATES, list(self.attachments.values()), "attach_status"),
            ("group", GROUP_STATES, self.groups, "status"),
            ("group snapshot", GROUP_SNAPSHOT_STATES, self.group_snapshots, "status"),
            ("image", IMAGE, self.images, "status"),
        ]
        for kind, table, found, column in tables:
            for row in found:
                passes = isinstance(table.states.get(row[column]), Passing | Expiring)
                if passes or row.get("flow_id"):
                    self._wrong(f"{kind} {row['id']} is {row[column]}, held by {row.get('flow_id')}")
        for row in self.ports.values():
            if row["status"] == "BUILD" or row["flow_id"]:
                self._wrong(f"port {row['id']} is {row['status']}, held by {row['flow_id']}")
        for row in self.devices:
            if row["flow_id"] or row["state"] in ("attaching", "swapping", "detaching", "building"):
                self._wrong(f"device {row['id']} of {row['server_id']} is {row['state']}: {row['flow_id']}")

    def _undone(self) -> None:
        for name, service in self.cloud.running.items():
            if service.flow_tables is None:
                continue
            steps = service.flow_tables.steps
            for row in rows(self.cloud, name, steps, steps.c.kind == "undo", steps.c.outcome == "error"):
                self._wrong(f"{name}: undo step {row['name']} was left undone: {row['error']}")

    def _servers_at_the_driver(self) -> None:
        placed = {uuid: row for uuid, row in self.servers.items() if row["host"]}
        worker = self.cloud.running["compute"].compute_worker
        self._same("guests at the driver, live servers on a host", worker.driver.list_servers(), set(placed))
        guests = getattr(getattr(worker.driver, "state", None), "servers", None)
        if guests is None:
            return
        for uuid, row in placed.items():
            guest = guests.get(uuid)
            if guest is None:
                continue
            self._same(f"power of {uuid}", int(guest["power_state"]), row["power_state"])
            plugged = {one["volume_id"] for one in self.devices_of(uuid)} - {None}
            self._same(f"volumes in guest {uuid}, its devices", set(guest["volumes"]), plugged)
            wired = {one["port_id"] for one in self.interfaces if one["server_id"] == uuid}
            self._same(f"interfaces of guest {uuid}, its rows", set(guest["interfaces"]), wired)

    def _allocations(self) -> None:
        held: dict[str, Row] = {}
        for row in rows(self.cloud, "placement", ALLOCATIONS):
            held.setdefault(row["consumer_uuid"], {})[row["resource_class"]] = row["used"]
        wanted = {}
        for uuid, row in self.servers.items():
            if row["host"]:
                disk = row["root_gb"] + row["ephemeral_gb"] + -(-row["flavor"]["swap"] // 1024)
                if any(one["boot_index"] == 0 and one["volume_id"] for one in self.devices_of(uuid)):
                    disk -= row["root_gb"]
                amounts = {"VCPU": row["vcpus"], "MEMORY_MB": row["memory_mb"], "DISK_GB": disk}
                wanted[uuid] = {name: amount for name, amount in amounts.items() if amount}
        self._same("allocations, live servers' flavors", held, wanted)

    def _ports(self) -> None:
        ours = {uuid: row for uuid, row in self.ports.items() if row["device_owner"].startswith("compute:")}
        pairs = {(row["device_id"], uuid) for uuid, row in ours.items()}
        known = {(row["server_id"], row["port_id"]) for row in self.interfaces}
        self._same("ports of servers, servers' interfaces", pairs, known)
        for server_id, port_id in known:
            if server_id not in self.servers:
                self._wrong(f"port {port_id} belongs to server {server_id}, which is gone")
        bound = {
            uuid
            for uuid, row in self.ports.items()
            if row["binding_host_id"] and row["binding_vif_type"] not in ("unbound", "binding_failed")
        }
        wired = set(self.cloud.running["network"].worker.driver.list_ports())
        # Ports of routers are wired by their router.
        routers = {uuid for uuid, row in self.ports.items() if row["device_owner"].startswith("network:")}
        self._same("ports at the driver, bound ports", wired - routers, bound - routers)
        for uuid in ours:
            if ours[uuid]["status"] != "ACTIVE":
                self._wrong(f"port {uuid} of server {ours[uuid]['device_id']} is {ours[uuid]['status']}")

    def _devices_and_attachments(self) -> None:
        attached = {(row["id"], row["volume_id"], row["instance_uuid"]) for row in self.attachments.values()}
        devices = {
            (row["attachment_id"], row["volume_id"], row["server_id"])
            for row in self.devices
            if row["volume_id"] and row["state"] != "failed"
        }
        self._same("attachments, servers' devices", attached, devices)
        for _, volume_id, server_id in attached | devices:
            if server_id not in self.servers:
                self._wrong(f"volume {volume_id} is attached to server {server_id}, which is gone")
            if volume_id not in self.volumes:
                self._wrong(f"volume {volume_id}, which is gone, is attached to {server_id}")
        busy = {volume_id for _, volume_id, _ in attached}
        for uuid, row in self.volumes.items():
            if (row["status"] == "in-use") != (uuid in busy):
                self._wrong(f"volume {uuid} is {row['status']}, attached: {uuid in busy}")
            if (row["attach_status"] == "attached") != (uuid in busy):
                self._wrong(f"volume {uuid} is {row['attach_status']}, attached: {uuid in busy}")
        for row in self.devices:
            volume = self.volumes.get(row["volume_id"])
            if volume and row["volume_size"] not in (None, volume["size"]):
                self._wrong(f"{row['volume_id']} has {volume['size']} GiB, its server {row['volume_size']}")

    def _volumes_at_the_driver(self) -> None:
        for section, worker in self.cloud.running["volume"].workers.items():
            self._volumes_at(section, worker)
        for row in self.snapshots.values():
            if row["volume_id"] not in self.volumes:
                self._wrong(f"snapshot {row['id']} is of volume {row['volume_id']}, which is gone")
        for row in self.volumes.values():
            if row["pending_size"]:
                self._wrong(f"volume {row['id']} still means to have {row['pending_size']} GiB")
            if row["pending_host"]:
                self._wrong(f"volume {row['id']} still means to move to {row['pending_host']}")

    def _volumes_at(self, section: str, worker: Any) -> None:
        here = {
            row["name_id"] or row["id"]: row
            for row in self.volumes.values()
            if row["host"] and row["host"].startswith(f"{worker.host}#")
        }
        strays = self.strays - {row["name_id"] or row["id"] for row in self.volumes.values()}
        held = {(one["id"], one["size"]) for one in worker.driver.list_volumes() if one["id"] not in strays}
        known = {(uuid, row["size"]) for uuid, row in here.items()}
        self._same(f"volumes at the driver of {section}, rows", held, known)
        ids = {row["id"] for row in here.values()}
        mine = {row["name_id"] or row["id"] for row in self.snapshots.values() if row["volume_id"] in ids}
        kept = {one["id"] for one in worker.driver.list_snapshots()}
        self._same(f"snapshots at the driver of {section}, rows", kept - (self.strays - mine), mine)
        state = getattr(worker.driver, "state", None)
        if state is not None:
            for uuid, volume in state.volumes.items():
                row = here.get(uuid, {"id": uuid})
                hosts = {
                    one["attached_host"] for one in self.attachments.values() if one["volume_id"] == row["id"]
                }
                open_to = set(volume.connections) - {"elsewhere"}
                self._same(f"hosts that volume {uuid} is open to, attached", open_to, hosts)

    def _images_in_the_stores(self) -> None:
        """Every file is an image's, every active image has its data, and no other has any."""
        places = rows(self.cloud, "image", LOCATIONS)
        for name, store in self.cloud.running["image"].conductor.stores.items():
            if not store.read_only:
                known = {row["id"] for row in places if row["store"] == name}
                self._same(f"data in store {name}, locations", {found for found, _ in store.list()}, known)
        with_data = {row["image_id"] for row in places}
        ready = {row["id"] for row in self.images if row["status"] in ("active", "deactivated")}
        self._same("images with locations, active images", with_data, ready)
        for row in self.images:
            stores = [one["store"] for one in places if one["image_id"] == row["id"]]
            self._same(
                f"stores of image {row['id']}", set((row["stores"] or "").split(",")) - {""}, set(stores)
            )
            if row["os_hash_algo"] and not row["os_hash_value"]:
                self._wrong(f"image {row['id']} has the name of a digest and no digest")

    def _backups_where_they_are_kept(self) -> None:
        folder = self.cloud.running["volume"].backup_worker.archive.store._folder
        kept = {path.parent.name for path in folder.rglob("*.json")}
        there = {path.parent.name for path in folder.rglob("data-*")} | kept
        there, kept = there - (self.strays - set(self.backups)), kept - (self.strays - set(self.backups))
        available = {uuid for uuid, row in self.backups.items() if row["status"] == "available"}
        self._same("backups where they are kept, available ones", kept, available)
        self._same("backups of which anything is kept, rows", there, set(self.backups))

    def _usage_shown(self) -> None:
        owned = [*self.servers.values(), *self.volumes.values(), *self.snapshots.values()]
        projects = {row["project_id"] for row in owned} | {self.cloud.clients["compute"].project_id}
        for project in sorted(projects):
            self._compute_usage(project)
            self._volume_usage(project)
            self._network_usage(project)

    def _compute_usage(self, project: str) -> None:
        answer = self.cloud.clients["compute"].get(f"/v2.1/os-quota-sets/{project}/detail")
        quota = answer.ok(200)["quota_set"]
        mine = [row for row in self.servers.values() if row["project_id"] == project]
        shown = {name: quota[name]["in_use"] for name in ("instances", "cores", "ram")}
        counted = {
            "instances": len(mine),
            "cores": sum(row["vcpus"] for row in mine),
            "ram": sum(row["memory_mb"] for row in mine),
        }
        self._same(f"servers' use of {project} shown, rows", shown, counted)

    def _volume_usage(self, project: str) -> None:
        answer = self.cloud.clients["volume"].get(
            f"/v3/os-quota-sets/{project}?usage=True", headers={"OpenStack-API-Version": "volume 3.71"}
        )
        quota = answer.ok(200)["quota_set"]
        mine = [row for row in self.volumes.values() if row["project_id"] == project]
        copies = [row for row in self.snapshots.values() if row["project_id"] == project]
        shown = {name: quota[name]["in_use"] for name in ("volumes", "snapshots", "gigabytes")}
        counted = {
            "volumes": len(mine),
            "snapshots": len(copies),
            "gigabytes": sum(row["size"] for row in mine) + sum(row["volume_size"] for row in copies),
        }
        self._same(f"volumes' use of {project} shown, rows", shown, counted)
        reserved = Counter(quota[name]["reserved"] for name in shown)
        self._same(f"reserved in {project}", set(reserved), {0})

    def _network_usage(self, project: str) -> None:
        answer = self.cloud.clients["network"].get(f"/v2.0/quotas/{project}/details.json")
        if answer.status == 404:
            answer = self.cloud.clients["network"].get(f"/v2.0/quotas/{project}/details")
        shown = answer.ok(200)["quota"]["port"]["used"]
        mine = [row for row in self.ports.values() if row["project_id"] == project]
        self._same(f"ports of {project} shown, rows", shown, len(mine))
