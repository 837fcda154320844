"""The placement client that other services' flows use: each operation may be repeated."""

import threading

import pytest

from celaje.common import clock
from celaje.common.clients.placement import PlacementClient
from celaje.common.errors import Conflict


class Credentials:
    def __init__(self, token):
        self._token = token

    def token(self):
        return self._token

    def forget(self):
        raise AssertionError("the token was refused")


@pytest.fixture
def client(placement):
    return PlacementClient(placement.transport, Credentials(placement.token("service")), own=True)


@pytest.fixture
def host(client):
    uuid = clock.new_uuid()
    client.ensure_provider(uuid, "host")
    client.set_inventory(uuid, {"VCPU": {"total": 4}, "MEMORY_MB": {"total": 1024}})
    return uuid


def test_ensure_provider(client):
    uuid = clock.new_uuid()
    assert client.ensure_provider(uuid, "a")["name"] == "a"
    assert client.ensure_provider(uuid, "a")["uuid"] == uuid
    assert client.ensure_provider(uuid, "b")["name"] == "b"
    with pytest.raises(Conflict, match="name b"):
        client.ensure_provider(clock.new_uuid(), "b")
    client.remove_provider(uuid)
    client.remove_provider(uuid)


def test_set_inventory_writes_only_changes(client, host):
    first = client.set_inventory(host, {"VCPU": {"total": 8}, "CUSTOM_THING": {"total": 1}})
    again = client.set_inventory(host, {"VCPU": {"total": 8}, "CUSTOM_THING": {"total": 1}})
    assert again["resource_provider_generation"] == first["resource_provider_generation"]
    assert set(again["inventories"]) == {"VCPU", "CUSTOM_THING"}


def test_a_class_in_use_cannot_go(client, host):
    client.claim(clock.new_uuid(), host, {"VCPU": 1}, "p", "u")
    with pytest.raises(Conflict, match="in use"):
        client.set_inventory(host, {"MEMORY_MB": {"total": 1}})


def test_set_traits_and_aggregates(client, host):
    client.set_traits(host, ["CUSTOM_A", "COMPUTE_NODE"])
    client.set_traits(host, ["COMPUTE_NODE", "CUSTOM_A"])
    client.set_aggregates(host, [clock.new_uuid()])


def test_a_claim_repeated_is_the_same_claim(client, host):
    consumer = clock.new_uuid()
    for _ in range(2):
        client.claim(consumer, host, {"VCPU": 3, "DISK_GB": 0}, "p", "u")
    assert client.usages(host) == {"VCPU": 3, "MEMORY_MB": 0}
    assert client.allocations(consumer) == {host: {"VCPU": 3}}
    assert client.provider_allocations(host) == {consumer: {"VCPU": 3}}
    with pytest.raises(Conflict, match="exceed the capacity"):
        client.claim(clock.new_uuid(), host, {"VCPU": 2}, "p", "u")
    client.claim(consumer, host, {"VCPU": 1}, "p", "u")
    assert client.usages(host)["VCPU"] == 1
    for _ in range(2):
        client.release(consumer)
    assert client.usages(host)["VCPU"] == 0


def test_writers_at_once_all_get_their_way(client, host):
    failures = []

    def write(number):
        try:
            client.set_traits(host, [f"CUSTOM_T{number}"])
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert failures == []
