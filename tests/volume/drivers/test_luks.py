"""Encrypted volumes as files: what lies on the disk is LUKS, and only its key gives the content back."""

import hashlib

import pytest
from tests.volume.content import content_of, head_of

from celaje.common import clock, processes
from celaje.volume.drivers import base, luks

MIB = 1024**2
KEY, OTHER = "ab" * 32, "cd" * 32
SPEC = {"provider": "luks", "cipher": "aes-xts-plain64", "key_size": 256}


def encrypted(passphrase=KEY, **more):
    return {**SPEC, "key_id": clock.new_uuid(), "passphrase": passphrase, **more}


def volume(size=1, **more):
    return {"id": clock.new_uuid(), "name_id": None, "size": size, "metadata": {}, **more}


@pytest.fixture(params=["qcow2", "raw"])
def driver(request, tmp_path, make_file_driver):
    return make_file_driver(tmp_path / "volumes", file_volume_format=request.param)


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "image"
    path.write_bytes(bytes(range(256)) * 4096 + bytes(MIB))
    return {"id": clock.new_uuid(), "disk_format": "raw", "path": str(path)}


def raw(driver, one, tmp_path):
    return head_of(driver, one, tmp_path, 8 * MIB)


def opened(driver, one, passphrase, tmp_path, megabytes=2):
    """The first of what the volume holds in the clear."""
    path = head(driver, one, tmp_path)
    clear = tmp_path / "clear"
    clear.write_bytes(bytes(8 * MIB))
    luks.fill(path, "raw", passphrase, clear, "raw", luks=None, timeout=100)
    with open(clear, "rb") as file:
        return file.read(megabytes * MIB)


def head(driver, one, tmp_path):
    """A file with the first of what lies there: opening all of a gigabyte's noise takes its time."""
    path = tmp_path / f"head-{one['id']}"
    path.write_bytes(raw(driver, one, tmp_path))
    return path


def digest(content):
    return hashlib.sha256(content).hexdigest()


def test_an_empty_volume_is_luks_as_large_as_ordered(driver, tmp_path):
    one = volume(encryption=encrypted())
    first = driver.create_volume(one)
    assert driver.create_volume(one) == first
    assert [found["size"] for found in driver.list_volumes()] == [1]
    with content_of(driver, one, tmp_path) as path:
        assert path.stat().st_size == base.GIB
        with open(path, "rb") as file:
            assert file.read(8) == b"LUKS\xba\xbe\x00\x01"
    driver.extend_volume(one, 2)
    assert [found["size"] for found in driver.list_volumes()] == [2]


def test_an_image_is_encrypted_on_its_way_and_recoded_later(driver, image, tmp_path):
    """Plain to encrypted, to another key and cipher, and to plain again; copies open with the same key."""
    with open(image["path"], "rb") as file:
        content = file.read()
    one = volume(encryption=encrypted())
    driver.create_volume_from_image(one, image)
    assert content[:4096] not in raw(driver, one, tmp_path)
    assert digest(opened(driver, one, KEY, tmp_path)) == digest(content)
    clone = volume()
    driver.create_cloned_volume(clone, one)
    assert digest(opened(driver, clone, KEY, tmp_path)) == digest(content)
    moving = {"id": clock.new_uuid(), "disk_format": "raw", "path": str(head(driver, one, tmp_path))}
    plain = volume()
    driver.create_volume_from_image(plain, {**moving, "encryption": {"passphrase": KEY}})
    assert digest(raw(driver, plain, tmp_path)[: 2 * MIB]) == digest(content)
    other = volume(encryption=encrypted(OTHER, cipher="aes-cbc-essiv:sha256"))
    driver.create_volume_from_image(other, {**moving, "encryption": {"passphrase": KEY}})
    assert digest(opened(driver, other, OTHER, tmp_path)) == digest(content)


def test_an_image_that_leaves_no_room_for_the_header(driver, image):
    with open(image["path"], "rb+") as file:
        file.truncate(base.GIB)
    with pytest.raises(base.ImageDoesNotFit):
        driver.create_volume_from_image(volume(encryption=encrypted()), image)
    assert driver.list_volumes() == []


@pytest.mark.parametrize(
    "spec",
    [
        {"provider": "luks2"},
        {"provider": "plain"},
        {"cipher": None},
        {"cipher": "serpent-xts-plain64"},
        {"cipher": "aes-xts-plain64", "key_size": 384},
        {"cipher": "aes-cbc-plain64", "key_size": 192},
        {"cipher": "aes-ecb-plain"},
        {"cipher": "aes-xts-essiv"},
        {"cipher": "aes-xts-plain64,key-secret=x"},
    ],
)
def test_what_qemu_cannot_encrypt_is_refused(driver, spec):
    with pytest.raises(luks.NotEncryptable):
        driver.create_volume(volume(encryption=encrypted(**spec)))
    assert driver.list_volumes() == []


def test_no_program_is_told_the_passphrase_by_its_arguments(driver, image, monkeypatch):
    seen = []

    def spied(argv, **more):
        seen.append(" ".join(argv))
        assert more.get("stdin", b"") == b""
        return run(argv, **more)

    run = luks.processes.run
    monkeypatch.setattr(luks.processes, "run", spied)
    driver.create_volume(volume(encryption=encrypted()))
    driver.create_volume_from_image(volume(encryption=encrypted()), image)
    assert any("driver=luks" in words for words in seen)
    assert not any(KEY in words for words in seen)


@pytest.mark.parametrize(
    "cipher, bits", [("aes-xts-plain64", 128), ("aes-xts-plain", 512), ("aes-cbc-essiv:sha256", 256)]
)
def test_qemu_opens_what_we_make(tmp_path, cipher, bits):
    """Its own reading of LUKS is the judge of our header."""
    made = luks.Luks(KEY, luks.way_of(cipher, bits))
    place, clear = tmp_path / "made, with a comma", tmp_path / "clear"
    luks.create(place, 4 * MIB, made)
    clear.write_bytes(b"content" * 1000)
    luks.fill(clear, "raw", None, place, "raw", luks=made, timeout=100)
    assert b"content" not in place.read_bytes()
    again = tmp_path / "again"
    again.write_bytes(bytes(4 * MIB))
    luks.fill(place, "raw", KEY, again, "raw", luks=None, timeout=100)
    assert again.read_bytes().startswith(b"content" * 1000)
    with pytest.raises(processes.ProcessFailed, match="password"):
        luks.fill(place, "raw", OTHER, again, "raw", luks=None, timeout=100)


def test_names_of_cryptsetup_in_ours():
    assert luks.way_of("aes-xts-plain64", 512) == luks.way_of("aes-xts-plain64", 256)
    assert (luks.way_of("aes-xts-plain64", 256).key_length, luks.way_of("aes-cbc-plain", 128).key_length) == (
        64,
        16,
    )
    # What cryptsetup and QEMU make of the same: payload offset 4040 sectors.
    assert luks.way_of("aes-xts-plain64", 256).size == 4040 * 512
