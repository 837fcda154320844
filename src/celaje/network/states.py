"""Every state of a port, a router and a floating IP: who owns the passing ones, and how they end.

Read by API handlers and flows, which change a status only through these tables.
"""

from celaje.common.states import Passing, State, StateTable

PORT = StateTable(
    "port",
    [
        State("DOWN", "not bound to a host, binding failed, or administratively down"),
        Passing(
            "BUILD",
            "bound to a host, whose worker is wiring it",
            owner="port.bind",
            deadline="port_bind_deadline",
            way_out="DOWN",
        ),
        State("ACTIVE", "wired on its host"),
    ],
    [
        ("DOWN", "BUILD"),
        ("ACTIVE", "BUILD"),
        ("BUILD", "BUILD"),  # bound anew before the first binding was wired
        ("BUILD", "ACTIVE"),
        ("BUILD", "DOWN"),
        ("ACTIVE", "DOWN"),
        ("DOWN", "DOWN"),
        ("DOWN", "ACTIVE"),  # ports of routers follow their router
    ],
)

FLOATING_IP = StateTable(
    "floatingip",
    [State("DOWN", "not associated, or not yet confirmed by the router's worker"), State("ACTIVE")],
    [("DOWN", "ACTIVE"), ("ACTIVE", "DOWN"), ("DOWN", "DOWN"), ("ACTIVE", "ACTIVE")],
)
