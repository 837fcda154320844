"""The first write of a flow is its claim: of two engines that begin at once, one goes on."""

import threading

from celaje.common.errors import Conflict, Unavailable
from celaje.common.flow import flow
from celaje.common.flow.journal import Journal
from tests.common.flow.conftest import set_status, spoiled


@flow("jar.label", deadline=100, way_out=spoiled)
def label(run, jar_id):
    run.step(run.conductor.do("label"), jar_id)
    run.done(set_status, jar_id, "labelled")


@flow("jar.drop", deadline=100, way_out=spoiled)
def drop(run, jar_id):
    run.undo(run.conductor.do("sweep"), jar_id)
    run.step(run.conductor.do("drop"), jar_id)


def test_of_many_engines_that_look_at_once_one_runs_the_flow(kitchen, outside):
    engines = [kitchen(label, owner=f"c{n}") for n in range(4)]
    for number in range(10):
        flow_id = engines[0].submit("jar.label", f"j{number}")
        start = threading.Barrier(len(engines))

        def run(k, flow_id=flow_id, start=start):
            start.wait(10)
            k.engine.execute(flow_id)

        threads = [threading.Thread(target=run, args=(k,)) for k in engines]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert engines[0].row(flow_id)["state"] == "done"
        assert engines[0].row(flow_id)["attempt"] == 1
    assert outside.done == ["label"] * 10


def test_nothing_is_written_by_looking(kitchen, outside, virtual):
    """A conductor that dies between looking and its first write leaves no trace and no lease."""
    first, second = kitchen(label), kitchen(label, owner="second")
    flow_id = first.submit("jar.label", "j1")
    first.database.read(first.engine._look, flow_id)
    assert (first.row(flow_id)["state"], first.row(flow_id)["attempt"]) == ("pending", 0)
    second.engine.execute(flow_id)
    assert second.row(flow_id)["state"] == "done"


def test_an_undo_that_waits_for_a_worker_is_woken_by_it(kitchen, outside, virtual):
    outside.errors["drop"] = [Conflict("broken")]
    outside.errors["sweep"] = [Unavailable("nobody there")]
    k = kitchen(drop)
    flow_id = k.submit("jar.drop", "j1")
    k.engine.execute(flow_id)
    assert (k.row(flow_id)["state"], k.row(flow_id)["waiting_on"]) == ("undoing", "sweep")
    k.engine.execute(flow_id)
    assert k.row(flow_id)["state"] == "undoing", "not due yet"
    assert k.database.write(k.flows.wake, "sweep") == [flow_id]
    k.engine.execute(flow_id)
    assert k.row(flow_id)["state"] == "failed"
    assert outside.done == ["sweep"]


def test_a_flow_that_runs_is_not_woken_from_under_its_conductor(kitchen, outside, virtual):
    k, other = kitchen(drop), kitchen(drop, owner="other")
    outside.errors["drop"] = [Conflict("broken")]
    outside.errors["sweep"] = [Unavailable("nobody there")]
    flow_id = k.submit("jar.drop", "j1")
    k.engine.execute(flow_id)
    virtual.advance(40)
    seen = []

    def look(where, row):
        if where == "before sweep":
            seen.append(k.database.write(k.flows.wake, "sweep"))
            other.engine.execute(flow_id)

    k.engine.on_boundary = look
    k.engine.execute(flow_id)
    assert seen == [[]]
    assert k.row(flow_id)["state"] == "failed"
    assert k.row(flow_id)["attempt"] == 2


def test_a_flow_that_is_woken_while_a_thread_still_leaves_it_runs_at_once(
    kitchen, outside, virtual, monkeypatch
):
    """Not only when the lease of a claim that nobody follows up has run out."""
    outside.errors["drop"] = [Unavailable("nobody there")]
    k = kitchen(drop)
    flow_id = k.submit("jar.drop", "j1")
    leave = Journal.suspend

    def leave_and_be_woken(journal, waiting_on, delay):
        leave(journal, waiting_on, delay)
        assert k.database.write(k.flows.wake, "drop") == [flow_id]
        k.engine.execute(flow_id)

    monkeypatch.setattr(Journal, "suspend", leave_and_be_woken)
    k.engine.execute(flow_id)
    assert (k.row(flow_id)["state"], k.row(flow_id)["attempt"]) == ("done", 2)
