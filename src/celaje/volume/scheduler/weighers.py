"""Which of the pools that passed is best: one small class a weigher, named in `scheduler_default_weighers`.

Each weigher's raw numbers are brought to 0..1, multiplied by its option and added, as Cinder does.
"""

import logging
import math
from typing import Any, ClassVar

from celaje.common import clock
from celaje.common.errors import ConfigurationError
from celaje.volume.scheduler import functions
from celaje.volume.scheduler.filters import names as formula_names
from celaje.volume.scheduler.pools import Pool

log = logging.getLogger(__name__)


class Weigher:
    registry: ClassVar[dict[str, type["Weigher"]]] = {}
    # None: its weight is not multiplied, as with Cinder's.
    option: ClassVar[str | None] = None

    def __init_subclass__(cls) -> None:
        Weigher.registry[cls.__name__] = cls

    def __init__(self, multiplier: float):
        self.multiplier = multiplier

    def raw(self, pool: Pool, request: dict[str, Any]) -> float:
        raise NotImplementedError


class CapacityWeigher(Weigher):
    """Free capacity: the volumes spread. A pool that does not know its capacity comes last."""

    option = "capacity_weight_multiplier"

    def raw(self, pool: Pool, request: dict[str, Any]) -> float:
        thick = request.get("extra_specs", {}).get("provisioning:type") == "thick"
        free = pool.virtual_free(thick=thick)
        if free is not None:
            return free
        return -1.0 if self.multiplier > 0 else float("inf")


class AllocatedCapacityWeigher(Weigher):
    """Allocated capacity; with its negative default the least used pool wins."""

    option = "allocated_capacity_weight_multiplier"

    def raw(self, pool: Pool, request: dict[str, Any]) -> float:
        return pool.allocated


class GoodnessWeigher(Weigher):
    """The back end's own `goodness_function`, from 0 to 100; anything else counts as 0."""

    def raw(self, pool: Pool, request: dict[str, Any]) -> float:
        formula = pool.capabilities.get("goodness_function")
        if not formula:
            return 0.0
        try:
            goodness = functions.evaluate(str(formula), formula_names(pool, request))
        except functions.FormulaError as error:
            log.warning("%s: its goodness_function fails: %s", pool.name, error)
            return 0.0
        goodness = float(goodness) if isinstance(goodness, int | float) else math.nan
        if not 0 <= goodness <= 100:
            log.warning("%s: its goodness_function gives %s, not 0 to 100", pool.name, goodness)
            return 0.0
        return goodness


class VolumeNumberWeigher(Weigher):
    """The number of volumes; with its negative default the pool with the fewest wins."""

    option = "volume_number_multiplier"

    def raw(self, pool: Pool, request: dict[str, Any]) -> float:
        return float(pool.capabilities.get("total_volumes") or 0) + pool.placed


class ChanceWeigher(Weigher):
    """Any of those that passed."""

    def raw(self, pool: Pool, request: dict[str, Any]) -> float:
        return clock.random_fraction()


def weigh(weighers: list[Weigher], pools: list[Pool], request: dict[str, Any]) -> list[tuple[float, Pool]]:
    """(weight, pool), best first; equal ones in the order of their names."""
    totals = dict.fromkeys((pool.name for pool in pools), 0.0)
    for weigher in weighers:
        raws = {pool.name: weigher.raw(pool, request) for pool in pools}
        finite = [value for value in raws.values() if value != float("inf")]
        low, high = (min(finite), max(finite)) if finite else (0.0, 0.0)
        for name, value in raws.items():
            scaled = 1.0 if value == float("inf") else (value - low) / (high - low) if high > low else 0.0
            totals[name] += weigher.multiplier * scaled
    return sorted(((totals[pool.name], pool) for pool in pools), key=lambda pair: (-pair[0], pair[1].name))


def chosen(names: list[str], conf: Any) -> list[Weigher]:
    unknown = [name for name in names if name not in Weigher.registry]
    if unknown:
        known = ", ".join(Weigher.registry)
        raise ConfigurationError(f"scheduler_default_weighers: {unknown[0]} is not one of {known}.")
    classes = [Weigher.registry[name] for name in names]
    return [cls(getattr(conf, cls.option) if cls.option else 1.0) for cls in classes]
