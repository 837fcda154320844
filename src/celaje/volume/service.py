"""The volume service in a process: which parts it has, and how they are put together."""

import logging
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from celaje.common.image_cache import ImageCache
from celaje.common.messaging.notifications import Notifier
from celaje.common.service import Service
from celaje.common.shared_fences import fences
from celaje.common.wsgi import Api
from celaje.volume import backends, backups
from celaje.volume.api import build_api, resource_filters
from celaje.volume.backup_worker import BackupWorker
from celaje.volume.conductor import FLOWS, VolumeConductor
from celaje.volume.conductor.notifications import VolumeNotifications
from celaje.volume.connections import Connections
from celaje.volume.db import seeds
from celaje.volume.db.tables import FLOWS as FLOW_TABLES
from celaje.volume.db.tables import METADATA, SERVICES
from celaje.volume.keys import KeyManager, open_key_manager
from celaje.volume.quota import Quotas
from celaje.volume.rpc import (
    VolumeBackupMessages,
    VolumeConductorMessages,
    VolumeSchedulerMessages,
    VolumeWorkerMessages,
)
from celaje.volume.scheduler.scheduler import Scheduler
from celaje.volume.usage import Changes
from celaje.volume.worker import Worker

log = logging.getLogger(__name__)

# Bytes of an image that are sent at once.
_CHUNK = 1 << 20


class VolumeService(Service):
    service_type = "volume"
    metadata = METADATA
    migrations = Path(__file__).parent / "db" / "migrations"
    flow_tables = FLOW_TABLES
    flows_declared = FLOWS
    services_table = SERVICES
    conductor_messages = VolumeConductorMessages
    conductor_binary = "cinder-conductor"
    further_parts: ClassVar[Mapping[str, str]] = {"backup": "start_backup"}

    def __init__(self, *args: Any, **kwargs: Any):
        self.workers: dict[str, Worker] = {}
        self.backup_worker: BackupWorker | None = None
        self._images: ImageCache | None = None
        super().__init__(*args, **kwargs)

    @cached_property
    def keys(self) -> KeyManager:
        """Who keeps the keys of encrypted volumes; API and conductor have one together."""
        return open_key_manager(self.conf, self.ground.state)

    def build_api(self) -> Api:
        log.debug("%s", self.keys.explain())
        self.quotas = Quotas(self.conf)
        self.changes = Changes(self.notifier)
        self.resource_filters = resource_filters.load(self.conf.resource_query_filters_file)
        self.scheduler = self.client(VolumeSchedulerMessages)
        # Of a back end `name@backend`: what the API asks a worker directly.
        self.workers_of = self.client(VolumeWorkerMessages).to
        self.backup_workers = self.client(VolumeBackupMessages)
        return build_api(self)

    def build_conductor(self) -> VolumeConductor:
        assert self.records is not None
        return VolumeConductor(
            self.database,
            self.flows,
            self.records,
            conf=self.conf,
            clients=self.ground.clients,
            scheduler=self.client(VolumeSchedulerMessages),
            worker=self.client(VolumeWorkerMessages),
            backup=self.client(VolumeBackupMessages),
            keys=self.keys,
        )

    def build_teller(self, notifier: Notifier) -> VolumeNotifications:
        return VolumeNotifications(notifier)

    def start(self, *, flows: bool = True) -> None:
        if isinstance(self.conductor, VolumeConductor):
            self.periodic.every(self.conf.reclaim_interval, self.conductor.sweep)
        super().start(flows=flows)

    def stop(self, grace: float = 10.0) -> None:
        super().stop(grace)
        for worker in self.workers.values():
            worker.driver.close()

    def prepare(self) -> None:
        if self._database is not None:
            self.database.write(seeds.default_type, self.conf.default_volume_type)
            self.database.write(seeds.consistency_group_type)

    def start_scheduler(self) -> None:
        ask = self.client(VolumeWorkerMessages).report_capabilities
        self.serve(VolumeSchedulerMessages, Scheduler(self.conf, ask, self.ground.bus.outage))
        self.report_as("cinder-scheduler", VolumeSchedulerMessages)

    def start_workers(self) -> None:
        for section in backends.enabled(self.conf):
            self._start_worker(section)

    def _start_worker(self, section: str) -> None:
        driver, options = backends.open_driver(self.conf, section, self.ground.state)
        own = f"{options.backend_host or self.ground.host}@{section}"
        cluster = f"{self.conf.cluster}@{section}" if self.conf.cluster else None
        # Where the back end is reached: whoever of the cluster is free takes the step.
        host = cluster or own
        zone = options.backend_availability_zone or self.conf.storage_availability_zone
        worker = Worker(
            driver,
            host=host,
            availability_zone=zone,
            fetch_passphrase=self.client(VolumeConductorMessages).passphrase,
            fetch_image=self._fetch_image,
            find_image=self._find_image,
            send_image=self._send_image,
            send_report=self.client(VolumeSchedulerMessages).update_capabilities,
            fences=fences(self.conf.coordination.backend_url, host),
        )
        self.workers[section] = worker
        self.serve(VolumeWorkerMessages, worker, server=host)
        if cluster:
            self.serve(VolumeWorkerMessages, worker, server=own, threads=2)

        def details() -> dict[str, Any]:
            return {**worker.details(), **({"cluster": cluster} if cluster else {})}

        self.report_as(
            "cinder-volume", VolumeWorkerMessages, host=own, availability_zone=zone, details=details
        )
        worker.report_capabilities()
        self.periodic.every(self.conf.service.report_interval, worker.report_capabilities)
        log.info("%s", driver.explain())

    def start_backup(self) -> None:
        """The backup worker: none of its steps needs the back end's worker on this host."""
        scratch = self.conf.backup_scratch_path or str(self.ground.state / "backup-scratch")
        self.backup_worker = BackupWorker(
            backups.open_archive(self.conf, self.ground.state),
            Connections(
                Path(scratch).absolute(),
                timeout=self.conf.backup_worker_timeout,
                ceph_conf=self.conf.backup_ceph_conf,
            ),
            fences(self.conf.coordination.backend_url, "backups"),
        )
        self.serve(VolumeBackupMessages, self.backup_worker)
        self.report_as(
            "cinder-backup", VolumeBackupMessages, availability_zone=self.conf.storage_availability_zone
        )

    def _fetch_image(self, image_id: str) -> dict[str, Any]:
        """An image's local file, as drivers want it. The request's user may see it, which the API has
        checked; the worker has no token of the user's and reads it as the service itself."""
        if self._images is None:
            largest = self.conf.image_cache_max_size_gb
            folder = self.ground.state / "image-cache"
            self._images = ImageCache(folder, largest=largest * 1024**3 if largest else None)
        client = self.ground.clients.image.as_service()
        image = client.show(image_id)
        path = self._images.fetch(client, image)
        return {"id": image["id"], "disk_format": image["disk_format"], "path": str(path)}

    def _find_image(self, image_id: str) -> dict[str, Any]:
        client = self.ground.clients.image.as_service()
        image = client.show(image_id)
        locations = client.locations(image_id)
        return {"id": image["id"], "disk_format": image["disk_format"], "locations": locations}

    def _send_image(self, image: dict[str, Any], write: Callable[[str], None]) -> None:
        """What `write` puts into a file of this node goes to an image that was registered for it."""
        folder = self.ground.state / "image-conversion"
        folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        path = folder / f"{image['id']}.{image['disk_format']}"
        try:
            write(str(path))
            client = self.ground.clients.image.as_service()
            client.upload(image["id"], _chunks(path), path.stat().st_size)
        finally:
            path.unlink(missing_ok=True)


def _chunks(path: Path) -> Iterator[bytes]:
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk
