"""The image service: a REST API over a store, with flows but without messages.

Assembled by `celaje/cloud.py` or `celaje service image`.
"""

from pathlib import Path

from celaje.common.service import Service
from celaje.common.wsgi import Api
from celaje.image import conf as image_conf
from celaje.image.cache import ImageCache
from celaje.image.conductor import FLOWS
from celaje.image.conductor.conductor import ImageConductor
from celaje.image.conductor.reconciliation import reconcile
from celaje.image.conductor.remote import RemoteImages
from celaje.image.conductor.reworking import Reworking
from celaje.image.conductor.transfer import Transfer
from celaje.image.db import metadefs, tables
from celaje.image.limits import Limits
from celaje.image.protections import Protections
from celaje.image.stock_metadefs import STOCK
from celaje.image.stores.file import FileStore
from celaje.image.stores.opening import Stores, open_stores
from celaje.image.uploads import Uploads
from celaje.image.web import Web


class ImageService(Service):
    service_type = "image"
    metadata = tables.METADATA
    migrations = Path(__file__).parent / "db" / "migrations"
    flow_tables = tables.FLOWS
    flows_declared = FLOWS
    options = image_conf.OPTIONS

    conductor: ImageConductor
    uploads: Uploads
    stores: Stores
    staging: FileStore
    web: Web

    def build_conductor(self) -> ImageConductor:
        web = self.web = Web(self.conf.import_filtering_opts)
        self.stores = open_stores(self.conf, self.ground.state, web)
        shared = self.conf.node_staging_uri
        folder = Path(shared.removeprefix("file://")) if shared else self.ground.state / "staging"
        self.staging = FileStore(folder, name="staging")
        self.cache: ImageCache | None = None
        if "cach" in self.conf.paste_deploy.flavor:
            folder = Path(self.conf.image_cache_dir or self.ground.state / "image-cache")
            size = self.conf.image_cache_max_size
            self.cache = ImageCache(self.database, folder, self.ground.host, size, self.stores.read)
        self.uploads = Uploads(
            self.database, self.flows, f"{self.ground.host}/{self.boot}", self.conf.uploads.lease
        )
        remote = RemoteImages(
            self.ground.clients.identity,
            self.conf.api.public_endpoint,
            lambda: self.ground.transport_to("image"),
            self.conf.glance_download_properties.extra_properties,
        )
        transfer = Transfer(
            self.database,
            {**self.stores.by_name, "staging": self.staging},
            web,
            remote,
            strict=self.conf.image_format.require_image_format_match,
        )
        largest = self.conf.image_import_options.largest_output
        reworking = Reworking(self.staging, self.conf.image_conversion, largest)
        return ImageConductor(
            self.database, self.flows, self.stores, self.staging, transfer, remote, reworking
        )

    def build_api(self) -> Api:
        from celaje.image.api import build
        from celaje.image.api.images import validator

        self.protections = Protections(
            self.conf.property_protection_file, self.conf.property_protection_rule_format
        )
        identity = self.ground.clients.identity.as_service()
        self.limits = Limits(identity, enabled=self.conf.use_keystone_limits)
        self.image_validator = validator(self.conf)
        return build(self)

    def start(self, *, flows: bool = True) -> None:
        if self.ground.alone:
            # No other process can be receiving: what an earlier life was receiving is lost.
            self.uploads.reap(alone=True)
        super().start(flows=flows)

    def prepare(self) -> None:
        self.database.write(metadefs.sow, STOCK)
        lease = self.conf.uploads.lease
        self.periodic.every(lease / 3, self.uploads.renew)
        self.periodic.every(lease / 3, self.uploads.reap, at_once=True)
        self.periodic.every(self.conf.uploads.reconcile_interval, self.reconcile, at_once=True)
        if self.cache is not None:
            self.cache.start()
            self.periodic.every(self.conf.uploads.reconcile_interval, self.cache.drop_lost)

    def stop(self, grace: float = 10.0) -> None:
        if self.cache is not None:
            self.cache.stop()
        super().stop(grace)

    def reconcile(self) -> list[str]:
        """Compare the stores with the rows; returns the locations that no row knew."""
        choice = self.conf.uploads.remove_orphans
        remove = choice == "always" or (choice == "auto" and self.stores.own)
        return reconcile(self.database, self.conductor.stores, remove=remove)
