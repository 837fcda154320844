"""A host that has ports of a network is told of a change of its subnets."""

from celaje.common.flow import Run, flow
from celaje.network.conductor.conductor import failed_for_good
from celaje.network.db import networks


@flow("network.sync", deadline="network_sync_deadline", way_out=failed_for_good)
def sync_network(run: Run, network_id: str, host: str) -> None:
    network = run.write(networks.describe, network_id)
    if network is not None:
        run.step(run.conductor.worker.to(host).update_network, network=network)
