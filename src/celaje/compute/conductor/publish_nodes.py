"""Tell placement what hypervisors have: resource providers and inventories, when a worker's report is new.

Started by the conductor in the transaction that notes the report.
"""

from typing import Any

from celaje.common.db import Transaction
from celaje.common.errors import CelajeError
from celaje.common.flow import Run, flow
from celaje.compute.db import nodes
from celaje.compute.rpc import ComputeSchedulerMessages


def _gave_up(tx: Transaction, flow: dict[str, Any], error: CelajeError) -> None:
    nodes.not_published(tx, flow["id"])


@flow("nodes.publish", deadline="node_publish_deadline", way_out=_gave_up)
def publish_nodes(run: Run, nodes: dict[str, dict[str, Any]]) -> None:
    placement = run.conductor.clients.placement.as_service()
    for uuid, node in nodes.items():
        run.step(placement.ensure_provider, uuid, node["name"])
        run.step(placement.set_inventory, uuid, node["inventory"])
    run.done(_published, {uuid: node["inventory"] for uuid, node in nodes.items()}, run)


def _published(tx: Transaction, inventories: dict[str, Any], run: Run) -> None:
    nodes.published(tx, inventories, run.id)
    tx.after_commit(run.conductor.tell_schedulers)
    # Builds that found the scheduler without hosts go on now.
    run.conductor.flows.wake(tx, ComputeSchedulerMessages.topic)
