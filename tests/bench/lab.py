"""A cloud as `celaje up` has it, in this process and on simulated drivers, and operations that are timed
from the request to the end of the flow."""

import sqlite3
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import bindparam, select

from celaje.common.db import Prepared
from celaje.compute.db.tables import FLOWS as COMPUTE_FLOWS
from celaje.volume.db.tables import FLOWS as VOLUME_FLOWS
from tests.cloud import LabCloud
from tests.compute.lab import Lab

# Durable as in production, not as in tests.
DURABLE = {
    name: {("database", "sqlite_synchronous"): "FULL"}
    for name in ("identity", "placement", "image", "network", "volume", "compute")
}
WIDE = {("quota", name): -1 for name in ("instances", "cores", "ram")}
CONCURRENCY = 16
AT_ONCE = 200


def _latest(tables):
    flows = tables.flows
    statement = select(flows.c.id).where(flows.c.resource_id == bindparam("resource"))
    return Prepared(statement.order_by(flows.c.created_at.desc(), flows.c.id).limit(1))


_LATEST = {"compute": _latest(COMPUTE_FLOWS), "volume": _latest(VOLUME_FLOWS)}


class BenchLab(Lab):
    @classmethod
    def at(cls, state, overrides):
        merged = {name: {**DURABLE[name], **overrides.get(name, {})} for name in DURABLE}
        return cls(LabCloud.at(state, overrides=merged).begin())

    def end_of_flow(self, service_name, resource_id):
        """Wait for the end of the resource's newest flow, without asking the API again and again."""
        service = self.cloud.running[service_name]
        flow_id = service.database.read(_LATEST[service_name].value, resource=resource_id)
        service.flows.result(flow_id, 60)


def fsync_milliseconds(folder, rounds=60):
    """The disk's part of a durable transaction: a bare SQLite commit with synchronous=FULL."""
    raw = sqlite3.connect(folder / "bare.db", isolation_level=None)
    raw.execute("PRAGMA journal_mode=WAL")
    raw.execute("PRAGMA synchronous=FULL")
    raw.execute("CREATE TABLE IF NOT EXISTS numbers (number INTEGER)")
    return median(lambda number: raw.execute("INSERT INTO numbers VALUES (?)", (number,)), rounds)


def milliseconds(function, argument):
    begun = time.perf_counter()
    function(argument)
    return (time.perf_counter() - begun) * 1e3


def median(function, rounds):
    return statistics.median(milliseconds(function, number) for number in range(rounds))


def rate(function, count=AT_ONCE, threads=CONCURRENCY):
    """Operations a second with `threads` clients at once."""
    barrier = threading.Barrier(threads + 1)
    numbers = iter(range(count))
    lock = threading.Lock()

    def client():
        barrier.wait()
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            function(number)

    with ThreadPoolExecutor(max_workers=threads) as pool:
        clients = [pool.submit(client) for _ in range(threads)]
        barrier.wait()
        begun = time.perf_counter()
        for one in clients:
            one.result()
        return count / (time.perf_counter() - begun)
