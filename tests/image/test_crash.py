"""What a process that dies in the middle leaves behind: an image that may be sent again, and no bytes."""

import os
import subprocess
import sys
import threading

import pytest
from tests.cloud import until
from tests.image.scene import Gate, Personas, flows_ended, make, send, small_cloud, stored_files

from celaje.common import clock
from celaje.image.conductor.upload_image import release
from celaje.image.db import uploads as rows

_CRASH = """
import os, pathlib, sys, threading
from tests.image.scene import OCTETS, Personas, make, small_cloud

state, where = pathlib.Path(sys.argv[1]), sys.argv[2]
glance = Personas(small_cloud(state))
me = glance.member()
image = make(me)
print(image["id"], flush=True)

def chunks():
    yield b"half of it"
    if where == "flowing":
        os._exit(9)

service = glance.service
if where == "stored":
    # The bytes are in their place, the row does not know it yet.
    service.uploads.activate = service.uploads.staged = lambda *_: os._exit(9)
if where == "waiting":
    me.request("PUT", f"/v2/images/{image['id']}/stage", raw=chunks(), headers=OCTETS).ok(204)
    os._exit(9)
if where == "importing":
    me.request("PUT", f"/v2/images/{image['id']}/stage", raw=chunks(), headers=OCTETS).ok(204)
    store = service.stores.by_name["file"]
    real = store.write
    def write(*arguments, **more):
        real(*arguments, **more)
        os._exit(9)
    store.write = write
    me.post(f"/v2/images/{image['id']}/import", {"method": {"name": "glance-direct"}}).ok(202)
    threading.Event().wait(30)
if where == "deleting":
    me.request("PUT", f"/v2/images/{image['id']}/file", raw=chunks(), headers=OCTETS).ok(204)
    service.stores.by_name["file"].delete = lambda location: os._exit(9)
    me.delete(f"/v2/images/{image['id']}")
    threading.Event().wait(30)
path = "stage" if where == "staging" else "file"
me.request("PUT", f"/v2/images/{image['id']}/{path}", raw=chunks(), headers=OCTETS)
os._exit(1)
"""


def crash(state, where):
    """A process that works on an image and dies; returns the image's id."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    found = subprocess.run(
        [sys.executable, "-c", _CRASH, str(state), where],
        cwd=root,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert found.returncode == 9, found.stderr.decode()
    return found.stdout.decode().strip()


@pytest.fixture
def after(tmp_path):
    """The same cloud, started again after a crash."""
    clouds = []

    def start():
        cloud = small_cloud(tmp_path / "state")
        clouds.append(cloud)
        return Personas(cloud)

    yield start
    for cloud in clouds:
        cloud.stop(grace=5)


@pytest.mark.parametrize("where", ["flowing", "stored"])
def test_dead_in_an_upload(tmp_path, after, where):
    image_id = crash(tmp_path / "state", where)
    glance = after()
    me = glance.member()
    until(lambda: me.get(f"/v2/images/{image_id}").ok()["status"] == "queued")
    flows_ended(glance.service)
    until(lambda: stored_files(glance.service) == [])
    assert glance.service.database.read(rows.known_ids) == set()
    send(me, image_id, b"again").ok(204)
    assert me.get(f"/v2/images/{image_id}/file").body == b"again"


def test_dead_while_staged_data_waits_for_its_import(tmp_path, after):
    image_id = crash(tmp_path / "state", "waiting")
    glance = after()
    me = glance.member()
    assert me.get(f"/v2/images/{image_id}").ok()["status"] == "uploading"
    me.post(f"/v2/images/{image_id}/import", {"method": {"name": "glance-direct"}}).ok(202)
    until(lambda: me.get(f"/v2/images/{image_id}").ok()["status"] == "active")
    flows_ended(glance.service)
    assert len(stored_files(glance.service)) == 1


def test_dead_in_an_import(tmp_path, after):
    image_id = crash(tmp_path / "state", "importing")
    glance = after()
    me = glance.member()
    until(lambda: me.get(f"/v2/images/{image_id}").ok()["status"] == "active")
    assert me.get(f"/v2/images/{image_id}/file").body == b"half of it"
    flows_ended(glance.service)
    assert len(stored_files(glance.service)) == 1


def test_dead_in_a_deletion(tmp_path, after):
    image_id = crash(tmp_path / "state", "deleting")
    glance = after()
    assert glance.member().get(f"/v2/images/{image_id}").status == 404
    flows_ended(glance.service)
    assert stored_files(glance.service) == []


def test_an_upload_whose_lease_ran_out_loses_even_if_it_comes_back(own_glance):
    """The receiver was frozen, the image was sent by another meanwhile: its bytes stay as they are."""
    service, me = own_glance.service, own_glance.member()
    image = make(me)
    gate = Gate()
    answers = []
    thread = threading.Thread(target=lambda: answers.append(send(me, image["id"], gate)))
    thread.start()
    assert gate.reached.wait(10)
    service.database.write(lambda tx: rows.renew(tx, rows.known_ids(tx), clock.now().replace(year=2000)))
    assert service.uploads.reap() == 1
    until(lambda: me.get(f"/v2/images/{image['id']}").ok()["status"] == "queued")
    send(me, image["id"], b"the other's").ok(204)
    gate.go_on.set()
    thread.join(10)
    assert answers[0].status == 410
    assert me.get(f"/v2/images/{image['id']}/file").body == b"the other's"
    flows_ended(service)
    assert len(stored_files(service)) == 1


def test_a_living_upload_keeps_its_lease(own_glance):
    service, me = own_glance.service, own_glance.member()
    image = make(me)
    gate = Gate()
    thread = threading.Thread(target=lambda: send(me, image["id"], gate))
    thread.start()
    assert gate.reached.wait(10)
    service.database.write(lambda tx: rows.renew(tx, rows.known_ids(tx), clock.now().replace(year=2000)))
    service.uploads.renew()
    assert service.uploads.reap() == 0
    gate.go_on.set()
    thread.join(10)
    assert me.get(f"/v2/images/{image['id']}").ok()["status"] == "active"


def test_the_guard_takes_nothing_from_an_image_that_is_active(own_glance):
    """Its deadline may pass between the end of the upload and its own turn."""
    service, me = own_glance.service, own_glance.member()
    image = make(me)
    send(me, image["id"]).ok(204)
    data_id = stored_files(service)[0].name
    service.database.write(release, image["id"], data_id)
    service.conductor.remove_abandoned("file", data_id)
    assert me.get(f"/v2/images/{image['id']}/file").body == b"data"


def test_reconciliation(own_glance):
    service, me = own_glance.service, own_glance.member()
    image = make(me)
    send(me, image["id"]).ok(204)
    gate = Gate()
    other = make(me)
    thread = threading.Thread(target=lambda: send(me, other["id"], gate))
    thread.start()
    assert gate.reached.wait(10)
    stranger = service.stores.by_name["file"].write(clock.new_uuid(), [b"whose is this"])
    service.conf.set("uploads", "remove_orphans", "never")
    assert service.reconcile() == [stranger.location]
    service.conf.set("uploads", "remove_orphans", "auto")
    assert service.reconcile() == [stranger.location]
    assert service.reconcile() == []
    gate.go_on.set()
    thread.join(10)
    for made in (image, other):
        assert me.get(f"/v2/images/{made['id']}/file").status == 200
