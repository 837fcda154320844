"""Fences: one step a resource at a time, parallel resources, never an overtaken step."""

import threading

import pytest

from celaje.common import context
from celaje.common.context import RequestContext, Step
from celaje.common.fences import Fences, StepOvertaken


def at(flow_id, number, attempt=1):
    return context.using(RequestContext(step=Step(flow_id, number, attempt)))


@pytest.fixture
def fences():
    return Fences()


@pytest.mark.parametrize(
    ("first", "second", "allowed"),
    [
        ((1, 1), (2, 1), True),
        ((1, 1), (1, 1), True),
        ((1, 1), (1, 2), True),
        ((5, 1), (1, 2), True),
        ((2, 1), (1, 1), False),
        ((1, 2), (9, 1), False),
        ((10_003, 1), (2, 1), False),
        ((10_003, 1), (10_004, 1), True),
    ],
)
def test_a_later_step_shuts_out_earlier_ones(fences, first, second, allowed):
    with at("f", *first), fences.step("r"):
        pass
    with at("f", *second):
        if allowed:
            with fences.step("r"):
                pass
        else:
            with pytest.raises(StepOvertaken), fences.step("r"):
                raise AssertionError("it ran")
    # Another flow has a count of its own, and work outside of flows is not counted.
    with at("other", 1), fences.step("r"):
        pass
    with fences.step("r"):
        pass


def test_a_refused_step_leaves_the_resource_free(fences):
    with at("f", 2), fences.step("r"):
        pass
    with at("f", 1), pytest.raises(StepOvertaken), fences.step("r"):
        pass
    entered = threading.Event()

    def other():
        with at("f", 3), fences.step("r"):
            entered.set()

    thread = threading.Thread(target=other)
    thread.start()
    thread.join(5)
    assert entered.is_set()


def test_a_step_may_hold_its_resource_twice(fences):
    with at("f", 1), fences.step("r"), fences.step("r"):
        pass
    assert not fences._resources, "nothing is kept of resources that nobody holds"


def test_one_resource_is_held_by_one_and_others_go_on(fences):
    inside, leave, second, other = (threading.Event() for _ in range(4))

    def hold():
        with at("f1", 1), fences.step("r"):
            inside.set()
            leave.wait(10)

    def want(resource, done, flow_id):
        with at(flow_id, 1), fences.step(resource):
            done.set()

    threads = [threading.Thread(target=hold)]
    threads[0].start()
    assert inside.wait(5)
    threads += [
        threading.Thread(target=want, args=("r", second, "f2")),
        threading.Thread(target=want, args=("q", other, "f3")),
    ]
    for thread in threads[1:]:
        thread.start()
    assert other.wait(5), "another resource does not wait"
    assert not second.is_set()
    leave.set()
    assert second.wait(5)
    for thread in threads:
        thread.join(5)
    assert not fences._resources


def test_a_step_overtaken_while_it_waited_does_not_run(fences):
    """The earlier step waits for the resource; meanwhile the flow was taken over and sent a later one."""
    inside, leave = threading.Event(), threading.Event()
    outcome = []

    def hold():
        with at("f", 1, 2), fences.step("r"):
            inside.set()
            leave.wait(10)

    def late():
        try:
            with at("f", 1, 1), fences.step("r"):
                outcome.append("ran")
        except StepOvertaken:
            outcome.append("refused")

    threads = [threading.Thread(target=hold), threading.Thread(target=late)]
    threads[0].start()
    assert inside.wait(5)
    threads[1].start()
    leave.set()
    for thread in threads:
        thread.join(5)
    assert outcome == ["refused"]


def test_an_error_in_the_step_frees_the_resource(fences):
    with pytest.raises(ZeroDivisionError), at("f", 1), fences.step("r"):
        raise ZeroDivisionError
    assert not fences._resources
