"""A service that is not Celaje's validates tokens as it would against Keystone: stock keystonemiddleware in
front of a tiny WSGI application, identity served over HTTP."""

import io
import json
import urllib.request

import pytest
import yaml
from keystonemiddleware import auth_token

from tests.conformance.running import RunningCloud


class Person:
    """Somebody who logs in over HTTP and asks the tiny application."""

    def __init__(self, identity, *, project=None, **user):
        self.identity = identity
        auth = {
            "identity": {
                "methods": ["password"],
                "password": {"user": {"domain": {"id": "default"}, **user}},
            },
            "scope": {"project": {"name": project or user["name"], "domain": {"id": "default"}}},
        }
        answer, _ = self.ask("POST", "/v3/auth/tokens", {"auth": auth}, token=None)
        self.token = answer.headers["X-Subject-Token"]

    def ask(self, method, path, body=None, token=...):
        headers = {"Content-Type": "application/json"}
        if token is not None:
            headers["X-Auth-Token"] = self.token if token is ... else token
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.identity + path, data=data, method=method, headers=headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            text = answer.read()
            return answer, json.loads(text) if text else None


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    running = RunningCloud(tmp_path_factory.mktemp("middleware") / "state", "fake").start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def admin(cloud):
    clouds = yaml.safe_load((cloud.state / "clouds.yaml").read_text())
    password = clouds["clouds"]["celaje"]["auth"]["password"]
    person = Person(f"{cloud.url}/identity", name="admin", password=password)
    person.password = password
    return person


def guarded(cloud, admin, **options):
    seen = {}

    def tiny(environ, start_response):
        seen.update({key: value for key, value in environ.items() if key.startswith("HTTP_X_")})
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"hello"]

    conf = {
        "auth_type": "password",
        "auth_url": f"{cloud.url}/identity/v3",
        "username": "admin",
        "password": admin.password,
        "project_name": "admin",
        "user_domain_id": "default",
        "project_domain_id": "default",
        "www_authenticate_uri": f"{cloud.url}/identity/v3",
        "token_cache_time": "-1",
        "interface": "public",
        **options,
    }
    app = auth_token.AuthProtocol(tiny, conf)

    def ask(token, service_token=None):
        seen.clear()
        environ = {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": "/",
            "SERVER_NAME": "tiny",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(b""),
            "wsgi.errors": io.StringIO(),
        }
        if token is not None:
            environ["HTTP_X_AUTH_TOKEN"] = token
        if service_token is not None:
            environ["HTTP_X_SERVICE_TOKEN"] = service_token
        answered = []
        text = b"".join(app(environ, lambda status, headers, *_: answered.append((status, dict(headers)))))
        status, headers = answered[0]
        return int(status.split()[0]), headers, text, dict(seen)

    return ask


def test_it_lets_a_token_in_and_says_whose_it_is(cloud, admin):
    status, _, text, seen = guarded(cloud, admin)(admin.token)
    assert (status, text) == (200, b"hello")
    assert seen["HTTP_X_IDENTITY_STATUS"] == "Confirmed"
    assert seen["HTTP_X_USER_NAME"] == "admin"
    assert seen["HTTP_X_PROJECT_NAME"] == "admin"
    assert seen["HTTP_X_PROJECT_DOMAIN_ID"] == "default"
    assert {"admin", "member", "reader"} <= set(seen["HTTP_X_ROLES"].split(","))
    catalog = json.loads(seen["HTTP_X_SERVICE_CATALOG"])
    assert "compute" in {service["type"] for service in catalog}


def test_it_keeps_others_out(cloud, admin):
    ask = guarded(cloud, admin)
    for token in (None, "nonsense"):
        status, headers, _, seen = ask(token)
        assert (status, seen) == (401, {})
        assert headers["WWW-Authenticate"] == f'Keystone uri="{cloud.url}/identity/v3"'


def test_a_revoked_token_is_out_at_once(cloud, admin):
    body = {"user": {"name": "guest", "password": "pw"}}
    user = admin.ask("POST", "/v3/users", body)[1]["user"]
    project = admin.ask("POST", "/v3/projects", {"project": {"name": "guest"}})[1]["project"]
    (role,) = admin.ask("GET", "/v3/roles?name=reader")[1]["roles"]
    admin.ask("PUT", f"/v3/projects/{project['id']}/users/{user['id']}/roles/{role['id']}")
    guest = Person(admin.identity, name="guest", password="pw")
    ask = guarded(cloud, admin)
    assert ask(guest.token)[0] == 200
    admin.ask("PATCH", f"/v3/users/{user['id']}", {"user": {"enabled": False}})
    assert ask(guest.token)[0] == 401


def test_a_service_speaks_for_its_user(cloud, admin):
    """With both tokens; the service's counts for something only with the role `service`."""
    secrets = json.loads((cloud.state / "secrets.json").read_text())
    nova = Person(admin.identity, name="nova", password=secrets["nova"], project="service")
    ask = guarded(cloud, admin, service_token_roles="service", service_token_roles_required="true")
    status, _, _, seen = ask(admin.token, nova.token)
    assert status == 200
    assert seen["HTTP_X_SERVICE_IDENTITY_STATUS"] == "Confirmed"
    assert seen["HTTP_X_SERVICE_USER_NAME"] == "nova"
    assert "service" in seen["HTTP_X_SERVICE_ROLES"].split(",")
    assert seen["HTTP_X_USER_NAME"] == "admin"
    # Of somebody who is no service, or of nobody.
    assert ask(admin.token, admin.token)[0] == 401
    assert ask(admin.token, "nonsense")[0] == 401
