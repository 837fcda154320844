"""Login at an identity provider's own URL: for clients, and for browsers on behalf of a dashboard."""

import html
from typing import Any

from celaje.common.wsgi import Request, Response
from celaje.identity.db import federation
from celaje.identity.errors import ForbiddenAction, Invalid, LoginFailed
from celaje.identity.login import issue, mapped

Row = dict[str, Any]

_FORM = """<!DOCTYPE html>
<html><head><meta charset="utf-8"><title>Login</title></head>
<body><form id="sso" action="{origin}" method="post">
<input type="hidden" name="token" value="{token}">
<noscript><input type="submit" value="Continue"></noscript>
</form><script>document.getElementById("sso").submit();</script></body></html>
"""


def _auth(provider_id: str, protocol_id: str) -> Row:
    shown = {"identity_provider": provider_id, "protocol": protocol_id}
    return {"identity": {"methods": [protocol_id], protocol_id: shown}}


def login(request: Request, provider_id: str, protocol_id: str) -> Response:
    """An unscoped token for what the web server in front says."""
    text, body = issue.login(request.service, _auth(provider_id, protocol_id), request, with_catalog=True)
    return Response({"token": body}, status=201, headers={"X-Subject-Token": text})


def websso(request: Request, protocol_id: str) -> Response:
    """The provider is the one whose remote id the web server tells."""
    conf = request.service.conf.federation
    assertion = mapped.assertion_of(request, conf.assertion_prefix)
    attributes = [
        *request.service.database.read(federation.remote_attributes, protocol_id),
        conf.remote_id_attribute or "",
    ]
    remote_id = next((assertion[name] for name in attributes if assertion.get(name)), None)
    if remote_id is None:
        raise LoginFailed(cause="nothing in the environment tells the identity provider")
    provider_id = request.service.database.read(federation.provider_of_remote, remote_id)
    if provider_id is None:
        raise LoginFailed(cause=f"no identity provider has the remote id {remote_id}")
    return websso_of(request, provider_id, protocol_id)


def websso_of(request: Request, provider_id: str, protocol_id: str) -> Response:
    """A form that hands the token to the dashboard, if the operator trusts that."""
    origin = request.query.get("origin")
    if not origin:
        raise Invalid("Request must have an origin query parameter")
    if origin not in request.service.conf.federation.trusted_dashboard:
        raise ForbiddenAction(f"{origin[:256]} is not a trusted dashboard host")
    text, _ = issue.login(request.service, _auth(provider_id, protocol_id), request, with_catalog=False)
    page = _FORM.format(origin=html.escape(origin), token=html.escape(text))
    return Response(text=page.encode(), content_type="text/html; charset=utf-8", status=200)
