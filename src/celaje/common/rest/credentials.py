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


class ServiceCredentials:
    """Logs in at identity's public API by password, when first needed and again before the token ends.
    Options as in [keystone_authtoken] and [service_user]."""

    def __init__(
        self,
        identity: Callable[[], Transport],
        *,
        username: str,
        password: str,
        project_name: str = "service",
        user_domain_name: str = "Default",
        project_domain_name: str = "Default",
    ):
        self._identity = identity
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

    def token(self) -> str:
        """A token of the service's user that holds for a while yet."""
        with self._lock:
            if self._token is None or tokens.seconds(clock.now()) >= self._renew_at:
                self._login()
            assert self._token is not None
            return self._token

    def forget(self) -> None:
        """The token was refused: the next one is a new one."""
        with self._lock:
            self._token = None

    def _login(self) -> None:
        status, headers, chunks = self._identity().send(
            "POST", "/v3/auth/tokens?nocatalog", {"Content-Type": "application/json"}, self._body
        )
        raw = b"".join(chunks)
        if status != 201:
            raise Unavailable(
                f"This service could not log in at identity (status {status}). "
                "Check the user and password in [service_user]."
            )
        self._token = headers["x-subject-token"]
        answer: dict[str, Any] = msgspec.json.decode(raw)["token"]
        ends = datetime.datetime.fromisoformat(answer["expires_at"].rstrip("Z"))
        self._renew_at = tokens.seconds(ends) - _MARGIN
