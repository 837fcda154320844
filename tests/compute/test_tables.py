"""What the tables of the service say of each other: messages and their receivers, states and their
owners, routes and their rules."""

import pytest

from celaje.common.messaging import check
from celaje.common.states import Passing
from celaje.compute import states
from celaje.compute.api.policies import RULES
from celaje.compute.api.routes import ROUTES
from celaje.compute.api.versions import HISTORY
from celaje.compute.conductor import FLOWS
from celaje.compute.conductor.conductor import ComputeConductor
from celaje.compute.conf import OPTIONS
from celaje.compute.rpc import ComputeConductorMessages, ComputeSchedulerMessages, ComputeWorkerMessages
from celaje.compute.scheduler.scheduler import ComputeScheduler
from celaje.compute.worker import ComputeWorker


@pytest.mark.parametrize(
    ("table", "receiver"),
    [
        (ComputeConductorMessages, ComputeConductor),
        (ComputeSchedulerMessages, ComputeScheduler),
        (ComputeWorkerMessages, ComputeWorker),
    ],
)
def test_receivers_take_what_is_sent(table, receiver):
    assert check(table, receiver) == []


def test_every_passing_state_has_an_owner_a_deadline_and_a_way_out():
    flows = {flow.name: flow for flow in FLOWS}
    deadlines = {option.dest for option in OPTIONS["flows"]}
    assert {flow.deadline for flow in flows.values()} <= deadlines
    for state in states.PASSING.values():
        assert isinstance(state, Passing)
        for owner in state.owners:
            assert flows[owner].deadline == state.deadline, state.name
        ways_out = (state.way_out,) if isinstance(state.way_out, str) else state.way_out
        assert ways_out and set(ways_out) <= set(states.LASTING), state.name


@pytest.mark.parametrize("vm_state", sorted(states.LASTING))
def test_every_state_has_a_status(vm_state):
    shown = states.status(vm_state, None)
    assert shown != "UNKNOWN"
    assert vm_state in states.states_of([shown])[0]


def test_every_route_has_a_rule_that_exists():
    rules = {rule.name for rule in RULES}
    assert {route.rule for route in ROUTES if route.rule} <= rules


def test_the_microversions_have_no_gap():
    assert sorted(HISTORY) == [(2, minor) for minor in range(1, 105)]
