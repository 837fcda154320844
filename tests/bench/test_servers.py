"""Servers from the request to ACTIVE and volumes on and off them, on the simulated driver."""

import pytest

from tests.bench.counting import counting
from tests.bench.figures import Theme
from tests.bench.lab import BenchLab, fsync_milliseconds, median, rate

ROUNDS = 40
HOSTS = [f"host-{number:02d}" for number in range(40)]
UNLIMITED = {("quota", name): -1 for name in ("instances", "cores", "ram", "server_groups")}


@pytest.fixture
def lab(tmp_path):
    overrides = {
        "compute": {**UNLIMITED, (None, "fake_hosts"): HOSTS},
        "volume": {(None, "quota_volumes"): -1, (None, "quota_gigabytes"): -1},
        "network": {("quotas", "quota_port"): -1},
    }
    made = BenchLab.at(tmp_path / "state", overrides)
    yield made
    made.cloud.stop(5)


@pytest.mark.bench
def test_servers(lab, tmp_path, monkeypatch):
    # The seeds' network has 61 addresses only.
    wide = lab.network.post("/v2.0/networks", {"network": {"name": "wide"}}).ok(201)["network"]["id"]
    subnet = {"network_id": wide, "ip_version": 4, "cidr": "10.9.0.0/16"}
    lab.network.post("/v2.0/subnets", {"subnet": subnet}).ok(201)

    def create(**wanted):
        server = lab.post(**wanted).ok(202)["server"]["id"]
        lab.end_of_flow("compute", server)
        return server

    def bare(_):
        return create()

    def wired(_):
        return create(networks=[{"uuid": wide}])

    with Theme("compute") as figures:
        commit = fsync_milliseconds(tmp_path)
        for what, make, hold in (
            ("server to ACTIVE without a port, p50", bare, 20),
            ("server to ACTIVE with a port, p50", wired, 40),
        ):
            for number in range(10):
                make(number)
            one = median(make, ROUNDS)
            with counting(lab.cloud, monkeypatch) as counts:
                for number in range(ROUNDS):
                    last = make(number)
            assert lab.show(last)["status"] == "ACTIVE"
            figures.add(
                what,
                one,
                "ms",
                limit=commit,
                of="a bare commit",
                hold=f"<= {hold} ms",
                held=one <= hold,
                note=counts.each(ROUNDS),
            )
        at_once = rate(bare)
        figures.add("200 servers, 16 at once", at_once, "/s", hold=">= 100/s", held=at_once >= 100)
        at_once = rate(wired)
        figures.add("200 servers with a port, 16 at once", at_once, "/s")
        attach_and_detach(lab, figures, commit, monkeypatch)


def attach_and_detach(lab, figures, commit, monkeypatch):
    server = lab.create()
    volumes = [lab.new_volume() for _ in range(ROUNDS)]

    def attach(number):
        body = {"volumeAttachment": {"volumeId": volumes[number]}}
        lab.user.post(f"/v2.1/servers/{server}/os-volume_attachments", body).ok()
        lab.end_of_flow("compute", server)

    def detach(number):
        answer = lab.user.delete(f"/v2.1/servers/{server}/os-volume_attachments/{volumes[number]}")
        assert answer.status == 202, answer.body
        lab.end_of_flow("compute", server)

    for number in range(3):
        attach(number)
        assert lab.show_volume(volumes[number])["status"] == "in-use"
        detach(number)
        assert lab.show_volume(volumes[number])["status"] == "available"
    attached, detached = [], []
    with counting(lab.cloud, monkeypatch) as counts:
        for number in range(ROUNDS):
            attached.append(median(lambda _, n=number: attach(n), 1))
            detached.append(median(lambda _, n=number: detach(n), 1))
    for what, spent in (("attach a volume, p50", attached), ("detach a volume, p50", detached)):
        one = sorted(spent)[len(spent) // 2]
        note = f"both together: {counts.each(ROUNDS)}" if what.startswith("attach") else ""
        figures.add(
            what, one, "ms", limit=commit, of="a bare commit", hold="<= 12 ms", held=one <= 12, note=note
        )
