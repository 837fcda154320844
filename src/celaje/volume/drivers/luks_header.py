"""The header of LUKS 1 as its specification has it: a random master key, wrapped by a passphrase in one slot.

Called by luks.py. QEMU could write it, but measures first how many rounds of PBKDF2 fill two seconds of the
processor, and gives up on a busy machine; passphrases here are keys already, which stretching makes no safer.
"""

import hashlib
import struct
import uuid
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from celaje.common import clock

MAGIC, VERSION, HASH = b"LUKS\xba\xbe", 1, "sha256"
SECTOR, ALIGNMENT = 512, 4096
SLOTS, STRIPES = 8, 4000
ACTIVE, INACTIVE = 0x00AC71F3, 0x0000DEAD
ROUNDS = 10_000
DIGEST_LENGTH, SALT_LENGTH = 20, 32


@dataclass(frozen=True)
class Way:
    """AES with a key of `bits` in dm-crypt's words: mode xts or cbc; initial: plain, plain64 or
    essiv:HASH."""

    mode: str
    initial: str
    bits: int

    @property
    def key_length(self) -> int:
        """Bytes of the master key. XTS has two."""
        return self.bits // 8 * (2 if self.mode == "xts" else 1)

    @property
    def slot_sectors(self) -> int:
        return -(-self.key_length * STRIPES // ALIGNMENT) * ALIGNMENT // SECTOR

    @property
    def payload_sector(self) -> int:
        return ALIGNMENT // SECTOR + SLOTS * self.slot_sectors

    @property
    def size(self) -> int:
        """Bytes before the content."""
        return self.payload_sector * SECTOR


def build(way: Way, passphrase: str) -> bytes:
    """`way.size` bytes, with a master key that nobody else has."""
    master = clock.random_bytes(way.key_length)
    salt, slot_salt = clock.random_bytes(SALT_LENGTH), clock.random_bytes(SALT_LENGTH)
    digest = hashlib.pbkdf2_hmac(HASH, master, salt, ROUNDS, DIGEST_LENGTH)
    slots = b"".join(
        struct.pack(
            ">II32sII",
            ACTIVE if number == 0 else INACTIVE,
            ROUNDS if number == 0 else 0,
            slot_salt if number == 0 else b"",
            ALIGNMENT // SECTOR + number * way.slot_sectors,
            STRIPES,
        )
        for number in range(SLOTS)
    )
    header = struct.pack(
        ">6sH32s32s32sII20s32sI40s",
        MAGIC,
        VERSION,
        b"aes",
        f"{way.mode}-{way.initial}".encode(),
        HASH.encode(),
        way.payload_sector,
        way.key_length,
        digest,
        salt,
        ROUNDS,
        str(uuid.UUID(clock.new_uuid())).encode(),
    )
    wrapping = hashlib.pbkdf2_hmac(HASH, passphrase.encode(), slot_salt, ROUNDS, way.key_length)
    material = encrypt(way, wrapping, _split(master))
    return ((header + slots).ljust(ALIGNMENT, b"\0") + material).ljust(way.size, b"\0")


def _split(key: bytes) -> bytes:
    """The specification's anti-forensic splitter: whoever lacks one bit of it has nothing of the key."""
    stripes = [clock.random_bytes(len(key)) for _ in range(STRIPES - 1)]
    mixed = bytes(len(key))
    for stripe in stripes:
        mixed = _diffuse(_xor(mixed, stripe))
    return b"".join([*stripes, _xor(mixed, key)])


def _diffuse(block: bytes) -> bytes:
    length = hashlib.new(HASH).digest_size
    parts = []
    for number, start in enumerate(range(0, len(block), length)):
        part = block[start : start + length]
        parts.append(hashlib.new(HASH, struct.pack(">I", number) + part).digest()[: len(part)])
    return b"".join(parts)


def _xor(one: bytes, other: bytes) -> bytes:
    return (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).to_bytes(len(one), "big")


def encrypt(way: Way, key: bytes, content: bytes) -> bytes:
    """`content` as dm-crypt lays it down in sectors, the first of which is number 0."""
    content = content.ljust(-(-len(content) // SECTOR) * SECTOR, b"\0")
    found = []
    for number in range(len(content) // SECTOR):
        initial = _initial(way, key, number)
        mode = modes.XTS(initial) if way.mode == "xts" else modes.CBC(initial)
        encryptor = Cipher(algorithms.AES(key), mode).encryptor()
        found.append(encryptor.update(content[number * SECTOR : (number + 1) * SECTOR]))
    return b"".join(found)


def _initial(way: Way, key: bytes, sector: int) -> bytes:
    generator, _, digest = way.initial.partition(":")
    if generator == "plain":
        sector &= 0xFFFFFFFF
    plain = sector.to_bytes(16, "little")
    if generator != "essiv":
        return plain
    salted = hashlib.new(digest, key).digest()
    return Cipher(algorithms.AES(salted), modes.ECB()).encryptor().update(plain)
