"""Weighers: which of the hosts that passed is best. Nova's names and options of their multipliers.

Each weigher's values are brought to 0..1 over the candidates, then multiplied and added.
"""

from typing import Any, ClassVar

from celaje.compute.scheduler.hosts import Group

Spec = dict[str, Any]


class Weigher:
    option: ClassVar[str]

    def __init__(self, conf: Any):
        self.multiplier = float(getattr(conf.filter_scheduler, self.option))

    def value(self, group: Group, spec: Spec) -> float:
        raise NotImplementedError


class CPUWeigher(Weigher):
    option = "cpu_weight_multiplier"

    def value(self, group: Group, spec: Spec) -> float:
        return group.facts["free"][0]


class RAMWeigher(Weigher):
    option = "ram_weight_multiplier"

    def value(self, group: Group, spec: Spec) -> float:
        return group.facts["free"][1]


class DiskWeigher(Weigher):
    option = "disk_weight_multiplier"

    def value(self, group: Group, spec: Spec) -> float:
        return group.facts["free"][2]


WEIGHERS = (CPUWeigher, RAMWeigher, DiskWeigher)


def make_weighers(conf: Any) -> list[Weigher]:
    return [cls(conf) for cls in WEIGHERS]


def weigh(weighers: list[Weigher], groups: list[Group], spec: Spec) -> list[float]:
    """The weight of each group, in their order."""
    weights = [0.0] * len(groups)
    for weigher in weighers:
        if not weigher.multiplier:
            continue
        values = [weigher.value(group, spec) for group in groups]
        least, most = min(values), max(values)
        if most == least:
            continue
        scale = weigher.multiplier / (most - least)
        shift = least * scale
        weights = [weight + value * scale - shift for weight, value in zip(weights, values, strict=True)]
    return weights
