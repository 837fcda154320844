"""OAuth 2.0: a token for an application credential or a TLS certificate, asked for as other software does
(`/v3/OS-OAUTH2/token`).

Source: Identity API v3, OS-OAUTH2; RFC 6749, 4.4 (client credentials) and 5 (answers); RFC 8705.
"""

import base64
import binascii
import logging
from typing import Any
from urllib.parse import parse_qs

from celaje.common import client_certificate
from celaje.common.errors import CelajeError, Invalid, Unauthorized
from celaje.common.wsgi import Request, Response
from celaje.identity.errors import LoginFailed
from celaje.identity.login import certificate, issue

log = logging.getLogger(__name__)

Row = dict[str, Any]

_LONGEST = 16384
_TYPE = "application/x-www-form-urlencoded"


def create(request: Request) -> Response:
    form = _form(request)
    grant_type = form.get("grant_type")
    if grant_type is None:
        return _refused(request, 400, "invalid_request", "The parameter grant_type is required.")
    if grant_type != "client_credentials":
        words = f"The parameter grant_type {grant_type[:64]} is not supported."
        return _refused(request, 400, "unsupported_grant_type", words)
    try:
        text = _token(request, form)
    except Unauthorized as error:
        return _refused(request, 401, "invalid_client", error.message)
    except Invalid as error:
        return _refused(request, 400, "invalid_request", error.message)
    except CelajeError:
        words = "An unknown error occurred and failed to get an OAuth2.0 access token."
        return _refused(request, 403, "other_error", words)
    body = {"access_token": text, "token_type": "Bearer", "expires_in": request.service.conf.token.expiration}
    return Response(body, status=200, headers={"Cache-Control": "no-store"})


def _token(request: Request, form: dict[str, str]) -> str:
    """The sealed token; a certificate goes before a secret."""
    service = request.service
    conf = service.conf.oauth2
    text = client_certificate.shown(request.http.env, conf.client_certificate_variable)
    if text is not None:
        client_id, secret = form.get("client_id"), None
    else:
        client_id, secret = _basic(request) or (form.get("client_id"), form.get("client_secret"))
    method = "tls_client_auth" if text is not None else "client_secret_basic"
    if not client_id or not (text or secret) or method not in conf.oauth2_authn_methods:
        raise LoginFailed("Client authentication failed.")
    if text is not None:
        return _by_certificate(service, client_id, text)
    shown = {"id": client_id, "secret": secret}
    auth = {"identity": {"methods": ["application_credential"], "application_credential": shown}}
    sealed, _ = issue.login(service, auth, request, with_catalog=False)
    return sealed


def _by_certificate(service: Any, client_id: str, shown: str) -> str:
    begun = issue.now()
    try:
        proof = certificate.prove(service, client_id, shown)
        sealed, _ = issue.issue(service, proof, None, begun=begun, with_catalog=False)
    except Unauthorized as error:
        log.warning("OAuth 2.0 client refused: %s", error.details.get("cause") or error.message)
        raise LoginFailed("Client authentication failed.") from error
    return sealed


def _form(request: Request) -> dict[str, str]:
    if not (request.header("Content-Type") or "").startswith(_TYPE):
        return {}
    given = request.stream.read(_LONGEST).decode("utf-8", "replace")
    return {name: values[0] for name, values in parse_qs(given).items()}


def _basic(request: Request) -> tuple[str, str] | None:
    scheme, _, text = (request.header("Authorization") or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        client_id, _, secret = base64.b64decode(text, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return client_id, secret


def _refused(request: Request, status: int, error: str, description: str) -> Response:
    headers = {"WWW-Authenticate": f'Keystone uri="{request.base_url}"'} if status == 401 else {}
    return Response({"error": error, "error_description": description}, status=status, headers=headers)
