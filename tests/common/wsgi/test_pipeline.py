"""Requests through the whole pipeline: versions, tokens, policy, bodies, actions, dialects."""

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from celaje.common import clock
from celaje.common.revocations import new_event
from celaje.common.tokens import seconds
from celaje.common.wsgi import dialects

REQUEST_ID = re.compile(r"^req-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")


def version(text):
    return {"OpenStack-API-Version": text}


@pytest.mark.parametrize(
    ("header", "chosen"),
    [
        ({}, "3.0"),
        (version("volume 3.0"), "3.0"),
        (version("volume 3.7"), "3.7"),
        (version("volume latest"), "3.9"),
        (version("compute 2.90, volume 3.4"), "3.4"),
        (version("compute 2.90"), "3.0"),
        (version("VOLUME 3.2"), "3.2"),
        ({"X-Legacy-Version": "3.6"}, "3.6"),
        ({"X-Legacy-Version": "latest"}, "3.9"),
        ({**version("volume 3.1"), "X-Legacy-Version": "3.6"}, "3.1"),
    ],
)
def test_the_asked_microversion_is_spoken_and_told(ask, persona, header, chosen):
    answer = ask("GET", "/jars/j1", token=persona("reader"), headers=header)
    assert answer.status == 200
    assert ".".join(map(str, answer.body["jar"]["version"])) == chosen
    assert answer.headers["openstack-api-version"] == f"volume {chosen}"
    assert answer.headers["x-legacy-version"] == chosen
    assert answer.headers["vary"] == "OpenStack-API-Version, X-Legacy-Version"


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ("volume 3.10", 406),
        ("volume 2.0", 406),
        ("volume 4.0", 406),
        ("volume 3", 400),
        ("volume 3.x", 400),
        ("volume 03.1", 400),
        ("volume 3.01", 400),
        ("volume 3.-1", 400),
        ("volume 3.²", 400),
        ("volume 3.99999999999999", 400),
        ("volume Latest", 400),
    ],
)
def test_a_microversion_that_is_not_spoken(ask, persona, asked, status):
    answer = ask("GET", "/jars/j1", token=persona("reader"), headers=version(asked))
    assert answer.status == status
    assert REQUEST_ID.match(answer.headers["x-openstack-request-id"])


def test_rows_of_one_operation_are_chosen_by_microversion(ask, persona):
    token = persona("reader")
    assert ask("GET", "/colours", token=token).body["handler"] == "old colours"
    assert ask("GET", "/colours", token=token, headers=version("volume 3.5")).body["handler"] == "new colours"
    assert ask("GET", "/colours", token=token, headers=version("volume 3.10")).status == 406
    assert ask("GET", "/labels", token=token, headers=version("volume 3.8")).status == 404
    assert ask("GET", "/labels", token=token, headers=version("volume latest")).status == 200


def test_what_is_not_in_the_table(ask, persona):
    for path in ("/nothing", "/jars/j1/nothing", "/jars/%00/x"):
        answer = ask("GET", path, token=persona("reader"))
        assert (answer.status, list(answer.body)) == (404, ["itemNotFound"]), path
        assert REQUEST_ID.match(answer.headers["x-openstack-request-id"])
        assert answer.headers["openstack-api-version"] == "volume 3.0"
    # Cinder's router does not tell a method that is not taken from a path that is not there.
    answer = ask("PATCH", "/jars/j1", token=persona("reader"))
    assert (answer.status, list(answer.body)) == (404, ["itemNotFound"])
    answer = ask("PATCH", "/jars/j1", token=persona("reader"), dialect=dialects.compute)
    assert answer.status == 405
    assert {"GET", "DELETE"} <= set(answer.headers["allow"].replace(" ", "").split(","))
    assert answer.body["badMethod"]["code"] == 405


def test_head_answers_as_get_without_a_body(ask, persona):
    full = ask("GET", "/jars/j1", token=persona("reader"))
    answer = ask("HEAD", "/jars/j1", token=persona("reader"))
    assert (answer.status, answer.raw) == (200, b"")
    assert answer.headers["content-length"] == str(len(full.raw))
    missing = ask("HEAD", "/jars/missing", token=persona("reader"))
    assert (missing.status, missing.raw) == (404, b"")


def test_a_slash_at_the_end_changes_nothing(ask, persona):
    assert ask("GET", "/jars/", token=persona("reader")).body["handler"] == "list"
    assert ask("GET", "/jars/j1/", token=persona("reader")).body["jar"]["id"] == "j1"


def test_success_codes_and_empty_answers(ask, persona):
    token = persona("reader", "member")
    created = ask("POST", "/jars", token=token, body={"jar": {"size": 1}})
    assert (created.status, created.body["body"]) == (202, {"jar": {"size": 1}})
    gone = ask("DELETE", "/jars/j1", token=token)
    assert (gone.status, gone.raw) == (204, b"")


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"", 400),
        (b"   ", 400),
        (b"{", 400),
        (b"{'jar': 1}", 400),
        (b"\xff\xfe", 400),
        (b'{"jar": {"size": 1}} x', 400),
        (b'{"jar": {"size": "1"}}', 400),
        (b'{"jar": {"size": 1.5}}', 400),
        (b'{"jar": {"size": 1, "more": 2}}', 400),
        (b'{"jar": {}}', 400),
        (b"[]", 400),
        (b"null", 400),
        (b'"jar"', 400),
        (b'{"jar": {"size": NaN}}', 400),
        (b'{"jar": {"size": 1e999}}', 400),
        (b"[" * 900, 400),
        (b"[" * 450 + b"]" * 450, 400),
        (b'{"a":' * 150 + b"1" + b"}" * 150, 400),
        (b'{"jar": {"size": ' + b"9" * 500 + b"}}", (202, 400)),
        (b'{"jar": {"size": "\xed\xa0\x80"}}', 400),
        (b'{"jar": {"size": "\\ud800"}}', 400),
        (b"{" + b" " * 1100 + b"}", 413),
    ],
)
@pytest.mark.parametrize("chunked", [False, True])
def test_bodies_that_do_not_fit(ask, persona, raw, status, chunked):
    answer = ask("POST", "/jars", token=persona("member"), raw=raw, chunked=chunked)
    assert answer.status in (status if isinstance(status, tuple) else (status,)), answer.raw
    assert answer.body


def test_deep_nesting_within_a_large_limit_is_refused_not_a_crash(ask, persona):
    for depth in (100, 200, 240):
        raw = b'{"jar": {"size": ' + b"[" * depth + b"]" * depth + b"}}"
        answer = ask("POST", "/jars", token=persona("member"), raw=raw)
        assert answer.status == 400, (depth, answer.raw[:200])


def test_of_duplicate_keys_the_last_counts(ask, persona):
    answer = ask("POST", "/jars", token=persona("member"), raw=b'{"jar": {"size": 1, "size": 2}}')
    assert answer.body["body"] == {"jar": {"size": 2}}


def test_a_body_in_chunks_is_read(ask, persona):
    answer = ask("POST", "/jars", token=persona("member"), body={"jar": {"size": 3}}, chunked=True)
    assert answer.body["body"] == {"jar": {"size": 3}}
    assert ask("POST", "/raw", raw=b"x" * 5000, chunked=True).raw == b"x" * 5000
    assert ask("POST", "/raw", raw=b"x" * 5000).raw == b"x" * 5000


def test_another_media_type_is_refused(ask, persona):
    for kind, status in (
        ("text/plain", 415),
        ("application/json; charset=utf-8", 202),
        ("APPLICATION/JSON", 202),
    ):
        answer = ask(
            "POST",
            "/jars",
            token=persona("member"),
            body={"jar": {"size": 1}},
            headers={"Content-Type": kind},
        )
        assert answer.status == status, kind


def test_a_content_length_that_lies(ask, persona):
    for length in ("abc", "-1", "99999999999999999999", "1e3"):
        answer = ask("POST", "/jars", token=persona("member"), raw=b"{}", headers={"Content-Length": length})
        assert 400 <= answer.status < 500, length


def test_a_refused_password_does_not_come_back(ask, persona):
    body = {"jar": {"size": "x", "password": "hunter2!"}}
    answer = ask("POST", "/jars", token=persona("member"), body=body)
    assert answer.status == 400
    assert b"hunter2!" not in answer.raw
    only = ask("POST", "/jars", token=persona("member"), body={"jar": {"size": 1, "password": "hunter2!"}})
    assert only.status == 400
    assert b"hunter2!" not in only.raw


def test_actions_are_told_apart_by_their_key(ask, persona):
    member, admin = persona("member"), persona("admin")

    def act(body, token=member, **more):
        return ask("POST", "/jars/j1/action", token=token, body=body, **more)

    assert act({"os-fill": None}).body == {"handler": "fill", "body": {"os-fill": None}, "jar_id": "j1"}
    assert act({"os-break": {}}).status == 403
    assert act({"os-break": {}}, admin).body["handler"] == "break"
    assert act({"os-seal": {}}).status == 404
    assert act({"os-seal": {}}, headers=version("volume 3.5")).body["handler"] == "seal"
    for wrong in ({}, {"os-fill": 1, "os-break": 2}, [], "os-fill", {"os-nothing": 1}):
        assert act(wrong).status == 400, wrong


def test_who_may(ask, persona):
    assert ask("GET", "/jars").status == 401
    assert ask("GET", "/jars").headers["www-authenticate"] == "Keystone"
    assert ask("GET", "/jars", token="nonsense").status == 401
    assert ask("GET", "/jars", token=persona("reader", ends=-1)).status == 401
    assert ask("GET", "/jars", token=persona("member")).status == 403
    assert ask("GET", "/jars", token=persona("reader")).status == 200
    # A token sent to an open route is not looked at.
    assert ask("GET", "/", token="nonsense").status == 200


def test_a_token_without_scope(ask, persona):
    unscoped = persona("reader", scope="")
    assert ask("GET", "/jars", token=unscoped).status == 401
    assert ask("GET", "/unscoped", token=unscoped).status in (200, 403)
    assert ask("GET", "/jars", token=persona("reader", scope="domain", scope_id="d1")).status == 403


def test_a_service_may_bring_its_users_expired_token(ask, persona):
    expired = persona("reader", ends=-60)
    too_old = persona("reader", ends=-3 * 86400)

    def with_service(token, service):
        return ask("GET", "/jars", token=token, headers={"X-Service-Token": service}).status

    assert with_service(expired, persona("service")) == 200
    assert with_service(too_old, persona("service")) == 401
    assert with_service(expired, persona("member", "reader")) == 401
    assert with_service(expired, persona("service", ends=-1)) == 401
    assert with_service(persona("reader"), "nonsense") == 401
    assert with_service(persona("reader"), persona("member")) == 200


def test_a_revoked_token_is_refused(ask, persona, revocations):
    token = persona("reader")
    assert ask("GET", "/jars", token=token).status == 200
    revocations.add(new_event(seconds(clock.now()), user_id="u1"))
    assert ask("GET", "/jars", token=token).status == 401
    assert ask("GET", "/jars", token=persona("reader", user_id="u2")).status == 200


def test_a_handler_that_ought_to_check_the_rule_and_did_not_answers_nothing(ask, persona):
    token = persona("reader")
    assert ask("GET", "/owned/p1", token=token).status == 200
    assert ask("GET", "/owned/p2", token=token).status == 403
    answer = ask("GET", "/owned/unchecked", token=token)
    assert answer.status == 403
    assert b'"jar"' not in answer.raw


def test_request_ids(ask):
    given = "req-12345678-1234-1234-1234-1234567890ab"
    answer = ask("GET", "/", headers={"X-Openstack-Request-Id": given})
    assert REQUEST_ID.match(answer.headers["x-openstack-request-id"])
    assert answer.headers["x-openstack-request-id"] != given
    first, second = (ask("GET", "/").headers["x-openstack-request-id"] for _ in range(2))
    assert first != second


def test_what_is_unexpected_keeps_its_details_in_the_log(ask, caplog):
    answer = ask("GET", "/bug")
    assert answer.status == 500
    assert b"secret" not in answer.raw
    assert "secret detail" in caplog.text


SHAPES = {
    dialects.volume: (lambda b: b["conflictingRequest"]["message"], lambda b: b["itemNotFound"], 413),
    dialects.compute: (lambda b: b["conflictingRequest"]["message"], lambda b: b["itemNotFound"], 403),
    dialects.identity: (lambda b: b["error"]["message"], lambda b: b["error"]["title"], 403),
    dialects.network: (lambda b: b["NeutronError"]["message"], lambda b: b["NeutronError"]["type"], 409),
    dialects.placement: (lambda b: b["errors"][0]["detail"], lambda b: b["errors"][0]["request_id"], 403),
    dialects.image: (lambda b: b["message"].partition("<")[0], lambda b: b["code"], 413),
}


@pytest.mark.parametrize("dialect", SHAPES, ids=lambda dialect: dialect.__name__)
def test_each_service_words_errors_its_own_way(ask, persona, dialect):
    message, missing, over_quota = SHAPES[dialect]
    conflict = ask("GET", "/conflict", dialect=dialect)
    assert (conflict.status, message(conflict.body)) == (409, "Jar is in use.")
    absent = ask("GET", "/jars/missing", token=persona("reader"), dialect=dialect)
    assert absent.status == 404 and missing(absent.body)
    assert ask("GET", "/quota", dialect=dialect).status == over_quota
    assert ask("GET", "/bug", dialect=dialect).status == 500
    anonymous = ask("GET", "/jars", dialect=dialect)
    # All but Glance have keystonemiddleware answer those who bring no token.
    refused = anonymous.body["code"][:3] if dialect is dialects.image else anonymous.body["error"]["code"]
    assert (anonymous.status, int(refused)) == (401, 401)


@settings(max_examples=300)
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"]),
    path=st.sampled_from(["/jars", "/jars/j1", "/jars/j1/action", "/raw", "/"])
    | st.text(max_size=8).map("/{}".format),
    query=st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20),
    raw=st.binary(max_size=40)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=4),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["jar", "size", "os-fill", "x"]), inner, max_size=3)
        ),
        max_leaves=6,
    ).map(lambda value: json.dumps(value).encode()),
    asked=st.text(max_size=12) | st.just("volume 3.5"),
    token=st.sampled_from(["good", None]) | st.text(max_size=60),
)
def test_nothing_that_a_client_sends_is_our_fault(ask, persona, method, path, query, raw, asked, token):
    answer = ask(
        method,
        f"{path.encode('utf-8', 'surrogatepass').decode('latin-1')}?{query}",
        raw=raw,
        token=persona("member", "reader", "admin") if token == "good" else token,
        headers=version(asked),
    )
    assert answer.status < 500, (answer.status, answer.raw)
