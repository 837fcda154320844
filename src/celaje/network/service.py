"""The network service in a process: API, conductor, and the worker of this host."""

from pathlib import Path
from typing import ClassVar

from celaje.common.service import Conductor, Service
from celaje.common.wsgi import Api
from celaje.network.api import build
from celaje.network.conductor import FLOWS
from celaje.network.conductor.conductor import NetworkConductor
from celaje.network.db import tables
from celaje.network.drivers import NetworkDriver, load
from celaje.network.rpc import WORKER, NetworkConductorMessages, NetworkWorkerMessages
from celaje.network.segments import SegmentPlan
from celaje.network.worker import NetworkWorker


class NetworkService(Service):
    service_type: ClassVar[str] = "network"
    metadata = tables.METADATA
    migrations = Path(__file__).parent / "db" / "migrations"
    flow_tables = tables.FLOWS
    flows_declared = FLOWS
    services_table = tables.SERVICES
    conductor_messages = NetworkConductorMessages
    conductor_binary = "network-conductor"

    segments: SegmentPlan
    worker: NetworkWorker | None = None

    def build_api(self) -> Api:
        self.segments = SegmentPlan(self.conf)
        return build(self)

    def build_conductor(self) -> Conductor:
        assert self.records is not None
        return NetworkConductor(
            self.database,
            self.flows,
            self.records,
            worker=self.client(NetworkWorkerMessages),
            clients=self.ground.clients,
            notify_compute=self.conf.notify_nova_on_port_status_changes,
        )

    def build_driver(self) -> NetworkDriver:
        return load(self.conf, self.ground.host)

    def start_workers(self) -> None:
        self.worker = NetworkWorker(self.build_driver())
        self.worker.start()
        self.serve(NetworkWorkerMessages, self.worker)
        self.report_as(
            WORKER,
            NetworkWorkerMessages,
            availability_zone=self.conf.default_availability_zone,
            details=self.worker.report,
        )
        self.client(NetworkConductorMessages).found_wired(host=self.ground.host, **self.worker.wired())
        if self.conductor is not None:
            # Ports can be bound to this host as soon as the service has started; elsewhere, as soon as the
            # first report has come in.
            self.conductor.report_service(
                binary=WORKER,
                host=self.ground.host,
                topic=NetworkWorkerMessages.topic,
                availability_zone=self.conf.default_availability_zone,
                details={
                    "boot": self.boot,
                    **self.understood(NetworkWorkerMessages),
                    **self.worker.report(),
                },
            )
