"""Keys in the volume service's own database, each sealed with the key file: the default keeper.

Whoever has the database alone, or a backup of it, has no key; whoever has the key file too has all of them.
"""

from pathlib import Path
from typing import Any

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.common.vault import Vault
from celaje.volume.db import keys
from celaje.volume.keys.base import KeyLost, KeyManager, KeyManagerError

KEY_FILE = "encryption.key"


class SealedKeys(KeyManager):
    def __init__(self, options: Any, state: Path):
        self._file = Path(options.key_file) if options.key_file else state / KEY_FILE
        # Made at the first start; APIs and conductors on several machines share the file.
        self._vault = Vault(self._file)

    def explain(self) -> str:
        return f"Keys of encrypted volumes lie in the database, sealed with {self._file}."

    def create(self, tx: Transaction, project_id: str | None, bits: int) -> str:
        return self._keep(tx, clock.random_bytes(max(1, bits // 8)).hex(), project_id)

    def copy(self, tx: Transaction, key_id: str, *, owner: str | None, project_id: str | None) -> str:
        row = keys.get(tx, key_id)
        if row is None or row["project_id"] != owner:
            raise KeyManagerError
        return self._keep(tx, self.passphrase(tx, key_id), project_id)

    def _keep(self, tx: Transaction, key: str, project_id: str | None) -> str:
        key_id = clock.new_uuid()
        sealed = self._vault.seal(key).decode()
        row = {"id": key_id, "project_id": project_id, "sealed": sealed, "created_at": clock.now()}
        keys.insert(tx, row)
        return key_id

    def hand_over(self, tx: Transaction, key_id: str, project_id: str) -> None:
        keys.change(tx, key_id, project_id=project_id)

    def delete(self, tx: Transaction, key_id: str) -> None:
        keys.remove(tx, key_id)

    def passphrase(self, tx: Transaction, key_id: str) -> str:
        row = keys.get(tx, key_id)
        if row is None:
            raise KeyLost(key_id=key_id, reason="the database has no such key")
        key = self._vault.unseal(row["sealed"].encode())
        if key is None:
            raise KeyLost(key_id=key_id, reason=f"it was sealed with another key than {self._file}")
        return key
