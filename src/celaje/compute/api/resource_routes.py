"""Routes of what servers are made from and where they run: flavors, key pairs, quotas, limits, zones,
services, hypervisors, aggregates, server groups, usage. A part of `routes.py`."""

from celaje.common.wsgi import Route

ROUTES: list[Route] = []
