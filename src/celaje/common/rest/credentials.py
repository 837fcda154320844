"""A service's own login: the token with which it acts for itself, or vouches for its user."""

import datetime
import threading
from collections.abc import Callable
from typing import Any

import msgspec

from celaje.common import clock, tokens
from celaje.common.errors import Unavailable
from celaje.common.rest.transport import Transport

# A token is renewed when less than this many seconds are left of it.
_MARGIN = 300.0


class LoginRefused(Unavailable):
    """Whoever waits for this service's work waits until an operator has mended it."""

    text = (
        "This service could not log in at identity as {user} (status {status}). Check the user and the "
        "password in [keystone_authtoken]."
    )


class ServiceCredentials:
    """Logs in at identity's public API by password, when first needed and again before the token ends.
    Options as in [keystone_authtoken]. `with_catalog`: the login brings the catalog, too."""

    def __init__(
        self,
        identity: Callable[[], Transport],
        *,
        username: str,
        password: str,
        project_name: str = "service",
        user_domain_name: str = "Default",
        project_domain_name: str = "Default",
        with_catalog: bool = False,
    ):
        self._identity = identity
        self._username = username
        self._path = "/v3/auth/tokens" if with_catalog else "/v3/auth/tokens?nocatalog"
        self._body = msgspec.json.encode(
            {
                "auth": {
                    "identity": {
                        "methods": ["password"],
                        "password": {
                            "user": {
                                "name": username,
                                "password": password,
                                "domain": {"name": user_domain_name},
                            }
                        },
                    },
                    "scope": {"project": {"name": project_name, "domain": {"name": project_domain_name}}},
                }
            }
        )
        self._lock = threading.Lock()
        self._token: str | None = None
        self._renew_at = 0.0
        self._catalog: list[dict[str, Any]] = []

    def token(self) -> str:
        """A token of the service's user that holds for a while yet."""
        with self._lock:
            if self._token is None or tokens.seconds(clock.now()) >= self._renew_at:
                self._login()
            assert self._token is not None
            return self._token

    def catalog(self) -> list[dict[str, Any]]:
        """The catalog as the last login brought it."""
        self.token()
        return self._catalog

    def forget(self) -> None:
        """The token was refused: the next one is a new one."""
        with self._lock:
            self._token = None

    def _login(self) -> None:
        status, headers, chunks = self._identity().send(
            "POST", self._path, {"Content-Type": "application/json"}, self._body
        )
        raw = b"".join(chunks)
        if status >= 500:
            raise Unavailable(f"Identity could not be asked for a token (status {status}).")
        if status != 201:
            raise LoginRefused(user=self._username, status=status)
        self._token = headers["x-subject-token"]
        answer: dict[str, Any] = msgspec.json.decode(raw)["token"]
        self._catalog = answer.get("catalog", [])
        ends = datetime.datetime.fromisoformat(answer["expires_at"].rstrip("Z"))
        self._renew_at = tokens.seconds(ends) - _MARGIN
