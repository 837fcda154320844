"""Login with an OAuth1 access token: the whole request is signed with it."""

from typing import Any

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.common.tokens import seconds
from celaje.common.wsgi import Request
from celaje.identity.db import logins, oauth1
from celaje.identity.errors import AccessTokenNotFound, Invalid, LoginFailed
from celaje.identity.login import people, signature
from celaje.identity.login.proof import Proof

Row = dict[str, Any]


def by_access_token(service: Any, _: Row, request: Request) -> Proof:
    shown = signature.parameters(request)
    token_id = shown.get("oauth_token")
    if not token_id:
        raise Invalid("Expecting to find oauth_token in request.")

    def query(tx: Transaction) -> tuple[Row, Row | None, Row | None]:
        access = oauth1.access_token(tx, token_id)
        if access is None:
            raise AccessTokenNotFound(id=token_id[:64])
        consumer = oauth1.consumer(tx, access["consumer_id"])
        return access, consumer, logins.user(tx, access["authorizing_user_id"])

    access, consumer, user = service.database.read(query)
    if consumer is None or user is None or consumer["id"] != shown.get("oauth_consumer_key"):
        raise LoginFailed("Could not validate the access token", cause="another consumer's token")
    if access["expires_at"] is not None and access["expires_at"] <= clock.now():
        raise LoginFailed("Access token is expired")
    secret, token_secret = (service.vault.unseal(row["secret"].encode()) for row in (consumer, access))
    if secret is None or token_secret is None:
        raise LoginFailed(cause="the secrets were sealed with a key that is not here")
    signature.check(request, secret, token_secret)
    people.check_usable(user)
    expires_at = seconds(access["expires_at"]) if access["expires_at"] else None
    return Proof(user, ("oauth1",), access=access, expires_at=expires_at)
