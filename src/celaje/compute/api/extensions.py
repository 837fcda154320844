"""Extensions: all are a part of the API since 2.1; the list is kept for clients that ask for one by name."""

from typing import Any

from celaje.common.errors import NotFound
from celaje.common.wsgi import Request

_UPDATED = "2014-12-03T00:00:00Z"
# Alias -> name, as v2.0 had them.
_EXTENSIONS = {
    "os-aggregates": "Aggregates",
    "os-attach-interfaces": "AttachInterfaces",
    "os-availability-zone": "AvailabilityZone",
    "os-config-drive": "ConfigDrive",
    "os-console-output": "ConsoleOutput",
    "os-consoles": "Consoles",
    "os-flavor-access": "FlavorAccess",
    "os-flavor-extra-specs": "FlavorExtraSpecs",
    "os-flavor-manage": "FlavorManage",
    "os-hypervisors": "Hypervisors",
    "os-instance-actions": "InstanceActions",
    "os-keypairs": "Keypairs",
    "os-migrations": "Migrations",
    "os-quota-class-sets": "QuotaClasses",
    "os-quota-sets": "Quotas",
    "os-rescue": "Rescue",
    "os-scheduler-hints": "SchedulerHints",
    "os-server-external-events": "ServerExternalEvents",
    "os-server-groups": "ServerGroups",
    "os-server-password": "ServerPassword",
    "os-services": "Services",
    "os-simple-tenant-usage": "SimpleTenantUsage",
    "os-used-limits": "UsedLimits",
    "os-volumes": "Volumes",
}


def _view(alias: str) -> dict[str, Any]:
    name = _EXTENSIONS[alias]
    return {
        "alias": alias,
        "name": name,
        "description": f"{name}.",
        "namespace": "http://docs.openstack.org/compute/ext/fake_xml",
        "updated": _UPDATED,
        "links": [],
    }


def index(request: Request) -> dict[str, Any]:
    return {"extensions": [_view(alias) for alias in _EXTENSIONS]}


def show(request: Request, alias: str) -> dict[str, Any]:
    if alias not in _EXTENSIONS:
        raise NotFound("The resource could not be found.")
    return {"extension": _view(alias)}
