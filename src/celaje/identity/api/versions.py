"""Discovery: which versions of the Identity API are here, or, for those who ask for JSON home, what is where.
Identity has no microversions."""

from typing import Any

import msgspec

from celaje.common.wsgi import Request, Response, Versions
from celaje.identity.api import json_home

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


def _wants_home(request: Request) -> bool:
    return request.http.client_prefers(("application/json", json_home.MEDIA_TYPE)) == json_home.MEDIA_TYPE


def _home(prefix: str) -> Response:
    text = msgspec.json.encode(json_home.document(prefix))
    return Response(text=text, content_type=json_home.MEDIA_TYPE, status=200, headers={"Vary": "Accept"})


def list_versions(request: Request) -> Response:
    if _wants_home(request):
        return _home("/v3")
    return Response(
        {"versions": {"values": [_document(request)]}},
        status=300,
        headers={"Location": f"{request.base_url}/v3/"},
    )


def show_version(request: Request) -> dict[str, Any] | Response:
    if _wants_home(request):
        return _home("")
    return {"version": _document(request)}
