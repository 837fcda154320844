"""The token stage of the pipeline: from headers to who asks.

Called by every Api; opens tokens in process, checks revocations. A request that a service makes for its user
carries both tokens; then the user's may have expired meanwhile (Keystone's `allow_expired`), and what binds
it, access rules and a certificate, has bound the request that the user made.
"""

import hmac
import logging

from celaje.common import access_rules, client_certificate
from celaje.common.errors import Unauthorized
from celaje.common.revocations import Revocations
from celaje.common.tokens import Token, Tokens
from celaje.common.wsgi.request import Request

log = logging.getLogger(__name__)

# Keystone's [token] allow_expired_window: two days.
EXPIRED_WINDOW = 172800.0


class Authentication:
    """`certificate_variable`: where the WSGI environment holds the client's TLS certificate."""

    def __init__(
        self,
        tokens: Tokens,
        revocations: Revocations,
        expired_window: float = EXPIRED_WINDOW,
        certificate_variable: str = "SSL_CLIENT_CERT",
    ):
        self._tokens = tokens
        self._revocations = revocations
        self._expired_window = expired_window
        self._certificate_variable = certificate_variable

    def __call__(self, request: Request) -> None:
        text = request.header("X-Auth-Token") or _bearer(request)
        if not text:
            raise Unauthorized("The request you have made requires authentication.")
        service_text = request.header("X-Service-Token")
        service = self._valid(service_text, 0.0) if service_text else None
        by_service = service is not None and "service" in service.role_names
        token = self._valid(text, self._expired_window if by_service else 0.0)
        if not by_service:
            if token.access_rules is not None:
                _check_access_rules(request, token.access_rules)
            if token.thumbprint is not None:
                self._check_certificate(request, token.thumbprint)
        request.token = token
        request.context = request.context.but(
            user_id=token.user_id,
            user_domain_id=token.user_domain_id,
            project_id=token.project_id,
            project_domain_id=token.project_domain_id,
            domain_id=token.domain_id,
            system_scope="all" if token.scope == "system" else None,
            roles=token.role_names,
            is_admin_project=token.is_admin_project,
            service_user_id=service.user_id if service else None,
            service_roles=service.role_names if service else (),
            token=text,
        )

    def _valid(self, text: str, expired_for: float) -> Token:
        token = self._tokens.open(text, expired_for)
        self._revocations.check(token)
        return token

    def _check_certificate(self, request: Request, thumbprint: str) -> None:
        """A token that is bound to a certificate is nothing to whoever cannot show that (RFC 8705)."""
        text = client_certificate.shown(request.http.env, self._certificate_variable)
        try:
            is_it = text is not None and hmac.compare_digest(
                client_certificate.thumbprint(client_certificate.parsed(text)), thumbprint
            )
        except ValueError as error:
            log.warning("A client's certificate cannot be read: %s", error)
            is_it = False
        if not is_it:
            raise Unauthorized("The token is bound to a TLS certificate that this request does not show.")


def _bearer(request: Request) -> str | None:
    """Clients of OAuth 2.0 send their token so (RFC 6750)."""
    scheme, _, text = (request.header("Authorization") or "").partition(" ")
    return text.strip() if scheme.lower() == "bearer" else None


def _check_access_rules(request: Request, rules: tuple[tuple[str, str, str], ...]) -> None:
    path = request.http.path
    paths = (path, f"{request.http.root_path}{path}")
    if not access_rules.allowed(rules, request.api.service_type, request.http.method, paths):
        raise Unauthorized("The access rules of this application credential do not allow this request.")
