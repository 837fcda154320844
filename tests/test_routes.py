"""Bad input at every route of every service: the right 4xx in the right dialect, never a 500."""

import re
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from celaje.cloud import SERVICES

_PLACE = re.compile(r"\{([^}:]+)(:[^}]*)?\}")


def path_of(route, values):
    found = iter(values)
    return _PLACE.sub(lambda _: next(found), route.path)


def places(route):
    return len(_PLACE.findall(route.path))


def error_words(service, answer):
    """The message of an error in the service's own dialect."""
    body = answer.body
    if service == "identity":
        assert set(body["error"]) >= {"code", "message", "title"}
        return body["error"]["message"]
    if answer.status == 401 and service != "image":
        return body["error"]["message"]
    if service in ("compute", "volume"):
        ((_, fault),) = body.items()
        assert fault["code"] == answer.status
        return fault["message"]
    if service == "network":
        assert set(body["NeutronError"]) == {"type", "message", "detail"}
        return body["NeutronError"]["message"]
    if service == "placement":
        (error,) = body["errors"]
        assert error["status"] == answer.status
        return error["detail"]
    return body["message"]


@pytest.fixture(scope="module")
def clients(shared_cloud):
    return {
        name: {
            "admin": shared_cloud.as_user(name),
            "demo": shared_cloud.as_user(name, "demo", "demo"),
            "nobody": shared_cloud.anonymous(name),
        }
        for name in SERVICES
    }


def routes_of(cloud, service):
    return cloud.running[service].api.routes


@pytest.mark.parametrize("service", SERVICES)
def test_no_token_and_bad_tokens_are_401(shared_cloud, clients, service):
    for route in routes_of(shared_cloud, service):
        if route.rule is None:
            continue
        path = path_of(route, ["x"] * places(route))
        for headers in ({}, {"X-Auth-Token": "garbage"}, {"X-Auth-Token": "gAAAA" + "A" * 200}):
            answer = clients[service]["nobody"].request(route.method, path, headers=headers)
            assert answer.status == 401, f"{route.name}: {answer}"
            if route.method != "HEAD":
                assert error_words(service, answer)
            assert "www-authenticate" in answer.headers, route.name


@pytest.mark.parametrize("service", SERVICES)
def test_bad_bodies_are_refused(shared_cloud, clients, service):
    admin = clients[service]["admin"]
    for route in routes_of(shared_cloud, service):
        if route.body != "json" or route.method not in ("POST", "PUT", "PATCH"):
            continue
        path = path_of(route, [admin.project_id] + ["no-such-thing"] * places(route))
        bodies = (
            b"{",
            b"[1",
            b"\xff\xfe",
            b"nonsense",
            b"[" * 5000,
            b"[]",
            b'"text"',
            b"12",
            b"null",
            b'{"a":1}',
        )
        for raw in bodies:
            answer = admin.request(
                route.method, path, headers={"Content-Type": route.media_types[0]}, raw=raw
            )
            assert answer.status < 500, f"{route.name} with {raw[:20]!r}: {answer}"
            if raw in (b"{", b"[1", b"\xff\xfe", b"nonsense"):
                assert 400 <= answer.status < 500, f"{route.name} with {raw!r}: {answer}"
            if answer.status >= 400:
                assert error_words(service, answer)


@pytest.mark.parametrize("service", SERVICES)
def test_oversize_bodies_are_413(shared_cloud, clients, service):
    admin = clients[service]["admin"]
    for route in routes_of(shared_cloud, service):
        if route.body != "json" or route.method not in ("POST", "PUT", "PATCH") or route.rule is None:
            continue
        path = path_of(route, [admin.project_id] + ["x"] * places(route))
        size = (route.max_body or shared_cloud.running[service].api.max_body) + 10
        answer = admin.request(
            route.method,
            path,
            headers={"Content-Type": route.media_types[0]},
            raw=b'{"a":"' + b"x" * size + b'"}',
        )
        assert answer.status == 413, f"{route.name}: {answer.status} {answer.body}"


@pytest.mark.parametrize("service", SERVICES)
def test_unknown_paths_and_methods_speak_the_dialect(clients, service):
    answer = clients[service]["admin"].get("/no/such/place")
    assert answer.status == 404
    assert error_words(service, answer)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(
        ["", " ", "../../etc/passwd", "%00", "' OR 1=1", "a" * 300, "\u202e", "0", "-1", "None"]
    ),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


def fitting(schema, depth=0):
    """Values that nearly fit a JSON Schema: the right keys with right and wrong values in them."""
    if not isinstance(schema, dict) or depth > 5:
        return json_values
    for key in ("oneOf", "anyOf", "allOf"):
        if schema.get(key):
            return st.one_of(json_values, *(fitting(one, depth + 1) for one in schema[key]))
    if "enum" in schema:
        return st.sampled_from(list(schema["enum"])) | json_values
    kinds = schema.get("type")
    kind = kinds[0] if isinstance(kinds, list) else kinds
    if kind == "object" or "properties" in schema:
        parts = {name: fitting(one, depth + 1) for name, one in schema.get("properties", {}).items()}
        required = {name: parts.get(name, json_values) for name in schema.get("required", ())}
        optional = {name: one for name, one in parts.items() if name not in required}
        return st.fixed_dictionaries(required, optional=optional) | json_values
    if kind == "array":
        return st.lists(fitting(schema.get("items", {}), depth + 1), max_size=3) | json_values
    if kind == "integer":
        return st.integers(-2, 2**40) | json_values
    if kind == "boolean":
        return st.booleans() | json_values
    if kind == "string":
        return st.text(max_size=10) | st.uuids().map(str) | json_values
    return json_values


@pytest.mark.timeout(600)
@pytest.mark.parametrize("service", SERVICES)
def test_nothing_a_client_sends_is_a_500(shared_cloud, clients, service):
    """Bodies that nearly fit, ids, queries, headers, as admin and as a plain user."""
    routes = [route for route in routes_of(shared_cloud, service) if route.body == "json"]
    ids = st.sampled_from(["x", "0", "-1", "detail", "a" * 300, "%2e%2e", "%00", "..%2f"]) | st.uuids().map(
        str
    )
    queries = st.dictionaries(
        st.sampled_from(
            ["limit", "marker", "sort", "sort_key", "sort_dir", "offset", "name", "status", "fields", "id",
             "all_tenants", "changes-since", "created_at", "with_count", "enabled", "resources"]
        ),
        st.sampled_from(
            ["", "0", "-1", "x", "1", "9" * 30, "in:", "in:a,b", "gt:x", "name:asc", "é", "a:b:c", "None"]
        ),
        max_size=3,
    )  # fmt: skip

    @settings(
        max_examples=max(300, 4 * len(routes)),
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
        derandomize=True,
    )
    @given(st.data())
    def check(data):
        route = data.draw(st.sampled_from(routes))
        client = clients[service][data.draw(st.sampled_from(["admin", "demo"]))]
        values = [client.project_id, *(data.draw(ids) for _ in range(places(route)))]
        if data.draw(st.booleans()):
            values = [*values[1:], "x"]
        path = path_of(route, values)
        query = data.draw(queries)
        if query:
            path = f"{path}?{urlencode(query)}"
        headers = {}
        version = data.draw(st.sampled_from([None, "latest", "lowest", "0.0", "9.9", "x", "2.1.1"]))
        maximum = shared_cloud.running[service].api.versions
        if version == "lowest" or (version is None and maximum.history and data.draw(st.booleans())):
            version = (
                "{}.{}".format(*data.draw(st.sampled_from(sorted(maximum.history))))
                if maximum.history
                else None
            )
        if version:
            headers["OpenStack-API-Version"] = f"{maximum.service_type} {version}"
        body = None
        if route.method in ("POST", "PUT", "PATCH"):
            body = data.draw(fitting(route.schema))
            headers["Content-Type"] = route.media_types[0]
        if places(route) and values[0] == client.project_id and route.method == "DELETE":
            return  # the clients' own project stays
        answer = client.request(route.method, path, body=body, headers=headers)
        assert answer.status < 500 or answer.status == 501, f"{route.name} {path} {headers} {body}: {answer}"
        if answer.status >= 400 and route.method != "HEAD":
            assert error_words(service, answer)

    check()
