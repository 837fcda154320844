"""Placement's REST API: the route table and one file a resource."""
