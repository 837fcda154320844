"""The scheduler's endpoint: keeps reports in memory and decides from there.

Conductors call it, workers report to it by fanout. It may be out of date; the ledger (`db/backends.py`) has
the last word.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Any

from celaje.common import clock
from celaje.common.outage import Outage
from celaje.common.service.log_levels import LogLevels
from celaje.volume.errors import NoValidBackend
from celaje.volume.scheduler import filters, weighers
from celaje.volume.scheduler.pools import Pool, from_report

Row = dict[str, Any]


class Scheduler(LogLevels):
    """`ask_workers` sends the fanout that makes every worker report. Reports older than `down_time` seconds
    count as those of a worker that is down; the time of an `outage`, when none could come, is left out."""

    def __init__(self, conf: Any, ask_workers: Callable[[], None], outage: Outage | None = None):
        self._outage = outage or Outage()
        self._filters = filters.chosen(conf.scheduler_default_filters)
        self._enabled = ["report", *(type(one).__name__ for one in self._filters)]
        self._weighers = weighers.chosen(conf.scheduler_default_weighers, conf)
        self._patience = conf.scheduler_driver_init_wait_time
        self._down_time = conf.service.service_down_time
        self._ask_workers = ask_workers
        self._known = threading.Condition()
        self._pools: dict[str, Pool] = {}

    def update_capabilities(self, host: str, availability_zone: str, capabilities: Row) -> None:
        pools = from_report(host, availability_zone, capabilities, clock.monotonic())
        with self._known:
            for name in [name for name, pool in self._pools.items() if pool.host == host]:
                del self._pools[name]
            self._pools.update({pool.name: pool for pool in pools})
            self._known.notify_all()

    def select_backend(self, request: Row) -> Row:
        self._await_first_report()
        with self._known:
            removed: list[Row] = []
            passed = [pool for pool in self._pools.values() if self._passes(pool, request, removed)]
            if not passed:
                raise _nothing_left(removed, self._enabled)
            order = weighers.weigh(self._weighers, passed, request)
            best = order[0][1]
            best.promised += request["size"]
            best.placed += 1
            return {
                "backend": best.name,
                "capacity": best.capacity(),
                "removed": removed,
                "enabled": self._enabled,
                "weights": {pool.name: round(weight, 4) for weight, pool in order},
            }

    def check_extension(self, backend: str, added: int, extra_specs: Row) -> None:
        self._await_first_report()
        with self._known:
            pool = self._pools.get(backend)
            if pool is None:
                raise _nothing_left([_removed("report", backend, "has not reported")])
            reason = filters.CapacityFilter().refuses(pool, {"size": added, "extra_specs": extra_specs})
            if reason:
                raise _nothing_left([_removed("CapacityFilter", backend, reason)])
            pool.promised += added

    def list_pools(self) -> list[Row]:
        with self._known:
            return [{"name": pool.name, "capabilities": self._shown(pool)} for pool in self._pools.values()]

    def _shown(self, pool: Pool) -> Row:
        return {
            **pool.capabilities,
            "allocated_capacity_gb": pool.allocated,
            "provisioned_capacity_gb": pool.provisioned,
            "max_over_subscription_ratio": str(pool.capabilities.get("max_over_subscription_ratio", 1.0)),
            "availability_zone": pool.availability_zone,
        }

    def _passes(self, pool: Pool, request: Row, removed: list[Row]) -> bool:
        reason, name = self._out_of_question(pool, request), "report"
        if reason is None:
            for each in self._filters:
                reason, name = each.refuses(pool, request), type(each).__name__
                if reason is not None:
                    break
        if reason is not None:
            removed.append(_removed(name, pool.name, reason))
        return reason is None

    def _out_of_question(self, pool: Pool, request: Row) -> str | None:
        if pool.name in (request.get("excluded") or []):
            return "was tried for this volume already"
        pinned = request.get("pinned")
        if pinned and pinned not in (pool.host, pool.name):
            return f"the volume's source is on {pinned}"
        age = clock.monotonic() - pool.seen
        if age - self._outage.unheard(self._down_time) > self._down_time:
            return f"its worker is down: the last report came {age:.0f} s ago"
        if pool.capabilities.get("backend_state", "up") != "up":
            return "the back end reports that it is down"
        return None

    def _await_first_report(self) -> None:
        """A scheduler that has just started knows nobody: it asks, and waits a moment."""
        with self._known:
            if self._pools:
                return
        self._ask_workers()
        with self._known:
            clock.wait_for(self._known, lambda: bool(self._pools), self._patience)


def _removed(name: str, backend: str, reason: str) -> Row:
    return {"filter": name, "backend": backend, "reason": reason}


def _nothing_left(removed: list[Row], enabled: Sequence[str] = ()) -> NoValidBackend:
    if not removed:
        return NoValidBackend(reason="No volume worker has reported a back end.", filters=[], enabled=[])
    words = "; ".join(f"{row['backend']}: {row['reason']} ({row['filter']})" for row in removed)
    return NoValidBackend(reason=words, filters=removed, enabled=list(enabled))
