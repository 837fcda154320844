"""Every operation, killed at every boundary there is: each step, write, end, nudge and driver call.

A rehearsal notes the boundaries; then each life dies at one of them, the next one takes up what was left, and
the cloud must be sound, the promise of a 2xx kept, and all of it deletable.
"""

import pytest

from celaje.image.conductor import FLOWS as IMAGE_FLOWS
from celaje.volume.conductor import FLOWS as VOLUME_FLOWS
from tests.crash.lives import Death, Lives
from tests.crash.soundness import assert_sound
from tests.crash.story import Story
from tests.crash.table import ELSEWHERE, OPERATIONS, WALKS

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="session")
def kept(tmp_path_factory):
    """A cloud that has ended, with an image, and its state kept for all that begin with it."""
    lives = Lives.first(tmp_path_factory.mktemp("lives") / "state")
    prepare_types(Story(lives))
    lives.end()
    lives.keep()
    return lives


def prepare_types(story):
    story.image_id()
    story.group_type()
    for name, specs in (("anywhere", {}), ("on-other", {"volume_backend_name": "other"})):
        body = {"volume_type": {"name": name, "extra_specs": specs}}
        story.volume.post("/v3/types", body).ok(200)
    story.quiet()


def test_every_flow_is_walked():
    """A flow that is new needs an operation that passes it, below."""
    walked = {flow for flows in WALKS.values() for flow in flows} | ELSEWHERE
    declared = {flow.name for flow in [*VOLUME_FLOWS, *IMAGE_FLOWS]}
    assert declared - walked == set()
    assert set(WALKS) == set(OPERATIONS)


@pytest.fixture
def lives(kept):
    kept.again()
    yield kept
    kept.end()


@pytest.mark.parametrize("name", OPERATIONS)
def test_killed_at_every_boundary(lives, name):
    operation = OPERATIONS[name]
    labels = rehearse(lives, operation)
    passed = {label.split(": ")[1] for label, _ in labels if label.count(": ") > 1}
    assert set(WALKS[name]) <= passed, f"it does not pass {set(WALKS[name]) - passed}"
    lives.end()
    lives.again()
    failures = []
    for label in labels:
        try:
            die_and_live(lives, operation, label)
        except AssertionError as failure:
            failures.append(f"killed at {label[0]} ({label[1]}):\n{failure}")
            lives.cloud.kill()
            lives.again()
    assert not failures, f"{len(failures)} of {len(labels)} boundaries:\n" + "\n".join(failures)


def rehearse(lives, operation):
    """The operation with nobody dying; the boundaries that it passes."""
    story = Story(lives)
    made = operation.prepare(story)
    death = Death(lives.cloud)
    outcome = lives.act(death, lambda: operation.act(story, made))
    assert outcome.promised, (outcome.answer, outcome.error)
    labels = list(death.seen)
    operation.kept(story, made)
    assert_sound(lives.cloud, lives.strays)
    assert len(labels) > 2, labels
    return labels


def die_and_live(lives, operation, label):
    story = Story(lives)
    made = operation.prepare(story)
    death = Death(lives.cloud, label)
    outcome = lives.act(death, lambda: operation.act(story, made))
    assert death.came.is_set(), f"it was not reached, only {death.seen}"
    lives.rise()
    if hasattr(operation, "settle"):
        operation.settle(story)
    assert_sound(lives.cloud, lives.strays)
    if outcome.promised or not operation.never(story, made):
        operation.kept(story, made)
    if hasattr(operation, "tidy"):
        operation.tidy(story, made)
    story.clear()
    assert_sound(lives.cloud, lives.strays)
