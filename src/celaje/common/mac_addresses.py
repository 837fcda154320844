"""MAC addresses that are made up: below an operator's `base_mac`, as Neutron understands it.

Called by the network service for ports that bring none, and by compute for the ports that it asks for.
"""


def below(base: str, octets: bytes) -> str:
    """The first three octets of `base` (four, if the fourth is not 00), and as many of `octets` as are
    missing; three are enough."""
    first = base.split(":")
    kept = first[:4] if first[3] != "00" else first[:3]
    return ":".join([*kept, *(f"{byte:02x}" for byte in octets[: 6 - len(kept)])])
