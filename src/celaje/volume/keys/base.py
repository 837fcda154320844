"""What the API and the conductor ask of whoever keeps the keys of encrypted volumes.

Every volume, and every backup and image of an encrypted one, has a key of its own, though what is copied from
a volume has an equal one: a key is deleted with what it belongs to, as in Cinder.
"""

from pathlib import Path
from typing import Any

from celaje.common.db import Transaction
from celaje.common.errors import CelajeError, Invalid

# Bits of a key whose type names no size; Cinder's documentation uses it throughout.
DEFAULT_BITS = 256


class KeyManagerError(Invalid):
    """Cinder's terse words: whoever asks learns nothing of keys that are not theirs."""

    text = "Key manager error"


class KeyLost(CelajeError):
    """The key is not kept, or was sealed by another key file."""

    text = "The encryption key {key_id} cannot be read: {reason}."


class KeyManager:
    """Changes are made in the caller's transaction, with the row that the key belongs to: no key is left
    without its owner. A keeper behind a network would have to be a step of a flow instead."""

    def __init__(self, options: Any, state: Path):
        """options: the group [key_manager]; state: the service's folder."""
        raise NotImplementedError

    def explain(self) -> str:
        """One sentence for the log: who keeps the keys, and what it depends on."""
        raise NotImplementedError

    def create(self, tx: Transaction, project_id: str | None, bits: int) -> str:
        """A new random key of `bits` bits that belongs to the project; its id."""
        raise NotImplementedError

    def copy(self, tx: Transaction, key_id: str, *, owner: str | None, project_id: str | None) -> str:
        """An equal key under an id of its own, for the project. KeyManagerError unless the key is
        `owner`'s."""
        raise NotImplementedError

    def hand_over(self, tx: Transaction, key_id: str, project_id: str) -> None:
        """The key belongs to another project from here on."""
        raise NotImplementedError

    def delete(self, tx: Transaction, key_id: str) -> None:
        """Nothing happens when it is gone."""
        raise NotImplementedError

    def passphrase(self, tx: Transaction, key_id: str) -> str:
        """The key in hexadecimal, which is what Nova and Cinder give LUKS. KeyLost."""
        raise NotImplementedError
