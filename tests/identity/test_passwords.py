"""Hashes, and the memory of proven passwords."""

import threading

import pytest

from celaje.common import clock
from celaje.common.clock import VirtualClock
from celaje.identity.passwords import Passwords


@pytest.fixture
def passwords():
    return Passwords(rounds=1, memory=8, lanes=1, concurrency=2, remember=60)


@pytest.fixture
def counted(passwords, monkeypatch):
    """How often a hash was really computed to verify."""
    calls = []
    matches = passwords._matches

    def count(password, stored):
        calls.append(stored)
        return matches(password, stored)

    monkeypatch.setattr(passwords, "_matches", count)
    return calls


def test_form_and_salt(passwords):
    one, other = passwords.hash("pw"), passwords.hash("pw")
    assert one.startswith("$argon2id$v=19$m=8,t=1,p=1$")
    assert one != other
    assert passwords.verify("pw", one)
    assert not passwords.verify("PW", one)
    assert not passwords.verify("", one)


def test_hashes_of_other_settings_are_verified(passwords):
    dear = Passwords(rounds=3, memory=64, lanes=1, concurrency=1, remember=0).hash("pw")
    assert passwords.verify("pw", dear)
    assert not passwords.verify("pw", "no hash at all")


def test_a_proven_password_is_remembered_for_a_while(passwords, counted):
    stored = passwords.hash("pw")
    with clock.installed(VirtualClock()) as time:
        for _ in range(5):
            assert passwords.verify("pw", stored)
        assert len(counted) == 1
        time.advance(61)
        assert passwords.verify("pw", stored)
        assert len(counted) == 2


def test_a_new_hash_is_not_remembered(passwords, counted):
    first, second = passwords.hash("pw"), passwords.hash("pw")
    assert passwords.verify("pw", first)
    assert passwords.verify("pw", second)
    assert len(counted) == 2
    assert not passwords.verify("other", first)
    assert not passwords.verify("other", first)
    assert len(counted) == 4


def test_an_unknown_user_costs_a_hash_too(passwords, counted):
    assert not passwords.verify("pw", None)
    assert not passwords.verify("pw", None)
    assert len(counted) == 2


def test_hashes_at_one_time_are_bounded(passwords, monkeypatch):
    inside, most, lock, go = 0, 0, threading.Lock(), threading.Event()

    def slow(password, stored):
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        go.wait(5)
        with lock:
            inside -= 1

    monkeypatch.setattr("celaje.identity.passwords.Argon2id.verify_phc_encoded", slow)
    threads = [threading.Thread(target=passwords._matches, args=(str(n), "x")) for n in range(6)]
    for thread in threads:
        thread.start()
    go.set()
    for thread in threads:
        thread.join(10)
    assert 1 <= most <= 2


def test_secrets_made_at_random_are_kept_as_digests(passwords, counted):
    secret = clock.new_token(18)
    one, other = passwords.digest(secret), passwords.digest(secret)
    assert one.startswith("$hmac-sha256$") and secret not in one
    assert one != other
    assert passwords.verify(secret, one)
    assert not passwords.verify(secret + "x", one)
    assert not passwords.verify(secret, one[:-4] + "AAA=")
    assert not counted
