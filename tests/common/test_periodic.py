"""Repeated work on a virtual clock."""

import threading

import pytest

from celaje.common import clock
from celaje.common.periodic import Periodic


class Counter:
    def __init__(self, fail=False):
        self.times = []
        self.fail = fail
        self.changed = threading.Condition()

    def __call__(self):
        with self.changed:
            self.times.append(clock.monotonic())
            self.changed.notify_all()
        if self.fail:
            raise ZeroDivisionError("broken")

    def reached(self, count):
        with self.changed:
            return self.changed.wait_for(lambda: len(self.times) >= count, 5)


@pytest.fixture
def virtual():
    with clock.installed(clock.VirtualClock()) as virtual:
        yield virtual


@pytest.fixture
def periodic():
    made = Periodic("test")
    yield made
    made.stop()


def test_each_task_has_its_own_interval(virtual, periodic):
    often, seldom = Counter(), Counter()
    periodic.every(10, often)
    periodic.every(25, seldom)
    periodic.start()
    for count in range(1, 6):
        virtual.advance(10)
        assert often.reached(count)
    assert often.times == [10, 20, 30, 40, 50]
    assert seldom.reached(1)
    assert seldom.times[0] == 30


def test_at_once_means_at_the_start(virtual, periodic):
    task = Counter()
    periodic.every(10, task, at_once=True)
    assert task.times == []
    periodic.start()
    assert task.reached(1)
    assert task.times == [0]


def test_a_task_that_fails_runs_again_and_stops_no_other(virtual, periodic, caplog):
    broken, fine = Counter(fail=True), Counter()
    periodic.every(10, broken)
    periodic.every(10, fine)
    periodic.start()
    for count in (1, 2):
        virtual.advance(10)
        assert broken.reached(count) and fine.reached(count)
    assert "broken" in caplog.text


def test_a_task_that_comes_later_is_taken_up(virtual, periodic):
    first, second = Counter(), Counter()
    periodic.every(1000, first)
    periodic.start()
    periodic.every(5, second, at_once=True)
    assert second.reached(1)
    virtual.advance(5)
    assert second.reached(2)
    assert first.times == []


def test_nothing_runs_after_stop(virtual, periodic):
    task = Counter()
    periodic.every(10, task, at_once=True)
    periodic.start()
    assert task.reached(1)
    periodic.stop()
    virtual.advance(100)
    assert not periodic._thread.is_alive()
    assert task.times == [0]


def test_all_at_once_in_the_callers_thread(virtual, periodic):
    tasks = [Counter(), Counter(fail=True), Counter()]
    for task in tasks:
        periodic.every(10, task)
    periodic.run_now()
    assert [task.times for task in tasks] == [[0]] * 3
