"""The image's states: nobody waits for ever."""

from celaje.common.states import Passing
from celaje.image.conductor import FLOWS
from celaje.image.conf import OPTIONS
from celaje.image.states import IMAGE


def test_every_passing_state_has_an_owner_a_deadline_and_a_way_out():
    flows = {flow.name: flow for flow in FLOWS}
    deadlines = {option.dest for option in OPTIONS["flows"]}
    passing = [state for state in IMAGE.states.values() if isinstance(state, Passing)]
    assert {state.name for state in passing} == {"saving", "uploading", "importing"}
    for state in passing:
        assert state.deadline in deadlines
        assert {flows[owner].deadline for owner in state.owners} == {state.deadline}
        assert (state.name, state.way_out) in IMAGE.transitions
        assert not isinstance(IMAGE.states[state.way_out], Passing)


def test_all_flows_are_bounded():
    deadlines = {option.dest for option in OPTIONS["flows"]}
    assert {flow.deadline for flow in FLOWS} <= deadlines
