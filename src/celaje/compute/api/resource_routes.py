"""Routes of what servers are made from and where they run: flavors, key pairs, quotas, limits, zones,
services, hypervisors, aggregates, server groups, usage. A part of `routes.py`."""

from celaje.common.wsgi import Route
from celaje.compute.api import (
    aggregates,
    availability_zones,
    extensions,
    flavor_access,
    flavor_extra_specs,
    flavors,
    hypervisors,
    keypairs,
    limits,
    quotas,
    server_groups,
    services,
    usage,
)

_V = "/v2.1"
_P = "os_compute_api:"

_FLAVOR = f"{_V}/flavors/{{flavor_id}}"
_SPECS = f"{_FLAVOR}/os-extra_specs"
FLAVORS = [
    Route("GET", f"{_V}/flavors", f"{_P}flavors", flavors.index),
    Route("GET", f"{_V}/flavors/detail", f"{_P}flavors", flavors.detail),
    Route(
        "POST",
        f"{_V}/flavors",
        f"{_P}os-flavor-manage:create",
        flavors.create,
        until=(2, 54),
        schema=flavors.CREATE,
    ),
    Route(
        "POST",
        f"{_V}/flavors",
        f"{_P}os-flavor-manage:create",
        flavors.create,
        since=(2, 55),
        until=(2, 101),
        schema=flavors.CREATE_2_55,
    ),
    Route(
        "POST",
        f"{_V}/flavors",
        f"{_P}os-flavor-manage:create",
        flavors.create,
        since=(2, 102),
        schema=flavors.CREATE_2_102,
    ),
    Route("GET", _FLAVOR, f"{_P}flavors", flavors.show),
    Route(
        "PUT",
        _FLAVOR,
        f"{_P}os-flavor-manage:update",
        flavors.update,
        since=(2, 55),
        schema=flavors.UPDATE,
    ),
    Route("DELETE", _FLAVOR, f"{_P}os-flavor-manage:delete", flavors.delete, status=202),
    Route("GET", f"{_FLAVOR}/os-flavor-access", f"{_P}os-flavor-access", flavor_access.index),
    Route(
        "POST",
        f"{_FLAVOR}/action",
        f"{_P}os-flavor-access:add_tenant_access",
        flavor_access.add,
        action="addTenantAccess",
        schema=flavor_access.ADD,
    ),
    Route(
        "POST",
        f"{_FLAVOR}/action",
        f"{_P}os-flavor-access:remove_tenant_access",
        flavor_access.remove,
        action="removeTenantAccess",
        schema=flavor_access.REMOVE,
    ),
    Route("GET", _SPECS, f"{_P}os-flavor-extra-specs:index", flavor_extra_specs.index),
    Route(
        "POST",
        _SPECS,
        f"{_P}os-flavor-extra-specs:create",
        flavor_extra_specs.create,
        schema=flavor_extra_specs.CREATE,
    ),
    Route("GET", f"{_SPECS}/{{key}}", f"{_P}os-flavor-extra-specs:show", flavor_extra_specs.show),
    Route(
        "PUT",
        f"{_SPECS}/{{key}}",
        f"{_P}os-flavor-extra-specs:update",
        flavor_extra_specs.update,
        schema=flavor_extra_specs.UPDATE,
    ),
    Route("DELETE", f"{_SPECS}/{{key}}", f"{_P}os-flavor-extra-specs:delete", flavor_extra_specs.delete),
]

_KEYPAIR = f"{_V}/os-keypairs/{{name}}"
KEYPAIRS = [
    Route("GET", f"{_V}/os-keypairs", f"{_P}os-keypairs:index", keypairs.index, authorize="handler"),
    *(
        Route(
            "POST",
            f"{_V}/os-keypairs",
            f"{_P}os-keypairs:create",
            keypairs.create,
            status=201,
            since=since,
            until=until,
            schema=schema,
            authorize="handler",
        )
        for since, until, schema in (
            ((2, 1), (2, 1), keypairs.CREATE),
            ((2, 2), (2, 9), keypairs.CREATE_2_2),
            ((2, 10), (2, 91), keypairs.CREATE_2_10),
            ((2, 92), None, keypairs.CREATE_2_92),
        )
    ),
    Route("GET", _KEYPAIR, f"{_P}os-keypairs:show", keypairs.show, authorize="handler"),
    Route("DELETE", _KEYPAIR, f"{_P}os-keypairs:delete", keypairs.delete, status=204, authorize="handler"),
]

_QUOTA = f"{_V}/os-quota-sets/{{project_id}}"
_CLASS = f"{_V}/os-quota-class-sets/{{name}}"
QUOTAS = [
    Route("GET", _QUOTA, f"{_P}os-quota-sets:show", quotas.show, authorize="handler"),
    Route("GET", f"{_QUOTA}/detail", f"{_P}os-quota-sets:detail", quotas.detail, authorize="handler"),
    Route("GET", f"{_QUOTA}/defaults", f"{_P}os-quota-sets:defaults", quotas.defaults, authorize="handler"),
    *(
        Route(
            "PUT",
            _QUOTA,
            f"{_P}os-quota-sets:update",
            quotas.update,
            since=since,
            until=until,
            schema=schema,
            authorize="handler",
        )
        for since, until, schema in (
            (None, (2, 35), quotas.UPDATE),
            ((2, 36), (2, 56), quotas.UPDATE_2_36),
            ((2, 57), None, quotas.UPDATE_2_57),
        )
    ),
    Route("DELETE", _QUOTA, f"{_P}os-quota-sets:delete", quotas.delete, status=202, authorize="handler"),
    Route("GET", _CLASS, f"{_P}os-quota-class-sets:show", quotas.show_class),
    *(
        Route(
            "PUT",
            _CLASS,
            f"{_P}os-quota-class-sets:update",
            quotas.update_class,
            since=since,
            until=until,
            schema=schema,
        )
        for since, until, schema in (
            (None, (2, 49), quotas.UPDATE_CLASS),
            ((2, 50), (2, 56), quotas.UPDATE_CLASS_2_50),
            ((2, 57), None, quotas.UPDATE_CLASS_2_57),
        )
    ),
    Route("GET", f"{_V}/limits", f"{_P}limits", limits.index),
]

_SERVICE = f"{_V}/os-services/{{service_id}}"
_HYPERVISOR = f"{_V}/os-hypervisors/{{hypervisor_id}}"
PLACES = [
    Route("GET", f"{_V}/os-availability-zone", f"{_P}os-availability-zone:list", availability_zones.index),
    Route(
        "GET",
        f"{_V}/os-availability-zone/detail",
        f"{_P}os-availability-zone:detail",
        availability_zones.detail,
    ),
    Route("GET", f"{_V}/os-services", f"{_P}os-services:list", services.index),
    Route(
        "PUT",
        _SERVICE,
        f"{_P}os-services:update",
        services.update_before,
        until=(2, 10),
        schema=services.UPDATE,
    ),
    Route(
        "PUT",
        _SERVICE,
        f"{_P}os-services:update",
        services.update_before,
        since=(2, 11),
        until=(2, 52),
        schema=services.UPDATE_2_11,
    ),
    Route(
        "PUT",
        _SERVICE,
        f"{_P}os-services:update",
        services.update,
        since=(2, 53),
        schema=services.UPDATE_2_53,
    ),
    Route("DELETE", _SERVICE, f"{_P}os-services:delete", services.delete, status=204),
    Route("GET", f"{_V}/os-hypervisors", f"{_P}os-hypervisors:list", hypervisors.index),
    Route("GET", f"{_V}/os-hypervisors/detail", f"{_P}os-hypervisors:list-detail", hypervisors.detail),
    Route(
        "GET",
        f"{_V}/os-hypervisors/statistics",
        f"{_P}os-hypervisors:statistics",
        hypervisors.statistics,
        until=(2, 87),
    ),
    Route("GET", _HYPERVISOR, f"{_P}os-hypervisors:show", hypervisors.show),
    Route(
        "GET",
        f"{_HYPERVISOR}/uptime",
        f"{_P}os-hypervisors:uptime",
        hypervisors.show_uptime,
        until=(2, 87),
    ),
    Route("GET", f"{_HYPERVISOR}/search", f"{_P}os-hypervisors:search", hypervisors.search, until=(2, 52)),
    Route("GET", f"{_HYPERVISOR}/servers", f"{_P}os-hypervisors:servers", hypervisors.servers, until=(2, 52)),
]

_AGGREGATE = f"{_V}/os-aggregates/{{aggregate_id}}"
_AG = f"{_P}os-aggregates"
AGGREGATES = [
    Route("GET", f"{_V}/os-aggregates", f"{_AG}:index", aggregates.index),
    Route("POST", f"{_V}/os-aggregates", f"{_AG}:create", aggregates.create, schema=aggregates.CREATE),
    Route("GET", _AGGREGATE, f"{_AG}:show", aggregates.show),
    Route("PUT", _AGGREGATE, f"{_AG}:update", aggregates.update, schema=aggregates.UPDATE),
    Route("DELETE", _AGGREGATE, f"{_AG}:delete", aggregates.delete),
    Route(
        "POST",
        f"{_AGGREGATE}/action",
        f"{_AG}:add_host",
        aggregates.add_host,
        action="add_host",
        schema=aggregates.ADD_HOST,
    ),
    Route(
        "POST",
        f"{_AGGREGATE}/action",
        f"{_AG}:remove_host",
        aggregates.remove_host,
        action="remove_host",
        schema=aggregates.REMOVE_HOST,
    ),
    Route(
        "POST",
        f"{_AGGREGATE}/action",
        f"{_AG}:set_metadata",
        aggregates.set_metadata,
        action="set_metadata",
        schema=aggregates.SET_METADATA,
    ),
]

_GROUP = f"{_V}/os-server-groups/{{group_id}}"
_SG = f"{_P}os-server-groups"
SERVER_GROUPS = [
    Route("GET", f"{_V}/os-server-groups", f"{_SG}:index", server_groups.index),
    *(
        Route(
            "POST",
            f"{_V}/os-server-groups",
            f"{_SG}:create",
            server_groups.create,
            since=since,
            until=until,
            schema=schema,
        )
        for since, until, schema in (
            (None, (2, 14), server_groups.CREATE),
            ((2, 15), (2, 63), server_groups.CREATE_2_15),
            ((2, 64), None, server_groups.CREATE_2_64),
        )
    ),
    Route("GET", _GROUP, f"{_SG}:show", server_groups.show, authorize="handler"),
    Route("DELETE", _GROUP, f"{_SG}:delete", server_groups.delete, status=204, authorize="handler"),
]

_USAGE = "os-simple-tenant-usage"
REPORTS = [
    Route("GET", f"{_V}/{_USAGE}", f"{_P}{_USAGE}:list", usage.index),
    Route("GET", f"{_V}/{_USAGE}/{{project_id}}", f"{_P}{_USAGE}:show", usage.show, authorize="handler"),
    Route("GET", f"{_V}/extensions", f"{_P}extensions", extensions.index),
    Route("GET", f"{_V}/extensions/{{alias}}", f"{_P}extensions", extensions.show),
]

ROUTES: list[Route] = [
    *FLAVORS,
    *KEYPAIRS,
    *QUOTAS,
    *PLACES,
    *AGGREGATES,
    *SERVER_GROUPS,
    *REPORTS,
]
