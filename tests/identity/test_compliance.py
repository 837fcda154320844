"""What the operator asks of passwords, and hashes that came with an imported Keystone."""

import datetime

import pytest

from celaje.common import clock
from celaje.identity import foreign_hashes

FOREIGN = {
    "bcrypt": "$2b$04$Ho0OarYJ6gmC.dYEO3s7Iu86JSfUFmm0CCWt0mD2q4g/oBN0zX7hC",
    "bcrypt-sha256": "$bcrypt-sha256$v=2,t=2b,r=4$tOmGhpYr5WZuyVwWQNKYcu$RR.68lwUVw1sEPs1YHyZLV4NGqU.VQ2",
    "scrypt": "$scrypt$ln=16,r=8,p=1$cEtixZ9oTSXhCE+TDVmjXg$4Gep50/KnGXlwDlOst7BafJ4zOfjNbqVETiYfD1Mn1w",
    "pbkdf2": "$pbkdf2-sha512$4$8ic44sonoTkeOY9bvrL6lQ$imZrhQO57DEgAja92T9jA1XNgUvDY9o8jXke7Yiisrp0DEzKY/"
    "RqqQYIDpKosGBCNJenID3O5dYxSNhMM3gYdg",
}
SECRET = "geheim-ü"


@pytest.mark.parametrize("kind", FOREIGN)
def test_hashes_of_keystone_are_checked(kind):
    assert foreign_hashes.is_foreign(FOREIGN[kind])
    assert foreign_hashes.matches(SECRET, FOREIGN[kind])
    assert not foreign_hashes.matches(SECRET + "x", FOREIGN[kind])
    assert not foreign_hashes.matches(SECRET, FOREIGN[kind][:-4])


@pytest.mark.parametrize("kind", ["bcrypt", "bcrypt-sha256"])
def test_the_systems_libcrypt_does_bcrypt_too(kind, monkeypatch):
    compute = foreign_hashes._from_libcrypt()
    if compute is None:
        pytest.skip("no libcrypt with crypt_ra here")
    monkeypatch.setattr(foreign_hashes, "_bcrypt_function", lambda: compute)
    assert foreign_hashes.matches(SECRET, FOREIGN[kind])
    assert not foreign_hashes.matches("other", FOREIGN[kind])


@pytest.mark.parametrize(
    "stored", ["$2b$", "$scrypt$", "$scrypt$ln=99,r=8,p=1$aaaa$aaaa", "$pbkdf2-sha512$x$y$z"]
)
def test_broken_hashes_match_nothing(stored):
    assert not foreign_hashes.matches("pw", stored)


@pytest.fixture
def rules(identity):
    def override(**values):
        for name, value in values.items():
            identity.service.conf.set_override(name, value, "security_compliance")

    return override


def change(identity, user, old, new):
    body = {"user": {"password": new, "original_password": old}}
    return identity.anonymous.post(f"/v3/users/{user['id']}/password", body).status


def test_the_last_passwords_cannot_come_back(identity, rules):
    rules(unique_last_password_count=2)
    user = identity.make_user("uma", "one")
    assert change(identity, user, "one", "one") == 400
    assert change(identity, user, "one", "two") == 204
    assert change(identity, user, "two", "one") == 400
    assert change(identity, user, "two", "three") == 204
    assert change(identity, user, "three", "one") == 204
    # Who may set it for others is not bound by it.
    identity.patch(f"/v3/users/{user['id']}", {"user": {"password": "one"}}).ok()


def test_passwords_have_a_least_age(identity, rules, monkeypatch):
    rules(minimum_password_age=1)
    user = identity.make_user("uma", "one")
    assert change(identity, user, "one", "two") == 204
    assert change(identity, user, "two", "three") == 400
    later = clock.now() + datetime.timedelta(days=1, seconds=1)
    monkeypatch.setattr("celaje.identity.compliance.clock.now", lambda: later)
    assert change(identity, user, "two", "three") == 204


def test_a_password_that_others_set_is_changed_first(identity, rules):
    rules(change_password_upon_first_use=True)
    user = identity.make_user("uma", "one")
    assert identity.login("uma", "one").status == 401
    assert change(identity, user, "one", "two") == 204
    identity.login("uma", "two").ok(201)
    free = {"ignore_change_password_upon_first_use": True}
    identity.make_user("bob", "one", options=free)
    identity.login("bob", "one").ok(201)


def test_inactive_users_are_shut_out(identity, rules, monkeypatch):
    rules(disable_user_account_days_inactive=10)
    identity.make_user("uma", "one")
    identity.make_user("bob", "one", options={"ignore_user_inactivity": True})
    identity.login("uma", "one").ok(201)
    later = clock.now() + datetime.timedelta(days=9)
    monkeypatch.setattr("celaje.common.clock.now", lambda: later)
    identity.login("uma", "one").ok(201)
    later = later + datetime.timedelta(days=11)
    assert identity.login("uma", "one").status == 401
    identity.login("bob", "one").ok(201)
