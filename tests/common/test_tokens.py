"""Tokens: what is sealed comes out, nothing else does; keys rotate; revocations match as documented."""

import base64
import os
import shutil
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from celaje.common import clock
from celaje.common.errors import ConfigurationError
from celaje.common.revocations import RevocationEvent, Revocations, new_event
from celaje.common.tokens import KeyRepository, Token, TokenInvalid, Tokens, moment, seconds
from celaje.common.vault import Vault, write_secret


@pytest.fixture
def virtual():
    with clock.installed(clock.VirtualClock()) as virtual:
        yield virtual


@pytest.fixture
def keys(tmp_path):
    keys = KeyRepository(tmp_path / "keys")
    keys.create()
    return keys


def token(**values):
    now = seconds(clock.now())
    return Token(
        **{"user_id": "u1", "issued_at": now, "expires_at": now + 100, "audit_ids": ("a", "chain"), **values}
    )


name = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@settings(max_examples=60)
@given(
    user_id=st.text(st.characters(exclude_categories=["Cs"]), max_size=64),
    scope=st.sampled_from(["", "project", "domain", "system"]),
    scope_id=name,
    roles=st.lists(st.tuples(st.text("abc", max_size=4), st.text("xyz", max_size=4)), max_size=4),
    trust_id=name,
)
def test_what_is_sealed_is_what_is_opened(keys, user_id, scope, scope_id, roles, trust_id):
    sealed = token(user_id=user_id, scope=scope, scope_id=scope_id, roles=tuple(roles), trust_id=trust_id)
    text = Tokens(keys).seal(sealed)
    assert "=" not in text
    assert Tokens(keys).open(text) == sealed


@settings(max_examples=300)
@given(
    garbage=st.text(max_size=80) | st.binary(max_size=80).map(lambda b: base64.urlsafe_b64encode(b).decode())
)
def test_garbage_is_refused_and_nothing_worse(keys, garbage):
    with pytest.raises(TokenInvalid):
        Tokens(keys).open(garbage)


@pytest.mark.parametrize(
    "content", [b"", b"\xc1", b"\x80", b"\x81\xa1u\x01", b"\x81\xa1u\xc0", b"hello", b"\x90"]
)
def test_a_well_sealed_message_that_is_no_token(keys, content):
    with pytest.raises(TokenInvalid):
        Tokens(keys).open(keys.fernet.encrypt(content).decode())


@settings(max_examples=100)
@given(data=st.data())
def test_a_changed_token_is_refused(keys, data):
    text = Tokens(keys).seal(token())
    # The text is a new one each time: what is drawn must not hang on it.
    place = data.draw(st.integers(0, 10_000)) % (len(text) - 2)  # the last ones may hold unused bits
    other = data.draw(st.sampled_from("ABCabc019-_"))
    if other == text[place]:
        other = "Z"
    with pytest.raises(TokenInvalid):
        Tokens(keys).open(text[:place] + other + text[place + 1 :])


def test_too_long_is_refused_before_it_is_decrypted(keys):
    with pytest.raises(TokenInvalid):
        Tokens(keys).open("A" * 10_000_000)


def test_the_end_of_a_token(keys, virtual):
    tokens = Tokens(keys)
    text = tokens.seal(token())
    virtual.advance(99)
    assert tokens.open(text).user_id == "u1"
    virtual.advance(1)
    with pytest.raises(TokenInvalid):
        tokens.open(text)
    assert tokens.open(text, expired_for=10).user_id == "u1"
    virtual.advance(10)
    with pytest.raises(TokenInvalid):
        tokens.open(text, expired_for=10)


def test_keys_rotate_and_old_tokens_hold_until_their_key_goes(keys, tmp_path):
    elsewhere = Tokens(KeyRepository(tmp_path / "keys"))
    old = Tokens(keys).seal(token())
    assert elsewhere.open(old)
    keys.rotate()
    keys.refresh()
    new = Tokens(keys).seal(token(user_id="u2"))
    # The other node has not heard of the rotation; it looks when it cannot open something.
    assert elsewhere.open(new).user_id == "u2"
    assert Tokens(keys).open(old)
    for _ in range(3):
        keys.rotate()
    keys.refresh()
    assert len(keys.numbers()) == 3
    with pytest.raises(TokenInvalid):
        Tokens(keys).open(old)


def test_what_the_next_key_will_be_is_known_before(keys, tmp_path):
    """A node that was given the keys before a rotation opens what is sealed after it: 0 is the next key."""
    before = KeyRepository(tmp_path / "keys")
    before.refresh()
    keys.rotate()
    keys.refresh()
    text = Tokens(keys).seal(token())
    assert before.fernet.decrypt((text + "=" * (-len(text) % 4)).encode())


def test_a_node_that_only_seals_notices_a_rotation(keys, tmp_path, virtual):
    """Else it would go on sealing with a key that the others throw away."""
    running = Tokens(KeyRepository(tmp_path / "keys"))
    running.seal(token())
    for _ in range(3):
        keys.rotate()
    virtual.advance(6)
    text = running.seal(token(expires_at=seconds(clock.now()) + 100))
    assert Tokens(KeyRepository(tmp_path / "keys")).open(text)


def test_what_a_rotation_keeps(keys):
    assert [keys.rotate(3) for _ in range(3)] == [(2, []), (3, [1]), (4, [2])]
    assert keys.numbers() == [0, 3, 4]
    assert keys.rotate(1) == (5, [3, 4])
    assert keys.numbers() == [0, 5]
    assert keys.rotate(5) == (6, [])


def test_a_rotation_that_was_cut_off_is_made_good_without_a_key_that_nobody_knows(keys, tmp_path):
    copied = Tokens(KeyRepository(tmp_path / "keys"))
    copied.seal(token())
    (keys.folder / "0").unlink()
    assert keys.rotate() == (None, [])
    assert keys.numbers() == [0, 1]
    assert copied.open(Tokens(keys).seal(token()))


def test_rotations_at_once_come_one_after_the_other(keys):
    threads = [threading.Thread(target=KeyRepository(keys.folder).rotate, args=(100,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert keys.numbers() == list(range(10))
    assert len({(keys.folder / str(number)).read_bytes() for number in keys.numbers()}) == 10


def test_a_copied_repository_opens_what_its_original_seals_after_a_rotation(keys, tmp_path):
    """Machines with copies: rotate on one, copy to the others some time later, before the next rotation."""
    shutil.copytree(keys.folder, tmp_path / "copy")
    copy, original = Tokens(KeyRepository(tmp_path / "copy")), Tokens(keys)
    for _ in range(4):
        before = copy.seal(token(user_id="before"))
        keys.rotate()
        keys.refresh()
        assert copy.open(original.seal(token(user_id="after"))).user_id == "after"
        assert original.open(copy.seal(token(user_id="late"))).user_id == "late"
        shutil.rmtree(tmp_path / "copy")
        shutil.copytree(keys.folder, tmp_path / "copy")
        copy.keys.refresh()
        assert copy.open(before).user_id == "before"


def test_a_rotation_while_the_keys_are_read_is_read_again(keys, monkeypatch):
    real = keys.numbers
    lists = [[0, 1, 7], real()]
    monkeypatch.setattr(keys, "numbers", lambda: lists.pop(0))
    assert keys.refresh()
    assert not lists


def test_without_keys_it_is_said_what_to_do(tmp_path):
    with pytest.raises(ConfigurationError, match="setup-keys"):
        Tokens(KeyRepository(tmp_path / "none")).seal(token())


def test_secrets_on_disk_are_for_their_owner_only(tmp_path, keys):
    vault = Vault(tmp_path / "deep" / "vault.key")
    paths = [tmp_path / "deep" / "vault.key", *keys.folder.iterdir()]
    assert [oct(path.stat().st_mode & 0o777) for path in paths] == ["0o600"] * len(paths)
    sealed = vault.seal("the token ☃")
    assert b"token" not in sealed
    assert Vault(tmp_path / "deep" / "vault.key").unseal(sealed) == "the token ☃"
    assert Vault(tmp_path / "other.key").unseal(sealed) is None
    assert vault.unseal(b"garbage") is None


def test_a_secret_that_is_replaced_is_never_half_there(tmp_path):
    path = tmp_path / "secret"
    write_secret(path, b"one")
    os.chmod(path, 0o644)
    write_secret(path, b"two")
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"two", 0o600)
    assert [entry.name for entry in tmp_path.iterdir()] == ["secret"]


ASKED = {
    "scope": "project",
    "scope_id": "p1",
    "user_domain_id": "d1",
    "project_domain_id": "d2",
    "roles": (("r1", "member"), ("r2", "reader")),
    "trust_id": "t1",
    "application_credential_id": "ac1",
    "access_token_id": "oa1",
}


@pytest.mark.parametrize(
    ("event", "revoked"),
    [
        ({"user_id": "u1"}, True),
        ({"user_id": "u2"}, False),
        ({"project_id": "p1"}, True),
        ({"project_id": "p2"}, False),
        ({"domain_id": "d1"}, True),
        ({"domain_id": "d2"}, True),
        ({"domain_id": "d3"}, False),
        ({"role_id": "r2"}, True),
        ({"role_id": "r3"}, False),
        ({"audit_id": "a"}, True),
        ({"audit_id": "chain"}, False),
        ({"audit_chain_id": "chain"}, True),
        ({"audit_chain_id": "a"}, False),
        ({"trust_id": "t1"}, True),
        ({"application_credential_id": "ac1"}, True),
        ({"application_credential_id": "ac2"}, False),
        ({"access_token_id": "oa1"}, True),
        ({"user_id": "u1", "project_id": "p1", "role_id": "r1"}, True),
        ({"user_id": "u1", "project_id": "p2"}, False),
        ({"user_id": "u2", "project_id": "p1"}, False),
        ({}, True),
    ],
)
def test_an_event_matches_when_all_that_it_names_does(virtual, event, revoked):
    asked = token(**ASKED)
    now = seconds(clock.now())
    events = Revocations([new_event(now, **event)])
    if revoked:
        with pytest.raises(TokenInvalid):
            events.check(asked)
    else:
        events.check(asked)
    # A token that was issued after the event is not touched by it.
    Revocations([new_event(now - 1, **event)]).check(asked)


def test_an_event_is_the_same_one_over_the_api(virtual):
    now = seconds(clock.now()) + 0.123456
    event = new_event(now, user_id="u1", trust_id="t", expires_at=now + 5)
    assert RevocationEvent.from_api(event.to_api()).id == event.id
    assert event.to_api()["OS-TRUST:trust_id"] == "t"
    events = Revocations([event, RevocationEvent.from_api(event.to_api())])
    assert len(events) == 1


def test_events_about_tokens_that_are_gone_are_forgotten(virtual):
    now = seconds(clock.now())
    events = Revocations(
        [new_event(now - 50, user_id="u1"), new_event(now, project_id="p1"), new_event(now - 9)]
    )
    events.forget_before(now - 10)
    assert len(events) == 2
    events.check(token(issued_at=now + 1))
    with pytest.raises(TokenInvalid):
        events.check(token(scope="project", scope_id="p1"))


def test_seconds_and_moments_are_the_same_time():
    for value in (0.0, 1.5, 1_700_000_000.123456):
        assert seconds(moment(value)) == value
