"""Tokens for EC2's and S3's signed requests: an API in front hands over what was signed."""

import datetime
import hashlib
from collections.abc import Callable
from typing import Any

import msgspec

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.common.errors import NotFound
from celaje.common.tokens import seconds
from celaje.common.wsgi import Request, Response
from celaje.identity.db import credentials, logins, oauth1
from celaje.identity.db import trusts as trust_rows
from celaje.identity.errors import Invalid, LoginFailed
from celaje.identity.login import aws, issue, people
from celaje.identity.login.proof import Proof

Row = dict[str, Any]


def create_ec2(request: Request) -> Response:
    def check(secret: str, shown: Row) -> bool:
        if not shown.get("signature"):
            raise LoginFailed("EC2 signature not supplied.")
        return aws.ec2_is_right(secret, shown)

    text, body = _token(request, check)
    return Response({"token": body}, headers={"X-Subject-Token": text})


def create_s3(request: Request) -> Response:
    _, body = _token(request, aws.s3_is_right)
    return Response({"token": body})


def _token(request: Request, is_right: Callable[[str, Row], bool]) -> tuple[str, Row]:
    body = request.body
    if not isinstance(body, dict) or not body:
        raise Invalid("request must include a request body")
    shown = body.get("credentials") or body.get("credential") or body.get("ec2Credentials") or {}
    if not isinstance(shown, dict) or not isinstance(shown.get("access"), str):
        raise LoginFailed("EC2 Signature not supplied")
    service = request.service
    begun = issue.now()
    row = service.database.read(credentials.find, access_id(shown["access"]))
    if row is None or row["type"] != "ec2":
        raise NotFound("EC2 access key not found.")
    kept = blob_of(service, row)
    if not is_right(str(kept.get("secret")), shown):
        raise LoginFailed("Invalid EC2 signature.", cause=f"EC2 credential {row['id']}")
    _check_age(shown, service.conf.credential.auth_ttl)
    proof = service.database.read(_proof, row, kept)
    return issue.issue(service, proof, None, begun=begun, with_catalog=True)


def access_id(access: str) -> str:
    """The id of the credential with this access key."""
    return hashlib.sha256(access.encode()).hexdigest()


def blob_of(service: Any, row: Row) -> Row:
    text = service.vault.unseal(row["blob"].encode())
    try:
        kept = msgspec.json.decode(text) if text else None
    except msgspec.DecodeError:
        kept = None
    return kept if isinstance(kept, dict) else {}


def _check_age(shown: Row, minutes: int) -> None:
    params: Row = shown["params"] if isinstance(shown.get("params"), dict) else {}
    headers: Row = shown["headers"] if isinstance(shown.get("headers"), dict) else {}
    text = params.get("Timestamp") or headers.get("X-Amz-Date") or params.get("X-Amz-Date")
    if not text:
        return
    try:
        moment = datetime.datetime.fromisoformat(str(text))
        if moment.tzinfo is not None:
            moment = moment.astimezone(datetime.UTC).replace(tzinfo=None)
    except (ValueError, OverflowError) as error:
        raise LoginFailed(f"Credential timestamp is invalid: {str(text)[:40]}") from error
    if clock.now() > moment + datetime.timedelta(minutes=minutes):
        raise LoginFailed("Credential is expired")


def _proof(tx: Transaction, row: Row, kept: Row) -> Proof:
    """Bound as the token was with which the credential was made."""
    user = logins.user(tx, row["user_id"])
    if user is None:
        raise LoginFailed(cause=f"user {row['user_id']} is gone")
    people.check_usable(user)
    proof = Proof(user, ("ec2credential",), project_id=row["project_id"])
    if trust_id := kept.get("trust_id"):
        trust = trust_rows.find(tx, trust_id)
        if trust is None:
            raise LoginFailed(cause=f"trust {trust_id} is gone")
        proof.trust_id = trust_id
        if trust["impersonation"]:
            # The credential is the trustor's by then; the trust is used by the trustee.
            proof.user = logins.user(tx, trust["trustee_user_id"]) or user
    elif application_id := kept.get("app_cred_id"):
        proof.credential = logins.application_credential(tx, credential_id=application_id)
        if proof.credential is None or proof.credential["project_id"] != row["project_id"]:
            raise LoginFailed("EC2 credential project does not match the application credential project.")
        expires_at = proof.credential["expires_at"]
        if expires_at is not None:
            proof.expires_at = seconds(expires_at)
            if expires_at <= clock.now():
                raise LoginFailed(cause="the application credential has expired")
    elif access_id_ := kept.get("access_token_id"):
        proof.access = oauth1.access_token(tx, access_id_)
        if proof.access is None or proof.access["project_id"] != row["project_id"]:
            raise LoginFailed("EC2 credential project does not match the OAuth1 access token project.")
    return proof
