"""Password hashes: Argon2id, computed by a bounded number of threads at a time.

Called by login and by whoever sets a password. A password that was proven a moment ago is recognised by a
keyed digest, so that clients that log in for every command do not cost a hash each time. A secret that was
made at random needs no slow hash: nobody can try all of its values, so a salted digest keeps it as well.
"""

import base64
import hmac
import threading
from typing import Any

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from celaje.common import clock
from celaje.identity import foreign_hashes

_SALT = 16
_LENGTH = 32
_LARGEST_MEMORY = 100_000
_DIGEST = "$hmac-sha256$"


class Passwords:
    """`rounds`, `memory` (KiB) and `lanes` are Argon2id's; `concurrency` bounds hashes at one time."""

    def __init__(self, *, rounds: int, memory: int, lanes: int, concurrency: int, remember: float):
        self._rounds = rounds
        self._memory = memory
        self._lanes = lanes
        self._free = threading.BoundedSemaphore(concurrency)
        self._remember = remember
        self._key = clock.random_bytes(32)
        self._proven: dict[bytes, float] = {}
        self._decoy: str | None = None

    @classmethod
    def from_conf(cls, conf: Any) -> "Passwords":
        """From the options of [identity]."""
        return cls(
            rounds=conf.password_hash_rounds,
            memory=conf.password_hash_memory,
            lanes=conf.password_hash_parallelism,
            concurrency=conf.password_hash_concurrency,
            remember=conf.password_memory_seconds,
        )

    def hash(self, password: str) -> str:
        """The password's hash as a PHC string."""
        kdf = Argon2id(
            salt=clock.random_bytes(_SALT),
            length=_LENGTH,
            iterations=self._rounds,
            lanes=self._lanes,
            memory_cost=self._memory,
        )
        with self._free:
            return kdf.derive_phc_encoded(password.encode())

    def digest(self, secret: str) -> str:
        """For a secret of at least 128 random bits that this cloud has made itself, in place of `hash`."""
        return _digest(secret, clock.random_bytes(_SALT))

    def verify(self, password: str, stored: str | None) -> bool:
        """Whether `stored` is the password's hash. Without a stored one it takes as long and is False, so
        that the time does not tell which users there are."""
        if stored is None:
            if self._decoy is None:
                self._decoy = self.hash(clock.new_token())
            self._matches(password, self._decoy)
            return False
        if stored.startswith(_DIGEST):
            salt = base64.b64decode(stored[len(_DIGEST) :].partition("$")[0])
            return hmac.compare_digest(_digest(password, salt), stored)
        digest = hmac.digest(self._key, password.encode() + b"\0" + stored.encode(), "sha256")
        now = clock.monotonic()
        if self._proven.get(digest, -1.0) > now:
            return True
        if not self._matches(password, stored):
            return False
        if self._remember:
            if len(self._proven) >= _LARGEST_MEMORY:
                self._proven.clear()
            self._proven[digest] = now + self._remember
        return True

    def _matches(self, password: str, stored: str) -> bool:
        with self._free:
            if foreign_hashes.is_foreign(stored):
                return foreign_hashes.matches(password, stored)
            try:
                Argon2id.verify_phc_encoded(password.encode(), stored)
            except (InvalidKey, ValueError):
                return False
        return True


def _digest(secret: str, salt: bytes) -> str:
    digest = hmac.digest(salt, secret.encode(), "sha256")
    return f"{_DIGEST}{base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"
