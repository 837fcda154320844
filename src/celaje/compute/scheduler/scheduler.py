"""The scheduler's endpoint: keeps reports, picks hosts, keeps of every decision what each filter removed.

Called by the conductors' flows; has no database. It may be out of date, and there may be several: the claim
at placement decides.
"""

import heapq
import threading
from collections.abc import Callable
from itertools import islice
from typing import Any

from celaje.common import clock
from celaje.common.errors import NoValidHost, Unavailable
from celaje.common.outage import Outage
from celaje.compute.scheduler.filters import Filter, make_filters
from celaje.compute.scheduler.hosts import Group, Hosts, Node
from celaje.compute.scheduler.weighers import make_weighers, weigh

# Of very many alike hosts, no more than so many are looked at.
_ENOUGH = 64
# Hosts named in a decision's record, per filter.
_EXAMPLES = 3


class NotWarm(Unavailable):
    text = "The scheduler has just started and has not heard of all hosts yet."


class ComputeScheduler:
    def __init__(self, conf: Any, host_facts: Callable[[], dict[str, Any]], outage: Outage | None = None):
        """`host_facts` asks a conductor (`ComputeConductorMessages.host_facts`). The time of an `outage`, in
        which no report could come, is no host's silence."""
        self._outage = outage or Outage()
        self._conf = conf
        self._host_facts = host_facts
        self._refreshing = False
        self._asked = 0
        self._lock = threading.Lock()
        self._filters = make_filters(conf.filter_scheduler.enabled_filters, conf)
        # In their order; those of a decision's record that are not in it have removed nobody.
        self._enabled = [type(one).__name__ for one in self._filters]
        self._weighers = make_weighers(conf)
        self._subset = conf.filter_scheduler.host_subset_size
        self._attempts = conf.scheduler.max_attempts
        self._down_time = float(conf.scheduler.report_down_time)
        self._soft = conf.filter_scheduler.soft_affinity_weight_multiplier
        self._soft_anti = conf.filter_scheduler.soft_anti_affinity_weight_multiplier
        self._swept_at = self._started_at = clock.monotonic()
        self._warm_up = float(conf.service.report_interval)
        self.hosts = Hosts(conf.default_availability_zone)

    def update_hosts(self, worker: str, hosts: dict[str, dict[str, Any]]) -> None:
        with self._lock:
            self.hosts.update(worker, hosts)

    def refresh_host_facts(self) -> None:
        """Ask until an answer is newer than the last nudge. One asks at a time: an answer that overtook
        another would bring old facts back."""
        with self._lock:
            self._asked += 1
            if self._refreshing:
                return
            self._refreshing = True
        try:
            while self._refresh():
                pass
        except BaseException:
            with self._lock:
                self._refreshing = False
            raise

    def _refresh(self) -> bool:
        """True when another nudge came meanwhile."""
        asked = self._asked
        facts = self._host_facts()
        with self._lock:
            self.hosts.set_facts(facts["aggregates"], facts["disabled"], facts["providers"])
            if self._asked != asked:
                return True
            self._refreshing = False
            return False

    def return_resources(self, host: str, node: str, flavor: dict[str, Any]) -> None:
        with self._lock:
            found = self.hosts.nodes.get((host, node))
            if found is not None:
                vcpus, memory_mb, disk_gb = resources_of(flavor)
                self.hosts.consume(found, -vcpus, -memory_mb, -disk_gb, -1)

    def select_destinations(self, spec: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            self._sweep()
            groups, refused, demanded, record = self._filter(spec)
            chosen = self._choose(groups, refused, demanded, spec)
            if not chosen:
                self._refuse_unless_warm()
                raise NoValidHost(
                    "No valid host was found. " + _told(record, len(self.hosts)),
                    filters=record,
                    considered=len(self.hosts),
                    enabled=self._enabled,
                )
            # The first choice counts as taken, so that the next decision sees it.
            self.hosts.consume(chosen[0], *spec["resources"])
            return {
                "hosts": [
                    {
                        "host": node.host,
                        "node": node.name,
                        "worker": node.worker,
                        "provider": node.provider,
                    }
                    for node in chosen
                ],
                "filters": record,
                "considered": len(self.hosts),
                "enabled": [] if spec.get("skip_filters") else self._enabled,
            }

    def _refuse_unless_warm(self) -> None:
        """Just started, and not all hosts have been heard of: the flow waits instead of failing."""
        unheard = not len(self.hosts) or any(not group.facts["published"] for group in self.hosts.groups())
        if unheard and clock.monotonic() - self._started_at < self._warm_up:
            raise NotWarm()

    def _sweep(self) -> None:
        now = clock.monotonic()
        if now - self._swept_at > self._down_time / 10:
            self._swept_at = now
            self.hosts.forget_silent(now - self._down_time - self._outage.unheard(self._down_time))

    def _filter(
        self, spec: dict[str, Any]
    ) -> tuple[list[Group], set[str], set[str] | None, list[dict[str, Any]]]:
        """Groups that passed, hosts that are out by name, hosts that alone may be taken, the record."""
        left = list(self.hosts.groups())
        refused = set(spec.get("ignore_hosts") or ())
        demanded: set[str] | None = set(spec["force_hosts"]) if spec.get("force_hosts") else None
        count = sum(len(group.members) for group in left)
        record: list[dict[str, Any]] = []
        # A host that an administrator names is taken unless it is not there at all, as Nova does.
        for one in self._filters if not spec.get("skip_filters") else ():
            passes = one.group_passes
            passed = [group for group in left if passes(group, spec)] if one.concerns(spec) else left
            out = one.refused_hosts(spec)
            only = one.demanded_hosts(spec)
            if len(passed) == len(left) and not out and only is None:
                continue
            kept = set(map(id, passed))
            lost = [group for group in left if id(group) not in kept] if len(kept) != len(left) else []
            left = passed
            refused |= out
            if only is not None:
                demanded = only if demanded is None else demanded & only
            after = self._count(left, refused, demanded)
            record.append(_entry(one, spec, (count, after), lost, out))
            count = after
        return left, refused, demanded, record

    @staticmethod
    def _count(groups: list[Group], refused: set[str], demanded: set[str] | None) -> int:
        if not refused and demanded is None:
            return sum(len(group.members) for group in groups)
        return sum(
            host not in refused and (demanded is None or host in demanded)
            for group in groups
            for host, _ in group.members
        )

    def _choose(
        self, groups: list[Group], refused: set[str], demanded: set[str] | None, spec: dict[str, Any]
    ) -> list[Node]:
        """The best nodes, best first: as many as there are attempts."""
        wanted = self._attempts + self._subset - 1
        if not groups:
            return []
        weights = weigh(self._weighers, groups, spec)
        # With hosts in or out by name the best groups may have none: then all are put in order.
        soft = (spec.get("group") or {}).get("policy", "").startswith("soft")
        named = soft or bool(refused) or demanded is not None or bool(spec.get("force_nodes"))
        order = heapq.nlargest(len(groups) if named else wanted, range(len(groups)), weights.__getitem__)
        found: list[Node] = []
        ranked: list[tuple[float, Node]] = []
        for number in order:
            for node in _members(groups[number], refused, demanded, spec.get("force_nodes")):
                if soft:
                    ranked.append((weights[number] + self._softly(node, spec), node))
                    continue
                found.append(node)
                if len(found) >= wanted:
                    break
            if len(found) >= wanted:
                break
        if soft:
            ranked.sort(key=lambda entry: -entry[0])
            found = [node for _, node in ranked[:wanted]]
        if self._subset > 1 and len(found) > 1:
            first = int(clock.random_fraction() * min(self._subset, len(found)))
            found.insert(0, found.pop(first))
        return found[: self._attempts]

    def _softly(self, node: Node, spec: dict[str, Any]) -> float:
        """Members of a soft group there, between 0 and 1, for or against the host."""
        hosts = spec["group"]["hosts"]
        share = hosts.get(node.host, 0) / max([1, *hosts.values()])
        if spec["group"]["policy"] == "soft-affinity":
            return self._soft * share * 10
        return -self._soft_anti * share * 10


def resources_of(flavor: dict[str, Any], local_root: bool = True) -> tuple[float, float, float]:
    """VCPUs, MiB, GiB of a server; a root disk on a volume takes no local disk."""
    disk = flavor["ephemeral_gb"] + -(-flavor["swap"] // 1024)
    return float(flavor["vcpus"]), float(flavor["memory_mb"]), float(disk + flavor["root_gb"] * local_root)


def _members(
    group: Group, refused: set[str], demanded: set[str] | None, force_nodes: list[str] | None
) -> list[Node]:
    nodes = group.members
    if demanded is not None:
        found = [node for key, node in nodes.items() if key[0] in demanded]
    elif refused or force_nodes:
        found = list(nodes.values())
    else:
        found = list(islice(nodes.values(), _ENOUGH))
    if force_nodes:
        found = [node for node in found if node.name in force_nodes]
    return [node for node in found if node.host not in refused] if refused else found


def _entry(
    one: Filter, spec: dict[str, Any], counts: tuple[int, int], lost: list[Group], out: set[str]
) -> dict[str, Any]:
    removed = []
    for group in lost[:_EXAMPLES]:
        host, node = next(iter(group.members))
        removed.append({"host": host, "node": node, "hosts": len(group.members), "why": one.why(group, spec)})
    removed += [{"host": host, "why": one.why(None, spec)} for host in sorted(out)[:_EXAMPLES]]
    return {"name": type(one).__name__, "before": counts[0], "after": counts[1], "removed": removed}


def _told(record: list[dict[str, Any]], known: int) -> str:
    if not known:
        return "No compute host has reported."
    if not record:
        return f"None of {known} hosts may be taken."
    last = record[-1]
    why = last["removed"][0]["why"] if last["removed"] else "none is left"
    return f"Of {known} hosts, {last['name']} left {last['after']} of {last['before']}: {why}."
