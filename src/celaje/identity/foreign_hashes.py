"""Password hashes of an imported Keystone: bcrypt, bcrypt-sha256, scrypt and PBKDF2, in passlib's forms.

They are only checked; a new password gets Argon2id. bcrypt is done by the package of that name where it is
installed, else by the system's libcrypt.
"""

import base64
import ctypes
import ctypes.util
import functools
import hashlib
import hmac
import logging
from collections.abc import Callable

log = logging.getLogger(__name__)

_BCRYPT = ("$2$", "$2a$", "$2b$", "$2x$", "$2y$")
_BCRYPT_SHA256 = "$bcrypt-sha256$"
# bcrypt reads no more of a password.
_BCRYPT_LONGEST = 72
# What an scrypt hash may ask for, in bytes; Keystone's default takes 64 MiB.
_SCRYPT_MEMORY = 256 * 1024 * 1024
_SCRYPT_LENGTH = 32
_PBKDF2 = {"$pbkdf2$": "sha1", "$pbkdf2-sha256$": "sha256", "$pbkdf2-sha512$": "sha512"}


def is_foreign(stored: str) -> bool:
    return stored.startswith((*_BCRYPT, _BCRYPT_SHA256, "$scrypt$", *_PBKDF2))


def matches(password: str, stored: str) -> bool:
    """False also for a hash that is broken, or that nothing here can compute."""
    try:
        if stored.startswith(_BCRYPT_SHA256):
            return _bcrypt_sha256(password.encode(), stored)
        if stored.startswith(_BCRYPT):
            return _bcrypt(password.encode()[:_BCRYPT_LONGEST], stored)
        if stored.startswith("$scrypt$"):
            return _scrypt(password.encode(), stored)
        return _pbkdf2(password.encode(), stored)
    except (ValueError, KeyError, IndexError, TypeError, MemoryError):
        return False


def _bcrypt(password: bytes, stored: str) -> bool:
    compute = _bcrypt_function()
    if compute is None:
        log.error(
            "A user has a bcrypt hash, and neither the package bcrypt nor a libcrypt that knows it is here"
        )
        return False
    found = compute(password, stored.encode())
    return found is not None and hmac.compare_digest(found, stored.encode())


@functools.cache
def _bcrypt_function() -> Callable[[bytes, bytes], bytes | None] | None:
    try:
        import bcrypt
    except ImportError:
        return _from_libcrypt()
    return bcrypt.hashpw


def _from_libcrypt() -> Callable[[bytes, bytes], bytes | None] | None:
    """crypt_ra(3) of libxcrypt, which has no state of its own."""
    name = ctypes.util.find_library("crypt")
    try:
        crypt = ctypes.CDLL(name or "libcrypt.so.1").crypt_ra
    except (OSError, AttributeError):
        return None
    crypt.restype = ctypes.c_char_p
    crypt.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_void_p]

    def compute(password: bytes, setting: bytes) -> bytes | None:
        if b"\0" in password:
            return None
        data, size = ctypes.c_void_p(), ctypes.c_int(0)
        try:
            found: bytes | None = crypt(password, setting, ctypes.byref(data), ctypes.byref(size))
            return found
        finally:
            free = ctypes.CDLL(None).free
            free.argtypes = [ctypes.c_void_p]
            free(data)

    return compute


def _bcrypt_sha256(password: bytes, stored: str) -> bool:
    """`$bcrypt-sha256$v=2,t=2b,r=12$salt$digest`; version 1 lacks the salt in the first step."""
    about, salt, digest = stored.removeprefix(_BCRYPT_SHA256).split("$")
    if "=" in about:
        options = dict(part.split("=") for part in about.split(","))
        key = hmac.digest(salt.encode(), password, "sha256")
    else:
        kind, rounds = about.split(",")
        options = {"t": kind, "r": rounds}
        key = hashlib.sha256(password).digest()
    setting = f"${options['t']}${int(options['r']):02d}${salt}{digest}"
    return _bcrypt(base64.b64encode(key), setting)


def _unpadded(text: str) -> bytes:
    """passlib's base64: "." for "+", and no padding."""
    return base64.b64decode(text.replace(".", "+") + "=" * (-len(text) % 4), validate=True)


def _scrypt(password: bytes, stored: str) -> bool:
    """`$scrypt$ln=16,r=8,p=1$salt$digest`."""
    about, salt, digest = stored.removeprefix("$scrypt$").split("$")
    options = {name: int(value) for name, value in (part.split("=") for part in about.split(","))}
    right = _unpadded(digest)
    found = hashlib.scrypt(
        password,
        salt=_unpadded(salt),
        n=1 << options["ln"],
        r=options["r"],
        p=options["p"],
        maxmem=_SCRYPT_MEMORY,
        dklen=_SCRYPT_LENGTH,
    )
    return hmac.compare_digest(found, right)


def _pbkdf2(password: bytes, stored: str) -> bool:
    """`$pbkdf2-sha512$rounds$salt$digest`."""
    prefix = next(each for each in _PBKDF2 if stored.startswith(each))
    rounds, salt, digest = stored.removeprefix(prefix).split("$")
    right = _unpadded(digest)
    found = hashlib.pbkdf2_hmac(_PBKDF2[prefix], password, _unpadded(salt), int(rounds))
    return hmac.compare_digest(found, right)
