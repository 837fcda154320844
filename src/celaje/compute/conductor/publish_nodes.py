"""Tell placement what hypervisors have: resource providers and inventories, when a worker's report is new.

Started by the conductor in the transaction that notes the report.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from celaje.common.clients.placement import PlacementClient
from celaje.common.db import Transaction
from celaje.common.errors import CelajeError
from celaje.common.flow import Run, flow
from celaje.compute.db import nodes
from celaje.compute.rpc import ComputeSchedulerMessages

# Nodes in one step: a worker may serve thousands.
_AT_ONCE = 50


def _gave_up(tx: Transaction, flow: dict[str, Any], error: CelajeError) -> None:
    nodes.not_published(tx, flow["id"])


@flow("nodes.publish", deadline="node_publish_deadline", way_out=_gave_up)
def publish_nodes(run: Run, nodes: dict[str, dict[str, Any]]) -> None:
    placement = run.conductor.clients.placement.as_service()
    for several in batched(nodes.items(), _AT_ONCE):
        run.step(publish, placement, several)
    run.done(_published, {uuid: node["inventory"] for uuid, node in nodes.items()}, run)


def publish(placement: PlacementClient, several: Iterable[tuple[str, dict[str, Any]]]) -> None:
    """Providers and inventories of some nodes; may be repeated."""
    for uuid, node in several:
        placement.ensure_provider(uuid, node["name"])
        placement.set_inventory(uuid, node["inventory"])


publish.step_target = "placement"  # type: ignore[attr-defined]


def batched(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    rest = iter(items)
    while several := list(islice(rest, size)):
        yield several


def _published(tx: Transaction, inventories: dict[str, Any], run: Run) -> None:
    nodes.published(tx, inventories, run.id)
    tx.after_commit(run.conductor.scheduler.refresh_host_facts)
    # Builds that found the scheduler without hosts go on now.
    run.conductor.flows.wake(tx, ComputeSchedulerMessages.topic)
