"""Rows of compute nodes (hypervisors), and what schedulers are told of hosts.

Written by the conductor from the workers' reports; read by the API's hypervisor list and by flows.
"""

from typing import Any

from sqlalchemy import bindparam, insert, select, update

from celaje.common import clock
from celaje.common.db import Prepared, Transaction, fetch_all
from celaje.compute.db.tables import (
    AGGREGATE_HOSTS,
    AGGREGATE_METADATA,
    AGGREGATES,
    COMPUTE_NODES,
    SERVICES,
)

Row = dict[str, Any]

_REPORTED = (
    "worker",
    "connector",
    "hypervisor_type",
    "hypervisor_version",
    "host_ip",
    "vcpus",
    "memory_mb",
    "disk_gb",
    "vcpus_used",
    "memory_mb_used",
    "disk_gb_used",
    "running_servers",
    "cpu_info",
    "traits",
    "cpu_allocation_ratio",
    "ram_allocation_ratio",
    "disk_allocation_ratio",
)
_BY_NAME = Prepared(
    select(COMPUTE_NODES).where(
        COMPUTE_NODES.c.host == bindparam("of_host"), COMPUTE_NODES.c.node == bindparam("of_node")
    )
)
_ZONE_OF = Prepared(
    select(AGGREGATE_METADATA.c.value)
    .join(AGGREGATE_HOSTS, AGGREGATE_HOSTS.c.aggregate_id == AGGREGATE_METADATA.c.aggregate_id)
    .where(AGGREGATE_HOSTS.c.host == bindparam("of_host"), AGGREGATE_METADATA.c.key == "availability_zone")
)


def get(tx: Transaction, host: str, node: str) -> Row | None:
    return _BY_NAME.one(tx, of_host=host, of_node=node)


def of_worker(tx: Transaction, worker: str) -> dict[tuple[str, str], Row]:
    found = fetch_all(tx, select(COMPUTE_NODES).where(COMPUTE_NODES.c.worker == worker))
    return {(row["host"], row["node"]): row for row in found}


def put(tx: Transaction, known: Row | None, host: str, node: str, report: Row) -> Row:
    """Write what a worker reports of a node; its row."""
    values = {name: report[name] for name in _REPORTED}
    now = clock.now()
    if known is None:
        row = {"uuid": clock.new_uuid(), "host": host, "node": node, **values, "created_at": now}
        tx.execute(insert(COMPUTE_NODES).values(**row))
        return {**row, "published": None, "flow_id": None}
    if any(known[name] != value for name, value in values.items()):
        tx.execute(
            update(COMPUTE_NODES)
            .where(COMPUTE_NODES.c.uuid == known["uuid"])
            .values(updated_at=now, **values)
        )
    return {**known, **values}


def inventory_of(row: Row, reserved: Row) -> Row:
    """Placement's inventories of a node; `reserved` in VCPUs, MiB and GiB."""
    return {
        "VCPU": _amount(row["vcpus"], reserved["vcpus"], row["cpu_allocation_ratio"]),
        "MEMORY_MB": _amount(row["memory_mb"], reserved["memory_mb"], row["ram_allocation_ratio"]),
        "DISK_GB": _amount(row["disk_gb"], reserved["disk_gb"], row["disk_allocation_ratio"]),
    }


def _amount(total: int, reserved: int, ratio: float) -> Row:
    return {
        "total": total,
        "reserved": min(reserved, total),
        "min_unit": 1,
        "max_unit": total,
        "step_size": 1,
        "allocation_ratio": ratio,
    }


def take_to_publish(tx: Transaction, uuids: list[str], flow_id: str) -> None:
    tx.execute(update(COMPUTE_NODES).where(COMPUTE_NODES.c.uuid.in_(uuids)).values(flow_id=flow_id))


def published(tx: Transaction, inventories: dict[str, Row], flow_id: str) -> None:
    """Placement has these inventories now, by node uuid."""
    for uuid, inventory in inventories.items():
        tx.execute(
            update(COMPUTE_NODES)
            .where(COMPUTE_NODES.c.uuid == uuid, COMPUTE_NODES.c.flow_id == flow_id)
            .values(published=inventory, flow_id=None)
        )


def not_published(tx: Transaction, flow_id: str) -> None:
    tx.execute(update(COMPUTE_NODES).where(COMPUTE_NODES.c.flow_id == flow_id).values(flow_id=None))


def providers(tx: Transaction) -> dict[str, str]:
    """The resource providers that placement has, by "host/node"."""
    columns = (COMPUTE_NODES.c.host, COMPUTE_NODES.c.node, COMPUTE_NODES.c.uuid)
    found = fetch_all(tx, select(*columns).where(COMPUTE_NODES.c.published.is_not(None)))
    return {f"{row['host']}/{row['node']}": row["uuid"] for row in found}


def aggregates(tx: Transaction) -> list[Row]:
    """All aggregates as schedulers need them: {"name", "hosts", "metadata"}."""
    found = {
        row["id"]: {"name": row["name"], "hosts": [], "metadata": {}}
        for row in fetch_all(tx, select(AGGREGATES))
    }
    for row in fetch_all(tx, select(AGGREGATE_HOSTS)):
        if row["aggregate_id"] in found:
            found[row["aggregate_id"]]["hosts"].append(row["host"])
    for row in fetch_all(tx, select(AGGREGATE_METADATA)):
        if row["aggregate_id"] in found:
            found[row["aggregate_id"]]["metadata"][row["key"]] = row["value"]
    return list(found.values())


def disabled_hosts(tx: Transaction) -> list[str]:
    statement = select(SERVICES.c.host).where(
        SERVICES.c.binary == "nova-compute", SERVICES.c.disabled | SERVICES.c.forced_down
    )
    return [row["host"] for row in fetch_all(tx, statement)]


def zone_of(tx: Transaction, host: str, default: str) -> str:
    """The availability zone of a host: its aggregate's, else the default one."""
    return _ZONE_OF.value(tx, of_host=host) or default
