"""Tokens: sealed by identity, opened in process by every API.

A token is a Fernet message that carries what a check needs, so no API asks identity on its hot path. What
identity alone would notice (a role taken away, a disabled user, a changed password) comes as revocation
events (`common/revocations.py`). Keys live in a repository of files as Keystone's do: the highest number
seals, 0 is the next one, all open.
"""

import datetime
import fcntl
import os
from pathlib import Path
from typing import NamedTuple

import msgspec
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from celaje.common import clock
from celaje.common.errors import ConfigurationError, Unauthorized
from celaje.common.vault import write_secret

_LONGEST = 8192
_TRIES = 10
# Seconds after which who seals looks for a newer key.
_LOOK_AGAIN = 5.0
_EPOCH = datetime.datetime(1970, 1, 1)


class Token(msgspec.Struct, omit_defaults=True, frozen=True, kw_only=True):
    """The payload. Times are seconds since 1970. `roles` are (id, name) pairs with implied ones included.
    `scope` is "project", "domain", "system" or "" (unscoped), with `scope_id`. Short keys keep it short."""

    user_id: str = msgspec.field(name="u")
    user_domain_id: str = msgspec.field(name="ud", default="default")
    methods: tuple[str, ...] = msgspec.field(name="m", default=())
    scope: str = msgspec.field(name="s", default="")
    scope_id: str | None = msgspec.field(name="si", default=None)
    project_domain_id: str | None = msgspec.field(name="pd", default=None)
    roles: tuple[tuple[str, str], ...] = msgspec.field(name="r", default=())
    audit_ids: tuple[str, ...] = msgspec.field(name="a", default=())
    issued_at: float = msgspec.field(name="i", default=0.0)
    expires_at: float = msgspec.field(name="e", default=0.0)
    is_admin_project: bool = msgspec.field(name="ap", default=True)
    trust_id: str | None = msgspec.field(name="t", default=None)
    # Trustor and trustee: what happens to either of them happens to the token.
    trust_user_ids: tuple[str, ...] = msgspec.field(name="tu", default=())
    application_credential_id: str | None = msgspec.field(name="ac", default=None)
    # (service type, method, path) of an application credential that is bound to them; None: it is not.
    access_rules: tuple[tuple[str, str, str], ...] | None = msgspec.field(name="ar", default=None)
    access_token_id: str | None = msgspec.field(name="oa", default=None)
    identity_provider_id: str | None = msgspec.field(name="ip", default=None)
    protocol_id: str | None = msgspec.field(name="pr", default=None)
    federated_groups: tuple[str, ...] = msgspec.field(name="fg", default=())
    # Of the client's TLS certificate, to which a token of OAuth 2.0 is bound (RFC 8705).
    thumbprint: str | None = msgspec.field(name="x5", default=None)

    @property
    def project_id(self) -> str | None:
        return self.scope_id if self.scope == "project" else None

    @property
    def domain_id(self) -> str | None:
        return self.scope_id if self.scope == "domain" else None

    @property
    def role_names(self) -> tuple[str, ...]:
        return tuple(name for _, name in self.roles)


class TokenInvalid(Unauthorized):
    text = "The request you have made requires authentication."


class Rotation(NamedTuple):
    """What a rotation did. `sealing` None: nothing but a new next key, since there was none."""

    sealing: int | None
    removed: list[int]


class KeyRepository:
    """Files named by numbers in a folder only its owner may read: the highest seals, 0 is the next one, all
    open. `create` makes the first keys. The folder may be shared by several machines or copied to them: what
    the next key seals is opened by whoever had the folder before."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._stamp: tuple[tuple[str, int], ...] = ()
        self._fernet: MultiFernet | None = None
        self._looked_at = 0.0

    def create(self) -> None:
        """The first two keys, unless there are some."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not self.numbers():
            self._make_key(0)
            self._make_key(1)

    def numbers(self) -> list[int]:
        if not self.folder.is_dir():
            return []
        return sorted(int(path.name) for path in self.folder.iterdir() if path.name.isdigit())

    def rotate(self, keep: int = 3) -> Rotation:
        """The next key (0) becomes the sealing one, a new 0 is made, and of all keys the oldest beyond `keep`
        go. Two that rotate at once do it one after the other; one that was cut off leaves a repository that
        works. ConfigurationError when there are no keys."""
        if not self.numbers():
            raise self._none()
        with open(self.folder / ".lock", "a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            numbers = self.numbers()
            if 0 not in numbers:
                # Cut off, or an incomplete copy. A key that nobody else has seen must not seal at once.
                self._make_key(0)
                return Rotation(None, [])
            sealing = numbers[-1] + 1
            (self.folder / "0").rename(self.folder / str(sealing))
            self._make_key(0)
            # Beside 0 and the one that seals.
            older = numbers[1:]
            removed = older[: max(0, len(older) - max(0, keep - 2))]
            for number in removed:
                (self.folder / str(number)).unlink()
            return Rotation(sealing, removed)

    def _make_key(self, number: int) -> None:
        """Whole, and its reader's, before it has its name: the folder's owner may be another user than the
        one who rotates."""
        new = self.folder / ".next"
        write_secret(new, Fernet.generate_key())
        folder = self.folder.stat()
        if folder.st_uid != os.geteuid():
            os.chown(new, folder.st_uid, folder.st_gid)
        new.rename(self.folder / str(number))

    def _none(self) -> ConfigurationError:
        return ConfigurationError(
            f"There are no token keys in {self.folder}. Run: celaje identity setup-keys"
        )

    @property
    def fernet(self) -> MultiFernet:
        if self._fernet is None:
            self.refresh()
        assert self._fernet is not None
        return self._fernet

    @property
    def sealing(self) -> MultiFernet:
        """Whose first key seals. Looked for now and then: who went on with an old key would in the end seal
        with one that all others have thrown away."""
        now = clock.monotonic()
        if self._fernet is None or now - self._looked_at >= _LOOK_AGAIN:
            self._looked_at = now
            self.refresh()
        return self.fernet

    def refresh(self) -> bool:
        """Read the keys again if the folder's files changed; true if they had."""
        for _ in range(_TRIES):
            try:
                return self._read()
            except FileNotFoundError:
                # A rotation is under way: a key that was listed is gone or has another number now.
                continue
        raise ConfigurationError(f"The token keys in {self.folder} change faster than they can be read.")

    def _read(self) -> bool:
        numbers = self.numbers()
        if not numbers:
            raise self._none()
        stamp = tuple((str(n), (self.folder / str(n)).stat().st_mtime_ns) for n in numbers)
        if stamp == self._stamp:
            return False
        self._fernet = MultiFernet(
            [Fernet((self.folder / str(number)).read_bytes().strip()) for number in reversed(numbers)]
        )
        self._stamp = stamp
        return True


class Tokens:
    """Seals and opens. Opening the same text again is answered from memory until it expires."""

    def __init__(self, keys: KeyRepository, cache_size: int = 10_000):
        self.keys = keys
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(Token).decode
        self._opened: dict[str, Token] = {}
        self._cache_size = cache_size

    def seal(self, token: Token) -> str:
        return self.keys.sealing.encrypt(self._encode(token)).decode().rstrip("=")

    def open(self, text: str, expired_for: float = 0.0) -> Token:
        """The payload. Raises TokenInvalid for anything that is not a token of ours or has expired;
        `expired_for` seconds of grace are given to a request that a service makes for its user."""
        token = self._opened.get(text)
        if token is None:
            token = self._open(text)
            if len(self._opened) >= self._cache_size:
                self._opened.clear()
            self._opened[text] = token
        if seconds(clock.now()) >= token.expires_at + expired_for:
            raise TokenInvalid()
        return token

    def _open(self, text: str) -> Token:
        if not text or len(text) > _LONGEST or not text.isascii():
            raise TokenInvalid()
        try:
            plain = self._decrypt(text)
            return self._decode(plain)
        except (InvalidToken, msgspec.DecodeError, ValueError) as error:
            raise TokenInvalid() from error

    def _decrypt(self, text: str) -> bytes:
        padded = (text + "=" * (-len(text) % 4)).encode()
        try:
            return self.keys.fernet.decrypt(padded)
        except InvalidToken:
            # Sealed with a key that another node has made since.
            if not self.keys.refresh():
                raise
            return self.keys.fernet.decrypt(padded)


def seconds(moment: datetime.datetime) -> float:
    return (moment - _EPOCH).total_seconds()


def moment(value: float) -> datetime.datetime:
    return _EPOCH + datetime.timedelta(seconds=value)
