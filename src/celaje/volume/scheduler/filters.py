"""Which pools can take a volume at all: one small class a filter, named in `scheduler_default_filters`.

A filter answers with the reason for which it removes a pool, with its numbers, or with None.
"""

from typing import Any, ClassVar

from celaje.common.errors import ConfigurationError
from celaje.volume.scheduler import extra_specs, functions, json_query
from celaje.volume.scheduler.pools import Pool

Request = dict[str, Any]


class Filter:
    registry: ClassVar[dict[str, type["Filter"]]] = {}

    def __init_subclass__(cls) -> None:
        Filter.registry[cls.__name__] = cls

    def refuses(self, pool: Pool, request: Request) -> str | None:
        raise NotImplementedError


class AvailabilityZoneFilter(Filter):
    """The zone that was asked for, and those that the type allows (RESKEY:availability_zones)."""

    def refuses(self, pool: Pool, request: Request) -> str | None:
        asked = request.get("availability_zone")
        if asked and pool.availability_zone != asked:
            return f"is in zone {pool.availability_zone}, {asked} is asked for"
        allowed = request.get("extra_specs", {}).get("RESKEY:availability_zones")
        if allowed and pool.availability_zone not in [zone.strip() for zone in allowed.split(",")]:
            return f"is in zone {pool.availability_zone}, the type allows {allowed}"
        return None


class CapacityFilter(Filter):
    """Room, over-subscription and reserved part taken into account."""

    def refuses(self, pool: Pool, request: Request) -> str | None:
        size = request["size"]
        thick = request.get("extra_specs", {}).get("provisioning:type") == "thick"
        if pool.total is None or pool.free is None:
            reserved = pool.capabilities.get("reserved_percentage") or 0
            if pool.total is None and pool.free is not None and reserved:
                return f"{reserved} % of an unknown capacity cannot be reserved"
            return None
        if pool.total <= 0:
            return "has no capacity"
        if pool.thin and not thick and pool.ratio < 1:
            return f"max_over_subscription_ratio is {pool.ratio:g}, it must be at least 1"
        free = pool.virtual_free(thick=thick)
        assert free is not None
        if free < size:
            return (
                f"{size} GiB are asked for, {free:g} GiB can be promised (total {pool.total:g}, free "
                f"{pool.free:g}, reserved {pool.reserved:g}, provisioned {pool.provisioned:g}, over-"
                f"subscription {pool.ratio:g})"
            )
        return None


class CapabilitiesFilter(Filter):
    """The extra specs of the volume's type."""

    def refuses(self, pool: Pool, request: Request) -> str | None:
        return extra_specs.unmet(pool.capabilities, request.get("extra_specs", {}))


class DriverFilter(Filter):
    """The back end's own `filter_function`. One that cannot be worked out refuses: it was written to."""

    def refuses(self, pool: Pool, request: Request) -> str | None:
        formula = pool.capabilities.get("filter_function")
        if not formula:
            return None
        try:
            fits = bool(functions.evaluate(str(formula), names(pool, request)))
        except functions.FormulaError as error:
            return f"its filter_function fails: {error.message}"
        return None if fits else f"its filter_function refuses: {formula}"


def names(pool: Pool, request: Request) -> dict[str, Any]:
    """What a formula can speak of."""
    stats = {
        **pool.capabilities,
        "host": pool.name,
        "allocated_capacity_gb": pool.allocated,
        "provisioned_capacity_gb": pool.provisioned,
    }
    return {
        "stats": stats,
        "capabilities": pool.capabilities,
        "volume": {"size": request["size"], **request.get("volume", {})},
        "extra": request.get("extra_specs", {}),
        "qos": request.get("qos_specs") or {},
    }


class DifferentBackendFilter(Filter):
    """Hint different_host: not where these volumes lie (their back ends, found by the API)."""

    def refuses(self, pool: Pool, request: Request) -> str | None:
        taken = request.get("hints", {}).get("different_backends") or []
        return "holds a volume that this one must be kept apart from" if pool.host in taken else None


class SameBackendFilter(Filter):
    """Hint same_host: where these volumes lie."""

    def refuses(self, pool: Pool, request: Request) -> str | None:
        wanted = request.get("hints", {}).get("same_backends") or []
        return "does not hold the volume to be next to" if wanted and pool.host not in wanted else None


class JsonFilter(Filter):
    """Hint query: a JSON expression over the pool's numbers. One that is none refuses: it was written to."""

    def refuses(self, pool: Pool, request: Request) -> str | None:
        query = request.get("hints", {}).get("query")
        if not query:
            return None
        known = {
            **pool.capabilities,
            "host": pool.name,
            "allocated_capacity_gb": pool.allocated,
            "provisioned_capacity_gb": pool.provisioned,
            "capabilities": pool.capabilities,
        }
        try:
            return None if json_query.fits(query, known) else f"the query {query} refuses it"
        except json_query.QueryError as error:
            return error.message


class InstanceLocalityFilter(Filter):
    """Hint local_to_instance: on the host of this server (found by the API)."""

    def refuses(self, pool: Pool, request: Request) -> str | None:
        wanted = request.get("hints", {}).get("instance_host")
        if wanted and pool.host.partition("@")[0] != wanted:
            return f"is not on {wanted}, where the server is"
        return None


def chosen(names: list[str]) -> list[Filter]:
    """The filters of an option's list, in its order."""
    unknown = [name for name in names if name not in Filter.registry]
    if unknown:
        known = ", ".join(Filter.registry)
        raise ConfigurationError(f"scheduler_default_filters: {unknown[0]} is not one of {known}.")
    return [Filter.registry[name]() for name in names]
