"""What silence tells when nobody could be heard."""

import datetime

import pytest

from celaje.common import clock
from celaje.common.clock import VirtualClock
from celaje.common.db import new_metadata
from celaje.common.outage import Outage
from celaje.common.service import ServiceRecords, service_table


@pytest.fixture
def virtual():
    with clock.installed(VirtualClock()) as found:
        yield found


@pytest.fixture
def outage():
    return Outage()


def test_without_an_outage_all_silence_counts(virtual, outage):
    virtual.advance(100)
    assert outage.unheard(60) == 0


def test_an_outage_counts_from_its_beginning_until_everybody_could_be_heard_again(virtual, outage):
    virtual.advance(100)
    outage.begin()
    virtual.advance(30)
    assert outage.lasts
    assert outage.unheard(60) == 30
    outage.end()
    virtual.advance(59)
    assert outage.unheard(60) == 89
    virtual.advance(1)
    assert outage.unheard(60) == 0


def test_outages_close_together_are_one(virtual, outage):
    virtual.advance(100)
    outage.begin()
    virtual.advance(30)
    outage.end()
    virtual.advance(10)
    outage.begin()
    virtual.advance(5)
    assert outage.unheard(60) == 45
    outage.end()
    virtual.advance(200)
    outage.begin()
    virtual.advance(7)
    assert outage.unheard(60) == 7


def test_an_outage_is_known_from_when_something_was_heard_last(virtual, outage):
    virtual.advance(100)
    outage.begin(clock.monotonic() - 20)
    assert outage.unheard(60) == 20


def test_who_was_up_when_the_outage_began_is_up_after_it_and_who_was_down_is_down(virtual, outage):
    records = ServiceRecords(service_table(new_metadata()), down_time=60, outages=(Outage(), outage))

    def row(silent):
        seen = clock.now() - datetime.timedelta(seconds=silent)
        return {"forced_down": False, "last_seen_at": seen}

    up, down = row(59), row(61)
    outage.begin()
    virtual.advance(500)
    assert (records.is_up(up), records.is_up(down)) == (True, False)
    outage.end()
    virtual.advance(59)
    assert (records.is_up(up), records.is_up(down)) == (True, False)
    virtual.advance(2)
    assert (records.is_up(up), records.is_up(down)) == (False, False)
    assert not records.is_up({**row(0), "forced_down": True})
