"""After what a token is refused, at once, in this process, in others, and after a restart."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.cloud import LabCloud, until
from tests.identity.conftest import CHEAP, Identity

from celaje.common import clock
from celaje.common.clock import VirtualClock
from celaje.common.errors import ConfigurationError
from celaje.common.messaging import Client
from celaje.common.messaging.bus import connect
from celaje.common.revocation_feed import IdentityEvents, RevocationFeed, RevocationMessages
from celaje.common.revocations import RevocationEvent, Revocations, new_event
from celaje.common.tokens import Token, TokenInvalid
from celaje.identity.login import scope


@pytest.fixture
def demo(identity):
    return identity.as_user("demo", scope="demo")


def usable(client):
    return client.get("/v3/auth/projects").status == 200


def test_deleted_token(identity, demo):
    other = identity.as_user("demo", scope="demo")
    assert identity.admin.delete("/v3/auth/tokens", headers={"X-Subject-Token": demo.token}).status == 204
    assert not usable(demo)
    assert usable(other)
    admin = identity.admin
    assert admin.get("/v3/auth/tokens", headers={"X-Subject-Token": demo.token}).status == 404
    auth = {"identity": {"methods": ["token"], "token": {"id": demo.token}}}
    assert identity.post_auth(auth).status == 404


@pytest.mark.parametrize(("query", "kept"), [("", False), ("?cascade=false", True)])
def test_tokens_made_from_a_deleted_one(identity, query, kept):
    first = identity.as_user("demo", scope="unscoped")
    auth = {"identity": {"methods": ["token"], "token": {"id": first.token}}}
    second = identity.client(
        identity.post_auth({**auth, "scope": {"project": {"name": "demo", "domain": {"id": "default"}}}})
    )
    first.delete(f"/v3/auth/tokens{query}", headers={"X-Subject-Token": first.token}).ok(204)
    assert not usable(first)
    assert usable(second) is kept


def test_the_first_token_outlives_those_made_from_it(identity):
    first = identity.as_user("demo", scope="unscoped")
    auth = {"identity": {"methods": ["token"], "token": {"id": first.token}}}
    second = identity.client(identity.post_auth(auth))
    second.delete("/v3/auth/tokens", headers={"X-Subject-Token": second.token}).ok(204)
    assert usable(first)


def test_all_tokens_of_a_user(identity, demo):
    path = f"/v3/users/{identity.find('user', 'demo')['id']}/tokens"
    assert identity.as_user("alt_demo", scope="alt_demo").delete(path).status == 403
    assert identity.admin.delete("/v3/users/nobody/tokens").status == 404
    demo.delete(path).ok(204)
    assert not usable(demo)
    again = identity.as_user("demo", scope="demo")
    identity.admin.delete(path).ok(204)
    assert not usable(again)


def test_own_token_can_be_given_up(demo):
    assert demo.delete("/v3/auth/tokens", headers={"X-Subject-Token": demo.token}).status == 204
    assert not usable(demo)


@pytest.mark.parametrize("change", [{"enabled": False}, {"password": "new"}])
def test_changed_user(identity, demo, change):
    user = identity.find("user", "demo")
    identity.patch(f"/v3/users/{user['id']}", {"user": change}).ok()
    assert not usable(demo)


def test_renamed_user_keeps_tokens(identity, demo):
    user = identity.find("user", "demo")
    identity.patch(f"/v3/users/{user['id']}", {"user": {"description": "x", "enabled": True}}).ok()
    assert usable(demo)


def test_deleted_user(identity, demo):
    user = identity.find("user", "demo")
    identity.admin.delete(f"/v3/users/{user['id']}").ok(204)
    assert not usable(demo)


def test_own_password_change(identity, demo):
    user = identity.find("user", "demo")
    body = {"user": {"original_password": identity.cloud.secrets.password("demo"), "password": "next"}}
    wrong = {"user": {"original_password": "no", "password": "next"}}
    path = f"/v3/users/{user['id']}/password"
    assert identity.anonymous.post(path, wrong).status == 401
    assert usable(demo)
    identity.anonymous.post(path, body).ok(204)
    assert not usable(demo)
    assert identity.login("demo").status == 401
    assert identity.login("demo", "next").status == 201


def test_disabled_project_and_domain(identity):
    domain = identity.make("domain", name="d")
    project = identity.make("project", name="p", domain_id=domain["id"])
    user = identity.make_user("ann", domain_id=domain["id"])
    member = identity.find("role", "member")
    identity.grant(f"projects/{project['id']}/users/{user['id']}/roles/{member['id']}")
    scope = {"project": {"id": project["id"]}}

    def login():
        return identity.login("ann", "pw", scope, {"id": domain["id"]})

    one = identity.client(login())
    identity.patch(f"/v3/projects/{project['id']}", {"project": {"enabled": False}}).ok()
    assert not usable(one)
    assert login().status == 401
    identity.patch(f"/v3/projects/{project['id']}", {"project": {"enabled": True}}).ok()
    two = identity.client(login())
    identity.patch(f"/v3/domains/{domain['id']}", {"domain": {"enabled": False}}).ok()
    assert not usable(two)
    assert login().status == 401


def test_role_taken_away(identity, demo):
    user, project, role = (
        identity.find(*x) for x in (("user", "demo"), ("project", "demo"), ("role", "member"))
    )
    elsewhere = identity.as_user("demo", scope="unscoped")
    identity.admin.delete(f"/v3/projects/{project['id']}/users/{user['id']}/roles/{role['id']}").ok(204)
    assert not usable(demo)
    assert usable(elsewhere)


def test_role_of_a_group_taken_away(identity):
    group = identity.make("group", name="team")
    user = identity.make_user("ann")
    project, role = identity.find("project", "demo"), identity.find("role", "member")
    grant = f"projects/{project['id']}/groups/{group['id']}/roles/{role['id']}"
    identity.grant(grant)
    assert identity.login("ann", "pw", "demo").status == 401
    identity.grant(f"groups/{group['id']}/users/{user['id']}")
    ann = identity.as_user("ann", "pw", "demo")
    identity.admin.delete(f"/v3/groups/{group['id']}/users/{user['id']}").ok(204)
    assert not usable(ann)
    identity.grant(f"groups/{group['id']}/users/{user['id']}")
    ann = identity.as_user("ann", "pw", "demo")
    identity.admin.delete(f"/v3/{grant}").ok(204)
    assert not usable(ann)


def test_a_restart_forgets_nothing(tmp_path):
    cloud = LabCloud.at(tmp_path / "s", {"identity": CHEAP}, services=("identity",)).begin()
    identity = Identity(cloud)
    gone, kept = identity.as_user("demo", scope="demo"), identity.as_user("demo", scope="demo")
    identity.admin.delete("/v3/auth/tokens", headers={"X-Subject-Token": gone.token}).ok(204)
    cloud.kill()
    cloud = LabCloud.at(tmp_path / "s", {"identity": CHEAP}, services=("identity",)).begin()
    again = Identity(cloud)
    for client, good in ((gone, False), (kept, True)):
        client._transport = cloud.transport_to("identity")
        assert usable(client) is good
    assert again.login("demo").status == 201
    cloud.stop(1)


def test_other_processes_hear_of_it(identity, demo):
    """A feed stands for another process: by fanout at once, by reading what a lost message told."""
    token = identity.service.tokens.open(demo.token)
    admin = identity.as_user()

    class AsAdmin(IdentityEvents):
        def _identification(self):
            return {"X-Auth-Token": admin.token}

    reader = AsAdmin(identity.cloud.transport_to("identity"), None)
    by_message, by_reading = Revocations(), Revocations()
    feed = RevocationFeed(identity.cloud.bus, by_message, name="other")
    feed.start()
    late = RevocationFeed(connect("inproc://"), by_reading, name="late", identity=reader)
    late.catch_up()
    by_reading.check(token)
    identity.admin.delete("/v3/auth/tokens", headers={"X-Subject-Token": demo.token}).ok(204)
    until(lambda: len(by_message) == 1)
    feed.stop()
    with pytest.raises(TokenInvalid):
        by_message.check(token)
    late.catch_up()
    with pytest.raises(TokenInvalid):
        by_reading.check(token)


def test_a_bus_that_is_away_is_waited_for_behind_the_scenes(monkeypatch):
    monkeypatch.setattr("celaje.common.revocation_feed._PATIENCE", 0.01)
    bus, heard, back = connect("inproc://"), Revocations(), threading.Event()
    listen = bus.listen
    monkeypatch.setattr(bus, "listen", lambda *how: back.wait(60) and listen(*how))
    feed = RevocationFeed(bus, heard, name="early")
    feed.start()
    assert not bus.has_consumer(RevocationMessages.target("early"))
    back.set()
    until(lambda: bus.has_consumer(RevocationMessages.target("early")))
    event = new_event(1700000000.0, user_id="u")
    Client(RevocationMessages, bus, {}.__getitem__).revoked(events=[event.to_api()])
    until(lambda: len(heard) == 1)
    feed.stop()


def test_a_bus_that_refuses_ends_the_start(monkeypatch):
    bus = connect("inproc://")

    def refuse(*_):
        raise ConfigurationError("a queue exists with other properties")

    monkeypatch.setattr(bus, "listen", refuse)
    with pytest.raises(ConfigurationError, match="other properties"):
        RevocationFeed(bus, Revocations(), name="early").start()


def test_events_are_the_same_both_ways():
    event = new_event(1700000000.123456, user_id="u", role_id="r", project_id="p")
    assert RevocationEvent.from_api(event.to_api()) == event
    other = new_event(1700000000.123456, user_id="u", role_id="r", project_id="q")
    assert other.id != event.id


def test_events_list_is_for_services_and_admins(identity, demo):
    identity.admin.delete("/v3/auth/tokens", headers={"X-Subject-Token": demo.token}).ok(204)
    nova = identity.as_user("nova", scope="service")
    (event,) = nova.get("/v3/OS-REVOKE/events").ok()["events"]
    assert event.keys() == {"issued_before", "audit_chain_id", "revoked_at"}
    assert nova.get("/v3/OS-REVOKE/events?since=2999-01-01T00:00:00Z").ok()["events"] == []
    assert nova.get("/v3/OS-REVOKE/events?since=soon").status == 400
    assert identity.as_user("demo", scope="demo").get("/v3/OS-REVOKE/events").status == 403


def test_old_events_are_dropped(identity):
    with clock.installed(VirtualClock()) as time:
        demo = identity.as_user("demo", scope="demo")
        identity.admin.delete("/v3/auth/tokens", headers={"X-Subject-Token": demo.token}).ok(204)
        identity.service._prune_events()
        assert len(identity.service.revocations) == 1
        time.advance(4 * 86400)
        identity.service._prune_events()
        assert len(identity.service.revocations) == 0
        assert identity.admin.get("/v3/OS-REVOKE/events").ok()["events"] == []


def test_token_of_an_event_must_match_everything():
    token = Token(user_id="u", scope="project", scope_id="p", roles=(("r", "member"),), issued_at=5.0)
    for fields, hit in (
        ({"user_id": "u"}, True),
        ({"user_id": "u", "role_id": "other"}, False),
        ({"user_id": "u", "role_id": "r", "project_id": "p"}, True),
        ({"project_id": "q"}, False),
    ):
        revocations = Revocations([new_event(6.0, **fields)])
        if hit:
            with pytest.raises(TokenInvalid):
                revocations.check(token)
        else:
            revocations.check(token)
    Revocations([new_event(4.0, user_id="u")]).check(token)


class TestChangesDuringALogin:
    """Whatever a login has read before the change, its token does not outlive it."""

    def usable(self, answer):
        headers = {"X-Auth-Token": answer.headers["x-subject-token"]}
        return self.identity.anonymous.get("/v3/auth/projects", headers=headers).status == 200

    @pytest.fixture(autouse=True)
    def ada(self, identity):
        self.identity = identity
        self.user = identity.make_user("ada")["id"]
        project, reader = identity.find("project", "demo")["id"], identity.find("role", "reader")["id"]
        self.grant = f"/v3/projects/{project}/users/{self.user}/roles/{reader}"
        identity.admin.put(self.grant).ok(204)
        assert self.usable(self.login())

    def login(self):
        return self.identity.login("ada", "pw", "demo")

    def test_while_the_password_is_hashed(self, monkeypatch):
        passwords = self.identity.service.passwords
        verify = passwords.verify

        def slow(*shown):
            monkeypatch.setattr(passwords, "verify", verify)
            self.identity.patch(f"/v3/users/{self.user}", {"user": {"enabled": False}}).ok()
            return verify(*shown)

        monkeypatch.setattr(passwords, "verify", slow)
        answer = self.login()
        assert answer.status == 401 or not self.usable(answer)

    def test_while_the_roles_are_read(self, monkeypatch):
        choose = scope.choose

        def slow(*asked):
            monkeypatch.setattr(scope, "choose", choose)
            found = choose(*asked)
            in_another_thread(lambda: self.identity.admin.delete(self.grant).ok(204))
            return found

        monkeypatch.setattr(scope, "choose", slow)
        assert not self.usable(self.login())

    def test_while_the_change_is_committed(self, monkeypatch):
        revoking, logins = self.identity.service.revoking, []
        revoke = revoking.revoke

        def slow(*changes):
            monkeypatch.setattr(revoking, "revoke", revoke)
            revoke(*changes)
            in_another_thread(lambda: logins.append(self.login()))

        monkeypatch.setattr(revoking, "revoke", slow)
        self.identity.admin.delete(self.grant).ok(204)
        (answer,) = logins
        assert answer.status == 201 and not self.usable(answer)
        assert self.login().status == 401


def in_another_thread(action):
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(action).result(60)
