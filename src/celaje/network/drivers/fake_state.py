"""The simulated network of one host: what survives a worker. Made by tests and by the worker (with a path);
used by FakeDriver only."""

from typing import Any

import msgspec

from celaje.common.simulated import Kept, SimulatedState


class _Wires(Kept):
    ports: dict[str, dict[str, Any]] = msgspec.field(default_factory=dict)
    networks: dict[str, dict[str, Any]] = msgspec.field(default_factory=dict)
    routers: dict[str, dict[str, Any]] = msgspec.field(default_factory=dict)


class FakeNetworkState(SimulatedState[_Wires]):
    keeps = _Wires

    @property
    def ports(self) -> dict[str, dict[str, Any]]:
        return self._kept.ports

    @property
    def networks(self) -> dict[str, dict[str, Any]]:
        return self._kept.networks

    @property
    def routers(self) -> dict[str, dict[str, Any]]:
        return self._kept.routers
