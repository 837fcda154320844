"""Requests that cannot all win, sent at once: some are refused, and the cloud is sound after all of them."""

import threading

import pytest

from tests.crash.lives import Lives
from tests.crash.soundness import assert_sound
from tests.crash.story import CINDER, Story

ROUNDS = 5


@pytest.fixture(scope="module")
def lives(tmp_path_factory):
    lives = Lives.first(tmp_path_factory.mktemp("races") / "state")
    yield lives
    lives.end()


@pytest.fixture
def story(lives):
    story = Story(lives)
    story.image_id()
    yield story
    story.clear()
    assert_sound(lives.cloud)


def at_once(*operations):
    """Their answers, in the order given. An operation that raises fails the test."""
    gate = threading.Barrier(len(operations))
    answers = [None] * len(operations)

    def ask(number, operation):
        gate.wait(10)
        answers[number] = operation()

    threads = [threading.Thread(target=ask, args=pair) for pair in enumerate(operations)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "a caller waits for ever"
    assert all(answers), answers
    assert not [one for one in answers if one.status >= 500], [(one.status, one.body) for one in answers]
    return answers


def won(answers):
    return [200 <= one.status < 300 for one in answers]


def test_two_servers_want_one_volume(story):
    first, second = story.new_server("vm1"), story.new_server("vm2")
    volume = story.new_volume("disk")
    for _ in range(ROUNDS):
        answers = at_once(lambda: story.attach(first, volume), lambda: story.attach(second, volume))
        assert sorted(won(answers)) == [False, True], [(one.status, one.body) for one in answers]
        assert_sound(story.lives.cloud)
        winner = (first, second)[won(answers).index(True)]
        shown = story.show_volume(volume)
        assert [one["server_id"] for one in shown["attachments"]] == [winner]
        assert story.detach(winner, volume).ok(202) is None
        assert_sound(story.lives.cloud)
        assert story.show_volume(volume)["status"] == "available"


def test_one_server_is_given_a_volume_twice(story):
    server, volume = story.new_server("vm"), story.new_volume("disk")
    for _ in range(ROUNDS):
        answers = at_once(*[lambda: story.attach(server, volume)] * 3)
        assert sorted(won(answers)) == [False, False, True], [(one.status, one.body) for one in answers]
        assert_sound(story.lives.cloud)
        answers = at_once(*[lambda: story.detach(server, volume)] * 3)
        assert sorted(won(answers)) == [False, False, True], [(one.status, one.body) for one in answers]
        assert_sound(story.lives.cloud)


def test_a_volume_is_deleted_while_it_is_attached(story):
    server = story.new_server("vm")
    for _ in range(ROUNDS):
        volume = story.new_volume("disk")
        deleted, attached = won(
            at_once(
                lambda v=volume: story.volume.delete(f"/v3/volumes/{v}", headers=CINDER),
                lambda v=volume: story.attach(server, v),
            )
        )
        assert deleted != attached
        assert_sound(story.lives.cloud)
        if attached:
            assert story.show_volume(volume)["status"] == "in-use"
            story.detach(server, volume).ok(202)
        else:
            assert story.show_volume(volume) is None


def test_a_server_is_deleted_while_it_gets_a_volume(story):
    volume = story.new_volume("disk")
    for _ in range(2 * ROUNDS):
        server = story.new_server("vm")
        deleted, _ = won(
            at_once(lambda s=server: story.delete_server(s), lambda s=server: story.attach(s, volume))
        )
        assert deleted
        assert_sound(story.lives.cloud)
        assert story.server(server) is None
        assert story.show_volume(volume)["status"] == "available"


def test_a_server_is_deleted_while_it_gives_a_volume_back(story):
    volume = story.new_volume("disk")
    for _ in range(ROUNDS):
        server = story.new_server("vm")
        story.attach(server, volume).ok()
        story.quiet()
        deleted, _ = won(
            at_once(lambda s=server: story.delete_server(s), lambda s=server: story.detach(s, volume))
        )
        assert deleted
        assert_sound(story.lives.cloud)
        assert story.server(server) is None
        assert story.show_volume(volume)["status"] == "available"


def test_a_server_is_deleted_while_it_gets_an_interface(story):
    network = story.network_id()
    for _ in range(2 * ROUNDS):
        server = story.new_server("vm")
        path = f"/v2.1/servers/{server}/os-interface"
        body = {"interfaceAttachment": {"net_id": network}}
        deleted, _ = won(
            at_once(
                lambda s=server: story.delete_server(s),
                lambda path=path, body=body: story.compute.post(path, body),
            )
        )
        assert deleted
        assert_sound(story.lives.cloud)
        assert story.server(server) is None


def test_a_server_is_deleted_while_it_is_built(story):
    for _ in range(2 * ROUNDS):
        server = story.ask_for_server("vm").ok(202)["server"]["id"]
        answers = at_once(*[lambda s=server: story.delete_server(s)] * 2)
        assert any(won(answers))
        assert_sound(story.lives.cloud)
        assert story.server(server) is None


def test_a_server_is_stopped_started_and_deleted(story):
    for _ in range(ROUNDS):
        server = story.new_server("vm")
        answers = at_once(
            lambda s=server: story.act_on_server(s, "os-stop"),
            lambda s=server: story.act_on_server(s, "os-start"),
            lambda s=server: story.act_on_server(s, "reboot", {"type": "HARD"}),
            lambda s=server: story.delete_server(s),
        )
        assert won(answers)[3], [(one.status, one.body) for one in answers]
        assert_sound(story.lives.cloud)
        assert story.server(server) is None


def test_a_volume_is_extended_attached_and_deleted(story):
    server = story.new_server("vm")
    for _ in range(ROUNDS):
        volume = story.new_volume("disk")
        answers = at_once(
            lambda v=volume: story.act_on_volume(v, "os-extend", {"new_size": 2}),
            lambda v=volume: story.attach(server, v),
            lambda v=volume: story.volume.delete(f"/v3/volumes/{v}", headers=CINDER),
        )
        assert any(won(answers))
        assert_sound(story.lives.cloud)
        extended, attached, deleted = won(answers)
        if deleted:
            assert story.show_volume(volume) is None
            continue
        shown = story.show_volume(volume)
        assert shown["status"] == ("in-use" if attached else "available"), shown
        assert shown["size"] == (2 if extended else 1), shown
        if attached:
            story.detach(server, volume).ok(202)


def test_quotas_let_nobody_past(story):
    project = story.lives.project
    story.compute.put(f"/v2.1/os-quota-sets/{project}", {"quota_set": {"instances": 10}}).ok()
    story.volume.put(f"/v3/os-quota-sets/{project}", {"quota_set": {"volumes": 10}}, headers=CINDER).ok()
    servers = at_once(*[lambda: story.ask_for_server("vm")] * 20)
    assert won(servers).count(True) == 10
    assert {one.status for one in servers} == {202, 403}
    volumes = at_once(*[lambda: story.ask_for_volume("disk")] * 20)
    assert won(volumes).count(True) == 10
    assert {one.status for one in volumes} == {202, 413}
    assert_sound(story.lives.cloud)
    assert [one["status"] for one in story.servers()] == ["ACTIVE"] * 10
    assert [one["status"] for one in story.volumes()] == ["available"] * 10
