"""One worker dies, or its answer is lost, in the middle of a step, while all the rest of the cloud goes on.

`DeadWorker` and `LostAnswer` are called by the tests; each strikes once, at the boundary of a driver's call
that it was told.
"""

import threading
from collections import Counter
from typing import Any

from celaje.common.messaging.errors import Killed
from celaje.compute.rpc import ComputeWorkerMessages
from celaje.volume.rpc import VolumeWorkerMessages
from tests.cloud import LabCloud
from tests.crash.lives import EFFECTS, Label

_TOPICS = {"volume": VolumeWorkerMessages.topic, "compute": ComputeWorkerMessages.topic}


class WorkerFault:
    """Without a `label` it notes the boundaries that are passed."""

    def __init__(self, cloud: LabCloud, label: Label | None = None):
        self.cloud = cloud
        self.label = label
        self.seen: list[Label] = []
        self.struck = threading.Event()
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._watched: list[tuple[Any, str]] = []
        self._watch("compute", cloud.running["compute"].compute_worker.driver)
        for worker in cloud.running["volume"].workers.values():
            self._watch("volume", worker.driver)

    def strike(self, service: str) -> None:
        raise NotImplementedError

    def go_on(self, service: str) -> None:
        """In the threads that come by after it."""

    def end(self) -> None:
        for driver, effect in self._watched:
            delattr(driver, effect)

    def _watch(self, service: str, driver: Any) -> None:
        for effect in EFFECTS[service]:
            if hasattr(driver, effect):
                setattr(driver, effect, self._around(service, effect, getattr(driver, effect)))
                self._watched.append((driver, effect))

    def _around(self, service: str, effect: str, act: Any) -> Any:
        def watched(*args: Any, **kwargs: Any) -> Any:
            self._at(service, f"{service} driver: {effect}: before its effect")
            result = act(*args, **kwargs)
            self._at(service, f"{service} driver: {effect}: after its effect")
            return result

        return watched

    def _at(self, service: str, where: str) -> None:
        with self._lock:
            if not self.struck.is_set():
                self._counts[where] += 1
                label = (where, self._counts[where])
                self.seen.append(label)
                if label != self.label:
                    return
                self.strike(service)
                self.struck.set()
        self.go_on(service)

    def _servers(self, service: str) -> list[Any]:
        return [
            server
            for server in self.cloud.running[service]._servers
            if server.target.topic == _TOPICS[service]
        ]


class DeadWorker(WorkerFault):
    """kill -9 of the service's workers; `revive` starts them again."""

    dead = ""

    def strike(self, service: str) -> None:
        running = self.cloud.running[service]
        self.dead = service
        for server in self._servers(service):
            running._servers.remove(server)
            server.kill()
        workers = [running.compute_worker] if service == "compute" else list(running.workers.values())
        tasks = running.periodic._tasks
        tasks[:] = [task for task in tasks if getattr(task.work, "__self__", None) not in workers]

    def go_on(self, service: str) -> None:
        """What the dead still think of does not happen."""
        if service == self.dead:
            raise Killed

    def revive(self) -> None:
        self.cloud.running[self.dead].start_workers()


class LostAnswer(WorkerFault):
    """The bus loses whom the worker works for: the caller hears that it is gone, and the work goes on."""

    def strike(self, service: str) -> None:
        for server in self._servers(service):
            with server._lock:
                running = list(server._running)
            for delivery in running:
                server._bus.lost(delivery, "the connection broke")
