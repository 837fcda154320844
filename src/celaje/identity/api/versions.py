"""Discovery: which versions of the Identity API are here. Identity has no microversions."""

from typing import Any

from celaje.common.wsgi import Request, Response, Versions

VERSIONS = Versions("identity", {})
VERSION = "v3.14"


def _document(request: Request) -> dict[str, Any]:
    return {
        "id": VERSION,
        "status": "stable",
        "updated": "2020-04-07T00:00:00Z",
        "links": [{"rel": "self", "href": f"{request.base_url}/v3/"}],
        "media-types": [{"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}],
    }


def list_versions(request: Request) -> Response:
    return Response(
        {"versions": {"values": [_document(request)]}},
        status=300,
        headers={"Location": f"{request.base_url}/v3/"},
    )


def show_version(request: Request) -> dict[str, Any]:
    return {"version": _document(request)}
