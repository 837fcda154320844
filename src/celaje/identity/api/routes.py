"""The table of contents of the Identity API: method, path, policy rule, handler.

Identity's rules speak of targets (a user's domain, a token's user), so most handlers check them once they
have loaded those. Unscoped tokens may come in: a rule decides what they may do.
"""

from functools import partial

from celaje.common.wsgi import Route
from celaje.identity.api import tokens, versions

_route = partial(Route, scope="any")
_checked = partial(Route, scope="any", authorize="handler")

_DISCOVERY = [
    Route("GET", "/", None, versions.list_versions),
    Route("GET", "/v3", None, versions.show_version),
]

_TOKENS = [
    Route("POST", "/v3/auth/tokens", None, tokens.create, 201, schema=tokens.LOGIN),
    _checked("GET", "/v3/auth/tokens", "identity:validate_token", tokens.show),
    _checked("HEAD", "/v3/auth/tokens", "identity:check_token", tokens.show),
    _checked("DELETE", "/v3/auth/tokens", "identity:revoke_token", tokens.delete, 204),
    _route("GET", "/v3/auth/catalog", "identity:get_auth_catalog", tokens.catalog),
    _route("GET", "/v3/auth/projects", "identity:get_auth_projects", tokens.list_projects),
    _route("GET", "/v3/auth/domains", "identity:get_auth_domains", tokens.list_domains),
    _route("GET", "/v3/auth/system", "identity:get_auth_system", tokens.list_systems),
]

ROUTES: list[Route] = [*_DISCOVERY, *_TOKENS]
