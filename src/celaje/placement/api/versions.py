"""Placement's microversions, one line each, and the version document.

Source: the REST API version history of the Placement API reference.
"""

from typing import Any

from celaje.common.wsgi import Request, Versions
from celaje.common.wsgi.versions import render
from celaje.placement.api.answers import fresh

HISTORY = {
    (1, 0): "providers, inventories, usages, allocations",
    (1, 1): "aggregates of a provider",
    (1, 2): "custom resource classes",
    (1, 3): "member_of when listing providers",
    (1, 4): "resources when listing providers",
    (1, 5): "DELETE all inventories of a provider",
    (1, 6): "traits",
    (1, 7): "PUT /resource_classes/{name} creates or confirms, without a body",
    (1, 8): "allocations name their project and user",
    (1, 9): "GET /usages of a project",
    (1, 10): "GET /allocation_candidates",
    (1, 11): "link to a provider's allocations",
    (1, 12): "allocations as an object keyed by provider, with project and user when read",
    (1, 13): "POST /allocations for several consumers at once",
    (1, 14): "nested providers: parent, root, in_tree",
    (1, 15): "last-modified and cache-control headers",
    (1, 16): "limit on allocation candidates",
    (1, 17): "required traits of allocation candidates, traits in their summaries",
    (1, 18): "required traits when listing providers",
    (1, 19): "generation in the aggregates of a provider",
    (1, 20): "POST /resource_providers answers with the provider",
    (1, 21): "member_of of allocation candidates",
    (1, 22): "forbidden traits",
    (1, 23): "codes in error bodies",
    (1, 24): "member_of more than once",
    (1, 25): "numbered request groups and group_policy",
    (1, 26): "reserved may be all of total",
    (1, 27): "summaries of candidates show every inventory",
    (1, 28): "generations of consumers; an empty PUT of allocations",
    (1, 29): "nested providers in allocation candidates",
    (1, 30): "POST /reshaper",
    (1, 31): "in_tree of allocation candidates",
    (1, 32): "forbidden aggregates",
    (1, 33): "request group suffixes may be names",
    (1, 34): "mappings of request groups to providers",
    (1, 35): "root_required",
    (1, 36): "same_subtree, and groups without resources",
    (1, 37): "a provider may be hung below another parent",
    (1, 38): "types of consumers",
    (1, 39): "in: in required, once a set of traits of which one will do",
}

VERSIONS = Versions("placement", HISTORY)


def home(request: Request) -> Any:
    """The version document, open to all."""
    document = {
        "id": f"v{render(VERSIONS.minimum)}",
        "min_version": render(VERSIONS.minimum),
        "max_version": render(VERSIONS.maximum),
        "status": "CURRENT",
        "links": [{"rel": "self", "href": ""}],
    }
    return fresh(request, {"versions": [document]})
