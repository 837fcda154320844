"""A state directory that is moved or copied keeps its images' data."""

import shutil

import pytest
from tests.cloud import LabCloud
from tests.servers import databases

SERVICES = ("identity", "image")


@pytest.mark.skipif(databases.KIND != "sqlite", reason="the database is not in the state directory")
def test_a_moved_state_directory_keeps_its_images(tmp_path):
    cloud = LabCloud.at(tmp_path / "before", services=SERVICES)
    cloud.start()
    client = cloud.as_user("image")
    made = client.post("/v2/images", {"name": "i", "disk_format": "raw", "container_format": "bare"}).ok()
    client.put(
        f"/v2/images/{made['id']}/file", headers={"Content-Type": "application/octet-stream"}, raw=b"x" * 700
    ).ok()
    cloud.stop()
    shutil.move(tmp_path / "before", tmp_path / "after")
    again = LabCloud.at(tmp_path / "after", services=SERVICES)
    again.start()
    client = again.as_user("image")
    assert client.get(f"/v2/images/{made['id']}/file").ok() == b"x" * 700
    client.delete(f"/v2/images/{made['id']}").ok(204)
    again.stop()
    assert not list((tmp_path / "after" / "image").rglob(f"*{made['id']}*"))
