"""The network worker of one host: takes a step, holds the lock, drives the driver.

Serves NetworkWorkerMessages; it has no database. Steps of one flow are fenced by `Fences`; different
flows on one port (bound here, bound there, deleted) are told apart by the binding's generation.
"""

import logging
from collections import OrderedDict
from typing import Any

from celaje.common.fences import Fences
from celaje.common.trail import watched
from celaje.network.drivers.base import NetworkDriver
from celaje.network.errors import BindingOvertaken

log = logging.getLogger(__name__)

_REMEMBERED = 10_000


class NetworkWorker:
    def __init__(self, driver: NetworkDriver):
        self.driver = driver
        # The same, with its calls noted for the journal of who asked.
        self._driver = watched(driver)
        self.fences = Fences()
        # The newest binding that was taken off, by port: a late plug of it must not come through.
        self._unplugged: OrderedDict[str, int] = OrderedDict()

    def start(self) -> None:
        log.info("%s", self._driver.explain())
        self._driver.init_host()

    def report(self) -> dict[str, Any]:
        """What the conductor's record of this worker shows, and bindings are made from."""
        driver = self.driver
        return {
            "driver": driver.name,
            "vif_type": driver.vif_type,
            "vnic_types": list(driver.vnic_types),
            "routes": driver.routes,
            "east_west": driver.east_west,
            "ports": len(driver.list_ports()),
            "routers": len(driver.list_routers()),
        }

    def wired(self) -> dict[str, Any]:
        """What lies on the host, whoever knows of it."""
        return {"ports": self.driver.list_ports(), "routers": sorted(self.driver.list_routers())}

    def plug_port(self, port: dict[str, Any]) -> dict[str, Any]:
        with self.fences.step(port["id"]):
            if port["generation"] <= self._unplugged.get(port["id"], -1):
                raise BindingOvertaken(id=port["id"], generation=port["generation"])
            return dict(self._driver.plug_port(port))  # type: ignore[arg-type]

    def unplug_port(self, port_id: str, generation: int) -> None:
        with self.fences.step(port_id):
            self._unplugged[port_id] = max(generation, self._unplugged.get(port_id, -1))
            self._unplugged.move_to_end(port_id)
            while len(self._unplugged) > _REMEMBERED:
                self._unplugged.popitem(last=False)
            self._driver.unplug_port(port_id, generation)

    def update_network(self, network: dict[str, Any]) -> None:
        with self.fences.step(network["id"]):
            self._driver.update_network(network)  # type: ignore[arg-type]

    def sync_router(self, router: dict[str, Any]) -> None:
        with self.fences.step(router["id"]):
            self._driver.sync_router(router)

    def delete_router(self, router_id: str, revision: int) -> None:
        with self.fences.step(router_id):
            self._driver.delete_router(router_id, revision)
