"""Every operation, killed at every boundary there is: each step, write, end, nudge and driver call.

A rehearsal notes the boundaries; then each life dies at one of them, the next one takes up what was left, and
the cloud must be sound, the promise of a 2xx kept, and all of it deletable.
"""

import pytest

from tests.crash.lives import Death, Lives
from tests.crash.operations import OPERATIONS, Story
from tests.crash.soundness import assert_sound

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="session")
def kept(tmp_path_factory):
    """A cloud that has ended, with an image, and its state kept for all that begin with it."""
    lives = Lives.first(tmp_path_factory.mktemp("lives") / "state")
    Story(lives).image_id()
    Story(lives).quiet()
    lives.end()
    lives.keep()
    return lives


@pytest.fixture
def lives(kept):
    kept.again()
    yield kept
    kept.end()


@pytest.mark.parametrize("name", OPERATIONS)
def test_killed_at_every_boundary(lives, name):
    operation = OPERATIONS[name]
    labels = rehearse(lives, operation)
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
    assert_sound(lives.cloud)
    assert len(labels) > 4, labels
    return labels


def die_and_live(lives, operation, label):
    story = Story(lives)
    made = operation.prepare(story)
    death = Death(lives.cloud, label)
    outcome = lives.act(death, lambda: operation.act(story, made))
    assert death.came.is_set(), f"it was not reached, only {death.seen}"
    lives.rise()
    assert_sound(lives.cloud)
    if outcome.promised or not operation.never(story, made):
        operation.kept(story, made)
    story.clear()
    assert_sound(lives.cloud)
