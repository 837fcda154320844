"""LUKS: how a volume is to be encrypted, and its content encrypted or opened on the way between two files.

Called by drivers whose volumes are files. LUKS is the content of a volume, whatever container (raw, qcow2)
that lies in: back ends, exports and copies never need the key. Passphrases reach qemu-img by a descriptor of
a file in memory, never by its arguments, its environment or a disk.
"""

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from celaje.common import errors, processes
from celaje.volume.drivers import base, luks_header

# The names that Nova and os-brick have had for LUKS 1. QEMU knows no LUKS 2 and no plain dm-crypt.
PROVIDERS = {
    "luks",
    "LuksEncryptor",
    "nova.volume.encryptors.luks.LuksEncryptor",
    "os_brick.encryptors.luks.LuksEncryptor",
}


class NotEncryptable(errors.Invalid):
    """The type's encryption is one that cannot be done here: the volume ends in error, as in Cinder."""

    text = "Encryption of the type's volumes cannot be done here: {reason}"


@dataclass(frozen=True)
class Luks:
    """What a new volume is encrypted with."""

    passphrase: str
    way: luks_header.Way

    def check_room(self, content: int, size: int) -> None:
        """Whether `content` bytes and the header fit into `size` GiB. ImageDoesNotFit."""
        whole = content + self.way.size
        if whole > size * base.GIB:
            raise base.ImageDoesNotFit(image_size=-(-whole // base.GIB), size=size)


def wanted(volume: Mapping[str, Any]) -> Luks | None:
    """How the volume is to be encrypted; None for a plain one. NotEncryptable."""
    encryption = volume.get("encryption")
    if not encryption:
        return None
    if encryption.get("provider") not in PROVIDERS:
        raise NotEncryptable(reason=f"provider {encryption.get('provider')} is not luks.")
    return Luks(
        encryption["passphrase"], way_of(encryption.get("cipher") or "", encryption.get("key_size") or 256)
    )


def way_of(cipher: str, bits: int) -> luks_header.Way:
    """From dm-crypt's cipher-mode-iv and the type's key size. XTS halves its key: 512 bits of it are AES-256;
    256 bits are taken for AES-256 too, as Cinder does."""
    name, mode, initial = ([*cipher.split("-", 2), "", "", ""])[:3]
    size = 256 if (mode, bits) == ("xts", 512) else bits
    # QEMU has no XTS of 192 bits, and fails an assertion over a slot of such a key with CBC.
    if name != "aes" or mode not in ("xts", "cbc") or size not in (128, 256):
        raise NotEncryptable(reason=f"cipher {cipher or 'none'} with a key of {bits} bits.")
    generator, _, digest = initial.partition(":")
    if generator == "essiv":
        # Its key is the digest, and QEMU knows it for CBC.
        known = mode == "cbc" and digest == "sha256"
    else:
        known = generator in ("plain", "plain64") and not digest
    if not known:
        raise NotEncryptable(reason=f"initialisation vector {initial or 'none'} in cipher {cipher}.")
    return luks_header.Way(mode, initial, size)


def create(path: Path, size: int, luks: Luks) -> None:
    """A raw file of `size` bytes that is LUKS, header included; its content is noise until somebody
    writes."""
    with open(path, "wb") as file:
        file.write(luks_header.build(luks.way, luks.passphrase))
        file.truncate(size)


def fill(
    source: Path,
    source_format: str,
    opened_with: str | None,
    target: Path,
    target_format: str,
    *,
    luks: Luks | None,
    timeout: float,
    limits: processes.Limits | None = None,
) -> None:
    """Copy what `source` holds into `target`, which is there, and large enough. opened_with: the passphrase
    of the LUKS in the source; luks: that in the target; None: it is plain."""
    with contextlib.ExitStack() as stack:
        words, descriptors = ["qemu-img", "convert", "-n", "--image-opts", "--target-image-opts"], []
        images = []
        for name, path, form, passphrase in (
            ("old", source, source_format, opened_with),
            ("new", target, target_format, luks.passphrase if luks else None),
        ):
            image = {"driver": form, "file.driver": "file", "file.filename": str(path.absolute())}
            if passphrase is not None:
                descriptors.append(stack.enter_context(_secret(passphrase)))
                file = f"/dev/fd/{descriptors[-1]}"
                words += ["--object", f"secret,id={name},format=raw,file={file}"]
                below = {f"file.{key}": value for key, value in image.items()}
                image = {"driver": "luks", "key-secret": name, **below}
            # A comma ends an option, unless there are two.
            images.append(",".join(f"{key}={value.replace(',', ',,')}" for key, value in image.items()))
        processes.run([*words, *images], timeout=timeout, limits=limits, descriptors=descriptors)


@contextlib.contextmanager
def _secret(passphrase: str) -> Iterator[int]:
    """A descriptor of a file in memory that holds it, for a child to read."""
    descriptor = os.memfd_create("passphrase")
    try:
        os.write(descriptor, passphrase.encode())
        yield descriptor
    finally:
        os.close(descriptor)
