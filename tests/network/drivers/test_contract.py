"""What every network driver must do, whatever stands behind it."""

import pytest

from celaje.common.errors import ConfigurationError, DriverError
from celaje.common.simulated import InjectedFailure, Rule, read_rules
from celaje.network.drivers.fake import FakeDriver
from celaje.network.drivers.fake_state import FakeNetworkState
from celaje.network.drivers.user import NoIPv4, UserDriver

DRIVERS = {"fake": lambda: FakeDriver("h"), "user": lambda: UserDriver("h")}


def network(identifier="n1", **subnet):
    one = {
        "id": "s1",
        "cidr": "10.0.0.0/24",
        "ip_version": 4,
        "gateway_ip": "10.0.0.1",
        "enable_dhcp": True,
        "dns_nameservers": ["192.0.2.53"],
        "host_routes": [],
        **subnet,
    }
    return {
        "id": identifier,
        "mtu": 1450,
        "network_type": "vxlan",
        "physical_network": None,
        "segmentation_id": 7,
        "subnets": [one],
    }


def port(generation=1, identifier="p1", **changes):
    return {
        "id": identifier,
        "generation": generation,
        "mac_address": "fa:16:3e:00:00:01",
        "admin_state_up": True,
        "device_id": "server",
        "device_owner": "compute:nova",
        "vnic_type": "normal",
        "port_security_enabled": True,
        "fixed_ips": [{"ip_address": "10.0.0.5", "subnet_id": "s1"}],
        "allowed_address_pairs": [],
        "network": network(),
        **changes,
    }


def router(revision=1):
    return {
        "id": "r1",
        "revision": revision,
        "admin_state_up": True,
        "enable_snat": True,
        "gateway": None,
        "interfaces": [],
        "routes": [],
        "floating_ips": [],
    }


@pytest.fixture(params=sorted(DRIVERS))
def driver(request):
    made = DRIVERS[request.param]()
    made.init_host()
    return made


def test_it_says_what_it_does(driver):
    assert "h" in driver.explain()
    if not driver.east_west:
        assert "east-west" in driver.explain()


def test_plugging_twice_is_plugging_once(driver):
    first, second = driver.plug_port(port()), driver.plug_port(port())
    assert first == second
    assert first["vif_type"] == driver.vif_type
    assert driver.list_ports() == {"p1": 1}


def test_what_was_plugged_is_unplugged_and_again_is_nothing(driver):
    driver.plug_port(port())
    driver.unplug_port("p1", 1)
    driver.unplug_port("p1", 1)
    assert driver.list_ports() == {}


def test_an_old_unplug_does_not_touch_a_newer_binding(driver):
    driver.plug_port(port(generation=3))
    driver.unplug_port("p1", 2)
    assert driver.list_ports() == {"p1": 3}


def test_an_older_plug_does_not_replace_a_newer_one(driver):
    driver.plug_port(port(generation=3))
    driver.plug_port(port(generation=2))
    assert driver.list_ports() == {"p1": 3}


def test_a_newer_binding_is_taken_off_by_its_own_number(driver):
    driver.plug_port(port(generation=1))
    driver.plug_port(port(generation=2))
    driver.unplug_port("p1", 2)
    assert driver.list_ports() == {}


def test_a_network_that_is_not_here_may_change(driver):
    driver.update_network(network("elsewhere"))
    assert driver.list_ports() == {}


def test_a_router_is_made_what_it_is_said_to_be(driver):
    if not driver.routes:
        with pytest.raises(NotImplementedError):
            driver.sync_router(router())
        return
    driver.sync_router(router(2))
    driver.sync_router(router(2))
    assert driver.list_routers() == {"r1"}
    driver.delete_router("r1", 1)
    assert driver.list_routers() == {"r1"}, "an older deletion must not remove a newer router"
    driver.delete_router("r1", 2)
    driver.delete_router("r1", 2)
    assert driver.list_routers() == set()


def test_the_simulated_network_goes_with_its_last_port():
    driver = FakeDriver("h")
    driver.plug_port(port(identifier="p1"))
    driver.plug_port(port(identifier="p2"))
    driver.unplug_port("p1", 1)
    assert list(driver.state.networks) == ["n1"]
    driver.update_network(network(gateway_ip="10.0.0.9"))
    assert driver.state.networks["n1"]["subnets"][0]["gateway_ip"] == "10.0.0.9"
    driver.unplug_port("p2", 1)
    assert driver.state.networks == {}


def test_the_simulated_network_survives_its_worker(tmp_path):
    FakeDriver("h", FakeNetworkState(tmp_path / "state")).plug_port(port())
    assert FakeDriver("h", FakeNetworkState(tmp_path / "state")).list_ports() == {"p1": 1}


def test_failures_are_data():
    rules = [Rule("plug_port", error="no room", times=1), Rule("plug_port", error="late", after_effect=True)]
    driver = FakeDriver("h", FakeNetworkState(rules=rules))
    with pytest.raises(InjectedFailure, match="no room"):
        driver.plug_port(port())
    assert driver.list_ports() == {}
    with pytest.raises(InjectedFailure, match="late"):
        driver.plug_port(port())
    assert driver.list_ports() == {"p1": 1}


def test_wrong_rules_are_told():
    with pytest.raises(ConfigurationError):
        read_rules('[{"operatoin": "plug_port"}]', "rules")


def test_user_mode_tells_the_hypervisor_what_it_needs():
    details = UserDriver("h").plug_port(port())["vif_details"]
    assert details["cidr"] == "10.0.0.0/24"
    assert details["ip_address"] == "10.0.0.5"
    assert details["gateway_ip"] == "10.0.0.1"
    assert details["dns_nameservers"] == ["192.0.2.53"]
    assert details["mtu"] == 1450


def test_user_mode_refuses_what_it_cannot_carry():
    six = network(cidr="2001:db8::/64", ip_version=6, gateway_ip="2001:db8::1")
    address = [{"ip_address": "2001:db8::5", "subnet_id": "s1"}]
    with pytest.raises(NoIPv4) as refusal:
        UserDriver("h").plug_port(port(network=six, fixed_ips=address))
    assert isinstance(refusal.value, DriverError)
