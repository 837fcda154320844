"""The context travels whole, but for the token, and stays what it was made as."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from celaje.common import context
from celaje.common.context import RequestContext, Step
from celaje.common.messaging import codec

word = st.none() | st.text(max_size=8)
steps = st.none() | st.builds(Step, st.text(max_size=8), st.integers(0, 2**31), st.integers(0, 1000))
contexts = st.builds(
    RequestContext,
    request_id=st.text(max_size=8),
    global_request_id=word,
    user_id=word,
    project_id=word,
    domain_id=word,
    system_scope=word,
    roles=st.lists(st.text(max_size=4), max_size=3).map(tuple),
    service_roles=st.lists(st.text(max_size=4), max_size=3).map(tuple),
    is_admin_project=st.booleans(),
    step=steps,
    token=word,
)


@given(contexts)
def test_a_round_trip_keeps_all_but_the_token(asker):
    data = codec.copy(asker.to_dict())
    assert "token" not in data
    assert RequestContext.from_dict(data) == asker.but(token=None)


def test_what_a_newer_sender_adds_is_ignored():
    data = {**RequestContext(request_id="r").to_dict(), "invented_later": [1]}
    assert RequestContext.from_dict(data).request_id == "r"
    assert RequestContext.from_dict({"request_id": "r", "roles": None}).roles == ()


def test_the_token_is_never_shown():
    asker = RequestContext(token="hunter2", user_id="u1")
    assert "hunter2" not in repr(asker) and "hunter2" not in str(asker)
    assert "u1" in repr(asker)


def test_a_context_does_not_change():
    asker = RequestContext(user_id="u1")
    with pytest.raises(AttributeError):
        asker.user_id = "u2"
    step = Step("f", 1, 2)
    assert asker.at(step).step == step
    assert asker.step is None
    assert step.key == "f/1"


def test_the_current_one_is_the_innermost():
    assert context.current_or_none() is None
    with context.using(RequestContext(request_id="a")):
        with context.using(RequestContext(request_id="b")):
            assert context.current().request_id == "b"
        assert context.current().request_id == "a"
    assert context.current().request_id.startswith("req-")
