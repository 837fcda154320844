"""Signatures of the EC2 and S3 APIs, versions 0, 1, 2 and 4: what a front end hands over to be checked.

Source: AWS's "Signature Version 2" and "Signature Version 4" signing processes, and what clients of
Keystone's `/v3/ec2tokens` send: `access`, `signature`, `host`, `verb`, `path`, `params`, `headers`,
`body_hash`.
"""

import base64
import binascii
import hashlib
import hmac
from typing import Any
from urllib.parse import quote

from celaje.identity.errors import LoginFailed

Row = dict[str, Any]

_EMPTY = hashlib.sha256(b"").hexdigest()
_SERVICES = ("s3", "iam", "sts")


def ec2_is_right(secret: str, shown: Row) -> bool:
    """Some clients sign the host without its port, so both are tried."""
    hosts = [str(shown.get("host") or "")]
    if ":" in hosts[0]:
        hosts.append(hosts[0].rpartition(":")[0])
    return any(_equal(ec2_signature(secret, {**shown, "host": host}), shown["signature"]) for host in hosts)


def ec2_signature(secret: str, shown: Row) -> str:
    """Raises LoginFailed for a version that there is not."""
    params = {str(name): str(value) for name, value in _dict(shown, "params").items()}
    headers = {str(name).lower(): str(value) for name, value in _dict(shown, "headers").items()}
    version = params.get("SignatureVersion")
    key = secret.encode()
    if version == "0":
        text = params.get("Action", "") + params.get("Timestamp", "")
        return _base64(hmac.digest(key, text.encode(), "sha1"))
    if version == "1":
        text = "".join(name + params[name] for name in sorted(params, key=str.lower))
        return _base64(hmac.digest(key, text.encode(), "sha1"))
    if version == "2":
        return _version_2(key, shown, params)
    if params.get("X-Amz-Algorithm") or headers.get("authorization", "").startswith("AWS4-HMAC-SHA256"):
        return _version_4(secret, shown, params, headers)
    raise LoginFailed("Unknown signature version, or none.", cause=f"EC2 signature version {version}")


def _dict(shown: Row, name: str) -> Row:
    found = shown.get(name) or {}
    if not isinstance(found, dict):
        raise LoginFailed(f"Invalid EC2 signature: {name} is not an object.")
    return found


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


def _equal(one: str, other: Any) -> bool:
    return hmac.compare_digest(one.encode(), str(other).encode())


def _query(params: dict[str, str]) -> str:
    return "&".join(f"{quote(name, safe='-_~')}={quote(params[name], safe='-_~')}" for name in sorted(params))


def _version_2(key: bytes, shown: Row, params: dict[str, str]) -> str:
    algorithm = "sha256" if params.get("SignatureMethod", "HmacSHA256") == "HmacSHA256" else "sha1"
    text = "\n".join((str(shown.get("verb")), str(shown.get("host")), str(shown.get("path")), _query(params)))
    return _base64(hmac.digest(key, text.encode(), algorithm))


def _version_4(secret: str, shown: Row, params: dict[str, str], headers: dict[str, str]) -> str:
    found: dict[str, str] = {}
    for part in headers.get("authorization", "").partition(" ")[2].split(","):
        name, _, value = part.strip().partition("=")
        found[name] = value
    credential = found.get("Credential") or params.get("X-Amz-Credential", "")
    signed = found.get("SignedHeaders") or params.get("X-Amz-SignedHeaders", "")
    date = headers.get("x-amz-date") or params.get("X-Amz-Date", "")
    scope = credential.split("/")[1:]
    if len(scope) != 4 or date[:8] != scope[0]:
        raise LoginFailed("Invalid EC2 signature: its date is not that of its scope.")
    if "host" in signed.split(";"):
        headers = {**headers, "host": str(shown.get("host"))}
    names = signed.split(";")
    listed = "".join(f"{name}:{' '.join(headers.get(name, '').split())}\n" for name in names)
    asked = {name: value for name, value in params.items() if name != "X-Amz-Signature"}
    canonical = "\n".join(
        (
            str(shown.get("verb")),
            str(shown.get("path")),
            _query(asked) if str(shown.get("verb")) != "POST" else "",
            listed,
            signed,
            str(shown.get("body_hash") or _EMPTY),
        )
    )
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = "\n".join(("AWS4-HMAC-SHA256", date, "/".join(scope), digest))
    return hmac.digest(_signing_key(secret, scope), text.encode(), "sha256").hex()


def _signing_key(secret: str, scope: list[str]) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in scope:
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def s3_is_right(secret: str, shown: Row) -> bool:
    """`token` is the text that was signed, in URL-safe base64."""
    try:
        text = base64.urlsafe_b64decode(str(shown.get("token") or ""))
    except (binascii.Error, ValueError) as error:
        raise LoginFailed("Invalid EC2 signature.") from error
    if not text.startswith(b"AWS4"):
        return _equal(_base64(hmac.digest(secret.encode(), text, "sha1")), shown.get("signature"))
    lines = text.split(b"\n")
    scope = lines[2].decode(errors="replace").split("/") if len(lines) == 4 else []
    if lines[0] != b"AWS4-HMAC-SHA256" or len(scope) != 4 or scope[3] != "aws4_request":
        raise LoginFailed("Invalid EC2 signature.")
    if scope[2] not in _SERVICES:
        raise LoginFailed("Invalid EC2 signature.", cause=f"a signature for {scope[2][:32]}")
    right = hmac.digest(_signing_key(secret, scope), text, "sha256").hex()
    return _equal(right, shown.get("signature"))
