"""The compute service's assembly: API, conductor, scheduler and worker of one process."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from celaje.common.messaging.notifications import Notifier
from celaje.common.service import Service
from celaje.common.wsgi import Api, dialects
from celaje.compute.api.policies import RULES
from celaje.compute.api.routes import ROUTES
from celaje.compute.api.versions import versions
from celaje.compute.conductor import FLOWS as DECLARED
from celaje.compute.conductor.conductor import ComputeConductor
from celaje.compute.conductor.notifications import ServerNotifications
from celaje.compute.db.purge import purge
from celaje.compute.db.tables import FLOWS, METADATA, SERVICES
from celaje.compute.drivers.base import ImageSource
from celaje.compute.guests_at_rest import GuestsAtRest
from celaje.compute.rpc import ComputeConductorMessages, ComputeSchedulerMessages, ComputeWorkerMessages
from celaje.compute.worker import ComputeWorker


class ComputeService(Service):
    service_type = "compute"
    metadata = METADATA
    migrations = Path(__file__).parent / "db" / "migrations"
    flow_tables = FLOWS
    flows_declared = DECLARED
    services_table = SERVICES
    conductor_messages = ComputeConductorMessages
    purge = staticmethod(purge)
    conductor_binary = "nova-conductor"

    compute_worker: ComputeWorker | None = None

    def build_api(self) -> Api:
        self.worker = self.client(ComputeWorkerMessages)
        self.scheduler_client = self.client(ComputeSchedulerMessages)
        return Api(
            self,
            ROUTES,
            service_type="compute",
            policy=self.ground.policy(RULES),
            dialect=dialects.compute,
            authenticate=self.ground.authentication(),
            versions=versions(),
            public_endpoint=self.conf.api.public_endpoint,
            max_body=self.conf.api.max_request_body_size,
            www_authenticate="Keystone",
            extra_headers=("x-compute-request-id",),
            project_below="/v2.1",
        )

    def build_conductor(self) -> ComputeConductor:
        return ComputeConductor(self)

    def build_teller(self, notifier: Notifier) -> ServerNotifications:
        conf = self.conf.notifications
        return ServerNotifications(notifier, conf.notification_format, conf.versioned_notifications_topics)

    def start_scheduler(self) -> None:
        from celaje.compute.scheduler.scheduler import ComputeScheduler

        self.scheduler = ComputeScheduler(
            self.conf, self.client(ComputeConductorMessages).host_facts, self.ground.bus.outage
        )
        # Several threads gain nothing: each decision holds the one lock.
        self.serve(ComputeSchedulerMessages, self.scheduler, threads=2)
        self.report_as("nova-scheduler", ComputeSchedulerMessages, availability_zone="internal")
        self.client(ComputeWorkerMessages).report_now()
        # Now, and now and then: a nudge that was lost must not leave a scheduler with old facts.
        refresh = self.client(ComputeSchedulerMessages).refresh_host_facts
        self.periodic.every(self.conf.service.report_interval, refresh, at_once=True)

    def start_workers(self) -> None:
        driver, hosts = self.make_driver()
        driver.init_host()
        self.guests_at_rest = GuestsAtRest(
            driver, self.ground.state / "guests-at-rest.json", self.conf.guest_stop_grace
        )
        if self.conf.resume_guests_state_on_host_boot:
            self.guests_at_rest.resume()
        self.compute_worker = ComputeWorker(
            self.conf,
            self.ground.host,
            driver,
            hosts,
            conductor=self.client(ComputeConductorMessages),
            scheduler=self.client(ComputeSchedulerMessages),
            boot=self.boot,
            locate_image=self._image_locator(driver),
            fetch_passphrase=self._fetch_passphrase,
        )
        self.serve(ComputeWorkerMessages, self.compute_worker, threads=self.conf.max_concurrent_builds)
        self.periodic.every(self.conf.service.report_interval, self.compute_worker.report_hosts, at_once=True)
        self.periodic.every(
            self.conf.sync_power_state_interval, self.compute_worker.report_guests, at_once=True
        )

    def make_driver(self) -> tuple[Any, dict[str, list[str]]]:
        """The driver and the compute hosts that this worker serves with it, with their nodes."""
        if self.conf.compute_driver == "fake":
            from celaje.compute.drivers.base import NodeResources
            from celaje.compute.drivers.fake import FakeCloudState, FakeDriver

            names = self.conf.fake_hosts or [self.ground.host]
            sizes = {
                name: NodeResources(
                    vcpus=self.conf.fake_host_vcpus,
                    memory_mb=self.conf.fake_host_memory_mb,
                    disk_gb=self.conf.fake_host_disk_gb,
                )
                for name in names
            }
            state = FakeCloudState(self.ground.state / "guests")
            return FakeDriver(sizes, state), {name: [name] for name in names}
        from celaje.compute.drivers.qemu.driver import QemuDriver

        name = self.ground.host
        driver = QemuDriver(
            self.ground.state / "qemu", node=name, my_ip=self.conf.my_ip, ceph_keyring=self.conf.ceph.keyring
        )
        return driver, {name: driver.nodes()}

    def _image_locator(self, driver: Any) -> Callable[[dict[str, Any]], ImageSource]:
        """Brings an image's bytes here, once, and says where they lie."""
        if driver.name == "fake":
            # The simulated hypervisor reads no bytes.
            return lambda image: cast(ImageSource, {**image, "path": ""})
        from celaje.common.image_cache import ImageCache

        # Root disks are overlays on the cached files, so none is ever thrown away by size.
        cache = ImageCache(self.ground.state / "images")

        def locate(image: dict[str, Any]) -> ImageSource:
            path = cache.fetch(self.ground.clients.image.as_service(), image)
            return cast(ImageSource, {**image, "path": str(path)})

        return locate

    def _fetch_passphrase(self, attachment_id: str) -> str:
        return str(self.ground.clients.volume.as_service().passphrase(attachment_id))

    def stop(self, grace: float = 10.0) -> None:
        super().stop(grace)
        if self.compute_worker is not None:
            # Guests run on, and the next worker takes them up, unless told otherwise.
            if self.conf.stop_guests_on_exit:
                self.guests_at_rest.stop_all()
            self.compute_worker.driver.cleanup_host()

    def aggregates_changed(self) -> None:
        """Aggregates, zones or disabled services changed: schedulers hear of it at once."""
        self.scheduler_client.refresh_host_facts()
