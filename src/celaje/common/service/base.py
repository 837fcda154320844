"""A service in a process: which of its parts run here, and how they start and end.

Derived from by each `<service>/service.py`. A process may run all parts (the all-in-one cloud) or some
(`celaje service volume.api`); API and conductor open the database, scheduler and workers never do.
"""

import datetime
import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cached_property, partial
from pathlib import Path
from typing import Any, ClassVar

from sqlalchemy import MetaData

from celaje.common import clock, metrics
from celaje.common.db import Database, Transaction
from celaje.common.db.schema import check, sync
from celaje.common.flow import Engine, Flow, Flows, FlowTables
from celaje.common.flow.story import Teller
from celaje.common.messaging.client import Client
from celaje.common.messaging.notifications import Notifier
from celaje.common.messaging.receivers import Receiver, Receivers, pins
from celaje.common.messaging.server import Server
from celaje.common.messaging.table import Messages
from celaje.common.messaging.target import Target
from celaje.common.periodic import Periodic
from celaje.common.service.conductor import Conductor, ConductorMessages
from celaje.common.service.ground import Ground
from celaje.common.service.records import ServiceRecords
from celaje.common.vault import Vault
from celaje.common.wsgi import Api
from celaje.common.wsgi.request import Request
from celaje.common.wsgi.request_journal import RequestJournal

log = logging.getLogger(__name__)

PARTS = ("api", "conductor", "scheduler", "worker")

# Seconds after which a changed policy file counts.
POLICY_EVERY = 5.0


class Service:
    """Class attributes say what the service is made of; `build_*` make the parts. A service without
    messages has no `conductor_messages`; its flows, if it has any, run in its API processes."""

    service_type: ClassVar[str]
    metadata: ClassVar[MetaData]
    migrations: ClassVar[Path]
    flow_tables: ClassVar[FlowTables | None] = None
    flows_declared: ClassVar[Iterable[Flow]] = ()
    services_table: ClassVar[Any] = None
    conductor_messages: ClassVar[type[ConductorMessages] | None] = None
    conductor_binary: ClassVar[str] = ""
    # Parts beside those that every service has: the name, and the method that starts it.
    further_parts: ClassVar[Mapping[str, str]] = {}

    def __init__(self, ground: Ground, parts: Collection[str] | None = None):
        self.ground = ground
        self.conf = ground.conf
        self.parts = frozenset(self.all_parts() if parts is None else parts)
        self.boot = clock.new_uuid()
        self.periodic = Periodic(self.service_type)
        self.api: Api | None = None
        self.conductor: Conductor | None = None
        self.engine: Engine | None = None
        self._servers: list[Server] = []
        self._database: Database | None = None
        self._flows: Flows | None = None
        self._understood: Receivers | None = None
        self.records: ServiceRecords | None = None
        if self.parts & {"api", "conductor"}:
            self._open_database()
        if self.flow_tables is not None and self._database is not None:
            self._make_flows()
        if "conductor" in self.parts or (self.conductor_messages is None and "api" in self.parts):
            self._make_engine()
        self._requests: RequestJournal | None = None
        self._traces = self._make_traces()
        if self._traces is not None and self.engine is not None:
            self.engine.on_end = self._traces.flow
        if "api" in self.parts:
            self.api = self.build_api()
            self._watch_requests(self.api)

    @classmethod
    def all_parts(cls) -> tuple[str, ...]:
        """The parts that this service has."""
        has = {
            "api": True,
            "conductor": cls.conductor_messages is not None,
            "scheduler": cls.start_scheduler is not Service.start_scheduler,
            "worker": cls.start_workers is not Service.start_workers,
        }
        return (*(part for part in PARTS if has[part]), *cls.further_parts)

    # What a service builds.

    def build_api(self) -> Api:
        raise NotImplementedError

    def build_conductor(self) -> Conductor:
        """What the flows work with; the default has database and flows only."""
        assert self.records is not None
        return Conductor(self.database, self.flows, self.records)

    def build_teller(self, notifier: Notifier) -> Teller | None:
        """Who tells the outside of this service's flows, if anybody does."""
        return None

    @cached_property
    def notifier(self) -> Notifier:
        """Tells the outside of what happens here."""
        return Notifier(self.ground.bus, f"{self.service_type}.{self.ground.host}", self.conf)

    def start_scheduler(self) -> None:
        """Make and serve the scheduler, if the service has one."""

    def start_workers(self) -> None:
        """Make and serve the workers, if the service has some."""

    def prepare(self) -> None:
        """After the schema is there and before anything runs: rows that must always exist."""

    @staticmethod
    def purge(tx: Transaction, before: datetime.datetime, most: int) -> int:
        """Remove rows of what was deleted before the moment, at most so many; how many. Most services keep
        none."""
        return 0

    # What they are built from.

    @property
    def database(self) -> Database:
        if self._database is None:
            raise RuntimeError(f"{self.service_type}: only API and conductor have the database")
        return self._database

    @property
    def flows(self) -> Flows:
        assert self._flows is not None
        return self._flows

    def client(self, table: type[Messages]) -> Client:
        """A sender of `table`'s messages; timeouts are options of this service's configuration."""
        return Client(table, self.ground.bus, self.conf, receivers=self._receivers())

    def _receivers(self) -> Receivers | None:
        """What the receivers of this service's messages understand; None where they are of this process."""
        if self.ground.bus.private or self.services_table is None:
            return None
        if self._understood is None:
            patience = self.conf.service.report_interval
            self._understood = Receivers(self._look_at_receivers, pins(self.conf), patience)
        return self._understood

    def _conductors(self, tx: Transaction) -> list[dict[str, int]]:
        """Which versions of flows each of them runs that is up."""
        receivers = self._receivers()
        if receivers is None or self.conductor_messages is None or self.records is None:
            return []
        look = partial(self.records.receivers, tx)
        return [
            each.flows for each in receivers.of(self.conductor_messages.topic, look=look) or () if each.up
        ]

    def _look_at_receivers(self, topic: str) -> list[Receiver]:
        if self._database is not None and self.records is not None:
            return self._database.read(self.records.receivers, topic)
        assert self.conductor_messages is not None
        # By a message that conductors of every version have.
        asked = Client(self.conductor_messages, self.ground.bus, self.conf)
        return [Receiver(*fields) for fields in asked.list_receivers(topic=topic)]

    def understood(self, table: type[Messages]) -> dict[str, Any]:
        """What a report says of what its process understands."""
        told: dict[str, Any] = {"rpc_version": table.version}
        if table is self.conductor_messages and self._flows is not None:
            told["flows"] = self._flows.table.beyond_first()
        return told

    def serve(
        self,
        table: type[Messages],
        endpoint: Any,
        *,
        server: str | None = None,
        threads: int = 8,
    ) -> Server:
        """Listen for `table`'s messages as `server` (default: this host) with `endpoint`."""
        listener = Server(
            self.ground.bus,
            Target(table.topic, server or self.ground.host, exchange=table.exchange, version=table.version),
            endpoint,
            table,
            threads=threads,
            conf=self.conf,
            on_orphan_reply=self._late,
        )
        listener.start()
        self._servers.append(listener)
        return listener

    def report_as(
        self,
        binary: str,
        table: type[Messages],
        *,
        host: str | None = None,
        availability_zone: str = "nova",
        details: Callable[[], Mapping[str, Any]] = dict,
    ) -> None:
        """Send a heartbeat for one scheduler, worker or conductor, now and each report_interval."""
        assert self.conductor_messages is not None
        conductor = self.client(self.conductor_messages)
        name = host or self.ground.host
        understood = self.understood(table)

        def report() -> None:
            conductor.report_service(
                binary=binary,
                host=name,
                topic=table.topic,
                availability_zone=availability_zone,
                details={"boot": self.boot, **understood, **details()},
            )

        report.__name__ = f"report of {binary}"
        self.periodic.every(self.conf.service.report_interval, report, at_once=True)

    # Life.

    def start(self, *, flows: bool = True) -> None:
        """Start all parts. `flows` False: `start_flows` follows, once the other services are there too."""
        self.prepare()
        if "conductor" in self.parts and self.conductor_messages is not None:
            self.serve(self.conductor_messages, self.conductor, threads=2)
            if self.conductor_binary:
                self.report_as(self.conductor_binary, self.conductor_messages, availability_zone="internal")
        if "scheduler" in self.parts:
            self.start_scheduler()
        if "worker" in self.parts:
            self.start_workers()
        for part, starts in self.further_parts.items():
            if part in self.parts:
                getattr(self, starts)()
        if self.api is not None:
            self.periodic.every(POLICY_EVERY, self.api.policy.refresh)
        self.periodic.start()
        if flows:
            self.start_flows()

    def start_flows(self) -> None:
        """The engine last: a flow that is taken up before its workers listen would only have to wait."""
        if self.engine:
            self.engine.start(alone=self.ground.alone)

    def stop(self, grace: float = 10.0) -> None:
        """Take nothing new, let running steps end within `grace` seconds in all, leave the rest to be
        resumed."""
        end = clock.monotonic() + grace
        self.periodic.stop()
        if self.engine:
            self.engine.stop(max(0.0, end - clock.monotonic()))
        for server in reversed(self._servers):
            server.stop(max(0.0, end - clock.monotonic()))
        if self._database is not None:
            if self._requests is not None:
                self._requests.write()
            self._database.close()
        if self._traces is not None:
            self._traces.stop()

    def kill(self) -> None:
        """As kill -9 would end it: nothing is finished, nothing is written any more."""
        self.periodic.stop()
        if self.engine:
            self.engine.kill()
        for server in self._servers:
            server.kill()
        if self._database is not None:
            self._database.close()

    def _open_database(self) -> None:
        conf = self.conf.database
        url = conf.connection or f"sqlite:///{self.ground.state / f'{self.service_type}.db'}"
        self._database = Database(
            url,
            service=self.service_type,
            max_pool_size=conf.max_pool_size,
            max_overflow=conf.max_overflow,
            pool_timeout=conf.pool_timeout,
            synchronous=conf.sqlite_synchronous,
        )
        self._database.wait_for_server(conf.max_retries, conf.retry_interval)
        if self._database.has_clock:
            self._database.read_clock()
            self.periodic.every(self.conf.service.report_interval, self._database.read_clock)
        prepare = sync if self.ground.syncs_schema else check
        prepare(self._database, self.service_type, self.metadata, self.migrations)
        if self.services_table is not None:
            self.records = ServiceRecords(
                self.services_table,
                self.conf.service.service_down_time,
                (self.ground.bus.outage, self._database.outage),
                self._database.now,
            )

    def _watch_requests(self, api: Api) -> None:
        api.statements = self.database.of_this_thread
        api.observers.append(_counted)
        if self._traces is not None:
            api.observers.append(self._traces.request)
        table = self.metadata.tables.get("requests")
        if table is None:
            return
        self._requests = RequestJournal(
            self.database,
            table,
            kept=self.conf.api.requests_kept,
            soon=self.periodic.once,
            component=api.component,
        )
        api.observers.append(self._requests)

    def _make_traces(self) -> Any:
        if not self.conf.opentelemetry.endpoint:
            return None
        # Not at the top: its libraries are an extra, and slow to load.
        from celaje.common.traces import Traces

        return Traces(self.conf.opentelemetry.endpoint, self.service_type, self.ground.host)

    @property
    def has_database(self) -> bool:
        return self._database is not None

    @property
    def request_journal(self) -> RequestJournal | None:
        return self._requests

    def _make_flows(self) -> None:
        assert self.flow_tables is not None
        key_file = self.conf.flows.vault_key_file
        self._vault = Vault(Path(key_file) if key_file else self.ground.state / "vault.key")
        self._flows = Flows(
            self.database,
            self.flow_tables,
            self.flows_declared,
            service=self.service_type,
            deadline_of=lambda option: getattr(self.conf.flows, option),
            seal=self._vault.seal,
        )
        if self.conductor_messages is not None:
            self._flows.conductors = self._conductors
            nudge = self.client(self.conductor_messages).run_flow
            self._flows.nudge = lambda flow_id: nudge(flow_id=flow_id)

    def _make_engine(self) -> None:
        if self._flows is None:
            return
        self.conductor = self.build_conductor()
        self.engine = Engine(
            self._flows,
            self.conductor,
            owner=f"{self.ground.host}/{self.boot}",
            threads=self.conf.flows.workers,
            lease=self.conf.flows.lease,
            poll_interval=self.conf.flows.poll_interval,
            keep=self.conf.flows.keep,
            unseal=self._vault.unseal,
        )
        self.conductor.engine = self.engine
        self.engine.teller = self.build_teller(self.notifier)
        # A conductor in this very process needs no message to hear of a flow.
        self._flows.nudge = self.engine.nudge

    def _late(self, envelope: Any, outcome: Any, seconds: float) -> None:
        """A worker's step ended after its caller had left: the journal is told."""
        step = (envelope.context or {}).get("step")
        if not step or self.conductor_messages is None:
            return
        words = "ok" if outcome.error is None else f"error: {outcome.error.get('message', '')[:200]}"
        self.client(self.conductor_messages).note_late_outcome(
            flow_id=step[0], number=step[1], outcome=words, seconds=seconds
        )


def _counted(request: Request, status: int) -> None:
    """An Api's observer: the figures of requests."""
    service, took = request.api.service_type, request.seconds
    metrics.REQUESTS.observe((service, request.http.method, str(status)), took)
    metrics.ROUTES.observe((service, request.route.name if request.route else "none"), took)
