"""What saves transactions: questions, recorded with their answers, and notes, which share the next one."""

import pytest

from celaje.common.errors import Conflict, Unavailable
from celaje.common.flow import flow
from celaje.common.messaging.errors import NoSuchServer
from tests.common.flow.conftest import dies_at, set_status, spoiled


def label(tx, jar_id):
    set_status(tx, jar_id, "labelled")


@flow("jar.choose", deadline=100, way_out=spoiled)
def choosing(run, jar_id):
    outside = run.conductor
    glass = run.ask(outside.do("choose glass"), jar_id)
    run.note(label, jar_id)
    run.undo(outside.do("break glass"), jar_id)
    run.step(outside.do("blow glass"), glass)
    run.done(set_status, jar_id, "full", result=glass)


def test_a_question_and_a_note_cost_no_transaction_of_their_own(kitchen, outside):
    k = kitchen(choosing)
    flow_id = k.submit("jar.choose", "j1")
    before = k.database.commits
    k.engine.execute(flow_id)
    # That which begins the step, and the last.
    assert k.database.commits - before == 2
    assert k.row(flow_id)["state"] == "done"
    assert k.row(flow_id)["result"] == {"by": "choose glass", "args": ["j1"]}
    assert k.steps(flow_id) == [
        (1, "step", "choose glass", "ok"),
        (2, "write", "label", "ok"),
        (3, "step", "blow glass", "ok"),
    ]


@pytest.mark.parametrize("boundary", range(9))
def test_a_conductor_that_dies_anywhere_is_replaced(kitchen, outside, virtual, boundary):
    first = kitchen(choosing)
    passed = dies_at(first, boundary)
    flow_id = first.submit("jar.choose", "j1")
    first.engine.execute(flow_id)
    virtual.advance(31)
    second = kitchen(choosing, owner="second")
    second.engine.execute(flow_id)
    assert second.row(flow_id)["state"] == "done"
    assert second.status("j1") == "full"
    assert [name for _, _, name, _ in second.steps(flow_id)] == ["choose glass", "label", "blow glass"]
    assert outside.done.count("blow glass") <= 2
    assert len(passed) >= min(boundary + 1, 8)


def test_a_question_that_nobody_answers_waits_in_sight(kitchen, outside, virtual):
    outside.errors["choose glass"] = [Unavailable("nobody there"), NoSuchServer(target="shop", method="m")]
    k = kitchen(choosing)
    flow_id = k.submit("jar.choose", "j1")
    for _ in range(2):
        k.engine.execute(flow_id)
        assert k.row(flow_id)["state"] == "waiting"
        assert k.row(flow_id)["waiting_on"] == "choose glass"
        assert k.steps(flow_id) == [(1, "step", "choose glass", None)]
        virtual.advance(31)
    k.engine.execute(flow_id)
    assert k.status("j1") == "full"
    assert k.database.read(k.flows.steps, flow_id)[0]["tries"] == 3


def test_a_question_that_takes_long_is_shown_under_a_lease(kitchen, outside):
    k = kitchen(asking_long, owner="first")
    seen = []

    def look(*_):
        assert k.row(flow_id)["owner"] is None
        k.engine._show_questions()
        seen.append((k.row(flow_id)["owner"], k.row(flow_id)["state"], k.steps(flow_id)))
        k.engine._show_questions()
        return "clear"

    outside.look = look
    flow_id = k.submit("jar.long", "j1")
    k.engine.execute(flow_id)
    assert seen == [("first", "running", [(1, "step", "look", None)])]
    assert k.steps(flow_id) == [(1, "step", "look", "ok")]
    assert k.status("j1") == "full"


@flow("jar.long", deadline=100, way_out=spoiled)
def asking_long(run, jar_id):
    run.ask(run.conductor.look, jar_id)
    run.done(set_status, jar_id, "full")


def test_of_two_that_ask_at_once_one_goes_on(kitchen, outside):
    """Before anything tells of the question, a second conductor may take the flow up too."""
    first, second = kitchen(asking_long, owner="first"), kitchen(asking_long, owner="second")
    asked = []

    def look(*_):
        asked.append(len(asked))
        if len(asked) == 1:
            second.engine.execute(flow_id)
        return "clear"

    outside.look = look
    flow_id = first.submit("jar.long", "j1")
    first.engine.execute(flow_id)
    assert asked == [0, 1]
    assert first.row(flow_id)["attempt"] == 1
    assert first.steps(flow_id) == [(1, "step", "look", "ok")]
    assert first.status("j1") == "full"


def test_a_question_that_is_refused_fails_the_flow(kitchen, outside):
    outside.errors["choose glass"] = [Conflict("no glass")]
    k = kitchen(choosing)
    flow_id = k.submit("jar.choose", "j1")
    k.engine.execute(flow_id)
    assert k.row(flow_id)["state"] == "failed"
    assert k.status("j1") == "error"
    assert k.steps(flow_id) == [(1, "step", "choose glass", "error")]


def test_what_a_note_raises_ends_the_flow_before_the_next_step(kitchen, outside):
    def refuse(tx, jar_id):
        set_status(tx, jar_id, "never")
        raise Conflict("the jar is gone")

    @flow("jar.refuse", deadline=100, way_out=spoiled)
    def refusing(run, jar_id):
        run.note(refuse, jar_id)
        run.undo(run.conductor.do("break glass"), jar_id)
        run.step(run.conductor.do("blow glass"))
        run.done(set_status, jar_id, "full")

    k = kitchen(refusing)
    flow_id = k.submit("jar.refuse", "j1")
    k.engine.execute(flow_id)
    assert k.row(flow_id)["error"]["message"] == "the jar is gone"
    assert k.status("j1") == "error"
    assert outside.done == [], "neither the step nor its undo"
    assert k.steps(flow_id) == []
