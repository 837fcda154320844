"""Images made by qemu-img, read as files and as streams; then hostile and broken ones."""

import json
import random
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from celaje.common import disk_format, errors, processes
from celaje.common.disk_format import Inspector, check, inspect_file, view

MIB = 1024**2
QEMU_IMG = processes.find("qemu-img")

MADE = {
    "qcow2-v3": ("qcow2", ["-f", "qcow2"]),
    "qcow2-v2": ("qcow2", ["-f", "qcow2", "-o", "compat=0.10"]),
    "qcow2-big-clusters": ("qcow2", ["-f", "qcow2", "-o", "cluster_size=2M"]),
    "qcow2-extended": ("qcow2", ["-f", "qcow2", "-o", "extended_l2=on,cluster_size=128k"]),
    "vmdk-sparse": ("vmdk", ["-f", "vmdk", "-o", "subformat=monolithicSparse"]),
    "vdi": ("vdi", ["-f", "vdi"]),
    "vdi-fixed": ("vdi", ["-f", "vdi", "-o", "static=on"]),
    "vhd-dynamic": ("vhd", ["-f", "vpc", "-o", "subformat=dynamic,force_size=on"]),
    "vhd-fixed": ("vhd", ["-f", "vpc", "-o", "subformat=fixed,force_size=on"]),
    "vhdx": ("vhdx", ["-f", "vhdx"]),
    "raw": ("raw", ["-f", "raw"]),
}


def qemu_img(*arguments) -> str:
    return subprocess.run(
        ["qemu-img", *map(str, arguments)], check=True, capture_output=True, text=True
    ).stdout


def stream(data: bytes, size: int) -> disk_format.Inspection:
    inspector = Inspector()
    for start in range(0, len(data), size):
        inspector.feed(data[start : start + size])
    return inspector.result()


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    made = {}
    for name, (_, options) in MADE.items():
        made[name] = folder / name
        qemu_img("create", "-q", *options, made[name], 4 * MIB)
    (folder / "data").write_bytes(random.Random(7).randbytes(2 * MIB) + bytes(2 * MIB))
    made["vmdk-stream"] = folder / "vmdk-stream"
    qemu_img(
        *("convert", "-f", "raw", "-O", "vmdk", "-o", "subformat=streamOptimized"),
        folder / "data",
        made["vmdk-stream"],
    )
    return made


@pytest.mark.parametrize("name", [*MADE, "vmdk-stream"])
def test_every_format_is_told_alike_from_file_and_stream(images, name):
    expected = MADE.get(name, ("vmdk",))[0]
    found = inspect_file(images[name])
    assert (found.formats, found.virtual_size, found.problems) == ((expected,), 4 * MIB, ())
    data = images[name].read_bytes()
    assert found.size == len(data)
    for size in (4093, 65536, 1 << 20, len(data)):
        assert stream(data, size) == found, size
    check(expected, found)
    for other in {"qcow2", "vmdk", "vdi", "vhd", "vhdx", "raw", "iso"} - {expected}:
        with pytest.raises(disk_format.FormatMismatch, match=f"declared as {other}.* content is {expected}"):
            check(other, found)
    qemu = json.loads(
        qemu_img("info", "--output=json", "-f", disk_format.qemu_format(expected), images[name])
    )
    assert qemu["virtual-size"] == found.virtual_size


@pytest.mark.parametrize("name", ["qcow2-v3", "qcow2-v2", "vmdk-sparse", "vhd-dynamic"])
def test_a_stream_of_single_bytes(images, name):
    data = images[name].read_bytes()
    assert stream(data, 1) == inspect_file(images[name])


def test_memory_does_not_grow_with_the_image(images):
    inspector = Inspector()
    inspector.feed(images["vhdx"].read_bytes())
    for _ in range(256):
        inspector.feed(bytes(MIB))
    held = inspector._view
    kept = len(held._head) + len(held._tail) + sum(map(len, held._windows.values()))
    assert kept <= view.HEAD + view.TAIL + view.BUDGET
    assert inspector.result().format == "vhdx"


def test_backing_file(tmp_path):
    qemu_img("create", "-q", "-f", "qcow2", "-u", "-b", "/etc/shadow", "-F", "raw", tmp_path / "q", "1M")
    found = inspect_file(tmp_path / "q")
    assert found.backing_file == "/etc/shadow"
    with pytest.raises(disk_format.UnsafeImage, match="backing file \\(/etc/shadow\\)") as caught:
        check("qcow2", found)
    assert isinstance(caught.value, errors.Invalid)


def test_external_data_file(tmp_path):
    qemu_img("create", "-q", "-f", "qcow2", "-o", f"data_file={tmp_path / 'd'}", tmp_path / "q", "1M")
    found = inspect_file(tmp_path / "q")
    assert found.data_file == str(tmp_path / "d")
    with pytest.raises(disk_format.UnsafeImage, match="external data file"):
        check("qcow2", found)


@pytest.mark.parametrize(
    ("bit", "word"), [(1 << 2, "external"), (1 << 1, "corrupt"), (1 << 9, "unknown"), (1 << 63, "unknown")]
)
def test_incompatible_features(images, bit, word):
    data = bytearray(images["qcow2-v3"].read_bytes())
    data[72:80] = bit.to_bytes(8, "big")
    with pytest.raises(disk_format.UnsafeImage, match=word):
        check("qcow2", stream(bytes(data), 65536))


@pytest.mark.parametrize("subformat", ["monolithicFlat", "twoGbMaxExtentSparse"])
def test_vmdk_that_names_other_files(tmp_path, subformat):
    qemu_img("create", "-q", "-f", "vmdk", "-o", f"subformat={subformat}", tmp_path / "v.vmdk", "1M")
    with pytest.raises(disk_format.UnsafeImage, match="only a descriptor"):
        check("vmdk", inspect_file(tmp_path / "v.vmdk"))


@pytest.mark.parametrize(
    ("before", "after", "word"),
    [
        (b"monolithicSparse", b"monolithicFlat\0\0", "monolithicFlat"),
        (b'SPARSE "', b'SPARSE "/etc/', "outside"),
        (b"SPARSE ", b"FLAT ", "type FLAT"),
        (b"parentCID=ffffffff", b"parentCID=0badcafe", "parent"),
        (b"# Extent description\n", b'RW 1 FLAT "/etc/shadow" 0\n', "2 extents"),
        (b"# Extent description\n", b"RW nonsense\n", "cannot be read"),
        (b"# Extent description\n", b'parentFileNameHint="/a"\n', "parent \\(/a\\)"),
    ],
)
def test_hostile_vmdk_descriptor(images, before, after, word):
    data = images["vmdk-sparse"].read_bytes()
    start = data.index(b"# Disk DescriptorFile")
    descriptor = data[start : start + 20 * 512]
    assert before in descriptor
    # Whole descriptor of the same length: what was put in is taken from the padding behind.
    hostile = descriptor.replace(before, after, 1)[: len(descriptor)].ljust(len(descriptor), b"\0")
    with pytest.raises(disk_format.UnsafeImage, match=word):
        check("vmdk", stream(data[:start] + hostile + data[start + len(descriptor) :], 65536))


def test_vmdk_without_capacity(images):
    data = bytearray(images["vmdk-sparse"].read_bytes())
    data[12:20] = bytes(8)
    with pytest.raises(disk_format.UnsafeImage, match="no capacity"):
        check("vmdk", stream(bytes(data), 65536))


def test_vmdk_footer(images, tmp_path):
    """As VMware streams it: the header says that the table is at the end, the footer repeats the header."""
    data = bytearray(images["vmdk-stream"].read_bytes())
    header = bytes(data[:512])
    data[56:64] = b"\xff" * 8
    marker = (1).to_bytes(8, "little") + bytes(4) + (3).to_bytes(4, "little") + bytes(496)
    good = bytes(data) + marker + header + bytes(512)
    path = tmp_path / "footer"
    path.write_bytes(good)
    qemu_img("info", "-f", "vmdk", path)  # QEMU takes it
    assert stream(good, 65536) == inspect_file(path)
    check("vmdk", inspect_file(path))
    for place in (12, 28, 36):  # capacity, offset and size of the descriptor
        bad = bytearray(good)
        bad[len(bad) - 1024 + place : len(bad) - 1024 + place + 8] = bytes(8)
        with pytest.raises(disk_format.UnsafeImage, match="footer contradicts"):
            check("vmdk", stream(bytes(bad), 65536))
    with pytest.raises(disk_format.UnsafeImage, match="footer is missing"):
        check("vmdk", stream(good[:-1536], 65536))


def test_differencing_vhd_and_vhdx(images):
    data = bytearray(images["vhd-dynamic"].read_bytes())
    data[60:64] = (4).to_bytes(4, "big")
    with pytest.raises(disk_format.UnsafeImage, match="parent"):
        check("vhd", stream(bytes(data), 65536))
    data = bytearray(images["vhdx"].read_bytes())
    guid = bytes.fromhex("3767a1ca36fa434db3b633f0aa44e76b")
    entry = data.index(guid)
    table = data.rindex(b"metadata", 0, entry)
    offset = int.from_bytes(data[entry + 16 : entry + 20], "little")
    data[table + offset + 4] |= 2
    with pytest.raises(disk_format.UnsafeImage, match="parent"):
        check("vhdx", stream(bytes(data), 65536))


def test_two_signatures_are_refused_whichever_is_declared(images):
    data = bytearray(images["qcow2-v3"].read_bytes())
    data[0x8001:0x8006] = b"CD001"
    found = stream(bytes(data), 1000)
    for declared in ("qcow2", "iso", "raw"):
        with pytest.raises((disk_format.UnsafeImage, disk_format.FormatMismatch)):
            check(declared, found)
    assert set(found.formats) == {"qcow2", "iso"}


def test_iso_and_hybrid_iso():
    data = bytearray(64 * 1024)
    data[0x8001:0x8006] = b"CD001"
    found = stream(bytes(data), 5000)
    assert (found.format, found.virtual_size, found.partitions) == ("iso", 65536, None)
    data[510:512], data[446 + 4] = b"\x55\xaa", 0x17
    found = stream(bytes(data), 5000)
    assert (found.format, found.partitions, found.safe) == ("iso", "mbr", True)
    check("iso", found)
    check("raw", found)


def test_partition_tables_of_raw_disks():
    mbr = bytearray(MIB)
    mbr[510:512] = b"\x55\xaa"
    assert stream(bytes(mbr), 5000).partitions is None, "a boot signature alone is no table"
    mbr[450] = 0x83
    assert stream(bytes(mbr), 5000).partitions == "mbr"
    mbr[512:520] = b"EFI PART"
    found = stream(bytes(mbr), 5000)
    assert (found.format, found.partitions, found.virtual_size) == ("raw", "gpt", MIB)
    check("raw", found)


def test_luks_is_a_plain_disk():
    data = bytearray(MIB)
    data[:8] = b"LUKS\xba\xbe\x00\x01"
    data[104:108] = (1024).to_bytes(4, "big")
    found = stream(bytes(data), 5000)
    assert (found.format, found.virtual_size) == ("luks", MIB // 2)
    check("raw", found)
    check("luks", found)


@pytest.mark.parametrize("declared", ["raw", "ami", "aki", "ari"])
def test_formats_without_a_signature_accept_any_bytes_but_no_other_format(declared):
    check(declared, stream(random.Random(1).randbytes(5000), 512))
    check(declared, stream(b"", 512))
    with pytest.raises(disk_format.FormatMismatch):
        check(declared, stream(b"QFI\xfb" + bytes(5000), 512))
    with pytest.raises(disk_format.FormatMismatch, match="qed"):
        check(declared, stream(b"QED\0" + bytes(5000), 512))


def test_text_instead_of_an_image():
    with pytest.raises(disk_format.FormatMismatch, match="content is raw"):
        check("qcow2", stream(b"<html>404</html>", 5))


@settings(max_examples=150)
@given(data=st.data())
def test_broken_headers_never_raise_and_file_and_stream_agree_on_danger(images, tmp_path, data):
    name = data.draw(st.sampled_from([*sorted(MADE), "vmdk-stream"]))
    image = bytearray(images[name].read_bytes()[: 3 * MIB])
    interesting = [
        0,
        4,
        8,
        16,
        20,
        48,
        56,
        60,
        72,
        100,
        104,
        512,
        0x40,
        0x170,
        192 * 1024,
        192 * 1024 + 32,
        2 * MIB,
    ]
    for _ in range(data.draw(st.integers(0, 4))):
        start = data.draw(st.sampled_from(interesting)) + data.draw(st.integers(0, 64))
        patch = data.draw(st.binary(min_size=1, max_size=9) | st.sampled_from([b"\xff" * 8, bytes(8)]))
        if start < len(image):
            image[start : start + len(patch)] = patch
    if data.draw(st.booleans()):
        del image[data.draw(st.integers(0, len(image))) :]
    streamed = stream(
        bytes(image), data.draw(st.sampled_from([511, 4096, 65536, MIB])) if len(image) < MIB else 65536
    )
    path = tmp_path / "mutated"
    path.write_bytes(image)
    from_file = inspect_file(path)
    # A stream cannot go back, so it may refuse more than a file does, never less.
    assert streamed.formats == from_file.formats
    assert not streamed.safe or from_file.safe
    for declared in ("raw", "qcow2", "vmdk", "vhdx"):
        try:
            check(declared, streamed)
        except errors.Invalid as error:
            assert error.message.isprintable()


@pytest.mark.parametrize("gib", [1, 7, 512, 16 * 1024, 64 * 1024])
def test_our_own_empty_qcow2_is_clean_for_qemu(tmp_path, gib):
    path = tmp_path / "empty"
    path.write_bytes(disk_format.empty_qcow2(gib << 30))
    assert "No errors" in qemu_img("check", "-f", "qcow2", path)
    assert json.loads(qemu_img("info", "--output=json", path))["virtual-size"] == gib << 30
    assert inspect_file(path).virtual_size == gib << 30
    qemu_img("resize", "-q", "-f", "qcow2", path, f"{gib + 1}G")
    subprocess.run(
        ["qemu-io", "-f", "qcow2", "-c", "write -P 7 1M 2M", path], check=True, capture_output=True
    )
    assert "No errors" in qemu_img("check", "-f", "qcow2", path)
