"""The servers below a cluster: broker, database, balancer; and what befalls them."""

import contextlib
import os
import signal
import time

import sqlalchemy

from tests.cluster.layout import APIS, Layout
from tests.servers import haproxy, mariadb, postgresql, rabbitmq
from tests.servers.gate import Gate
from tests.servers.shared import Running, alive

DATABASES = {"postgresql": postgresql, "mariadb": mariadb}
# These reach the broker through a gate that a test may close.
GATED = ("volume-worker1", "compute1-worker")


class Servers(Layout):
    def start_servers(self) -> None:
        self.gates: dict[str, Gate] = {}
        if self.transport == "rabbit":
            self.broker = rabbitmq.make(self._folder("rabbitmq"))
            self.gates = {name: Gate(self.broker.port) for name in GATED}
        server = DATABASES[self.kind]
        self.database: Running = server.make(self._folder(self.kind))
        engine = sqlalchemy.create_engine(
            server.url(self.database), isolation_level="AUTOCOMMIT", poolclass=sqlalchemy.NullPool
        )
        with engine.connect() as session:
            for name in APIS:
                session.execute(sqlalchemy.text(f"CREATE DATABASE celaje_{name}"))

    def start_balancer(self) -> None:
        self.balancer = haproxy.start(
            self._folder("haproxy"), self.balancer_settings(), self.ports["identity"]
        )

    def balancer_settings(self) -> str:
        lines = [
            "global",
            "    maxconn 2000",
            "defaults",
            "    mode http",
            "    retries 3",
            "    option redispatch",
            "    retry-on conn-failure",
            "    timeout connect 2s",
            "    timeout queue 5s",
            "    timeout client 120s",
            f"    timeout server {self.server_timeout}",
            "    timeout http-keep-alive 10s",
            "    option httpchk GET /healthcheck",
            "    default-server check inter 500 fastinter 200 downinter 500 rise 1 fall 2",
        ]
        for api in APIS:
            lines += [f"listen {api}", f"    bind 127.0.0.1:{self.ports[api]}"]
            lines += [
                f"    server {node.name} 127.0.0.1:{node.port}"
                for node in self.nodes.values()
                if node.is_api and node.service == api
            ]
        return "\n".join(lines) + "\n"

    @property
    def transport_url(self) -> str:
        if self.transport == "zmq":
            return "zmq://" + ",".join(f"127.0.0.1:{port}" for port in self.meeting_points)
        return self.broker_url(self.broker.port)

    @staticmethod
    def broker_url(port: int) -> str:
        return f"rabbit://guest:guest@127.0.0.1:{port}/main"

    def stop_servers(self) -> None:
        if hasattr(self, "balancer"):
            haproxy.stop(self.balancer)
        if hasattr(self, "broker"):
            rabbitmq.stop(self.broker)
        if hasattr(self, "database"):
            DATABASES[self.kind].stop(self.database)

    # Faults of the servers.

    def revive_servers(self) -> None:
        """What a test that failed in the middle has left dead."""
        if self.transport == "rabbit" and not alive(self.broker.pid):
            self.broker = rabbitmq.start(self.folder / "rabbitmq", self.broker.port)
        if not alive(self.database.pid):
            self.database = DATABASES[self.kind].start(self.folder / self.kind, self.database.port)
        if not alive(self.balancer.pid):
            self.start_balancer()
        for gate in self.gates.values():
            gate.open()

    def restart_database(self, pause: float) -> None:
        """A crash, and recovery after it."""
        server = DATABASES[self.kind]
        server.kill(self.database)
        time.sleep(pause)
        self.database = server.start(self.folder / self.kind, self.database.port)

    def cut_sessions(self) -> None:
        """Every connection to the databases but this one."""
        engine = sqlalchemy.create_engine(
            DATABASES[self.kind].url(self.database),
            isolation_level="AUTOCOMMIT",
            poolclass=sqlalchemy.NullPool,
        )
        with engine.connect() as session:
            if self.kind == "postgresql":
                cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                session.execute(sqlalchemy.text(f"{cut} AND backend_type = 'client backend'"))
                return
            mine = session.execute(sqlalchemy.text("SELECT CONNECTION_ID()")).scalar()
            query = "SELECT id FROM information_schema.processlist WHERE command <> 'Daemon'"
            for (number,) in session.execute(sqlalchemy.text(query)).all():
                if number != mine:
                    with contextlib.suppress(sqlalchemy.exc.DBAPIError):
                        session.execute(sqlalchemy.text(f"KILL {int(number)}"))

    def signal_balancer(self, number: signal.Signals) -> None:
        os.kill(self.balancer.pid, number)
        self.until(lambda: not alive(self.balancer.pid), 10, "HAProxy's end")

    def limit_balancer(self, server_timeout: str) -> None:
        self.server_timeout = server_timeout
        haproxy.stop(self.balancer)
        self.start_balancer()
