import datetime
import decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from celaje.common.messaging import codec

scalars = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False)
    | st.text() | st.binary() | st.datetimes()
    | st.datetimes(min_value=datetime.datetime(1970, 1, 2), timezones=st.just(datetime.UTC))
)  # fmt: skip
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4)
)


@given(values)
def test_plain_values_arrive_as_they_left(value):
    assert codec.copy(value) == value


def test_a_copy_shares_nothing():
    value = {"list": [1, {"a": 2}]}
    copied = codec.copy(value)
    copied["list"][1]["a"] = 3
    assert value == {"list": [1, {"a": 2}]}


def test_datetimes_keep_their_kind_and_the_original_stays():
    naive, aware = (
        datetime.datetime(2026, 1, 2, 3, 4, 5, 6),
        datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC),
    )
    value = {"at": [naive, (aware, naive)], "n": naive}
    assert codec.copy(value) == {"at": [naive, [aware, naive]], "n": naive}
    assert value == {"at": [naive, (aware, naive)], "n": naive}


@pytest.mark.parametrize(
    ("value", "path"),
    [({"a": [1, {"b": object()}]}, r"volume\.a\[1\]\.b is a object"), ({1, 2}, "volume is a set"),
     (decimal.Decimal(1), "volume is a Decimal"), ({"x": {(1, 2): 3}}, r"volume\.x has the key \(1, 2\)"),
     (2**64, "volume cannot travel")],
)  # fmt: skip
def test_what_cannot_travel_is_named(value, path):
    with pytest.raises(TypeError, match=path):
        codec.encode(value, "volume")


def test_a_loop_is_refused():
    value = []
    value.append(value)
    with pytest.raises(TypeError, match="cannot travel"):
        codec.encode(value)
