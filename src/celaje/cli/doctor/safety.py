"""Checks of what must stay secret: the state directory, its passwords, the keys of tokens and vaults."""

import base64
import binascii
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from celaje.cli.doctor.examination import ERROR, WARNING, Examination, Finding

_KEY = 32
# Files that seal what services keep: tokens of flows, credentials, keys of encrypted volumes.
_VAULTS = ("vault.key", "credentials.key", "encryption.key")


def permissions(exam: Examination) -> Iterator[Finding]:
    """The folder and every secret in it are their owner's alone."""
    if exam.state is None:
        return
    mode = stat.S_IMODE(exam.state.stat().st_mode)
    if mode & 0o077:
        yield Finding(
            WARNING,
            f"Other users may look into the state directory (mode {mode:04o}).",
            str(exam.state),
            "Databases and logs in it are readable to them.",
            f"chmod 700 {exam.state}",
        )
    if not os.access(exam.state, os.W_OK | os.X_OK):
        yield Finding(
            ERROR,
            "This user may not write into the state directory.",
            str(exam.state),
            "No cloud can run on it.",
            "Run celaje as its owner, or give the folder to this user.",
        )
    for file in _secrets(exam):
        mode = stat.S_IMODE(file.stat().st_mode)
        if mode & 0o077:
            yield Finding(
                ERROR,
                f"Other users may read {file.name} (mode {mode:04o}).",
                str(file),
                "It holds passwords or keys: whoever reads it is admin of the cloud.",
                f"chmod 600 {file}; then change what it held",
            )


def keys(exam: Examination) -> Iterator[Finding]:
    """The keys of tokens: there, readable, and keys."""
    folder = _repository(exam)
    if folder is None:
        return
    from celaje.common.tokens import KeyRepository

    numbers = KeyRepository(folder).numbers()
    if not numbers:
        if exam.state is None or (exam.state / "secrets.json").exists():
            yield Finding(
                ERROR,
                "There are no keys of tokens.",
                str(folder),
                "No token can be made or opened.",
                "celaje identity setup-keys; the same keys on every machine."
                if exam.state is None
                else "Start the cloud: it makes new ones, and old tokens end.",
            )
        return
    for number in numbers:
        file = folder / str(number)
        why = _no_key(file)
        if why:
            yield Finding(
                ERROR,
                f"The key {number} cannot be used: {why}.",
                str(file),
                "Every token is refused while it is there.",
                "Bring it back from another machine, or remove it.",
            )
    if 0 not in numbers or len(numbers) < 2:
        yield Finding(
            WARNING,
            f"The key repository has only {', '.join(map(str, numbers))}.",
            str(folder),
            "Without a staged key 0 beside the sealing one, a rotation refuses good tokens.",
            "celaje identity setup-keys",
        )


def _no_key(file: Path) -> str | None:
    """Why the file holds no Fernet key; None if it does."""
    wrong = "it is not a Fernet key"
    try:
        good = len(base64.urlsafe_b64decode(file.read_bytes().strip())) == _KEY
    except (OSError, binascii.Error) as error:
        return getattr(error, "strerror", None) or wrong
    return None if good else wrong


def volume_keys(exam: Examination) -> Iterator[Finding]:
    """The file that seals the keys of encrypted volumes: there, its owner's alone, and a key."""
    conf = exam.confs.get("volume")
    if conf is None or conf.key_manager.backend != "database":
        return
    given = conf.key_manager.key_file
    file = Path(given) if given else exam.state / "volume" / "encryption.key" if exam.state else None
    if file is None or not file.exists():
        if given:
            yield Finding(
                WARNING,
                "The key file of encrypted volumes is not there.",
                str(file),
                "The first API or conductor makes one, which opens no volume of before.",
                "Bring it back, or copy that of another machine.",
            )
        return
    why = _no_key(file)
    if why:
        yield Finding(
            ERROR,
            f"The key file of encrypted volumes cannot be used: {why}.",
            str(file),
            "The volume service does not start, and no encrypted volume opens.",
            "Bring it back from another machine or from a backup: nothing else opens them.",
        )
    elif given and (mode := stat.S_IMODE(file.stat().st_mode)) & 0o077:
        yield Finding(
            ERROR,
            f"Other users may read the key file of encrypted volumes (mode {mode:04o}).",
            str(file),
            "With the database they have every volume's key.",
            f"chmod 600 {file}",
        )


def _repository(exam: Examination) -> Path | None:
    if exam.state is not None:
        return exam.state / "keys" / "fernet"
    conf = exam.any_conf
    if conf is None or not exam.configured.is_given or ("fernet_tokens", "key_repository") not in set(conf):
        return None
    return Path(conf.fernet_tokens.key_repository)


def _secrets(exam: Examination) -> list[Path]:
    assert exam.state is not None
    found = [exam.state / name for name in ("secrets.json", "clouds.yaml", "metrics.token")]
    found += [file for name in _VAULTS for file in exam.state.glob(f"*/{name}")]
    found += (exam.state / "keys" / "fernet").glob("[0-9]*")
    return [path for path in found if path.is_file()]
