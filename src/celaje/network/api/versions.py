"""Discovery: `/` and `/v2.0`. The Networking API has extensions instead of microversions."""

from typing import Any

from celaje.common.wsgi import Request

_COLLECTIONS = (
    "networks",
    "subnets",
    "ports",
    "routers",
    "floatingips",
    "security-groups",
    "security-group-rules",
    "subnetpools",
    "quotas",
    "agents",
    "availability_zones",
    "network-ip-availabilities",
    "extensions",
)


def versions(request: Request) -> dict[str, Any]:
    links = [{"rel": "self", "href": f"{request.base_url}/v2.0/"}]
    return {"versions": [{"id": "v2.0", "status": "CURRENT", "links": links}]}


def resources(request: Request) -> dict[str, Any]:
    return {
        "resources": [
            {
                "name": name.rstrip("s"),
                "collection": name,
                "links": [{"rel": "self", "href": f"{request.base_url}/v2.0/{name}"}],
            }
            for name in _COLLECTIONS
        ]
    }
