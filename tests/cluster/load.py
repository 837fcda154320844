"""Users at work on a cluster, and what became of each of their requests.

Every accepted request is followed to its end: a volume that was promised becomes available, a server ACTIVE,
an attachment in-use, whatever dies meanwhile. What is refused or not answered is counted and looked for.
"""

import threading
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from celaje.common.errors import CelajeError, Unavailable
from celaje.common.rest.http_transport import HttpTransport
from tests.cloud import Answer, Client
from tests.cluster.lab import Cluster

VOLUME_VERSION = {"OpenStack-API-Version": "volume 3.71"}
COMPUTE_VERSION = {"OpenStack-API-Version": "compute 2.96"}


@dataclass
class Report:
    """`lost`: accepted, and gone. `stuck`: accepted, and in no stable state in time. `wrong`: in error.
    `down`: how long the fault lasted; `gap`: the longest time without an answered read since it began;
    `recovered`: from the fault's end to the end of the first job that was begun after that; in seconds."""

    fault: str
    tried: int = 0
    failed: int = 0
    jobs: int = 0
    lost: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    down: float = 0.0
    gap: float = 0.0
    recovered: float = 0.0

    def __str__(self) -> str:
        bad = " | ".join(str(len(found)) for found in (self.lost, self.stuck, self.wrong))
        seconds = " | ".join(f"{each:.1f}" for each in (self.down, self.gap, self.recovered))
        return f"| {self.fault} | {self.tried} | {self.failed} | {self.jobs} | {bad} | {seconds} |"


class Session:
    """One user's connections, with a token."""

    def __init__(self, cluster: Cluster, name: str):
        self._cluster = cluster
        self.name = name
        self.outcomes: Counter[str] = Counter()
        self._transports = {
            service: HttpTransport(cluster.url(service), timeout=100.0)
            for service in ("identity", "volume", "compute")
        }
        self._clients: dict[str, Client] = {}
        self.login()

    def login(self) -> None:
        auth = {
            "identity": {
                "methods": ["password"],
                "password": {
                    "user": {
                        "name": "admin",
                        "domain": {"id": "default"},
                        "password": self._cluster.password,
                    }
                },
            },
            "scope": {"project": {"name": "admin", "domain": {"id": "default"}}},
        }
        answer = Client(self._transports["identity"], None).post("/v3/auth/tokens", {"auth": auth})
        project_id = answer.ok(201)["token"]["project"]["id"]
        self.token = answer.headers["x-subject-token"]
        for service in ("volume", "compute"):
            self._clients[service] = Client(self._transports[service], self.token, project_id)

    def ask(self, service: str, method: str, path: str, body: Any = None) -> Answer | None:
        """None: not answered, or answered 5xx."""
        self.outcomes["tried"] += 1
        version = VOLUME_VERSION if service == "volume" else COMPUTE_VERSION
        try:
            answer = self._clients[service].request(method, path, body, headers=version)
        except Unavailable:
            answer = None
        if answer is None or answer.status >= 500:
            self.outcomes["failed"] += 1
            return None
        return answer

    def insist(self, service: str, method: str, path: str, body: Any = None, seconds: float = 90.0) -> Answer:
        """As a client with patience: again until it is answered. For requests that may be repeated."""
        end = time.monotonic() + seconds
        while (answer := self.ask(service, method, path, body)) is None:
            if time.monotonic() > end:
                raise Stuck(f"{method} {path} was not answered for {seconds:g} s")
            time.sleep(0.2)
        return answer


class Stuck(Exception):
    pass


class Lost(Exception):
    pass


class Wrong(Exception):
    pass


class Load:
    """`volumes` users make and delete volumes, `servers` users build servers and attach volumes to them. Used
    as a context: at its end everybody finishes their job."""

    def __init__(self, cluster: Cluster, body: dict[str, Any], *, volumes: int = 2, servers: int = 2):
        self._cluster = cluster
        self._server_body = body
        self._ending = threading.Event()
        # What an earlier test left behind is that test's failure alone.
        self._name = f"load-{uuid.uuid4().hex[:8]}"
        self._sessions = [
            Session(cluster, f"{self._name}-{number}") for number in range(volumes + servers + 1)
        ]
        jobs = [self._volume_job] * volumes + [self._server_job] * servers
        self._threads = [
            threading.Thread(target=self._work, args=(session, job), name=session.name)
            for session, job in zip(self._sessions[1:], jobs, strict=True)
        ]
        self._reader = threading.Thread(target=self._read, args=(self._sessions[0],), name="reader")
        self._lock = threading.Lock()
        self._jobs: list[tuple[float, float]] = []
        self._gap = 0.0
        self._report = Report("")
        self._faulted = self._mended = 0.0

    def __enter__(self) -> "Load":
        for thread in (*self._threads, self._reader):
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        for thread in (*self._threads, self._reader):
            thread.join(240)
            assert not thread.is_alive(), f"{thread.name} does not end"

    def await_jobs(self, number: int, seconds: float = 120.0) -> None:
        """Until so many more jobs were finished."""
        with self._lock:
            wanted = len(self._jobs) + number
        self._cluster.until(
            lambda: len(self._jobs) >= wanted or self._bad(), seconds, f"{number} more jobs: {self._bad()}"
        )

    def fault(self) -> None:
        """Now it happens."""
        self._faulted = self._mended = time.monotonic()

    def mended(self) -> None:
        """Now it is over."""
        self._mended = time.monotonic()

    def report(self, fault: str) -> Report:
        report = self._report
        report.fault = fault
        report.tried = sum(session.outcomes["tried"] for session in self._sessions)
        report.failed = sum(session.outcomes["failed"] for session in self._sessions)
        report.jobs = len(self._jobs)
        report.gap = self._gap
        report.down = self._mended - self._faulted
        after = [ended for begun, ended in self._jobs if begun >= self._mended]
        report.recovered = min(after, default=float("inf")) - self._mended
        return report

    def _bad(self) -> list[str]:
        return [*self._report.lost, *self._report.stuck, *self._report.wrong]

    def _read(self, session: Session) -> None:
        last = time.monotonic()
        while not self._ending.is_set():
            answer = session.ask("volume", "GET", "/v3/volumes?limit=5")
            now = time.monotonic()
            if answer is not None:
                if self._faulted:
                    self._gap = max(self._gap, now - last)
                last = now
            self._ending.wait(0.1)

    def _work(self, session: Session, job: Any) -> None:
        while not self._ending.is_set():
            begun = time.monotonic()
            try:
                job(session)
            except Stuck as error:
                self._note(self._report.stuck, error)
            except Lost as error:
                self._note(self._report.lost, error)
            except (Wrong, CelajeError, AssertionError) as error:
                self._note(self._report.wrong, error)
            else:
                with self._lock:
                    self._jobs.append((begun, time.monotonic()))

    def _note(self, where: list[str], error: Exception) -> None:
        with self._lock:
            where.append(f"{threading.current_thread().name}: {error}")

    def _volume_job(self, session: Session) -> None:
        volume_id = self._make(session, "volume", {"volume": {"size": 1, "name": session.name}})
        self._await(session, "volume", volume_id, "available")
        self._delete(session, "volume", volume_id)

    def _server_job(self, session: Session) -> None:
        server_id = self._make(session, "server", {"server": {"name": session.name, **self._server_body}})
        volume_id = self._make(session, "volume", {"volume": {"size": 1, "name": session.name}})
        self._await(session, "server", server_id, "ACTIVE")
        self._await(session, "volume", volume_id, "available")
        path = f"/v2.1/servers/{server_id}/os-volume_attachments"
        body = {"volumeAttachment": {"volumeId": volume_id}}
        self._until_accepted(session, "POST", path, body, lambda: self._state(session, "volume", volume_id))
        self._await(session, "volume", volume_id, "in-use")
        self._until_accepted(
            session, "DELETE", f"{path}/{volume_id}", None, lambda: self._state(session, "volume", volume_id)
        )
        self._await(session, "volume", volume_id, "available")
        self._delete(session, "server", server_id)
        self._delete(session, "volume", volume_id)

    def _until_accepted(self, session: Session, method: str, path: str, body: Any, state: Any) -> None:
        """Ask; when no answer comes, look whether it was done all the same, and ask again if not."""
        before = state()
        end = time.monotonic() + 90
        while time.monotonic() < end:
            answer = session.ask("compute", method, path, body)
            if answer is not None and answer.status < 300:
                return
            if answer is not None and answer.status not in (400, 404, 409):
                raise Wrong(f"{method} {path}: {answer.status} {answer.body}")
            time.sleep(0.3)
            if state() != before:
                return
        raise Stuck(f"{method} {path} was not accepted")

    def _make(self, session: Session, kind: str, body: Any) -> str:
        """An accepted creation. One without an answer may have been done: it is cleared away by its name."""
        service, path = _PLACES[kind]
        end = time.monotonic() + 90
        while time.monotonic() < end:
            answer = session.ask(service, "POST", path, body)
            if answer is not None:
                if answer.status >= 300:
                    raise Wrong(f"POST {path}: {answer.status} {answer.body}")
                return answer.body[kind]["id"]
            time.sleep(0.3)
        raise Stuck(f"POST {path} was not accepted")

    def _state(self, session: Session, kind: str, id: str) -> str | None:
        service, path = _PLACES[kind]
        answer = session.insist(service, "GET", f"{path}/{id}")
        if answer.status == 404:
            return None
        assert answer.status == 200, f"GET {path}/{id}: {answer.status} {answer.body}"
        return answer.body[kind]["status"]

    def _await(self, session: Session, kind: str, id: str, wanted: str, seconds: float = 90.0) -> None:
        end = time.monotonic() + seconds
        while (state := self._state(session, kind, id)) != wanted:
            if state is None:
                raise Lost(f"{kind} {id}, which was promised to become {wanted}")
            if state.lower().startswith("error"):
                raise Wrong(f"{kind} {id} is {state} instead of {wanted}")
            if time.monotonic() > end:
                raise Stuck(f"{kind} {id} is {state} instead of {wanted}")
            time.sleep(0.1)

    def _delete(self, session: Session, kind: str, id: str, seconds: float = 90.0) -> None:
        service, path = _PLACES[kind]
        answer = session.insist(service, "DELETE", f"{path}/{id}")
        if answer.status not in (202, 204, 404):
            raise Wrong(f"DELETE {path}/{id}: {answer.status} {answer.body}")
        end = time.monotonic() + seconds
        while (state := self._state(session, kind, id)) is not None:
            if state.lower().startswith("error"):
                raise Wrong(f"{kind} {id} is {state} instead of gone")
            if time.monotonic() > end:
                raise Stuck(f"{kind} {id} is {state} instead of gone")
            time.sleep(0.1)

    def clear(self) -> None:
        """What was made by requests whose answer did not come."""
        session = self._sessions[0]
        for kind, plural in (("server", "servers"), ("volume", "volumes")):
            service, path = _PLACES[kind]
            for row in session.insist(service, "GET", f"{path}?limit=1000").body[plural]:
                if (row["name"] or "").startswith(self._name):
                    self._settle(session, kind, row["id"])
                    self._delete(session, kind, row["id"])

    def _settle(self, session: Session, kind: str, id: str) -> None:
        self._await(session, kind, id, "ACTIVE" if kind == "server" else "available")


_PLACES = {"volume": ("volume", "/v3/volumes"), "server": ("compute", "/v2.1/servers")}
