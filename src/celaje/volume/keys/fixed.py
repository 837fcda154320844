"""One key from the configuration for all volumes: Cinder's ConfKeyManager, for tests and for old volumes of
it."""

import binascii
import logging
from pathlib import Path
from typing import Any

from celaje.common.db import Transaction
from celaje.common.errors import ConfigurationError
from celaje.volume.keys.base import KeyLost, KeyManager, KeyManagerError

log = logging.getLogger(__name__)

# The id that Cinder and Nova give the one key.
KEY_ID = "00000000-0000-0000-0000-000000000000"


class FixedKey(KeyManager):
    def __init__(self, options: Any, state: Path):
        try:
            self._key = binascii.unhexlify(options.fixed_key or "").hex()
        except ValueError as error:
            raise ConfigurationError("[key_manager] fixed_key is not hexadecimal.") from error
        if not self._key:
            raise ConfigurationError("[key_manager] backend is fixed_key, and fixed_key is not set.")
        log.warning("All encrypted volumes share the one key in [key_manager] fixed_key: for tests only")

    def explain(self) -> str:
        return "Encrypted volumes share one key, which stands in the configuration."

    def create(self, tx: Transaction, project_id: str | None, bits: int) -> str:
        return KEY_ID

    def copy(self, tx: Transaction, key_id: str, *, owner: str | None, project_id: str | None) -> str:
        if key_id != KEY_ID:
            raise KeyManagerError
        return KEY_ID

    def hand_over(self, tx: Transaction, key_id: str, project_id: str) -> None:
        """It is everybody's."""

    def delete(self, tx: Transaction, key_id: str) -> None:
        """It stays, as it stands in the configuration."""

    def passphrase(self, tx: Transaction, key_id: str) -> str:
        if key_id != KEY_ID:
            raise KeyLost(key_id=key_id, reason="the key manager has one fixed key only")
        return self._key
