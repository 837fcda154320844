"""OAuth 2.0: a token for an application credential, asked for as other software does (`/v3/OS-OAUTH2/token`).

Source: Identity API v3, OS-OAUTH2; RFC 6749, 4.4 (client credentials) and 5 (answers).
"""

import base64
import binascii
from typing import Any
from urllib.parse import parse_qs

from celaje.common.errors import CelajeError, Invalid, Unauthorized
from celaje.common.wsgi import Request, Response
from celaje.identity.login import issue

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
    client_id, secret = _basic(request) or (form.get("client_id"), form.get("client_secret"))
    if (
        not client_id
        or not secret
        or "client_secret_basic" not in request.service.conf.oauth2.oauth2_authn_methods
    ):
        return _refused(request, 401, "invalid_client", "Client authentication failed.")
    shown = {"id": client_id, "secret": secret}
    auth = {"identity": {"methods": ["application_credential"], "application_credential": shown}}
    try:
        text, _ = issue.login(request.service, auth, request, with_catalog=False)
    except Unauthorized as error:
        return _refused(request, 401, "invalid_client", error.message)
    except Invalid as error:
        return _refused(request, 400, "invalid_request", error.message)
    except CelajeError:
        words = "An unknown error occurred and failed to get an OAuth2.0 access token."
        return _refused(request, 403, "other_error", words)
    body = {"access_token": text, "token_type": "Bearer", "expires_in": request.service.conf.token.expiration}
    return Response(body, status=200, headers={"Cache-Control": "no-store"})


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
