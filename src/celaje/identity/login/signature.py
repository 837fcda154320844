"""Signatures of OAuth 1.0 (RFC 5849): what a request signs, and whether its signature is right."""

import base64
import hmac
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from celaje.common import clock
from celaje.common.tokens import seconds
from celaje.common.wsgi import Request
from celaje.identity.errors import Invalid, LoginFailed

_DIGESTS = {"HMAC-SHA1": "sha1", "HMAC-SHA256": "sha256", "HMAC-SHA512": "sha512"}
# Seconds by which a client's clock may differ.
_TOLERANCE = 600
_LONGEST = 8192

Pairs = list[tuple[str, str]]


def parameters(request: Request) -> dict[str, str]:
    """The parameters of the Authorization header. Raises Invalid where there are none."""
    header = request.header("Authorization") or ""
    scheme, _, rest = header.partition(" ")
    if scheme.lower() != "oauth" or len(header) > _LONGEST:
        raise Invalid("Error parsing headers: cannot retrieve OAuth's Authorization header.")
    found: dict[str, str] = {}
    for part in rest.split(","):
        name, equals, value = part.strip().partition("=")
        if equals:
            found[unquote(name)] = unquote(value.strip('"'))
    return found


def check(request: Request, consumer_secret: str, token_secret: str = "") -> None:
    """Raises LoginFailed for a request whose signature was not made with these secrets."""
    shown = parameters(request)
    digest = _DIGESTS.get(shown.get("oauth_signature_method", ""))
    if digest is None:
        raise Invalid(
            f"The signature method {shown.get('oauth_signature_method', 'none')[:32]} is not one of "
            f"{', '.join(_DIGESTS)}."
        )
    timestamp = shown.get("oauth_timestamp", "")
    if not timestamp.isdigit() or abs(seconds(clock.now()) - int(timestamp[:12])) > _TOLERANCE:
        raise LoginFailed("The timestamp of the OAuth request is missing, or too far from now.")
    key = f"{_escape(consumer_secret)}&{_escape(token_secret)}".encode()
    pairs = [(name, value) for name, value in shown.items() if name not in ("oauth_signature", "realm")]
    pairs += request.query_pairs
    for url in _urls(request):
        text = base_string(request.http.method, url, pairs)
        right = base64.b64encode(hmac.digest(key, text.encode(), digest)).decode()
        if hmac.compare_digest(right.encode(), shown.get("oauth_signature", "").encode()):
            return
    raise LoginFailed("Invalid signature", cause="OAuth1 signature")


def _urls(request: Request) -> Iterable[str]:
    """As the client may have addressed it: by the public endpoint, or by what the web server saw."""
    yield request.url
    http: Any = request.http
    yield f"{http.scheme}://{http.netloc}{http.root_path}{http.path}"


def base_string(method: str, url: str, pairs: Pairs) -> str:
    """RFC 5849, 3.4.1."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    if parts.port and (parts.scheme, parts.port) not in (("http", 80), ("https", 443)):
        host = f"{host}:{parts.port}"
    normal = f"{parts.scheme.lower()}://{host}{parts.path or '/'}"
    everything = [*pairs, *parse_qsl(parts.query, keep_blank_values=True)]
    escaped = sorted((_escape(name), _escape(value)) for name, value in everything)
    joined = "&".join(f"{name}={value}" for name, value in escaped)
    return "&".join((method.upper(), _escape(normal), _escape(joined)))


def _escape(text: str) -> str:
    return quote(text, safe="~")
