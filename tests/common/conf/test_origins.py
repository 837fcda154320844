"""Where a value comes from: whose override, which lines lost, and what stands on a line."""

import pytest
from oslo_config import cfg

from celaje.common import conf
from celaje.common.conf.files import value_at

OPTIONS: conf.Options = {"volume": [cfg.IntOpt("create_deadline", default=600), cfg.ListOpt("zones")]}
DRIVER = [cfg.IntOpt("latency", default=5), cfg.StrOpt("pool", default="rbd")]


@pytest.fixture
def write(tmp_path):
    def write(text, name="celaje.conf"):
        path = tmp_path / name
        path.write_text(text)
        return str(path)

    return write


def test_an_override_says_whose_it_is(write):
    path = write("[volume]\ncreate_deadline = 5\n")
    values = {("volume", "create_deadline"): 6}
    loaded = conf.load("volume", OPTIONS, [path], overrides=values, by="celaje up")
    assert loaded.origin("volume", "create_deadline") == (6, "celaje up")
    assert loaded.overridden("volume", "create_deadline") == [f"{path}:2"]


def test_a_back_ends_key_lost_places_are_those_it_would_inherit_from(write):
    path = write("[DEFAULT]\nlatency = 1\n[backend_defaults]\nlatency = 2\n[fast]\nlatency = 3\n[slow]\n")
    loaded = conf.load("volume", OPTIONS, [path])
    loaded.backend("fast", DRIVER)
    loaded.backend("slow", DRIVER)
    assert loaded.origin("fast", "latency") == (3, f"{path}:6")
    assert loaded.overridden("fast", "latency") == [f"{path}:2", f"{path}:4", f"{path}:6"]
    assert loaded.origin("slow", "latency") == (2, f"{path}:4")
    assert loaded.overridden("slow", "latency") == [f"{path}:2", f"{path}:4"]
    assert loaded.overridden("slow", "pool") == []
    assert set(loaded.backends) == {"fast", "slow"}


def test_every_assignment_in_the_order_in_which_it_was_read(write):
    first, second = write("[volume]\nzones = a\n"), write("[volume]\nzones = b\n", "b.conf")
    loaded = conf.load("volume", OPTIONS, [second, first])
    assert [item.place for item in loaded.assignments] == [f"{second}:2", f"{first}:2"]


def test_what_stands_on_a_line(write):
    path = write("[volume]\nzones = a,\n  b\n\ncreate_deadline: 7 = x\n")
    assert value_at(f"{path}:2") == "a, b"
    assert value_at(f"{path}:5") == "7 = x"
    assert value_at(f"{path}:99") == ""
    assert value_at("/nowhere:1") == ""
