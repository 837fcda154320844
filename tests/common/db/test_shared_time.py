"""What a server's answers tell of its time, on machines whose clocks say something else."""

import datetime

import pytest

from celaje.common import clock
from celaje.common.clock import VirtualClock
from celaje.common.db.shared_time import SharedTime

SERVER = datetime.datetime(2030, 5, 1, 12)


def later(seconds):
    return SERVER + datetime.timedelta(seconds=seconds)


@pytest.fixture
def virtual():
    with clock.installed(VirtualClock()) as found:
        yield found


@pytest.fixture
def ahead(virtual):
    return SharedTime(lambda: clock.now() + datetime.timedelta(seconds=60))


def test_until_a_server_has_told_it_the_time_is_the_machines_own(virtual, ahead):
    assert ahead.now() == clock.now() + datetime.timedelta(seconds=60)


def test_machines_whose_clocks_differ_agree(virtual, ahead):
    behind = SharedTime(lambda: clock.now() - datetime.timedelta(seconds=60))
    ahead.told(SERVER, 0.0, 0.0)
    virtual.advance(5)
    behind.told(later(5), 5.0, 5.0)
    virtual.advance(5)
    assert ahead.now() == behind.now() == later(10)


def test_the_answer_was_made_between_question_and_answer(virtual, ahead):
    virtual.advance(4)
    ahead.told(SERVER, 0.0, 4.0)
    assert ahead.now() == later(2)


def test_a_slow_answer_tells_less_than_a_quick_one_before_it(virtual, ahead):
    ahead.told(SERVER, 0.0, 0.0)
    virtual.advance(10)
    # Made at the end of the four seconds, not in their middle.
    ahead.told(later(10), 6.0, 10.0)
    assert ahead.now() == later(10)


def test_a_quick_answer_counts_and_so_does_one_when_the_last_is_old(virtual, ahead):
    ahead.told(SERVER, 0.0, 2.0)
    virtual.advance(10)
    ahead.told(later(9.5), 10.0, 10.1)
    assert ahead.now() == later(9.45)
    virtual.advance(10_000)
    ahead.told(later(10_010), 10_009.5, 10_010.1)
    assert ahead.now() == later(10_010.2)


@pytest.mark.parametrize("seconds", [-300, 300])
def test_another_server_with_another_time_is_believed(virtual, ahead, seconds):
    ahead.told(SERVER, 0.0, 0.0)
    virtual.advance(10)
    ahead.told(later(10 + seconds), 9.0, 10.0)
    assert ahead.now() == later(10.5 + seconds)


def test_what_was_told_under_another_clock_tells_nothing(virtual, ahead):
    ahead.told(SERVER, 0.0, 0.0)
    with clock.installed(VirtualClock(start=later(1000))):
        assert ahead.now() == later(1060)
