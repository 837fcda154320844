"""The key that an image of an encrypted volume carries, and what becomes of it when the image is gone."""

import datetime

import pytest
from tests.cloud import LabCloud, until
from tests.volume.test_moves import NEWEST, act, make, make_type, show

from celaje.common import clock
from celaje.volume.db.tables import IMAGE_KEYS, KEYS

LUKS = {"provider": "luks", "control_location": "front-end", "cipher": "aes-xts-plain64", "key_size": 256}
KEY, POLICY = "cinder_encryption_key_id", "cinder_encryption_key_deletion_policy"
PATCH = {"Content-Type": "application/openstack-images-v2.1-json-patch"}


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    options = {
        (None, "enabled_backends"): ["one"],
        ("one", "volume_driver"): "fake",
        # Looked for when the test says so.
        (None, "reclaim_interval"): 3600,
    }
    state = tmp_path_factory.mktemp("cloud") / "state"
    cloud = LabCloud.at(state, {"volume": options}, services=("identity", "image", "volume"))
    cloud.start()
    yield cloud
    cloud.stop(grace=5)


@pytest.fixture(scope="module")
def volume(cloud):
    client = cloud.as_user("volume")
    type_id = make_type(client, "secret")["id"]
    client.post(f"/v3/types/{type_id}/encryption", {"encryption": LUKS}).ok(200)
    made = make(client, volume_type="secret")
    # A raw gigabyte would be sent and summed, and nothing here asks for it.
    state = cloud.running["volume"].workers["one"].driver.state
    with state.changing():
        state.volumes[made["id"]].size = 0
    return made


@pytest.fixture
def image(cloud, volume):
    """Made of the encrypted volume, with a key of its own."""
    client, images = cloud.as_user("volume"), cloud.as_user("image")
    asked = {"image_name": "words", "disk_format": "raw"}
    answer = act(client, volume["id"], "os-volume_upload_image", asked)["os-volume_upload_image"]

    def uploaded():
        found = images.get(f"/v2/images/{answer['image_id']}").ok()
        return found if found["status"] == "active" else None

    found = until(uploaded)
    until(lambda: show(client, volume["id"])["status"] == "available")
    assert found[POLICY] == "on_image_deletion" and found[KEY] in keys(cloud)
    return found


def keys(cloud):
    rows = cloud.running["volume"].database.read(lambda tx: tx.execute(KEYS.select()).fetchall())
    return {row.id for row in rows}


def waiting(cloud):
    rows = cloud.running["volume"].database.read(lambda tx: tx.execute(IMAGE_KEYS.select()).fetchall())
    return {row.id: row.goes_with_image for row in rows}


def look(cloud):
    """What the conductor does every minute, with all that is due now."""
    service = cloud.running["volume"]
    long_ago = clock.now() - datetime.timedelta(days=1)
    service.database.write(lambda tx: tx.execute(IMAGE_KEYS.update().values(expires_at=long_ago)))
    service.conductor.sweep()
    flows = service.flow_tables.flows
    wanted = flows.select().where(flows.c.name == "image_keys.reclaim", flows.c.state != "done")
    until(lambda: not service.database.read(lambda tx: tx.execute(wanted).fetchall()))


def test_it_goes_with_the_image(cloud, image):
    look(cloud)
    assert image[KEY] in keys(cloud)
    cloud.as_user("image").delete(f"/v2/images/{image['id']}").ok(204)
    look(cloud)
    assert image[KEY] not in keys(cloud) and image[KEY] not in waiting(cloud)


def test_a_hidden_image_is_still_there(cloud, image):
    change = [{"op": "replace", "path": "/os_hidden", "value": True}]
    cloud.as_user("image").request("PATCH", f"/v2/images/{image['id']}", change, headers=PATCH).ok(200)
    look(cloud)
    assert image[KEY] in keys(cloud) and waiting(cloud)[image[KEY]] is True


def test_it_stays_when_the_image_said_so(cloud, image):
    images = cloud.as_user("image")
    change = [{"op": "replace", "path": f"/{POLICY}", "value": "do_not_delete"}]
    images.request("PATCH", f"/v2/images/{image['id']}", change, headers=PATCH).ok(200)
    look(cloud)
    assert waiting(cloud)[image[KEY]] is False
    images.delete(f"/v2/images/{image['id']}").ok(204)
    look(cloud)
    assert image[KEY] in keys(cloud) and image[KEY] not in waiting(cloud)


def test_what_came_to_nothing_leaves_no_key(cloud, volume):
    client, before = cloud.as_user("volume"), keys(cloud)
    state = cloud.running["volume"].workers["one"].driver.state
    state.add_rules([{"operation": "copy_volume_to_image", "error": "broken"}])
    asked = {"image_name": "words", "disk_format": "raw"}
    act(client, volume["id"], "os-volume_upload_image", asked)
    until(lambda: show(client, volume["id"])["status"] == "available")
    state.clear_rules()
    assert keys(cloud) == before
    look(cloud)
    assert not [each for each in waiting(cloud) if each not in before]


def test_a_volume_made_of_the_image_outlives_it(cloud, image):
    client = cloud.as_user("volume")
    copy = make(client, volume_type="secret", imageRef=image["id"])
    cloud.as_user("image").delete(f"/v2/images/{image['id']}").ok(204)
    look(cloud)
    found = client.get(f"/v3/volumes/{copy['id']}", headers=NEWEST).ok()["volume"]
    assert found["encryption_key_id"] in keys(cloud)
