"""Allocation candidates: every way in which provider trees can satisfy a request. Pure, without a database.

Called by the handler of GET /allocation_candidates with providers from `db/stock.py`. The rules are those of
the Placement API reference: resources come from one tree and from providers that share with it through an
aggregate; a suffixed group comes from one provider whole.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

SHARES = "MISC_SHARES_VIA_AGGREGATE"

Resources = Mapping[str, int]
Part = tuple["Provider", dict[str, int]]


@dataclass(slots=True)
class Inventory:
    capacity: float
    used: int
    min_unit: int
    max_unit: int
    step_size: int

    def fits(self, amount: int) -> bool:
        if not self.min_unit <= amount <= self.max_unit or amount % self.step_size:
            return False
        return self.used + amount <= self.capacity


@dataclass(slots=True)
class Provider:
    uuid: str
    parent_uuid: str | None
    root_uuid: str
    inventories: dict[str, Inventory] = field(default_factory=dict)
    traits: set[str] = field(default_factory=set)
    aggregates: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Group:
    """One request group. `required` and `member_of` are lists of sets of which one each must be there."""

    suffix: str = ""
    resources: dict[str, int] = field(default_factory=dict)
    required: list[set[str]] = field(default_factory=list)
    forbidden: set[str] = field(default_factory=set)
    member_of: list[set[str]] = field(default_factory=list)
    forbidden_aggregates: set[str] = field(default_factory=set)
    in_tree: str | None = None


@dataclass(slots=True)
class Wishes:
    """What concerns all groups together. `same_subtree` lists sets of suffixes."""

    isolate: bool = False
    root_required: set[str] = field(default_factory=set)
    root_forbidden: set[str] = field(default_factory=set)
    same_subtree: list[set[str]] = field(default_factory=list)


@dataclass(slots=True)
class Candidate:
    """provider uuid -> class -> amount, and which providers serve which group."""

    allocations: dict[str, dict[str, int]]
    mappings: dict[str, list[str]]


def find(
    providers: Sequence[Provider], groups: Sequence[Group], wishes: Wishes, *, nested: bool = True
) -> Iterator[Candidate]:
    """Candidates one by one, so that a limit saves the work behind it. Without `nested` (before
    microversion 1.29) no candidate takes from two providers of one tree."""
    by_uuid = {provider.uuid: provider for provider in providers}
    trees: dict[str, list[Provider]] = {}
    for provider in providers:
        trees.setdefault(provider.root_uuid, []).append(provider)
    sharing = [provider for provider in providers if SHARES in provider.traits]
    seen: set[object] = set()
    for root_uuid, members in trees.items():
        root = by_uuid.get(root_uuid)
        if root is None or not _root_fits(root, wishes):
            continue
        aggregates = set().union(*(member.aggregates for member in members))
        guests = [p for p in sharing if p.root_uuid != root_uuid and p.aggregates & aggregates]
        for candidate in _of_tree(members, guests, groups, wishes, by_uuid, nested):
            key = _key(candidate)
            if key not in seen:
                seen.add(key)
                yield candidate


def _of_tree(  # noqa: PLR0917
    members: list[Provider],
    guests: list[Provider],
    groups: Sequence[Group],
    wishes: Wishes,
    by_uuid: Mapping[str, Provider],
    nested: bool,
) -> Iterator[Candidate]:
    choices = []
    for group in groups:
        options = list(_options(group, members, guests, by_uuid))
        if not options:
            return
        choices.append(options)
    for chosen in itertools.product(*choices):
        if wishes.isolate and not _isolated(groups, chosen):
            continue
        if not all(_same_subtree(groups, chosen, suffixes, by_uuid) for suffixes in wishes.same_subtree):
            continue
        candidate = _merge(groups, chosen, by_uuid)
        if candidate is not None and (nested or _one_a_tree(candidate, by_uuid)):
            yield candidate


def _options(
    group: Group, members: list[Provider], guests: list[Provider], by_uuid: Mapping[str, Provider]
) -> Iterator[list[Part]]:
    usable = [p for p in itertools.chain(members, guests) if _allowed(group, p, by_uuid)]
    if group.suffix:
        for provider in usable:
            if not group.resources and provider in guests:
                continue
            has_traits = all(wanted & provider.traits for wanted in group.required)
            if has_traits and all(_fits(provider, name, n) for name, n in group.resources.items()):
                yield [(provider, dict(group.resources))]
        return
    names = list(group.resources)
    lists = [[p for p in usable if _fits(p, name, group.resources[name])] for name in names]
    for chosen in itertools.product(*lists):
        traits = set().union(*(provider.traits for provider in chosen))
        if all(wanted & traits for wanted in group.required):
            yield [(p, {name: group.resources[name]}) for name, p in zip(names, chosen, strict=True)]


def _allowed(group: Group, provider: Provider, by_uuid: Mapping[str, Provider]) -> bool:
    if group.forbidden & provider.traits:
        return False
    if group.in_tree is not None:
        tree = by_uuid.get(group.in_tree)
        if tree is None or tree.root_uuid != provider.root_uuid:
            return False
    aggregates = provider.aggregates
    if not group.suffix:
        # The unsuffixed group speaks of the tree: an aggregate of the root spans it all.
        root = by_uuid.get(provider.root_uuid)
        aggregates = aggregates | root.aggregates if root else aggregates
    if group.forbidden_aggregates & aggregates:
        return False
    return all(wanted & aggregates for wanted in group.member_of)


def _fits(provider: Provider, name: str, amount: int) -> bool:
    inventory = provider.inventories.get(name)
    return inventory is not None and inventory.fits(amount)


def _root_fits(root: Provider, wishes: Wishes) -> bool:
    return wishes.root_required <= root.traits and not wishes.root_forbidden & root.traits


def _isolated(groups: Sequence[Group], chosen: Sequence[list[Part]]) -> bool:
    used = [
        parts[0][0].uuid
        for group, parts in zip(groups, chosen, strict=True)
        if group.suffix and group.resources
    ]
    return len(used) == len(set(used))


def _same_subtree(
    groups: Sequence[Group],
    chosen: Sequence[list[Part]],
    suffixes: set[str],
    by_uuid: Mapping[str, Provider],
) -> bool:
    """Whether one of the groups' providers is an ancestor of all of them, or the same."""
    used = {
        provider.uuid
        for group, parts in zip(groups, chosen, strict=True)
        if group.suffix in suffixes
        for provider, _ in parts
    }
    lines = [_line(uuid, by_uuid) for uuid in used]
    return any(all(top in line for line in lines) for top in used)


def _line(uuid: str | None, by_uuid: Mapping[str, Provider]) -> list[str]:
    """The provider and its ancestors."""
    line: list[str] = []
    while uuid is not None and uuid in by_uuid and uuid not in line:
        line.append(uuid)
        uuid = by_uuid[uuid].parent_uuid
    return line


def _merge(
    groups: Sequence[Group], chosen: Sequence[list[Part]], by_uuid: Mapping[str, Provider]
) -> Candidate | None:
    """The parts put together; None when a provider cannot give what all groups ask of it."""
    allocations: dict[str, dict[str, int]] = {}
    mappings: dict[str, list[str]] = {}
    for group, parts in zip(groups, chosen, strict=True):
        served = mappings.setdefault(group.suffix, [])
        for provider, resources in parts:
            if provider.uuid not in served:
                served.append(provider.uuid)
            if resources:
                mine = allocations.setdefault(provider.uuid, {})
                for name, amount in resources.items():
                    mine[name] = mine.get(name, 0) + amount
    for uuid, resources in allocations.items():
        if not all(_fits(by_uuid[uuid], name, amount) for name, amount in resources.items()):
            return None
    return Candidate(allocations, mappings)


def _one_a_tree(candidate: Candidate, by_uuid: Mapping[str, Provider]) -> bool:
    roots = [by_uuid[uuid].root_uuid for uuid in candidate.allocations]
    return len(roots) == len(set(roots))


def _key(candidate: Candidate) -> object:
    return (
        frozenset(
            (uuid, name, amount)
            for uuid, resources in candidate.allocations.items()
            for name, amount in resources.items()
        ),
        frozenset((suffix, frozenset(served)) for suffix, served in candidate.mappings.items()),
    )
