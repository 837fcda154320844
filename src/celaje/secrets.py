"""The secrets of an all-in-one cloud: its users' passwords, made at random at the first start.

Kept in one file that only its owner may read; several machines have them in their configuration instead.
"""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from celaje.common import clock
from celaje.common.errors import ConfigurationError
from celaje.common.vault import write_secret


class Secrets:
    def __init__(self, file: Path):
        self._file = file
        self._passwords: dict[str, str] = {}
        # Whose password is surely random: the file may hold one that a person has chosen.
        self.generated: set[str] = set()
        if file.exists():
            try:
                self._passwords = msgspec.json.decode(file.read_bytes(), type=dict[str, str])
            except msgspec.DecodeError as error:
                raise ConfigurationError(f"{file} cannot be read: {error}") from error

    def password(self, user: str) -> str:
        """The user's password; a new one at the first call."""
        self.make([user])
        return self._passwords[user]

    def replace(self, user: str, password: str) -> bool:
        """The user has another password now, one that a person has chosen. False for a user who has none
        here."""
        if user not in self._passwords:
            return False
        self._passwords[user] = password
        self.generated.discard(user)
        write_secret(self._file, msgspec.json.encode(self._passwords))
        return True

    def make(self, users: Iterable[str]) -> None:
        """Passwords for all of `users` that have none, written down at once."""
        new = [user for user in users if user not in self._passwords]
        if new:
            self._passwords.update((user, clock.new_token(18)) for user in new)
            self.generated.update(new)
            write_secret(self._file, msgspec.json.encode(self._passwords))
