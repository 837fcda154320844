"""Keys of encrypted volumes: who keeps them, and the interface that the API and the conductor see.

`[key_manager] backend` names the keeper, as in Castellan. Called by the service when it starts.
"""

import importlib
from pathlib import Path
from typing import Any

from celaje.common.errors import ConfigurationError
from celaje.volume.keys.base import KeyManager

DATABASE, FIXED = "celaje.volume.keys.sealed.SealedKeys", "celaje.volume.keys.fixed.FixedKey"
NAMES = {
    "database": DATABASE,
    "fixed_key": FIXED,
    # The names that configurations of Cinder and Nova have for the same.
    "cinder.keymgr.conf_key_mgr.ConfKeyManager": FIXED,
    "nova.keymgr.conf_key_mgr.ConfKeyManager": FIXED,
}


def open_key_manager(conf: Any, state: Path) -> KeyManager:
    """The keeper that `conf.key_manager` names; `state`: the service's folder. Raises ConfigurationError."""
    name = conf.key_manager.backend
    module, _, attribute = NAMES.get(name, name).rpartition(".")
    try:
        cls = getattr(importlib.import_module(module), attribute) if module else None
    except (ImportError, AttributeError):
        cls = None
    if not (isinstance(cls, type) and issubclass(cls, KeyManager)):
        raise ConfigurationError(
            f"[key_manager] backend: {name} is neither database nor fixed_key nor the dotted path of a key "
            "manager. Barbican is not spoken to."
        )
    return cls(conf.key_manager, state)


__all__ = ["KeyManager", "open_key_manager"]
