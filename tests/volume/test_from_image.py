"""Volumes from images, with the real image service beside."""

import pytest
from tests.cloud import LabCloud, until

from celaje.common import disk_format


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    state = tmp_path_factory.mktemp("cloud") / "state"
    cloud = LabCloud.at(state, services=("identity", "image", "volume"))
    cloud.start()
    yield cloud
    cloud.stop(grace=5)


@pytest.fixture(scope="module")
def volumes(cloud):
    return cloud.as_user("volume")


def upload(cloud, data, form="raw", **fields):
    images = cloud.as_user("image")
    made = images.post(
        "/v2/images", {"name": "disk", "disk_format": form, "container_format": "bare", **fields}
    ).ok(201)
    images.request(
        "PUT",
        f"/v2/images/{made['id']}/file",
        raw=data,
        headers={"Content-Type": "application/octet-stream"},
    ).ok(204)
    return made["id"]


def create(volumes, status="available", **fields):
    headers = {"OpenStack-API-Version": "volume 3.71"}
    made = volumes.post("/v3/volumes", {"volume": {"size": 1, **fields}}, headers=headers).ok(202)["volume"]

    def settled():
        found = volumes.get(f"/v3/{volumes.project_id}/volumes/{made['id']}").ok()["volume"]
        return found if found["status"] == status else None

    return until(settled)


def test_a_volume_takes_the_image_s_data_and_properties(cloud, volumes):
    image_id = upload(cloud, b"\0" * 4096, hw_disk_bus="virtio")
    found = create(volumes, imageRef=image_id)
    assert found["bootable"] == "true"
    assert found["volume_image_metadata"]["image_id"] == image_id
    assert found["volume_image_metadata"]["hw_disk_bus"] == "virtio"
    state = cloud.running["volume"].workers["fake"].driver.state
    assert state.volumes[found["id"]].content == f"image {image_id}"


def test_images_that_do_not_fit_or_are_not_there_are_refused(cloud, volumes):
    too_big = upload(cloud, b"\0" * 512, min_disk=5)

    def refused(**fields):
        answer = volumes.post(f"/v3/{volumes.project_id}/volumes", {"volume": {"size": 1, **fields}})
        assert answer.status == 400
        return answer.body["badRequest"]["message"]

    assert "minDisk" in refused(imageRef=too_big)
    assert "Invalid image identifier" in refused(imageRef="00000000-0000-4000-8000-000000000000")


def test_a_disk_larger_than_the_volume_is_refused_before_it_is_fetched(cloud, volumes):
    image_id = upload(cloud, disk_format.empty_qcow2(5 * 1024**3), "qcow2")
    asked = {"volume": {"size": 4, "imageRef": image_id}}
    answer = volumes.post(f"/v3/{volumes.project_id}/volumes", asked)
    assert answer.status == 400
    assert "5GB is larger than volume size 4GB" in answer.body["badRequest"]["message"]
    assert create(volumes, size=5, imageRef=image_id)["size"] == 5


def test_an_image_may_name_the_type_of_its_volumes(cloud, volumes):
    volumes.post("/v3/types", {"volume_type": {"name": "for-images"}}).ok(200)
    image_id = upload(cloud, b"\0" * 512, cinder_img_volume_type="for-images")
    assert create(volumes, imageRef=image_id)["volume_type"] == "for-images"
    assert create(volumes, imageRef=image_id, volume_type="__DEFAULT__")["volume_type"] == "__DEFAULT__"
