"""Limits: what a project may have and has, in the names that clients know best."""

from typing import Any

from celaje.common.db import Transaction
from celaje.common.wsgi import Request
from celaje.compute.api.inputs import check_query
from celaje.compute.db import quotas

OTHER_PROJECT = "os_compute_api:limits:other_project"

# Name shown, resource, the first microversion without it.
_MAXIMA: tuple[tuple[str, str, tuple[int, int] | None], ...] = (
    ("maxTotalInstances", "instances", None),
    ("maxTotalCores", "cores", None),
    ("maxTotalRAMSize", "ram", None),
    ("maxTotalFloatingIps", "floating_ips", (2, 36)),
    ("maxSecurityGroups", "security_groups", (2, 36)),
    ("maxSecurityGroupRules", "security_group_rules", (2, 36)),
    ("maxServerMeta", "metadata_items", None),
    ("maxImageMeta", "metadata_items", (2, 39)),
    ("maxPersonality", "injected_files", (2, 57)),
    ("maxPersonalitySize", "injected_file_content_bytes", (2, 57)),
    ("maxTotalKeypairs", "key_pairs", None),
    ("maxServerGroups", "server_groups", None),
    ("maxServerGroupMembers", "server_group_members", None),
)
_USED: tuple[tuple[str, str, tuple[int, int] | None], ...] = (
    ("totalRAMUsed", "ram", None),
    ("totalCoresUsed", "cores", None),
    ("totalInstancesUsed", "instances", None),
    ("totalFloatingIpsUsed", "floating_ips", (2, 36)),
    ("totalSecurityGroupsUsed", "security_groups", (2, 36)),
    ("totalServerGroupsUsed", "server_groups", None),
)


def index(request: Request) -> dict[str, Any]:
    check_query(request, ("tenant_id", "reserved"))
    project = request.query.get("tenant_id")
    if project is not None:
        request.authorize(rule=OTHER_PROJECT)
    project = project or request.context.project_id or ""

    def find(tx: Transaction) -> tuple[dict[str, int], dict[str, int]]:
        return quotas.limits(tx, request.service.conf, project), quotas.in_use(tx, project)

    limits, used = request.service.database.read(find)
    absolute = {
        name: limits.get(resource, -1)
        for name, resource, until in _MAXIMA
        if until is None or not request.at_least(*until)
    }
    absolute |= {
        name: used.get(resource, 0)
        for name, resource, until in _USED
        if until is None or not request.at_least(*until)
    }
    return {"limits": {"rate": [], "absolute": absolute}}
