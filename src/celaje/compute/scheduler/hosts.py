"""What the scheduler knows of the hosts: reports kept in memory, alike hosts kept together.

Filled by the scheduler's messages, read by filters and weighers. Hosts of which every filter and weigher
would say the same form one group, so that 10,000 hosts of which most are alike are judged once.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from celaje.common import clock

_FREE = ("vcpus", "memory_mb", "disk_gb")


class Group:
    """Hosts alike: `facts` is what they share. Free amounts already have the allocation ratios in them."""

    __slots__ = ("facts", "members")

    def __init__(self, facts: dict[str, Any]):
        self.facts = facts
        self.members: dict[tuple[str, str], Node] = {}


class Node:
    """One hypervisor of one host; `total` with ratios and reserves, `used` as last known."""

    __slots__ = (
        "fixed",
        "group",
        "host",
        "key",
        "name",
        "provider",
        "seen",
        "servers",
        "total",
        "used",
        "worker",
    )

    def __init__(self, host: str, name: str, worker: str):
        self.host = host
        self.name = name
        self.worker = worker
        self.key = (host, name)
        self.provider: str | None = None
        self.total = (0.0, 0.0, 0.0)
        self.used = (0.0, 0.0, 0.0)
        self.servers = 0
        self.fixed: tuple[Any, ...] = ()
        # By the monotonic clock: a step of the other one silences nobody.
        self.seen = clock.monotonic()
        self.group: Group | None = None


class Hosts:
    """Not thread-safe: the scheduler holds its lock around every use."""

    def __init__(self, default_zone: str):
        self._default_zone = default_zone
        self.nodes: dict[tuple[str, str], Node] = {}
        self._groups: dict[tuple[Any, ...], Group] = {}
        self._aggregates_of: dict[str, tuple[tuple[str, tuple[tuple[str, str], ...]], ...]] = {}
        self._disabled: frozenset[str] = frozenset()
        self._providers: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self.nodes)

    def groups(self) -> Iterator[Group]:
        return iter(self._groups.values())

    def update(self, worker: str, hosts: dict[str, dict[str, Any]]) -> None:
        """A worker's report takes the place of all that was known of these hosts."""
        now = clock.monotonic()
        for host, report in hosts.items():
            for name, resources in report["nodes"].items():
                node = self.nodes.get((host, name))
                if node is None:
                    node = self.nodes[(host, name)] = Node(host, name, worker)
                node.worker = worker
                node.seen = now
                node.total = (
                    (resources["vcpus"] - report["reserved"]["vcpus"]) * report["ratios"]["vcpus"],
                    (resources["memory_mb"] - report["reserved"]["memory_mb"])
                    * report["ratios"]["memory_mb"],
                    (resources["disk_gb"] - report["reserved"]["disk_gb"]) * report["ratios"]["disk_gb"],
                )
                node.used = tuple(float(resources[f"{key}_used"]) for key in _FREE)  # type: ignore[assignment]
                node.servers = resources["running_servers"]
                node.fixed = (
                    resources["hypervisor_type"],
                    tuple(sorted(resources.get("traits") or ())),
                    tuple(sorted(resources.get("image_formats") or ())),
                    str((resources.get("cpu_info") or {}).get("arch", "")),
                )
                self._place(node)

    def forget_silent(self, oldest: float) -> None:
        """Hosts not heard of since are out, until they report again."""
        for key in [key for key, node in self.nodes.items() if node.seen < oldest]:
            self._leave(self.nodes.pop(key))

    def set_facts(
        self, aggregates: Iterable[dict[str, Any]], disabled: Iterable[str], providers: dict[str, str]
    ) -> None:
        found: dict[str, list[tuple[str, tuple[tuple[str, str], ...]]]] = {}
        for aggregate in aggregates:
            entry = (aggregate["name"], tuple(sorted(aggregate["metadata"].items())))
            for host in aggregate["hosts"]:
                found.setdefault(host, []).append(entry)
        self._aggregates_of = {host: tuple(sorted(entries)) for host, entries in found.items()}
        self._disabled = frozenset(disabled)
        self._providers = providers
        for node in self.nodes.values():
            self._place(node)

    def consume(self, node: Node, vcpus: float, memory_mb: float, disk_gb: float, servers: int = 1) -> None:
        """A decision of ours, or (negative) a server that has left."""
        node.used = (
            max(0.0, node.used[0] + vcpus),
            max(0.0, node.used[1] + memory_mb),
            max(0.0, node.used[2] + disk_gb),
        )
        node.servers = max(0, node.servers + servers)
        self._place(node)

    def _place(self, node: Node) -> None:
        node.provider = self._providers.get(f"{node.host}/{node.name}")
        aggregates = self._aggregates_of.get(node.host, ())
        disabled = node.host in self._disabled
        key = (node.total, node.used, node.servers, node.fixed, aggregates, disabled, node.provider is None)
        group = self._groups.get(key)
        if group is not None and group is node.group:
            return
        self._leave(node)
        if group is None:
            group = self._groups[key] = Group(self._facts(node, aggregates, disabled))
        group.members[node.key] = node
        node.group = group
        # The key is kept with the group, to drop it when its last member leaves.
        group.facts["key"] = key

    def _facts(self, node: Node, aggregates: tuple[Any, ...], disabled: bool) -> dict[str, Any]:
        metadata: dict[str, set[str]] = {}
        for _, items in aggregates:
            for key, value in items:
                metadata.setdefault(key, set()).update(part.strip() for part in value.split(","))
        hypervisor, traits, formats, architecture = node.fixed
        return {
            "free": tuple(total - used for total, used in zip(node.total, node.used, strict=True)),
            "total": node.total,
            "servers": node.servers,
            "zones": metadata.get("availability_zone") or {self._default_zone},
            "aggregate_metadata": metadata,
            "disabled": disabled,
            "published": node.provider is not None,
            "hypervisor_type": hypervisor,
            "traits": frozenset(traits),
            "image_formats": frozenset(formats),
            "architecture": architecture,
        }

    def _leave(self, node: Node) -> None:
        group = node.group
        if group is None:
            return
        group.members.pop(node.key, None)
        if not group.members:
            self._groups.pop(group.facts["key"], None)
        node.group = None
