"""The secrets of an all-in-one cloud: its users' passwords, made at random at the first start.

Kept in one file that only its owner may read; several machines have them in their configuration instead.
"""

from pathlib import Path

import msgspec

from celaje.common import clock
from celaje.common.errors import ConfigurationError
from celaje.common.vault import write_secret


class Secrets:
    def __init__(self, file: Path):
        self._file = file
        self._passwords: dict[str, str] = {}
        if file.exists():
            try:
                self._passwords = msgspec.json.decode(file.read_bytes(), type=dict[str, str])
            except msgspec.DecodeError as error:
                raise ConfigurationError(f"{file} cannot be read: {error}") from error

    def password(self, user: str) -> str:
        """The user's password; a new one at the first call."""
        if user not in self._passwords:
            self._passwords[user] = clock.new_token(18)
            write_secret(self._file, msgspec.json.encode(self._passwords))
        return self._passwords[user]
