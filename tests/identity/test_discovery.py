"""What is where: versions, JSON home, and what was retired."""

import re

from celaje.identity.api import json_home
from celaje.identity.api.routes import ROUTES

_PLACE = re.compile(r"\{[^}]*\}")
_BASE = "https://docs.openstack.org/api/openstack-identity/3"


def test_versions(identity):
    answer = identity.anonymous.get("/")
    assert answer.status == 300
    assert answer.headers["location"] == f"{identity.cloud.url}/identity/v3/"
    (version,) = answer.body["versions"]["values"]
    assert (version["id"], version["status"]) == ("v3.14", "stable")
    assert identity.anonymous.get("/v3").ok()["version"] == version


def test_json_home_is_for_those_who_ask_for_it(identity):
    wanted = {"Accept": "application/json-home"}
    answer = identity.anonymous.get("/v3", headers=wanted)
    assert answer.headers["content-type"] == "application/json-home"
    found = answer.body["resources"]
    assert found[f"{_BASE}/rel/auth_tokens"] == {"href": "/auth/tokens"}
    assert found[f"{_BASE}/ext/OS-TRUST/1.0/rel/trust"] == {
        "href-template": "/OS-TRUST/trusts/{trust_id}",
        "href-vars": {"trust_id": f"{_BASE}/ext/OS-TRUST/1.0/param/trust_id"},
    }
    root = identity.anonymous.get("/", headers=wanted).ok()["resources"]
    assert root[f"{_BASE}/rel/auth_tokens"] == {"href": "/v3/auth/tokens"}
    both = {"Accept": "application/json-home; q=0.3, application/json; q=0.9"}
    assert "version" in identity.anonymous.get("/v3", headers=both).ok()


def test_json_home_leads_to_routes_that_are_there():
    paths = {_PLACE.sub("{}", route.path) for route in ROUTES}
    found = {_PLACE.sub("{}", f"/v3{path}") for path in json_home.relations().values()}
    assert found <= paths
    assert len(json_home.relations()) > 110


def test_retired(identity):
    for path in ("OS-SIMPLE-CERT/ca", "OS-SIMPLE-CERT/certificates", "auth/tokens/OS-PKI/revoked"):
        assert identity.anonymous.get(f"/v3/{path}").status == 410
