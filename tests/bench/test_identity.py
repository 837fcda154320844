"""Logins beside their limits in the same run: a first one beside its hash, a repeated one per second; and
what it costs to look at a token, by the API and in process."""

import statistics
import time

import msgspec
import pytest

from tests.bench.figures import Theme
from tests.cloud import LabCloud
from tests.identity.conftest import Identity

FIRST, PIECES, PIECE, VALIDATED = 10, 16, 250, 3000


@pytest.mark.bench
def test_logins(tmp_path):
    cloud = LabCloud.at(tmp_path / "state", services=("identity",)).begin()
    identity = Identity(cloud)
    passwords = identity.service.passwords
    hashes, first = [], []
    for number in range(FIRST):
        stored = passwords.hash(f"password{number}")
        begun = time.perf_counter()
        passwords._matches(f"password{number}", stored)
        hashes.append(time.perf_counter() - begun)
        identity.make_user(f"user{number}", f"password{number}")
        begun = time.perf_counter()
        identity.login(f"user{number}", f"password{number}").ok(201)
        first.append(time.perf_counter() - begun)
    transport, body = cloud.transport_to("identity"), msgspec.json.encode({"auth": auth_of_admin(cloud)})
    headers = {"Content-Type": "application/json"}
    pieces, before, begun = [], identity.service.database.statements, time.perf_counter()
    for _ in range(PIECES):
        used = time.thread_time()
        for _ in range(PIECE):
            status, _, chunks = transport.send("POST", "/v3/auth/tokens", headers, body)
            assert status == 201 and b"".join(chunks)
        pieces.append(time.thread_time() - used)
    repeated = PIECES * PIECE / (time.perf_counter() - begun)
    statements = (identity.service.database.statements - before) / (PIECES * PIECE)
    # Who shares the core's caches makes the same work slower: the least disturbed piece tells what it costs.
    per_core, middle = PIECE / min(pieces), PIECE / statistics.median(pieces)
    shown, checked = validations(cloud, identity.as_user())
    cloud.stop(1)
    hashed, logged_in = statistics.median(hashes), statistics.median(first)
    with Theme("identity") as figures:
        figures.add(
            "token by password, first login",
            logged_in * 1e3,
            "ms",
            limit=hashed * 1e3,
            of="its hash",
            hold=">= 0.9 of the hash's rate",
            held=hashed / logged_in >= 0.9,
            note=f"{hashed / logged_in:.2f} of the hash's rate",
        )
        figures.add(
            "token by password, repeated",
            per_core,
            "/s of a core",
            hold=">= 2,000/s",
            held=per_core >= 2000,
            note=f"{statements:.1f} SQL statements each; the median of {PIECES} pieces {middle:.0f}/s; "
            f"{repeated:.0f}/s of what the machine left to it meanwhile",
        )
        figures.add(
            "token validation, GET /v3/auth/tokens",
            VALIDATED / shown,
            "/s",
            note=f"with its names and catalog, of a core to itself; the hash's rate is {1 / hashed:.0f}/s",
        )
        figures.add(
            "token check in process, as every API does it",
            VALIDATED / checked,
            "/s",
            note="opened and held against the revocation events, of a core to itself",
        )


def validations(cloud, admin):
    """Seconds of a core for `VALIDATED` answers of GET /v3/auth/tokens, and checks in process."""
    transport = cloud.transport_to("identity")
    headers = {"X-Auth-Token": admin.token, "X-Subject-Token": admin.token}
    begun = time.thread_time()
    for _ in range(VALIDATED):
        status, _, chunks = transport.send("GET", "/v3/auth/tokens", headers, None)
        assert status == 200 and b"".join(chunks)
    shown = time.thread_time() - begun
    tokens, revocations = cloud.tokens, cloud.running["identity"].revocations
    begun = time.thread_time()
    for _ in range(VALIDATED):
        revocations.check(tokens.open(admin.token))
    return shown, time.thread_time() - begun


def auth_of_admin(cloud):
    user = {"name": "admin", "domain": {"id": "default"}, "password": cloud.secrets.password("admin")}
    return {
        "identity": {"methods": ["password"], "password": {"user": user}},
        "scope": {"project": {"name": "admin", "domain": {"id": "default"}}},
    }
