"""What a list's query string must look like; filters that are not named here are not looked at.

Routes name them; `listing.py` makes conditions of what passed. Source: the Identity API's reference.
"""

from typing import Any

from celaje.identity.api.registered_limits import UUID

Schema = dict[str, Any]

_ID = {"type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[a-zA-Z0-9-]+$"}
_REGION = {"type": "string", "minLength": 1, "maxLength": 255}
_DIRECTION = {"enum": ["asc", "desc"]}


def _name(longest: int) -> Schema:
    return {"type": "string", "minLength": 1, "maxLength": longest, "pattern": r"[\S]+"}


def _query(properties: Schema, *, only: bool = False) -> Schema:
    """`only`: no parameter but these and those of paging."""
    paging: Schema = {name: {} for name in ("limit", "marker", "sort_key")} | {"sort_dir": _DIRECTION}
    return {"type": "object", "properties": {**paging, **properties}, "additionalProperties": not only}


DOMAINS = _query({"name": _name(64)})
PROJECTS = _query(
    {
        "name": _name(64),
        "domain_id": _ID,
        # Keystone asks for the form of a uuid; the default domain, which is a parent too, has none.
        "parent_id": {"anyOf": [UUID, {"const": "default"}]},
    }
)
_OF_A_DOMAIN = _query({"name": _name(255), "domain_id": _ID})
USERS = GROUPS = ROLES = _OF_A_DOMAIN
REGIONS = _query({"parent_region_id": _REGION}, only=True)
ENDPOINTS = _query({"interface": {"enum": ["admin", "internal", "public"]}})
ENDPOINT_GROUPS = _query({"name": _name(255)}, only=True)
_OF_A_SERVICE = {"service_id": UUID, "region_id": _REGION, "resource_name": _name(255)}
REGISTERED_LIMITS = _query(_OF_A_SERVICE)
LIMITS = _query({**_OF_A_SERVICE, "project_id": _ID, "domain_id": _ID})
ROLE_ASSIGNMENTS = _query({"group.id": _ID, "role.id": _ID, "scope.domain.id": _ID, "scope.project.id": _ID})
