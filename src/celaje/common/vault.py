"""Secrets at rest: what a service must keep for a while (a user's token in a flow's row), sealed.

One key file per service, readable by its owner only; services on several machines share the file.
"""

import contextlib
import os
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken


class Vault:
    def __init__(self, key_file: Path):
        if not key_file.exists():
            key_file.parent.mkdir(parents=True, exist_ok=True)
            create_secret(key_file, Fernet.generate_key())
        self._fernet = Fernet(key_file.read_bytes().strip())

    def seal(self, secret: str) -> bytes:
        return self._fernet.encrypt(secret.encode())

    def unseal(self, sealed: bytes) -> str | None:
        """None when it was sealed with another key."""
        try:
            return self._fernet.decrypt(sealed).decode()
        except InvalidToken:
            return None


def write_secret(path: Path, content: bytes) -> None:
    """Create `path` with mode 0600 from the first moment on; replaces what was there atomically."""
    _written_beside(path, content).replace(path)


def create_secret(path: Path, content: bytes) -> None:
    """As `write_secret`, unless another process was first: then its content stays."""
    temporary = _written_beside(path, content)
    with contextlib.suppress(FileExistsError):
        os.link(temporary, path)
    temporary.unlink()


def _written_beside(path: Path, content: bytes) -> Path:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return temporary
