"""Addresses are never given twice and always lie in their pools, whatever comes and goes."""

import ipaddress
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.servers import databases

from celaje.common import clock
from celaje.common.db import Database
from celaje.network import addresses, errors
from celaje.network.db import ipam
from celaje.network.db.tables import IP_ALLOCATIONS, METADATA


def subnet_row(cidr, **changes):
    network = ipaddress.ip_network(cidr)
    return {
        "id": "s1",
        "network_id": "n1",
        "cidr": cidr,
        "ip_version": network.version,
        "ipv6_address_mode": None,
        **changes,
    }


def made(folder):
    database = Database(databases.url_in(folder, "ipam"), synchronous="NORMAL")
    METADATA.create_all(database.engine)
    return database


@pytest.fixture
def database(tmp_path):
    found = made(tmp_path)
    yield found
    found.close()


def give(database, subnet, wanted=None):
    port_id = clock.new_uuid()
    taken = database.write(ipam.allocate, "n1", [subnet], port_id, "fa:16:3e:00:00:01", wanted)
    return port_id, [row["ip_address"] for row in taken]


def open_pools(database, cidr, gateway):
    pools = addresses.default_pools(ipaddress.ip_network(cidr), gateway)
    database.write(ipam.set_pools, "s1", pools)


class Allocation(RuleBasedStateMachine):
    """A small subnet with several pools, from which ports take and to which they give back."""

    @initialize(
        ends=st.lists(st.integers(1, 29), min_size=2, max_size=6, unique=True).filter(
            lambda e: len(e) % 2 == 0
        )
    )
    def begin(self, ends):
        ends = sorted(ends)
        base = int(ipaddress.ip_address("10.0.0.0"))
        self.pools = [(base + a, base + b) for a, b in zip(ends[::2], ends[1::2], strict=True)]
        self.inside = {addresses.text(n, 4) for first, last in self.pools for n in range(first, last + 1)}
        self.held = {}
        self.folder = tempfile.TemporaryDirectory()
        self.database = made(Path(self.folder.name))
        self.subnet = subnet_row("10.0.0.0/27")
        self.database.write(ipam.set_pools, "s1", self.pools)

    @rule()
    def take_any(self):
        try:
            port_id, given = give(self.database, self.subnet)
        except errors.IpAddressGenerationFailure:
            assert self.inside <= set(self.held.values()), "refused while there was room"
            return
        assert given[0] in self.inside
        assert given[0] not in self.held.values()
        self.held[port_id] = given[0]

    @rule(offset=st.integers(0, 31))
    def take_named(self, offset):
        address = f"10.0.0.{offset}"
        try:
            port_id, given = give(self.database, self.subnet, [{"ip_address": address}])
        except errors.InvalidIpForSubnet:
            assert offset in (0, 31)
            return
        except errors.IpAddressAlreadyAllocated:
            assert address in self.held.values()
            return
        assert given == [address]
        assert address not in self.held.values()
        self.held[port_id] = address

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def give_back(self, data):
        # In the order in which they took: their ids are others in each run, and so would the addresses be.
        port_id = data.draw(st.sampled_from(list(self.held)))
        self.database.write(ipam.release_port, port_id)
        del self.held[port_id]

    @invariant()
    def rows_are_what_ports_hold(self):
        if not hasattr(self, "database"):
            return
        rows = self.database.read(lambda tx: tx.execute(IP_ALLOCATIONS.select()).mappings().all())
        assert {row["port_id"]: row["ip_address"] for row in rows} == self.held

    def teardown(self):
        if hasattr(self, "database"):
            self.database.close()
            self.folder.cleanup()


TestAllocation = Allocation.TestCase
TestAllocation.settings = settings(max_examples=15, stateful_step_count=40)


def test_threads_never_get_the_same_address(database):
    subnet = subnet_row("10.0.0.0/24")
    database.write(
        ipam.set_pools, "s1", addresses.default_pools(ipaddress.ip_network("10.0.0.0/24"), "10.0.0.1")
    )
    given, failed = [], []

    def work():
        for _ in range(40):
            try:
                given.extend(give(database, subnet)[1])
            except errors.IpAddressGenerationFailure:
                failed.append(1)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(given) == len(set(given)) == 253
    assert len(failed) == 8 * 40 - 253


def test_an_address_given_back_rests_before_it_is_given_again(database):
    subnet = subnet_row("10.0.0.0/29")
    database.write(
        ipam.set_pools, "s1", addresses.default_pools(ipaddress.ip_network("10.0.0.0/29"), "10.0.0.1")
    )
    first, (address,) = give(database, subnet)
    database.write(ipam.release_port, first)
    assert give(database, subnet)[1] != [address]
    rest = [give(database, subnet)[1][0] for _ in range(4)]
    assert address in rest
    with pytest.raises(errors.IpAddressGenerationFailure):
        give(database, subnet)


def test_a_huge_subnet_costs_no_more_than_a_small_one(database):
    six = subnet_row("2001:db8::/64")
    open_pools(database, "2001:db8::/64", "2001:db8::1")
    before = database.statements
    give(database, six)
    first = database.statements - before
    for _ in range(20):
        give(database, six)
    before = database.statements
    give(database, six)
    assert 0 < database.statements - before == first
