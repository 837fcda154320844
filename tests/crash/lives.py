"""A cloud that dies and lives again: one state directory, one life after the other in this process.

`Lives` starts each life, keeps clients whose tokens outlive them, and ends one at the boundary that a `Death`
names, as `kill -9` would: nothing that the dead cloud's threads still do reaches the disk.
"""

import shutil
import threading
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

from celaje.common.messaging.errors import Killed
from tests.cloud import Client, LabCloud, until
from tests.crash.soundness import unfinished, until_quiet
from tests.image.web_server import REACHABLE

SERVICES = ("identity", "image", "placement", "network", "volume", "compute")

# What drivers do; their questions (capabilities, lists, states) change nothing.
EFFECTS = {
    "compute": (
        "spawn", "destroy", "power_on", "power_off", "reboot", "pause", "unpause", "suspend", "resume",
        "attach_volume", "detach_volume", "extend_volume", "begin_swap", "swap_is_done", "abandon_swap",
        "attach_interface", "detach_interface",
    ),
    "volume": (
        "create_volume", "create_volume_from_image", "create_volume_from_snapshot", "create_cloned_volume",
        "delete_volume", "extend_volume", "create_snapshot", "delete_snapshot", "initialize_connection",
        "terminate_connection", "revert_to_snapshot", "copy_volume_to_image", "list_volumes",
        "list_snapshots",
    ),
    "image": ("write", "delete"),
    "backups": ("put", "remove"),
    "connections": ("content", "replace"),
    "network": ("plug_port", "unplug_port", "update_network", "sync_router", "delete_router"),
}  # fmt: skip

Label = tuple[str, int]


def overrides(state: Path) -> dict[str, dict[tuple[str | None, str], Any]]:
    """Simulated drivers that remember, and engines that look often: a life is short."""
    found: dict[str, dict[tuple[str | None, str], Any]] = {
        name: {("flows", "poll_interval"): 0.1} for name in ("image", "network", "volume", "compute")
    }
    image = found["image"]
    image.update(REACHABLE)
    image["glance_store", "enabled_backends"] = {"fast": "file", "cheap": "file", "web": "http"}
    image["glance_store", "default_backend"] = "fast"
    image["image_import_options", "image_import_plugins"] = ["image_decompression"]
    volume = found["volume"]
    volume[None, "enabled_backends"] = ["fake", "other"]
    for section, gib in (("fake", 1000.0), ("other", 500.0)):
        volume[section, "volume_driver"] = "fake"
        volume[section, "fake_state_path"] = str(state / f"backend-{section}.json")
        # What may lie on either goes to the first.
        volume[section, "fake_total_capacity_gb"] = gib
    found["volume"][None, "quota_volumes"] = 100
    found["network"]["network_fake", "state_path"] = str(state / "wires.json")
    found["compute"][None, "allow_direct_volume_swap"] = True
    found["compute"]["quota", "instances"] = 100
    found["compute"]["quota", "cores"] = 100
    return found


class Death:
    """Looks at every boundary of every flow, nudge and driver call. Without a `label` it notes them; with
    one it kills the cloud there, in the thread that is at it."""

    def __init__(self, cloud: LabCloud, label: Label | None = None):
        self.cloud = cloud
        self.label = label
        self.seen: list[Label] = []
        self.came = threading.Event()
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._passed: dict[tuple[str, int, str], int] = {}
        for name, service in cloud.running.items():
            if service.engine is not None:
                service.engine.on_boundary = partial(self._flow_at, name)
                self._watch_nudges(name, service)
        self._watch_driver("compute", cloud.running["compute"].compute_worker.driver)
        self._watch_driver("network", cloud.running["network"].worker.driver)
        for worker in cloud.running["volume"].workers.values():
            self._watch_driver("volume", worker.driver)
        backup_worker = cloud.running["volume"].backup_worker
        self._watch_driver("backups", backup_worker.archive.store)
        self._watch_driver("connections", backup_worker.connections)
        for store in cloud.running["image"].conductor.stores.values():
            self._watch_driver("image", store)

    def _flow_at(self, service: str, where: str, flow: dict[str, Any]) -> None:
        """A nudge and the scan may find a flow at once; only the first of both threads counts, as only one
        gets past its first write."""
        passed = (flow["id"], flow["attempt"], where)
        if self._passed.setdefault(passed, threading.get_ident()) == threading.get_ident():
            self.at(f"{service}: {flow['name']}: {where}")
        elif self.came.is_set():
            raise Killed

    def at(self, where: str) -> None:
        with self._lock:
            if self.came.is_set():
                raise Killed
            self._counts[where] += 1
            label = (where, self._counts[where])
            self.seen.append(label)
            if label != self.label:
                return
            self.cloud.kill()
            self.came.set()
        raise Killed

    def _watch_nudges(self, name: str, service: Any) -> None:
        """The transaction that wrote a flow down has committed, nobody knows yet."""
        nudge = service.flows.nudge

        def watched(flow_id: str) -> None:
            self.at(f"{name}: nudge")
            nudge(flow_id)

        service.flows.nudge = watched

    def _watch_driver(self, name: str, driver: Any) -> None:
        for effect in EFFECTS[name]:
            setattr(driver, effect, self._watched(f"{name} driver: {effect}", getattr(driver, effect)))

    def _watched(self, what: str, effect: Any) -> Any:
        def watched(*args: Any, **kwargs: Any) -> Any:
            self.at(f"{what}: before its effect")
            result = effect(*args, **kwargs)
            self.at(f"{what}: after its effect")
            return result

        return watched


class Lives:
    """`state` is the folder that all lives share. `cloud` is the present one."""

    def __init__(self, state: Path, token: str | None = None, project: str | None = None):
        self.state = state
        self.token, self.project = token, project
        # What lies at a back end on purpose although no row knows of it.
        self.strays: set[str] = set()
        self._threads = set(threading.enumerate())
        self.cloud = LabCloud.at(state, overrides(state))

    @classmethod
    def first(cls, state: Path) -> "Lives":
        lives = cls(state)
        lives.cloud.begin()
        login = lives.cloud.as_user("identity")
        lives.token, lives.project = login.token, login.project_id
        lives._ready()
        return lives

    def keep(self) -> None:
        """Remember the state as it is: the last life has ended."""
        shutil.copytree(self.state, self._kept)

    def again(self) -> None:
        """A new life from the kept state. At the same path: images are stored under absolute ones."""
        self._await_threads()
        shutil.rmtree(self.state)
        shutil.copytree(self._kept, self.state)
        self.strays.clear()
        self.rise()

    @property
    def _kept(self) -> Path:
        return self.state.with_name("kept")

    def _ready(self) -> None:
        self.cloud.clients = {
            name: Client(self.cloud.transport_to(name), self.token, self.project) for name in SERVICES
        }

        def published() -> bool:
            nodes = self.cloud.running["compute"].scheduler.hosts.nodes.values()
            return bool(nodes) and all(node.provider is not None for node in nodes)

        until(published, 20, "the host at placement")
        until_quiet(self.cloud)

    def rise(self) -> None:
        """The next life on the same state, once the last one's threads are gone."""
        self._await_threads()
        self.cloud = LabCloud.at(self.state, overrides(self.state))
        self.cloud.start()
        self._ready()

    def end(self) -> None:
        self.cloud.stop(grace=5)
        self._await_threads()

    def _await_threads(self) -> None:
        def gone() -> bool:
            return not self._alive()

        try:
            until(gone, 15)
        except AssertionError:
            raise AssertionError(f"threads outlive their cloud: {self._alive()}") from None

    def _alive(self) -> list[str]:
        return [
            thread.name
            for thread in threading.enumerate()
            if thread not in self._threads and thread.is_alive() and not thread.name.startswith("execnet")
        ]

    def act(self, death: Death, operation: Any) -> "Outcome":
        """Do the operation in a thread of its own (its caller may never get an answer), until the cloud has
        died of it or all is quiet again."""
        outcome = self.begin(operation)
        asker = outcome.thread
        end = time.monotonic() + 30
        while not death.came.is_set():
            assert time.monotonic() < end, f"neither death nor quiet: {self._left()}"
            if not asker.is_alive() and not self._left():
                break
            time.sleep(0.002)
        until(lambda: death.came.is_set() or self._idle(), 10, "engines idle")
        asker.join(30)
        assert not asker.is_alive(), "the operation's caller waits for ever"
        return outcome

    def begin(self, operation: Any) -> "Outcome":
        """Do the operation in a thread of its own."""

        def ask() -> None:
            try:
                outcome.answer = operation()
            except (Killed, Exception) as error:
                outcome.error = error

        outcome = Outcome(threading.Thread(target=ask, name="asker"))
        outcome.thread.start()
        return outcome

    def _idle(self) -> bool:
        """The engines' threads have passed the last boundary of what they ran, too."""
        engines = [service.engine for service in self.cloud.running.values() if service.engine]
        return not any(engine._claimed or engine._queued for engine in engines)

    def _left(self) -> list[str]:
        try:
            return unfinished(self.cloud) or unfinished(self.cloud)
        except Exception as error:  # it dies just now
            return [repr(error)]


class Outcome:
    """What the caller of an operation got: an answer, or an error in the place of a torn connection."""

    answer: Any = None
    error: BaseException | None = None

    def __init__(self, thread: threading.Thread):
        self.thread = thread

    @property
    def promised(self) -> bool:
        return self.answer is not None and 200 <= self.answer.status < 300
