"""The ISO 9660 writer against an independent reader (isoinfo), by each of its three name spaces."""

import json
import shutil
import subprocess

import pytest
from tests.compute.drivers.builders import a_port, a_server

from celaje.common.errors import DriverError
from celaje.compute.drivers.metadata import metadata_files
from celaje.compute.drivers.qemu.config_drive import write_config_drive
from celaje.compute.drivers.qemu.iso9660 import SECTOR, write_image


def isoinfo(path, *arguments):
    assert shutil.which("isoinfo"), "isoinfo is missing: run tests/install.sh"
    done = subprocess.run(
        ["isoinfo", "-i", str(path), *arguments], capture_output=True, timeout=20, check=True
    )
    return done.stdout


@pytest.fixture
def files():
    many = {f"many/file-number-{number:03}.txt": b"x" * number for number in range(60)}
    return {
        "openstack/latest/meta_data.json": b'{"a": 1}',
        "empty": b"",
        "big": bytes(range(256)) * 40,
        **many,
    }


@pytest.mark.parametrize("names", ["-R", "-J"])
def test_every_file_reads_back(tmp_path, files, names):
    image = tmp_path / "image.iso"
    image.write_bytes(write_image("config-2", files))
    listed = isoinfo(image, names, "-f").decode().splitlines()
    assert {f"/{path}" for path in files} <= set(listed)
    for path in ("openstack/latest/meta_data.json", "empty", "big", "many/file-number-059.txt"):
        assert isoinfo(image, names, "-x", f"/{path}") == files[path], path


def test_label_and_size(tmp_path, files):
    image = tmp_path / "image.iso"
    image.write_bytes(write_image("config-2", files))
    described = isoinfo(image, "-d").decode()
    assert "Volume id: config-2" in described
    assert f"Volume size is: {image.stat().st_size // SECTOR}" in described
    assert "Rock Ridge signatures version 1 found" in described


def test_plain_names_are_unique(tmp_path):
    image = tmp_path / "image.iso"
    image.write_bytes(write_image("x", {f"{'same_long_name' * 2}{n}.json": b"%d" % n for n in range(30)}))
    listed = isoinfo(image, "-f").decode().split()
    assert len(set(listed)) == 30


@pytest.mark.parametrize("path", ["/etc/passwd", "a/../b", "a//b", "", "é"])
def test_bad_paths_are_refused(path):
    with pytest.raises(DriverError, match="cannot be a file's path"):
        write_image("x", {path: b""})


def test_config_drive_of_a_server(tmp_path):
    drive = tmp_path / "config.iso"
    write_config_drive(drive, metadata_files(a_server(key_data="ssh-ed25519 AAAA me"), [a_port()]))
    metadata = json.loads(isoinfo(drive, "-R", "-x", "/openstack/latest/meta_data.json"))
    assert metadata["public_keys"] == {"key": "ssh-ed25519 AAAA me"}
    network = json.loads(isoinfo(drive, "-R", "-x", "/openstack/latest/network_data.json"))
    assert network["links"][0]["ethernet_mac_address"] == a_port()["mac_address"]
    assert network["services"] == [{"type": "dns", "address": "192.0.2.53"}]
    assert isoinfo(drive, "-R", "-x", "/openstack/latest/user_data").startswith(b"#!/bin/sh")
