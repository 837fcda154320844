"""Attachments: reserve, connect, complete, delete; what each does to the volume; failures and races."""

import datetime
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from celaje.common import clock
from celaje.volume.db.tables import ATTACHMENTS, VOLUMES

SERVER = "11111111-2222-4333-8444-555555555555"
OTHER_SERVER = "99999999-2222-4333-8444-555555555555"
CONNECTOR = {"host": "node", "ip": "127.0.0.1", "mountpoint": "/dev/vdb"}


@pytest.fixture
def volume(volumes, settled):
    return settled(volumes.create(1)["id"])


def reserve(client, volume_id, server=SERVER, **fields):
    body = {"attachment": {"volume_uuid": volume_id, "instance_uuid": server, **fields}}
    return client.post("/attachments", body)


def connect(client, attachment_id, **connector):
    body = {"attachment": {"connector": {**CONNECTOR, **connector}}}
    return client.put(f"/attachments/{attachment_id}", body)


def complete(client, attachment_id):
    return client.post(f"/attachments/{attachment_id}/action", {"os-complete": {}})


def test_a_volume_is_attached_in_three_steps_and_detached(lab, volumes, volume):
    reserved = reserve(volumes, volume["id"]).body["attachment"]
    assert reserved["status"] == "reserved"
    assert reserved["connection_info"] == {}
    assert volumes.volume(volume["id"])["status"] == "reserved"

    connected = connect(volumes, reserved["id"]).body["attachment"]
    assert connected["status"] == "attaching"
    assert connected["attach_mode"] == "rw"
    assert connected["connection_info"]["driver_volume_type"] == "fake"
    assert connected["connection_info"]["attachment_id"] == reserved["id"]
    assert lab.driver().state.volumes[volume["id"]].connections == ["node"]

    assert complete(volumes, reserved["id"]).status == 204
    used = volumes.volume(volume["id"])
    assert used["status"] == "in-use"
    (shown,) = used["attachments"]
    assert shown["server_id"] == SERVER
    assert shown["attachment_id"] == reserved["id"]
    assert shown["device"] == "/dev/vdb"
    assert shown["host_name"] is None

    deleted = volumes.delete(f"/attachments/{reserved['id']}")
    assert deleted.status == 200
    assert deleted.body == {"attachments": []}
    assert volumes.volume(volume["id"])["status"] == "available"
    assert lab.driver().state.volumes[volume["id"]].connections == []


def test_an_attachment_can_be_made_and_connected_at_once(volumes, volume):
    answer = reserve(volumes, volume["id"], connector=CONNECTOR, mode="ro")
    assert answer.status == 200
    assert answer.body["attachment"]["status"] == "attaching"
    assert answer.body["attachment"]["connection_info"]["access_mode"] == "ro"


def test_attachments_are_there_since_3_27_and_complete_since_3_44(volumes, volume):
    assert volumes.at("3.26").get("/attachments").status == 404
    assert volumes.at("3.27").get("/attachments").status == 200
    made = reserve(volumes.at("3.27"), volume["id"]).body["attachment"]
    assert complete(volumes.at("3.43"), made["id"]).status == 404
    assert reserve(volumes.at("3.53"), volume["id"], mode="rw").status == 400


def test_of_two_attaches_at_once_one_wins(volumes, volume):
    answers = []
    barrier = threading.Barrier(4)

    def attach(server):
        barrier.wait()
        answers.append(reserve(volumes, volume["id"], server=server))

    threads = [threading.Thread(target=attach, args=(f"{n}" * 8 + SERVER[8:],)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status for answer in answers) == [200, 400, 400, 400]
    assert "status must be available to reserve" in next(a.words for a in answers if a.status == 400)


def test_the_same_connect_again_gets_the_one_answer(lab, volumes, volume, monkeypatch):
    """A conductor that died while it waited for the answer asks again; the first request still runs."""
    made = reserve(volumes, volume["id"]).body["attachment"]
    begun, go_on = threading.Event(), threading.Event()
    driver = lab.driver()
    really = driver.initialize_connection

    def slowly(*args, **kwargs):
        begun.set()
        assert go_on.wait(30)
        return really(*args, **kwargs)

    monkeypatch.setattr(driver, "initialize_connection", slowly)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(connect, volumes, made["id"])
        assert begun.wait(30)
        assert connect(volumes, made["id"], host="other").status == 409
        again = pool.submit(connect, volumes, made["id"])
        assert not again.done()
        go_on.set()
        answers = [first.result(30), again.result(30)]
    assert [answer.status for answer in answers] == [200, 200]
    assert answers[0].body == answers[1].body
    assert len(driver.state.volumes[volume["id"]].connections) == 1


def test_delete_and_attach_at_once_leave_one_of_both(volumes, settled, gone):
    for _ in range(5):
        volume = settled(volumes.create(1)["id"])
        found = {}
        barrier = threading.Barrier(2)

        def remove(volume=volume, found=found, barrier=barrier):
            barrier.wait()
            found["delete"] = volumes.delete(f"/volumes/{volume['id']}").status

        def attach(volume=volume, found=found, barrier=barrier):
            barrier.wait()
            found["attach"] = reserve(volumes, volume["id"]).status

        threads = [threading.Thread(target=work) for work in (remove, attach)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (found["delete"], found["attach"]) in {(202, 400), (202, 404), (400, 200)}
        if found["delete"] == 202:
            gone(volume["id"])


def test_a_failing_back_end_leaves_the_attachment_reserved(lab, volumes, volume):
    made = reserve(volumes, volume["id"]).body["attachment"]
    lab.driver().state.add_rules(
        [{"operation": "initialize_connection", "error": "no path", "after_effect": True, "times": 1}]
    )
    answer = connect(volumes, made["id"])
    assert answer.status == 500
    assert volumes.get(f"/attachments/{made['id']}").body["attachment"]["status"] == "reserved"
    assert volumes.volume(volume["id"])["status"] == "reserved"
    # What the back end had done before it failed is taken back.
    assert lab.driver().state.volumes[volume["id"]].connections == []
    (message,) = volumes.get("/messages").body["messages"]
    assert message["event_id"] == "VOLUME_VOLUME_004_021"
    assert "no path" not in message["user_message"]
    assert "no path" in lab.client("admin").get("/messages").body["messages"][0]["user_message"]
    assert connect(volumes, made["id"]).status == 200


def test_a_failed_create_with_connector_leaves_nothing(lab, volumes, volume):
    lab.driver().state.add_rules([{"operation": "initialize_connection", "error": "no path", "times": 1}])
    assert reserve(volumes, volume["id"], connector=CONNECTOR).status == 500
    assert volumes.get("/attachments").body["attachments"] == []
    assert volumes.volume(volume["id"])["status"] == "available"


def test_a_failing_detach_can_be_tried_again(lab, volumes, volume):
    made = reserve(volumes, volume["id"], connector=CONNECTOR).body["attachment"]
    complete(volumes, made["id"])
    lab.driver().state.add_rules([{"operation": "terminate_connection", "error": "stuck", "times": 1}])
    assert volumes.delete(f"/attachments/{made['id']}").status == 500
    assert volumes.get(f"/attachments/{made['id']}").body["attachment"]["status"] == "error_detaching"
    assert volumes.volume(volume["id"])["status"] == "in-use"
    assert volumes.delete(f"/attachments/{made['id']}").status == 200
    assert volumes.volume(volume["id"])["status"] == "available"


def test_a_user_may_not_pull_the_disk_from_under_a_server(lab, volumes, volume):
    made = reserve(volumes, volume["id"], connector=CONNECTOR).body["attachment"]
    complete(volumes, made["id"])
    lab.compute.attachments[SERVER, volume["id"]] = {"attachment_id": made["id"]}
    assert volumes.delete(f"/attachments/{made['id']}").status == 409
    assert volumes.act(volume["id"], "os-detach", {}).status == 409
    by_compute = lab.client("member", service_token=lab.token_of("service"))
    assert by_compute.delete(f"/attachments/{made['id']}").status == 200


def test_with_compute_down_a_user_may_not_delete_either(lab, volumes, volume):
    made = reserve(volumes, volume["id"], connector=CONNECTOR).body["attachment"]
    lab.compute.down = True
    assert volumes.delete(f"/attachments/{made['id']}").status == 503


def test_another_attachment_keeps_the_connection_of_its_host(lab, volumes, settled):
    admin = lab.client("admin")
    spec = {"name": "shared", "extra_specs": {"multiattach": "<is> True"}}
    assert admin.post("/types", {"volume_type": spec}).status == 200
    volume = settled(volumes.create(1, volume_type="shared")["id"])
    assert volume["multiattach"] is True
    first = reserve(volumes, volume["id"], connector=CONNECTOR).body["attachment"]
    complete(volumes, first["id"])
    second = reserve(volumes, volume["id"], OTHER_SERVER, connector=CONNECTOR).body["attachment"]
    complete(volumes, second["id"])
    assert len(volumes.volume(volume["id"])["attachments"]) == 2

    left = volumes.delete(f"/attachments/{first['id']}").body["attachments"]
    assert [row["id"] for row in left] == [second["id"]]
    assert volumes.volume(volume["id"])["status"] == "in-use"
    assert lab.driver().state.volumes[volume["id"]].connections == ["node"]
    volumes.delete(f"/attachments/{second['id']}")
    assert lab.driver().state.volumes[volume["id"]].connections == []


def test_a_server_that_migrates_may_hold_its_volume_twice(volumes, volume):
    made = reserve(volumes, volume["id"], connector=CONNECTOR).body["attachment"]
    complete(volumes, made["id"])
    assert reserve(volumes, volume["id"], OTHER_SERVER).status == 400
    assert reserve(volumes, volume["id"], SERVER, connector={**CONNECTOR, "host": "goal"}).status == 200


def test_a_bad_connector_is_refused(volumes, volume):
    made = reserve(volumes, volume["id"]).body["attachment"]
    body = {"attachment": {"connector": {"ip": "127.0.0.1"}}}
    assert volumes.put(f"/attachments/{made['id']}", body).status == 400
    body = {"attachment": {"connector": {"host": "node", "mode": "rx"}}}
    assert volumes.put(f"/attachments/{made['id']}", body).status == 400


def test_lists_show_the_project_s_own(lab, volumes, volume):
    made = reserve(volumes, volume["id"]).body["attachment"]
    assert [row["id"] for row in volumes.get("/attachments").body["attachments"]] == [made["id"]]
    assert volumes.get(f"/attachments?instance_id={OTHER_SERVER}").body["attachments"] == []
    stranger = lab.client("stranger")
    assert stranger.get("/attachments").body["attachments"] == []
    assert stranger.get(f"/attachments/{made['id']}").status == 404
    assert lab.client("reader").delete(f"/attachments/{made['id']}").status == 403


def end_terms(service):
    """As if every term had passed."""
    past = clock.now() - datetime.timedelta(seconds=1)
    for table in (VOLUMES, ATTACHMENTS):
        service.database.write(
            lambda tx, table=table: tx.execute(
                table.update().where(table.c.expires_at.is_not(None)).values(expires_at=past)
            )
        )


class TestTerms:
    """Nothing stays reserved for ever."""

    @pytest.fixture
    def sweep(self, lab, volumes, settled):
        volume = settled(volumes.create(1)["id"])

        def run():
            end_terms(lab.service)
            lab.service.conductor.sweep()

        return volume, run

    def test_what_no_server_knows_is_taken_back(self, lab, volumes, sweep, settled):
        volume, run = sweep
        reserve(volumes, volume["id"])
        run()
        settled(volume["id"])
        assert volumes.get("/attachments").body["attachments"] == []

    def test_what_was_connected_is_disconnected_first(self, lab, volumes, sweep, settled):
        volume, run = sweep
        reserve(volumes, volume["id"], connector=CONNECTOR)
        run()
        settled(volume["id"])
        assert lab.driver().state.volumes[volume["id"]].connections == []

    def test_what_the_server_knows_gets_another_term(self, lab, volumes, sweep, until):
        volume, run = sweep
        made = reserve(volumes, volume["id"]).body["attachment"]
        lab.compute.attachments[SERVER, volume["id"]] = {"attachment_id": made["id"]}
        run()
        flows = lab.service.flow_tables.flows
        until(
            lambda: lab.service.database.read(
                lambda tx: tx.execute(
                    flows.select().where(flows.c.name == "attachment.reclaim", flows.c.state == "done")
                ).first()
            )
        )
        assert volumes.get(f"/attachments/{made['id']}").body["attachment"]["status"] == "reserved"

    def test_an_attaching_without_attachment_ends(self, volumes, sweep, settled):
        volume, run = sweep
        assert volumes.act(volume["id"], "os-reserve").status == 202
        settled(volume["id"], "attaching")
        run()
        settled(volume["id"])
