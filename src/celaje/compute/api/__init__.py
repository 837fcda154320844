"""The compute API (Nova's v2.1): `routes.py` is its table of contents."""
