"""The network service's conductor: what its flows work with.

Made by NetworkService; its message endpoint is the common one.
"""

import logging
from typing import Any

from celaje.common.clients import Clients
from celaje.common.db import Database, Transaction
from celaje.common.flow import Flows
from celaje.common.messaging.client import Client
from celaje.common.service import Conductor
from celaje.common.service.records import ServiceRecords
from celaje.network.db import ports as port_rows
from celaje.network.db import routers as router_rows
from celaje.network.errors import NoRouterHost
from celaje.network.rpc import WORKER

log = logging.getLogger(__name__)

# A revision that no router reaches: whatever is known of it on the host is older.
NEWEST = 2**62


class NetworkConductor(Conductor):
    def __init__(
        self,
        database: Database,
        flows: Flows,
        records: ServiceRecords,
        *,
        worker: Client,
        clients: Clients,
        notify_compute: bool,
    ):
        super().__init__(database, flows, records)
        self.worker = worker
        self.clients = clients
        self.notify_compute = notify_compute

    def found_wired(self, host: str, ports: dict[str, int], routers: list[str]) -> None:
        """Take off what no row puts on the host: what a worker wired and then died, or what was deleted
        while it was away and whose flow has passed its deadline."""

        def unit(tx: Transaction) -> list[str]:
            gone = []
            for port_id, generation in ports.items():
                if not port_rows.belongs(tx, port_id, host):
                    arguments = {"port_id": port_id, "generation": generation, "host": host}
                    self.flows.submit(tx, "port.unbind", resource=("port", port_id), arguments=arguments)
                    gone.append(port_id)
            for router_id in routers:
                if not router_rows.belongs(tx, router_id, host):
                    arguments = {"router_id": router_id, "host": host, "revision": NEWEST}
                    self.flows.submit(
                        tx, "router.delete", resource=("router", router_id), arguments=arguments
                    )
                    gone.append(router_id)
            return gone

        for orphan in self.database.write(unit):
            log.warning("%s is wired on %s, and no row puts it there: it is taken off", orphan, host)

    def router_hosts(self) -> list[str]:
        """Hosts whose worker is up and can route; empty when workers are up, but none can. A flow's step:
        raises NoRouterHost, for which the flow waits, when no worker is up at all."""
        rows = self.database.read(self.records.list, binary=WORKER)
        up = [row for row in rows if self.records.is_up(row) and not row["disabled"]]
        if not up:
            raise NoRouterHost()
        return sorted(row["host"] for row in up if (row["details"] or {}).get("routes"))

    router_hosts.step_target = "network-worker"  # type: ignore[attr-defined]

    def take_off(self, host: str, port_id: str, generation: int) -> None:
        """Undo of a binding: off the host, unless the binding has come to its end after all."""
        if not self.database.read(port_rows.is_wired, port_id, generation):
            self.worker.to(host).unplug_port(port_id=port_id, generation=generation)

    take_off.step_target = "network-worker"  # type: ignore[attr-defined]


def failed_for_good(tx: Any, flow: Any, error: Any) -> None:
    """The way out of flows that hold no resource in a passing state: the journal keeps the error."""
