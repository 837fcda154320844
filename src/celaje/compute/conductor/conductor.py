"""The compute conductor's endpoint: hears workers, keeps their rows, tells schedulers; runs the flows.

Workers have no database: what they report comes here. What the flows work with hangs on this object.
"""

import logging
from collections.abc import Collection
from typing import Any

from sqlalchemy import update

from celaje.common.db import Transaction
from celaje.common.service import Conductor
from celaje.compute.conductor.guests import GuestReports
from celaje.compute.conductor.publish_nodes import batched
from celaje.compute.db import nodes
from celaje.compute.db.tables import SERVICES
from celaje.compute.rpc import ComputeSchedulerMessages, ComputeWorkerMessages

log = logging.getLogger(__name__)


class ComputeConductor(Conductor):
    def __init__(self, service: Any):
        super().__init__(service.database, service.flows, service.records)
        self.conf = service.conf
        self.clients = service.ground.clients
        self.scheduler = service.client(ComputeSchedulerMessages)
        self.worker = service.client(ComputeWorkerMessages)
        self.guests = GuestReports(self)

    @property
    def reserved(self) -> dict[str, int]:
        """What hosts keep for themselves: VCPUs, MiB, GiB."""
        conf = self.conf
        return {
            "vcpus": conf.reserved_host_cpus,
            "memory_mb": conf.reserved_host_memory_mb,
            "disk_gb": -(-conf.reserved_host_disk_mb // 1024),
        }

    def report_hosts(
        self, worker: str, boot: str, hosts: dict[str, dict[str, Any]], rpc_version: str = "1.0"
    ) -> None:
        told = {"boot": boot, "worker": worker, "rpc_version": rpc_version}
        changed = self.database.write(self._note_hosts, told, hosts)
        if changed:
            self.scheduler.refresh_host_facts()

    def report_guests(self, worker: str, guests: dict[str, int], complete: bool) -> None:
        self.guests.compare(worker, guests, complete)

    def host_facts(self) -> dict[str, Any]:
        def query(tx: Transaction) -> dict[str, Any]:
            return {
                "aggregates": nodes.aggregates(tx),
                "disabled": nodes.disabled_hosts(tx),
                "providers": nodes.providers(tx),
            }

        return self.database.read(query)

    def _note_hosts(self, tx: Transaction, told: dict[str, str], hosts: dict[str, dict[str, Any]]) -> bool:
        """Services and nodes of one worker, which tells of itself; true when a host came up."""
        worker = told["worker"]
        known = nodes.of_worker(tx, worker)
        to_publish = {}
        came_up = self._note_services(tx, told, hosts)
        if came_up:
            self.flows.wake(tx, f"compute.{worker}")
        for host, report in hosts.items():
            for node, resources in report["nodes"].items():
                row = nodes.put(tx, known.get((host, node)), host, node, _row(worker, report, resources))
                inventory = nodes.inventory_of(row, self.reserved)
                if row["published"] != inventory and row["flow_id"] is None:
                    to_publish[row["uuid"]] = {"name": node, "inventory": inventory}
        if to_publish:
            flow_id = self.flows.submit(
                tx, "nodes.publish", resource=("worker", worker), arguments={"nodes": to_publish}
            )
            nodes.take_to_publish(tx, list(to_publish), flow_id)
        return came_up

    def _note_services(self, tx: Transaction, details: dict[str, str], hosts: Collection[str]) -> bool:
        """A service record a host; true when one was not up. The many that were are noted at once."""
        rows = {row["host"]: row for row in self.records.list(tx, binary="nova-compute")}
        alive = [
            host
            for host in hosts
            if host in rows
            and details.items() <= rows[host]["details"].items()
            and self.records.is_up(rows[host])
        ]
        for some in batched(alive, 500):
            tx.execute(
                update(SERVICES)
                .where(SERVICES.c.binary == "nova-compute", SERVICES.c.host.in_(some))
                .values(last_seen_at=self.records.now(), report_count=SERVICES.c.report_count + 1)
            )
        came_up = False
        for host in sorted(set(hosts) - set(alive)):
            came_up |= self.records.report(
                tx,
                binary="nova-compute",
                host=host,
                topic="compute",
                availability_zone=self.conf.default_availability_zone,
                details=details,
            )
        return came_up


def _row(worker: str, report: dict[str, Any], resources: dict[str, Any]) -> dict[str, Any]:
    ratios = report["ratios"]
    return {
        **resources,
        "worker": worker,
        "connector": report["connector"],
        "host_ip": report["connector"].get("ip"),
        "cpu_allocation_ratio": ratios["vcpus"],
        "ram_allocation_ratio": ratios["memory_mb"],
        "disk_allocation_ratio": ratios["disk_gb"],
    }
