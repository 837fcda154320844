"""Assertions for other clouds (`/v3/auth/OS-FEDERATION/saml2`), and what those have to know of this one."""

from typing import Any

import msgspec

from celaje.common.db import Transaction
from celaje.common.errors import Unauthorized
from celaje.common.tokens import Token
from celaje.common.wsgi import Request, Response
from celaje.identity.db import groups, projects, service_providers, users
from celaje.identity.errors import ForbiddenAction, TokenNotFound
from celaje.identity.login import issue
from celaje.identity.saml import assertions
from celaje.identity.saml.metadata import metadata as metadata_of
from celaje.identity.saml.names import document

Row = dict[str, Any]

_ID = {
    "type": "object",
    "properties": {"id": {"type": "string"}},
    "required": ["id"],
}
CREATE = {
    "type": "object",
    "properties": {
        "auth": {
            "type": "object",
            "properties": {
                "identity": {
                    "type": "object",
                    "properties": {"methods": {"type": "array"}, "token": _ID},
                    "required": ["token"],
                },
                "scope": {
                    "type": "object",
                    "properties": {"service_provider": _ID},
                    "required": ["service_provider"],
                },
            },
            "required": ["identity", "scope"],
        }
    },
    "required": ["auth"],
}


def create(request: Request) -> Response:
    provider, answer = _response(request)
    return _answer(provider, answer)


def create_enveloped(request: Request) -> Response:
    """For clients that speak the ECP profile, as keystoneauth does."""
    provider, answer = _response(request)
    return _answer(provider, assertions.envelope(answer, provider["relay_state_prefix"]))


def show_metadata(request: Request) -> Response:
    return Response(text=metadata_of(request.service.conf.saml), content_type="text/xml")


def _answer(provider: Row, root: Any) -> Response:
    headers = {"X-sp-url": provider["sp_url"], "X-auth-url": provider["auth_url"]}
    return Response(text=document(root), content_type="text/xml", headers=headers)


def _response(request: Request) -> tuple[Row, Any]:
    auth = request.body["auth"]
    service = request.service
    provider = service.database.read(service_providers.get, auth["scope"]["service_provider"]["id"])
    if not provider["enabled"]:
        raise ForbiddenAction(f"Service Provider {provider['id']} is disabled.")
    text = auth["identity"]["token"]["id"]
    try:
        token = service.tokens.open(text)
        service.revocations.check(token)
    except Unauthorized as error:
        raise TokenNotFound(id="it is none, has expired or was revoked") from error
    if not token.project_id:
        raise ForbiddenAction(action="Use a project scoped token when attempting to create a SAML assertion")
    attributes = service.database.read(lambda tx: _attributes(service, tx, token))
    issuer = assertions.Issuer.from_conf(service.conf.saml)
    return provider, assertions.response(issuer, provider["sp_url"], attributes)


def _attributes(service: Any, tx: Transaction, token: Token) -> dict[str, list[str]]:
    about = issue.show(service, tx, token, with_catalog=False)
    found = {
        "openstack_user": [about["user"]["name"]],
        "openstack_roles": [role["name"] for role in about["roles"]],
        "openstack_project": [about["project"]["name"]],
        "openstack_project_domain": [about["project"]["domain"]["name"]],
        "openstack_user_domain": [about["user"]["domain"]["name"]],
    }
    rows = groups.by_ids(tx, users.group_ids(tx, token.user_id))
    if rows:
        # Mappings read this as text that starts with JSON.
        found["openstack_groups"] = [
            "JSON:"
            + msgspec.json.encode(
                {
                    "name": row["name"],
                    "domain": {"name": projects.get_domain(tx, row["domain_id"])["name"]},
                }
            ).decode()
            for row in rows
        ]
    return found
