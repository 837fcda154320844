"""Network drivers: what stands behind the network worker. `load` makes the one that an option names."""

from typing import Any

from celaje.network.drivers.base import NetworkDriver


def load(conf: Any, host: str) -> NetworkDriver:
    """The driver of `network_driver`."""
    if conf.network_driver == "user":
        from celaje.network.drivers.user import UserDriver

        return UserDriver(host)
    from celaje.common.simulated import read_rules
    from celaje.network.drivers.fake import FakeDriver
    from celaje.network.drivers.fake_state import FakeNetworkState

    state = FakeNetworkState(conf.network_fake.state_path)
    if not state.rules:
        state.add_rules(read_rules(conf.network_fake.rules, "[network_fake] rules"))
    return FakeDriver(host, state)
