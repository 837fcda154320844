"""Tokens for application credentials by OAuth 2.0."""

import base64

import pytest

PATH = "/v3/OS-OAUTH2/token"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
def credential(identity):
    user_id = identity.find("user", "demo")["id"]
    made = identity.as_user("demo", scope="demo").post(
        f"/v3/users/{user_id}/application_credentials", {"application_credential": {"name": "c"}}
    )
    return made.ok(201)["application_credential"]


def ask(identity, form, **headers):
    return identity.anonymous.request("POST", PATH, raw=form.encode(), headers={**FORM, **headers})


def test_a_client_gets_a_token(identity, credential):
    shown = base64.b64encode(f"{credential['id']}:{credential['secret']}".encode()).decode()
    answer = ask(identity, "grant_type=client_credentials", Authorization=f"Basic {shown}")
    body = answer.ok()
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 3600)
    seen = identity.anonymous.get("/v3/auth/projects", headers={"X-Auth-Token": body["access_token"]})
    assert len(seen.ok()["projects"]) == 1
    form = f"grant_type=client_credentials&client_id={credential['id']}&client_secret={credential['secret']}"
    assert ask(identity, form).status == 200


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ("", 400, "invalid_request"),
        ("grant_type=password", 400, "unsupported_grant_type"),
        ("grant_type=client_credentials", 401, "invalid_client"),
        ("grant_type=client_credentials&client_id=a&client_secret=b", 401, "invalid_client"),
    ],
)
def test_refusals_are_oauths(identity, form, status, error):
    answer = ask(identity, form)
    assert (answer.status, answer.body["error"]) == (status, error)
    assert ("www-authenticate" in answer.headers) is (status == 401)


def test_what_is_not_base64_is_nobody(identity):
    answer = ask(identity, "grant_type=client_credentials", Authorization="Basic ???")
    assert answer.status == 401
