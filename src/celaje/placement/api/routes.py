"""Placement's table of contents: method, URL, policy rule, handler, since when."""

from celaje.common.wsgi import Route
from celaje.placement.api import (
    aggregates,
    allocation_candidates,
    allocations,
    inventories,
    reshaper,
    resource_classes,
    resource_providers,
    traits,
    usages,
    versions,
)

_PROVIDER = "/resource_providers/{uuid}"
_CLASS = "/resource_classes/{name}"
_OF = "placement:resource_providers"
_RC = "placement:resource_classes"
_ALLOC = "placement:allocations"

ROUTES: list[Route] = [
    Route("GET", "/", None, versions.home),
    # Providers
    Route("GET", "/resource_providers", f"{_OF}:list", resource_providers.listing),
    Route(
        "POST",
        "/resource_providers",
        f"{_OF}:create",
        resource_providers.create,
        until=(1, 13),
        schema=resource_providers.CREATE,
    ),
    Route(
        "POST",
        "/resource_providers",
        f"{_OF}:create",
        resource_providers.create,
        since=(1, 14),
        schema=resource_providers.CREATE_1_14,
    ),
    Route("GET", _PROVIDER, f"{_OF}:show", resource_providers.show),
    Route(
        "PUT",
        _PROVIDER,
        f"{_OF}:update",
        resource_providers.update,
        until=(1, 13),
        schema=resource_providers.UPDATE,
    ),
    Route(
        "PUT",
        _PROVIDER,
        f"{_OF}:update",
        resource_providers.update,
        since=(1, 14),
        schema=resource_providers.UPDATE_1_14,
    ),
    Route("DELETE", _PROVIDER, f"{_OF}:delete", resource_providers.delete, status=204),
    # Inventories
    Route("GET", f"{_PROVIDER}/inventories", f"{_OF}:inventories:list", inventories.listing),
    Route(
        "POST",
        f"{_PROVIDER}/inventories",
        f"{_OF}:inventories:create",
        inventories.create,
        status=201,
        schema=inventories.CREATE,
    ),
    Route(
        "PUT",
        f"{_PROVIDER}/inventories",
        f"{_OF}:inventories:update",
        inventories.update_all,
        schema=inventories.UPDATE_ALL,
    ),
    Route(
        "DELETE",
        f"{_PROVIDER}/inventories",
        f"{_OF}:inventories:delete",
        inventories.delete_all_before,
        status=204,
        until=(1, 4),
    ),
    Route(
        "DELETE",
        f"{_PROVIDER}/inventories",
        f"{_OF}:inventories:delete",
        inventories.delete_all,
        status=204,
        since=(1, 5),
    ),
    Route("GET", f"{_PROVIDER}/inventories/{{resource_class}}", f"{_OF}:inventories:show", inventories.show),
    Route(
        "PUT",
        f"{_PROVIDER}/inventories/{{resource_class}}",
        f"{_OF}:inventories:update",
        inventories.update_one,
        schema=inventories.UPDATE_ONE,
    ),
    Route(
        "DELETE",
        f"{_PROVIDER}/inventories/{{resource_class}}",
        f"{_OF}:inventories:delete",
        inventories.delete_one,
        status=204,
    ),
    # Usages
    Route("GET", f"{_PROVIDER}/usages", f"{_OF}:usages", usages.of_provider),
    Route("GET", "/usages", "placement:usages", usages.total, since=(1, 9), authorize="handler"),
    # Aggregates
    Route("GET", f"{_PROVIDER}/aggregates", f"{_OF}:aggregates:list", aggregates.listing, since=(1, 1)),
    Route(
        "PUT",
        f"{_PROVIDER}/aggregates",
        f"{_OF}:aggregates:update",
        aggregates.update,
        since=(1, 1),
        until=(1, 18),
        schema=aggregates.UPDATE,
    ),
    Route(
        "PUT",
        f"{_PROVIDER}/aggregates",
        f"{_OF}:aggregates:update",
        aggregates.update,
        since=(1, 19),
        schema=aggregates.UPDATE_1_19,
    ),
    # Traits
    Route("GET", "/traits", "placement:traits:list", traits.listing, since=(1, 6)),
    Route("GET", "/traits/{name}", "placement:traits:show", traits.show, status=204, since=(1, 6)),
    Route("PUT", "/traits/{name}", "placement:traits:update", traits.create, status=201, since=(1, 6)),
    Route("DELETE", "/traits/{name}", "placement:traits:delete", traits.delete, status=204, since=(1, 6)),
    Route("GET", f"{_PROVIDER}/traits", f"{_OF}:traits:list", traits.list_of_provider, since=(1, 6)),
    Route(
        "PUT",
        f"{_PROVIDER}/traits",
        f"{_OF}:traits:update",
        traits.update_of_provider,
        since=(1, 6),
        schema=traits.UPDATE,
    ),
    Route(
        "DELETE",
        f"{_PROVIDER}/traits",
        f"{_OF}:traits:delete",
        traits.delete_of_provider,
        status=204,
        since=(1, 6),
    ),
    # Resource classes
    Route("GET", "/resource_classes", f"{_RC}:list", resource_classes.listing, since=(1, 2)),
    Route(
        "POST",
        "/resource_classes",
        f"{_RC}:create",
        resource_classes.create,
        status=201,
        since=(1, 2),
        schema=resource_classes.CREATE,
    ),
    Route("GET", _CLASS, f"{_RC}:show", resource_classes.show, since=(1, 2)),
    Route(
        "PUT",
        _CLASS,
        f"{_RC}:update",
        resource_classes.rename,
        since=(1, 2),
        until=(1, 6),
        schema=resource_classes.CREATE,
    ),
    Route("PUT", _CLASS, f"{_RC}:update", resource_classes.ensure, status=204, since=(1, 7)),
    Route("DELETE", _CLASS, f"{_RC}:delete", resource_classes.delete, status=204, since=(1, 2)),
    # Allocations
    Route("GET", f"{_PROVIDER}/allocations", f"{_OF}:allocations:list", allocations.list_of_provider),
    Route("GET", "/allocations/{consumer}", f"{_ALLOC}:list", allocations.show),
    Route("DELETE", "/allocations/{consumer}", f"{_ALLOC}:delete", allocations.delete, status=204),
    *(
        Route(
            "PUT",
            "/allocations/{consumer}",
            f"{_ALLOC}:update",
            allocations.update,
            status=204,
            since=since,
            until=until,
            schema=schema,
        )
        for since, until, schema in (
            ((1, 0), (1, 7), allocations.PUT_1_0),
            ((1, 8), (1, 11), allocations.PUT_1_8),
            ((1, 12), (1, 27), allocations.PUT_1_12),
            ((1, 28), (1, 33), allocations.PUT_1_28),
            ((1, 34), (1, 37), allocations.PUT_1_34),
            ((1, 38), None, allocations.PUT_1_38),
        )
    ),
    *(
        Route(
            "POST",
            "/allocations",
            f"{_ALLOC}:manage",
            allocations.update_many,
            status=204,
            since=since,
            until=until,
            schema=schema,
        )
        for since, until, schema in (
            ((1, 13), (1, 27), allocations.POST_1_13),
            ((1, 28), (1, 33), allocations.POST_1_28),
            ((1, 34), (1, 37), allocations.POST_1_34),
            ((1, 38), None, allocations.POST_1_38),
        )
    ),
    *(
        Route(
            "POST",
            "/reshaper",
            "placement:reshaper:reshape",
            reshaper.reshape,
            status=204,
            since=since,
            until=until,
            schema=schema,
        )
        for since, until, schema in (
            ((1, 30), (1, 33), reshaper.RESHAPE_1_30),
            ((1, 34), (1, 37), reshaper.RESHAPE_1_34),
            ((1, 38), None, reshaper.RESHAPE_1_38),
        )
    ),
    Route(
        "GET",
        "/allocation_candidates",
        "placement:allocation_candidates:list",
        allocation_candidates.listing,
        since=(1, 10),
    ),
]
