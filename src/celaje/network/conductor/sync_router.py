"""A router is made on its host what its rows say; a deleted one is removed there.

Each change submits a flow that reads the newest rows, and the driver refuses older revisions, so flows that
overtake each other end in the same state.
"""

from celaje.common.flow import Run, flow
from celaje.network.conductor.conductor import failed_for_good
from celaje.network.db import routers


@flow("router.sync", deadline="router_sync_deadline", way_out=failed_for_good)
def sync_router(run: Run, router_id: str) -> None:
    c = run.conductor
    candidates = run.step(c.router_hosts)
    host = run.write(routers.assign_host, router_id, candidates)
    if host is None:
        # Deleted meanwhile, or no worker here can route: then floating IPs stay DOWN.
        return
    router = run.write(routers.describe, router_id)
    if router is None:
        return
    run.step(c.worker.to(host).sync_router, router=router)
    run.done(routers.realised, router)


@flow("router.delete", deadline="router_sync_deadline", way_out=failed_for_good)
def delete_router(run: Run, router_id: str, host: str, revision: int) -> None:
    run.step(run.conductor.worker.to(host).delete_router, router_id=router_id, revision=revision)
