"""The conductor's endpoint, and what the flows work with: `run.conductor`.

Runs flows, hears signs of life, keeps the ledger's numbers, and sweeps up reservations that nobody settled.
"""

import datetime
import logging
from typing import Any

from celaje.common import context
from celaje.common.clients import Clients
from celaje.common.db import Database, Transaction
from celaje.common.flow import Flows
from celaje.common.messaging.client import Client, Proxy
from celaje.common.service import Conductor, ServiceRecords
from celaje.volume.conductor.reclaim_image_keys import LOOK_AGAIN
from celaje.volume.db import attachments, backends, clusters, image_keys, messages, volumes
from celaje.volume.db.tables import ATTACHMENTS, GROUP_SNAPSHOTS, GROUPS, SNAPSHOTS, VOLUMES
from celaje.volume.keys import KeyManager
from celaje.volume.quota import Quotas
from celaje.volume.scheduler.pools import from_report
from celaje.volume.states import GROUP_SNAPSHOTS as GROUP_SNAPSHOT_STATES
from celaje.volume.states import GROUPS as GROUP_STATES
from celaje.volume.states import SNAPSHOTS as SNAPSHOT_STATES

log = logging.getLogger(__name__)

# Tables in which os-reset_status may set a passing state; volumes have a term of their own.
UNOWNED = (
    (SNAPSHOT_STATES, SNAPSHOTS),
    (GROUP_STATES, GROUPS),
    (GROUP_SNAPSHOT_STATES, GROUP_SNAPSHOTS),
)


class VolumeConductor(Conductor):
    def __init__(
        self,
        database: Database,
        flows: Flows,
        records: ServiceRecords,
        *,
        conf: Any,
        clients: Clients,
        scheduler: Client,
        worker: Client,
        backup: Client,
        keys: KeyManager,
    ):
        super().__init__(database, flows, records)
        self.conf = conf
        self.quotas = Quotas(conf)
        self.clients = clients
        self.scheduler = scheduler
        self.worker = worker
        self.backup = backup
        self.keys = keys

    def worker_of(self, volume: dict[str, Any]) -> Proxy:
        """The worker that drives the volume's back end."""
        return self.worker.to(backends.host_of(volume["host"]))

    def report_service(
        self, binary: str, host: str, topic: str, availability_zone: str, details: dict[str, Any]
    ) -> None:
        report = details.pop("capabilities", None)
        super().report_service(binary, host, topic, availability_zone, details)
        if report is not None:
            cluster = details.get("cluster")
            pools = from_report(cluster or host, availability_zone, report, 0.0)

            def unit(tx: Transaction) -> None:
                if cluster:
                    clusters.note(tx, cluster)
                for pool in pools:
                    backends.record(tx, pool.name, pool.capacity())

            self.database.write(unit)

    def passphrase(self, key_id: str) -> str:
        return self.database.read(self.keys.passphrase, key_id)

    def sweep(self) -> None:
        """Submit a reclaim flow for everything whose term has passed; end what an operator has set passing
        and nobody owns; look for the images of keys; forget old messages."""
        term = datetime.timedelta(seconds=self.conf.reservation_timeout)

        def unit(tx: Transaction) -> None:
            now = tx.now()
            messages.forget_old(tx, now)
            for states, table in UNOWNED:
                states.end_unowned(tx, table, since=now - term, updated_at=now)
            for table, name, found in (
                (ATTACHMENTS, "attachment.reclaim", attachments.expired(tx, now)),
                (VOLUMES, "volume.reclaim", volumes.expired(tx, now)),
            ):
                for row in found:
                    kind = name.partition(".")[0]
                    flow_id = self.flows.submit(
                        tx,
                        name,
                        resource=(kind, row["id"]),
                        arguments={f"{kind}_id": row["id"]},
                        request=context.RequestContext(),
                        project_id=row["project_id"],
                    )
                    tx.execute(
                        table.update().where(table.c.id == row["id"]).values(flow_id=flow_id, expires_at=None)
                    )
                    log.info("%s %s is looked into: its term has passed", kind, row["id"])
            keys = image_keys.due(tx, now, now + LOOK_AGAIN)
            if keys:
                self.flows.submit(
                    tx,
                    "image_keys.reclaim",
                    resource=("image_key", keys[0]["id"]),
                    arguments={"keys": keys},
                    request=context.RequestContext(),
                    project_id=None,
                )

        self.database.write(unit)
