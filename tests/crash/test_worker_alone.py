"""Attach, detach and what they are part of, while one worker dies or its answer is lost: all else lives on.

A rehearsal notes the calls to drivers that an operation makes; then each of them is struck, before and after
its effect. The promise must be kept, since the worker comes back before the flow's deadline.
"""

import pytest

from tests.cloud import until
from tests.crash.lives import Lives
from tests.crash.soundness import assert_sound
from tests.crash.story import CINDER, NOVA, Story
from tests.crash.table import OPERATIONS
from tests.crash.worker_faults import DeadWorker, LostAnswer, WorkerFault

pytestmark = pytest.mark.timeout(300)

NAMES = ("Attach", "Detach", "ExtendAttached", "DeleteServer", "Connect", "Disconnect")


@pytest.fixture(scope="module")
def lives(tmp_path_factory):
    lives = Lives.first(tmp_path_factory.mktemp("workers") / "state")
    yield lives
    lives.end()


@pytest.fixture
def story(lives):
    story = Story(lives)
    story.image_id()
    story.quiet()
    return story


@pytest.mark.parametrize("fault", [DeadWorker, LostAnswer])
@pytest.mark.parametrize("name", NAMES)
def test_a_step_whose_worker_is_lost_is_done_all_the_same(story, name, fault):
    operation = OPERATIONS[name]
    labels = rehearse(story, operation)
    assert labels, "it calls no driver"
    failures = []
    for label in labels:
        try:
            lose(story, operation, fault, label)
        except AssertionError as failure:
            failures.append(f"lost at {label[0]} ({label[1]}):\n{failure}")
    assert not failures, f"{len(failures)} of {len(labels)} boundaries:\n" + "\n".join(failures)


def rehearse(story, operation):
    made = operation.prepare(story)
    fault = WorkerFault(story.lives.cloud)
    assert operation.act(story, made).status < 300
    story.quiet()
    labels = list(fault.seen)
    fault.end()
    tidy(story, operation, made)
    return labels


def lose(story, operation, kind, label):
    made = operation.prepare(story)
    fault = kind(story.lives.cloud, label)
    outcome = story.lives.begin(lambda: operation.act(story, made))
    until(fault.struck.is_set, 30, f"it was not reached, only {fault.seen}")
    fault.end()
    if isinstance(fault, DeadWorker):
        fault.revive()
    outcome.thread.join(60)
    assert not outcome.thread.is_alive(), "the operation's caller waits for ever"
    story.quiet()
    assert_sound(story.lives.cloud)
    assert outcome.promised, (outcome.answer, outcome.error)
    operation.kept(story, made)
    tidy(story, operation, made)


def tidy(story, operation, made):
    if hasattr(operation, "tidy"):
        operation.tidy(story, made)
    story.clear()
    assert_sound(story.lives.cloud)


def test_a_volume_is_taken_from_a_dead_host_and_given_to_another(story):
    """os-force_detach closes what the dead host had open; coming back to life it takes nothing away again."""
    made = story.attached_pair()
    server, volume = made["server"], made["volume"]
    fault = DeadWorker(story.lives.cloud)
    fault.strike("compute")
    assert story.connections(volume)
    story.act_on_volume(volume, "os-force_detach", {}).ok(202)
    until(lambda: story.show_volume(volume)["status"] == "available")
    assert story.connections(volume) == []
    elsewhere = {
        "volume_uuid": volume,
        "instance_uuid": "11111111-2222-4333-8444-555555555555",
        "connector": {"host": "elsewhere"},
    }
    taken = story.volume.post("/v3/attachments", {"attachment": elsewhere}, headers=CINDER).ok(200)
    path = f"/v3/attachments/{taken['attachment']['id']}"
    story.volume.post(f"{path}/action", {"os-complete": {}}, headers=CINDER).ok(204)
    fault.revive()
    fault.end()
    story.quiet()
    # The server still lists it, and lets go of it on request.
    story.detach(server, volume).ok(202)
    story.quiet()
    shown = story.show_volume(volume)
    assert [one["server_id"] for one in shown["attachments"]] == [elsewhere["instance_uuid"]]
    assert shown["status"] == "in-use" and story.connections(volume) == ["elsewhere"]
    listed = story.compute.get(f"/v2.1/servers/{server}/os-volume_attachments", headers=NOVA).ok()
    assert listed["volumeAttachments"] == []
    guest = story.lives.cloud.running["compute"].compute_worker.driver.state.servers[server]
    assert volume not in guest["volumes"]
    story.volume.delete(path, headers=CINDER).ok(200)
    story.quiet()
    assert_sound(story.lives.cloud)
    story.clear()
