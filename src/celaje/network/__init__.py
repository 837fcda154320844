"""The network service: OpenStack's Networking API v2.0 (Neutron)."""
