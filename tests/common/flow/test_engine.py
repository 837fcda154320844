"""The flow engine: journal, replay, undo, leases, deadlines, signals."""

import threading
import time

import pytest

from celaje.common import clock, context
from celaje.common.db.errors import OutcomeUnknown
from celaje.common.errors import CelajeError, Conflict, NotFound, Unavailable
from celaje.common.fences import Fences
from celaje.common.flow import FlowTimeout, flow
from celaje.common.flow.journal import LAST_UNDO
from celaje.common.flow.run import UNDO_GRACE
from celaje.common.messaging.errors import (
    MessagingTimeout,
    NoSuchServer,
    NotTakenUp,
    UnsupportedVersion,
    WorkerLost,
)
from tests.common.flow.conftest import dies_at, set_status, spoiled


@flow("jar.make", deadline=100, way_out=spoiled)
def make(run, jar_id):
    outside = run.conductor
    glass = run.step(outside.do("choose glass"), jar_id)
    run.undo(outside.do("break glass"), jar_id)
    run.step(outside.do("blow glass"), glass)
    run.undo(outside.do("empty jar"), jar_id)
    run.step(outside.do("fill jar"), jar_id)
    run.done(set_status, jar_id, "full", result={"glass": glass["by"]})


def test_a_flow_runs_its_steps_in_order_and_ends_with_its_result(kitchen, outside):
    k = kitchen(make)
    flow_id = k.submit("jar.make", "j1")
    k.engine.execute(flow_id)
    assert outside.done == ["choose glass", "blow glass", "fill jar"]
    assert k.status("j1") == "full"
    row = k.row(flow_id)
    assert (row["state"], row["result"], row["due_at"], row["owner"]) == (
        "done",
        {"glass": "choose glass"},
        None,
        None,
    )
    assert [s[2:] for s in k.steps(flow_id)] == [
        ("choose glass", "ok"),
        ("blow glass", "ok"),
        ("fill jar", "ok"),
    ]


def test_an_ended_flow_is_not_run_again(kitchen, outside):
    k = kitchen(make)
    flow_id = k.submit("jar.make", "j1")
    k.engine.execute(flow_id)
    before = list(outside.done)
    k.engine.execute(flow_id)
    assert outside.done == before


def test_a_failure_undoes_in_reverse_and_takes_the_way_out(kitchen, outside):
    outside.errors["fill jar"] = [Conflict("the jar leaks")]
    k = kitchen(make)
    flow_id = k.submit("jar.make", "j1")
    k.engine.execute(flow_id)
    assert outside.done == ["choose glass", "blow glass", "empty jar", "break glass"]
    assert k.status("j1") == "error"
    row = k.row(flow_id)
    assert row["state"] == "failed"
    assert row["error"]["message"] == "the jar leaks"
    with pytest.raises(Conflict, match="the jar leaks"):
        k.flows.result(flow_id, 1)


def test_one_worker_takes_every_undo_step_at_its_first_try(kitchen, outside):
    """Its fence lets nothing pass that is older than what it has seen of the flow."""
    fences, do = Fences(), outside.do

    def fenced(name):
        work = do(name)

        def step(*args):
            with fences.step("jar"):
                return work(*args)

        step.__name__ = name
        return step

    outside.errors["fill jar"] = [Conflict("the jar leaks")]
    outside.do = fenced
    k = kitchen(make)
    flow_id = k.submit("jar.make", "j1")
    k.engine.execute(flow_id)
    assert k.row(flow_id)["state"] == "failed"
    assert outside.done[-2:] == ["empty jar", "break glass"]


def test_an_undo_that_finds_nothing_is_done(kitchen, outside):
    outside.errors["fill jar"] = [Conflict("the jar leaks")]
    outside.errors["empty jar"] = [NotFound("no jar")]
    k = kitchen(make)
    flow_id = k.submit("jar.make", "j1")
    k.engine.execute(flow_id)
    assert outside.done[-1] == "break glass"
    assert k.row(flow_id)["state"] == "failed"


def test_an_undo_that_fails_is_tried_again_later(kitchen, outside, virtual):
    outside.errors["fill jar"] = [Conflict("the jar leaks")]
    outside.errors["empty jar"] = [Unavailable("nobody there"), CelajeError("slippery")]
    k = kitchen(make)
    flow_id = k.submit("jar.make", "j1")
    k.engine.execute(flow_id)
    assert k.row(flow_id)["state"] == "undoing"
    assert k.status("j1") == "making"
    for _ in range(2):
        virtual.advance(31)
        k.engine.execute(flow_id)
    assert outside.done == ["choose glass", "blow glass", "empty jar", "break glass"]
    assert k.row(flow_id)["state"] == "failed"


def test_an_undo_step_that_never_succeeds_is_left_behind_in_the_journal(kitchen, outside, virtual):
    outside.errors["fill jar"] = [Conflict("the jar leaks")]
    outside.errors["empty jar"] = [Unavailable("nobody there")] * 1000
    k = kitchen(make)
    flow_id = k.submit("jar.make", "j1")
    k.engine.execute(flow_id)
    virtual.advance(100 + UNDO_GRACE + 1)
    k.engine.execute(flow_id)
    assert k.row(flow_id)["state"] == "failed"
    assert (LAST_UNDO - 1, "undo", "empty jar", "error") in k.steps(flow_id)
    assert outside.done[-1] == "break glass"


@pytest.mark.parametrize("boundary", range(8))
def test_a_conductor_that_dies_anywhere_is_replaced_without_repeating_finished_steps(
    kitchen, outside, virtual, boundary
):
    """The first conductor dies at its n-th boundary; a second one takes over when the lease has run out."""
    first = kitchen(make)
    dies_at(first, boundary)
    flow_id = first.submit("jar.make", "j1")
    first.engine.execute(flow_id)
    if first.row(flow_id)["state"] == "done":
        assert boundary >= 7
        return
    second = kitchen(make, owner="second")
    second.engine.execute(flow_id)
    assert second.row(flow_id)["owner"] == "first", "the lease still holds"
    virtual.advance(31)
    second.engine.execute(flow_id)
    assert second.row(flow_id)["state"] == "done"
    assert second.status("j1") == "full"
    # Each step happened; only the one that was cut off may have happened twice.
    assert list(dict.fromkeys(outside.done)) == ["choose glass", "blow glass", "fill jar"]
    assert len(outside.done) <= 4


@pytest.mark.parametrize("boundary", range(12))
def test_a_conductor_that_dies_while_undoing_is_replaced(kitchen, outside, virtual, boundary):
    outside.errors["fill jar"] = [Conflict("the jar leaks")] * 2
    first = kitchen(make)
    dies_at(first, boundary)
    flow_id = first.submit("jar.make", "j1")
    first.engine.execute(flow_id)
    second = kitchen(make, owner="second")
    virtual.advance(31)
    second.engine.execute(flow_id)
    assert second.row(flow_id)["state"] == "failed"
    assert second.status("j1") == "error"
    assert second.row(flow_id)["error"]["message"] == "the jar leaks"
    assert outside.done[-1] == "break glass"
    assert "empty jar" in outside.done


def test_who_lost_the_lease_writes_nothing_more(kitchen, outside, virtual):
    """A conductor that was stopped for longer than its lease comes back: its attempt is fenced off."""
    second = None
    first = kitchen(make)

    def sleep_through_the_lease(where, _flow):
        if where == "before blow glass" and not second.taken:
            second.taken = True
            virtual.advance(31)
            second.engine.execute(flow_id)

    second = kitchen(make, owner="second")
    second.taken = False
    first.engine.on_boundary = sleep_through_the_lease
    flow_id = first.submit("jar.make", "j1")
    first.engine.execute(flow_id)
    row = first.row(flow_id)
    assert (row["state"], row["attempt"]) == ("done", 2)
    # The late attempt still did the step that it had begun (a worker's fence refuses that), but no more.
    assert outside.done == ["choose glass", "blow glass", "fill jar", "blow glass"]


def test_leases_of_running_flows_are_renewed(kitchen, outside, virtual):
    entered, release = threading.Event(), threading.Event()

    @flow("jar.slow", deadline=1000, way_out=spoiled)
    def slow(run, jar_id):
        def wait_outside():
            entered.set()
            release.wait(20)

        run.step(wait_outside)
        run.done(set_status, jar_id, "full")

    k = kitchen(slow, lease=30)
    k.engine.start()
    flow_id = k.submit("jar.slow", "j1")
    k.engine.nudge(flow_id)
    assert entered.wait(20)
    for _ in range(40):
        # A renewal comes each third of the lease: one that is missed is made good by the next.
        virtual.advance(5)
        _until(lambda: (k.row(flow_id)["due_at"] - clock.now()).total_seconds() > 5)
    assert k.row(flow_id)["attempt"] == 1
    release.set()
    assert k.flows.wait(flow_id, 5)["state"] == "done"


def test_a_flow_that_nobody_nudged_is_found(kitchen, outside):
    k = kitchen(make, poll_interval=0.01)
    flow_id = k.submit("jar.make", "j1")
    k.engine.start()
    assert k.flows.wait(flow_id, 20)["state"] == "done"


def test_a_conductor_alone_takes_up_its_earlier_life_at_once(kitchen, outside):
    first = kitchen(make)
    first.engine.on_boundary = lambda where, _: first.engine.kill() if where == "after blow glass" else None
    flow_id = first.submit("jar.make", "j1")
    first.engine.execute(flow_id)
    assert first.row(flow_id)["owner"] == "first"
    second = kitchen(make, owner="second", poll_interval=0.01)
    second.engine.start(alone=True)
    assert second.flows.wait(flow_id, 20)["state"] == "done"


def test_a_step_whose_service_is_away_waits_without_a_thread_and_goes_on(kitchen, outside, virtual):
    outside.errors["blow glass"] = [Unavailable("nobody there"), Unavailable("nobody there")]
    k = kitchen(make)
    flow_id = k.submit("jar.make", "j1")
    k.engine.execute(flow_id)
    row = k.row(flow_id)
    assert (row["state"], row["waiting_on"], row["owner"]) == ("waiting", "blow glass", None)
    k.engine.execute(flow_id)
    assert k.row(flow_id)["attempt"] == 1, "not due yet"
    virtual.advance(10)
    k.engine.execute(flow_id)
    assert k.row(flow_id)["state"] == "waiting"
    woken = k.database.write(k.flows.wake, "blow glass")
    assert woken == [flow_id]
    k.engine.execute(flow_id)
    assert k.row(flow_id)["state"] == "done"
    assert outside.done == ["choose glass", "blow glass", "fill jar"]


def test_a_flow_that_waits_past_its_deadline_takes_its_way_out(kitchen, outside, virtual):
    outside.errors["blow glass"] = [Unavailable("nobody there")] * 1000
    k = kitchen(make)
    flow_id = k.submit("jar.make", "j1")
    k.engine.execute(flow_id)
    virtual.advance(101)
    assert k.database.read(k.engine.due) == [flow_id]
    k.engine.execute(flow_id)
    row = k.row(flow_id)
    assert row["state"] == "failed"
    assert "blow glass" in row["error"]["message"]
    assert "deadline" in row["error"]["message"]
    assert outside.done == ["choose glass", "break glass"]
    assert k.status("j1") == "error"


def test_what_nobody_ever_began_is_not_undone(kitchen, outside, virtual):
    nobody = NoSuchServer(target="furnace", method="blow")
    outside.errors["blow glass"] = [nobody] * 1000
    k = kitchen(make)
    flow_id = k.submit("jar.make", "j1")
    k.engine.execute(flow_id)
    virtual.advance(31)
    k.engine.execute(flow_id)
    virtual.advance(101)
    k.engine.execute(flow_id)
    assert k.row(flow_id)["state"] == "failed"
    assert outside.done == ["choose glass"], "there is no glass to break"
    (step,) = [s for s in k.database.read(k.flows.steps, flow_id) if s["name"] == "blow glass"]
    assert step["note"] == "nobody was there to begin it"


def test_what_somebody_may_have_begun_is_undone(kitchen, outside, virtual):
    """One try was lost on the way: whether it was begun is unknown, whatever later tries say."""
    lost = WorkerLost(target="furnace", method="blow", cause="it was killed")
    outside.errors["blow glass"] = [lost] + [NoSuchServer(target="furnace", method="blow")] * 1000
    k = kitchen(make)
    flow_id = k.submit("jar.make", "j1")
    k.engine.execute(flow_id)
    virtual.advance(31)
    k.engine.execute(flow_id)
    virtual.advance(101)
    k.engine.execute(flow_id)
    assert k.row(flow_id)["state"] == "failed"
    assert outside.done == ["choose glass", "break glass"]


def test_a_timeout_fails_the_step_at_once(kitchen, outside):
    outside.errors["blow glass"] = [
        MessagingTimeout(target="furnace", method="blow", seconds=60, begun="The work there goes on.")
    ]
    k = kitchen(make)
    flow_id = k.submit("jar.make", "j1")
    k.engine.execute(flow_id)
    assert k.row(flow_id)["state"] == "failed"
    assert "furnace" in k.row(flow_id)["error"]["message"]


def test_a_call_that_nobody_took_up_waits(kitchen, outside, virtual):
    """The broker was away, or the worker hung: that is no answer."""
    silence = NotTakenUp(target="furnace", method="blow", seconds=60, begun="It was not seen to begin.")
    outside.errors["blow glass"] = [silence]
    k = kitchen(make)
    flow_id = k.submit("jar.make", "j1")
    k.engine.execute(flow_id)
    assert k.row(flow_id)["state"] == "waiting"
    virtual.advance(31)
    k.engine.execute(flow_id)
    assert k.row(flow_id)["state"] == "done"


def test_a_timeout_that_the_callee_met_is_an_answer(kitchen, outside):
    silence = NotTakenUp(target="bellows", method="puff", seconds=60, begun="It was not seen to begin.")
    silence.remote = True
    outside.errors["blow glass"] = [silence]
    k = kitchen(make)
    flow_id = k.submit("jar.make", "j1")
    k.engine.execute(flow_id)
    assert k.row(flow_id)["state"] == "failed"


@pytest.mark.parametrize("number", range(1, 6))
def test_a_database_that_goes_away_fails_no_flow(kitchen, outside, virtual, monkeypatch, number):
    """At its n-th write; whether that was written is not known. Whoever has the flow next goes on."""
    k = kitchen(make)
    flow_id = k.submit("jar.make", "j1")
    write, writes = k.database.write, []

    def broken(unit, *args, **kwargs):
        writes.append(unit)
        found = write(unit, *args, **kwargs)
        if len(writes) == number:
            raise OutcomeUnknown
        return found

    monkeypatch.setattr(k.database, "write", broken)
    k.engine.execute(flow_id)
    virtual.advance(31)
    k.engine.execute(flow_id)
    assert k.row(flow_id)["state"] == "done"
    assert k.status("j1") == "full"
    assert list(dict.fromkeys(outside.done)) == ["choose glass", "blow glass", "fill jar"]


def test_a_caught_error_is_met_again_on_replay(kitchen, outside, virtual):
    @flow("jar.choosy", deadline=100, way_out=spoiled)
    def choosy(run, jar_id):
        for color in ("green", "blue"):
            try:
                run.step(run.conductor.do(f"try {color}"))
                break
            except Conflict:
                continue
        run.step(run.conductor.do("fill jar"))
        run.done(set_status, jar_id, "full")

    outside.errors["try green"] = [Conflict("no green left")]
    outside.errors["fill jar"] = [Unavailable("nobody there")]
    k = kitchen(choosy)
    flow_id = k.submit("jar.choosy", "j1")
    k.engine.execute(flow_id)
    virtual.advance(31)
    k.engine.execute(flow_id)
    assert k.row(flow_id)["state"] == "done"
    assert outside.done == ["try blue", "fill jar"]


def test_write_steps_happen_exactly_once(kitchen, outside, virtual):
    def pour(tx, jar_id):
        set_status(tx, jar_id, "pouring")
        return {"moment": clock.now()}

    seen = []

    @flow("jar.write", deadline=100, way_out=spoiled)
    def writing(run, jar_id):
        seen.append(run.write(pour, jar_id))
        run.step(run.conductor.do("fill jar"))
        run.done(set_status, jar_id, "full")

    outside.errors["fill jar"] = [Unavailable("nobody there")]
    k = kitchen(writing)
    flow_id = k.submit("jar.write", "j1")
    k.engine.execute(flow_id)
    assert k.status("j1") == "pouring"
    virtual.advance(31)
    k.engine.execute(flow_id)
    assert k.status("j1") == "full"
    assert seen[0] == seen[1], "a replay gives the recorded result, in the same form"


def test_a_refused_write_leaves_nothing_and_is_refused_again_on_replay(kitchen, outside, virtual):
    tries = []

    def pour(tx, jar_id):
        tries.append(jar_id)
        set_status(tx, jar_id, "pouring")
        raise Conflict("the jar is full")

    @flow("jar.refused", deadline=100, way_out=spoiled)
    def refused(run, jar_id):
        with pytest.raises(Conflict):
            run.write(pour, jar_id)
        run.step(run.conductor.do("fill jar"))
        run.done()

    outside.errors["fill jar"] = [Unavailable("nobody there")]
    k = kitchen(refused)
    flow_id = k.submit("jar.refused", "j1")
    k.engine.execute(flow_id)
    virtual.advance(31)
    k.engine.execute(flow_id)
    assert k.row(flow_id)["state"] == "done"
    assert tries == ["j1"]
    assert k.status("j1") == "making"


def test_a_signal_continues_the_flow_that_waits_for_it(kitchen, outside):
    @flow("jar.lid", deadline=100, way_out=spoiled)
    def lid(run, jar_id):
        answer = run.wait("lid arrived")
        run.done(set_status, jar_id, answer["color"])

    k = kitchen(lid)
    flow_id = k.submit("jar.lid", "j1")
    k.engine.execute(flow_id)
    assert k.row(flow_id)["waiting_on"] == "signal:lid arrived"
    k.database.write(k.flows.signal, flow_id, "lid arrived", {"color": "red"})
    k.database.write(k.flows.signal, flow_id, "lid arrived", {"color": "blue"})
    k.engine.execute(flow_id)
    assert k.status("j1") == "red"


def test_a_signal_that_comes_first_is_not_missed(kitchen, outside):
    @flow("jar.lid", deadline=100, way_out=spoiled)
    def lid(run, jar_id):
        run.done(set_status, jar_id, run.wait("lid arrived")["color"])

    k = kitchen(lid)
    flow_id = k.submit("jar.lid", "j1")
    k.database.write(k.flows.signal, flow_id, "lid arrived", {"color": "red"})
    k.engine.execute(flow_id)
    assert k.status("j1") == "red"


def test_a_wait_has_its_own_timeout(kitchen, outside, virtual):
    @flow("jar.lid", deadline=1000, way_out=spoiled)
    def lid(run, jar_id):
        run.wait("lid arrived", timeout=20)
        run.done()

    k = kitchen(lid)
    flow_id = k.submit("jar.lid", "j1")
    k.engine.execute(flow_id)
    virtual.advance(21)
    k.engine.execute(flow_id)
    assert k.row(flow_id)["state"] == "failed"
    assert "lid arrived" in k.row(flow_id)["error"]["message"]


def test_identifiers_made_in_a_flow_are_the_same_on_replay(kitchen, outside, virtual):
    seen = []

    @flow("jar.label", deadline=100, way_out=spoiled)
    def label(run, jar_id):
        seen.append((run.new_uuid(), run.new_uuid()))
        run.step(run.conductor.do("print label"))
        run.done()

    outside.errors["print label"] = [Unavailable("nobody there")]
    k = kitchen(label)
    flow_id = k.submit("jar.label", "j1")
    k.engine.execute(flow_id)
    virtual.advance(31)
    k.engine.execute(flow_id)
    assert seen[0] == seen[1]
    assert seen[0][0] != seen[0][1]


def test_a_bug_in_a_flow_takes_the_way_out_too(kitchen, outside, caplog):
    @flow("jar.bug", deadline=100, way_out=spoiled)
    def bug(run, jar_id):
        run.undo(run.conductor.do("break glass"))
        run.step(run.conductor.do("blow glass"))
        raise ZeroDivisionError("secret words")

    k = kitchen(bug)
    flow_id = k.submit("jar.bug", "j1")
    k.engine.execute(flow_id)
    assert k.status("j1") == "error"
    assert outside.done == ["blow glass", "break glass"]
    assert "secret words" not in k.row(flow_id)["error"]["message"]


def test_a_changed_function_is_noticed_by_its_journal(kitchen, outside, virtual):
    outside.errors["blow glass"] = [Unavailable("nobody there")]
    first = kitchen(make)
    flow_id = first.submit("jar.make", "j1")
    first.engine.execute(flow_id)

    @flow("jar.make", deadline=100, way_out=spoiled)
    def other(run, jar_id):
        run.step(run.conductor.do("something else"))
        run.done()

    second = kitchen(other, owner="second")
    virtual.advance(31)
    second.engine.execute(flow_id)
    row = second.row(flow_id)
    assert row["state"] == "failed"
    assert "choose glass" in row["error"]["message"] and "something else" in row["error"]["message"]


def test_a_version_this_conductor_does_not_know_is_left_to_others(kitchen, outside, virtual):
    newer = flow("jar.make", deadline=100, way_out=spoiled, version=2)(make.function)
    new = kitchen(make, newer)
    flow_id = new.submit("jar.make", "j1")
    assert new.row(flow_id)["version"] == 2
    old = kitchen(make, owner="old")
    old.engine.execute(flow_id)
    left = old.row(flow_id)
    assert (left["state"], left["attempt"], left["owner"]) == ("pending", 0, None)
    assert left["waiting_on"] == "conductor with jar.make version 2"
    assert old.database.read(old.engine.due) == [], "it is not in the way of what can be done"
    assert new.database.read(new.engine.due) == [flow_id]
    new.engine.execute(flow_id)
    assert new.row(flow_id)["state"] == "done"
    assert new.row(flow_id)["waiting_on"] is None


def test_a_new_kind_of_flow_is_left_to_a_newer_conductor(kitchen, outside, virtual):
    polish = flow("jar.polish", deadline=100, way_out=spoiled)(make.function)
    new = kitchen(make, polish)
    flow_id = new.submit("jar.polish", "j1")
    old = kitchen(make, owner="old")
    old.engine.execute(flow_id)
    assert old.row(flow_id)["waiting_on"] == "conductor with jar.polish version 1"
    new.engine.execute(flow_id)
    assert new.row(flow_id)["state"] == "done"


def test_a_journal_of_an_old_conductor_goes_on_with_the_old_steps(kitchen, outside, virtual):
    """The new code has both functions; the flow's version says by which its journal was written."""

    @flow("jar.make", deadline=100, way_out=spoiled)
    def first(run, jar_id):
        run.step(run.conductor.do("blow glass"))
        run.step(run.conductor.do("fill"))
        run.done(set_status, jar_id, "old")

    @flow("jar.make", deadline=100, way_out=spoiled, version=2)
    def second(run, jar_id):
        run.step(run.conductor.do("press glass"))
        run.done(set_status, jar_id, "new")

    old = kitchen(first, owner="old")
    flow_id = old.submit("jar.make", "j1")
    outside.errors["fill"] = [Unavailable("nobody there")]
    old.engine.execute(flow_id)
    new = kitchen(first, second, owner="new")
    virtual.advance(31)
    new.engine.execute(flow_id)
    assert new.status("j1") == "old"
    assert outside.done == ["blow glass", "fill"]
    newer_id = new.submit("jar.make", "j2")
    new.engine.execute(newer_id)
    assert new.status("j2") == "new"


def test_a_flow_is_written_in_the_version_that_every_conductor_runs(kitchen, outside, virtual):
    newer = flow("jar.make", deadline=100, way_out=spoiled, version=2)(make.function)
    new = kitchen(make, newer)
    conductors = [{"jar.make": 2}, {}]
    new.flows.conductors = lambda tx: conductors
    assert new.row(new.submit("jar.make", "j1"))["version"] == 1
    conductors.pop()
    assert new.row(new.submit("jar.make", "j2"))["version"] == 2
    conductors.clear()
    assert new.row(new.submit("jar.make", "j3"))["version"] == 2, "nobody is there: the next one is new"
    only_new = kitchen(newer)
    only_new.flows.conductors = lambda tx: [{}]
    assert only_new.row(only_new.submit("jar.make", "j4"))["version"] == 2, "it waits for a newer conductor"
    assert new.flows.table.beyond_first() == {"jar.make": 2}


def test_a_step_waits_for_a_worker_that_is_too_old_for_it(kitchen, outside, virtual):
    outside.errors["polish"] = [UnsupportedVersion(target="w", method="polish", spoken="1.0", needed="1.1")]

    @flow("jar.make", deadline=100, way_out=spoiled)
    def polished(run, jar_id):
        run.step(run.conductor.do("polish"))
        run.done(set_status, jar_id, "bright")

    k = kitchen(polished)
    flow_id = k.submit("jar.make", "j1")
    k.engine.execute(flow_id)
    assert k.row(flow_id)["state"] == "waiting"
    virtual.advance(31)
    k.engine.execute(flow_id)
    assert k.status("j1") == "bright"


def test_a_waiter_gets_the_checkpoint_and_a_timeout(kitchen, outside, virtual):
    @flow("jar.two", deadline=100, way_out=spoiled)
    def two(run, jar_id):
        run.step(run.conductor.do("reserve"))
        run.checkpoint("reserved")
        run.step(run.conductor.do("fill jar"))
        run.done()

    outside.errors["fill jar"] = [Unavailable("nobody there")]
    k = kitchen(two)
    flow_id = k.submit("jar.two", "j1", deadline=100_000)
    answers = []

    def wait_in_vain():
        try:
            k.flows.wait(flow_id, 5, checkpoint="reserved")
        except FlowTimeout as timeout:
            answers.append(timeout)

    waiter = threading.Thread(target=wait_in_vain)
    waiter.start()
    _until(lambda: virtual.advance(1) or answers)
    waiter.join()
    assert "goes on" in answers[0].message
    k.engine.execute(flow_id)
    assert k.flows.wait(flow_id, 5, checkpoint="reserved")["state"] == "waiting"
    assert k.flows.result(flow_id, 5, checkpoint="reserved") is None


def test_steps_carry_their_key_and_who_asked(kitchen, outside):
    seen = []

    @flow("jar.who", deadline=100, way_out=spoiled)
    def who(run, jar_id):
        run.step(lambda: seen.append(context.current()))
        run.done()

    k = kitchen(who)
    asker = context.RequestContext(user_id="u", project_id="p", roles=("member",))
    with context.using(asker):
        flow_id = k.submit("jar.who", "j1")
    k.engine.execute(flow_id)
    (seen_context,) = seen
    assert (seen_context.user_id, seen_context.project_id, seen_context.roles) == ("u", "p", ("member",))
    assert (seen_context.step.flow_id, seen_context.step.number, seen_context.step.attempt) == (flow_id, 1, 1)
    assert k.row(flow_id)["request_id"] == asker.request_id


def test_two_engines_never_run_one_attempt_twice(kitchen, outside):
    engines = [kitchen(make, owner=f"c{n}") for n in range(4)]
    ids = [engines[0].submit("jar.make", f"j{n}") for n in range(12)]
    threads = [
        threading.Thread(target=lambda e=e: [e.engine.execute(flow_id) for flow_id in ids]) for e in engines
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert all(engines[0].row(flow_id)["state"] == "done" for flow_id in ids)
    assert len(outside.done) == 3 * len(ids)
    assert {engines[0].row(flow_id)["attempt"] for flow_id in ids} == {1}


def test_stopping_lets_running_flows_end_and_takes_no_more(kitchen, outside):
    entered, release = threading.Event(), threading.Event()

    @flow("jar.slow", deadline=1000, way_out=spoiled)
    def slow(run, jar_id):
        run.step(lambda: entered.set() or (release.wait(20) and None))
        run.done(set_status, jar_id, "full")

    k = kitchen(slow)
    flow_id = k.submit("jar.slow", "j1")
    k.engine.nudge(flow_id)
    assert entered.wait(20)
    threading.Timer(0.05, release.set).start()
    k.engine.stop(grace=20)
    assert k.status("j1") == "full"
    late = k.submit("jar.slow", "j2")
    k.engine.nudge(late)
    assert k.row(late)["state"] == "pending"


def _until(condition, seconds=20.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.005)
