"""What many processes on PostgreSQL and RabbitMQ write down is one story: `celaje flow`, `why` and `logs`
with the configuration files that the processes were started with."""

import json
import subprocess

import pytest

from tests.cluster.layout import COMPUTE_HOSTS
from tests.cluster.processes import BIN

WORKERS = ("volume-worker1", "volume-worker2")

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(500)]


@pytest.fixture(scope="module")
def files(running_cluster):
    """As an operator on any controller has them."""
    etc = running_cluster.folder / "etc"
    return ["--config-file", f"{etc}/celaje.conf", "--config-file", f"{etc}/{{service}}.conf"]


@pytest.fixture
def story(cluster, files):
    def tell(*words):
        return json.loads(cluster.celaje("flow", *words, "--json", *files))

    return tell


def hops(node):
    yield node
    for child in node.get("children", ()):
        yield from hops(child)


def test_an_attach_over_many_processes_is_one_story(cluster, files, story, flavor, image, network):
    sdk = cluster.sdk()
    server = sdk.create_server("seen", image=image, flavor=flavor, network=network, wait=True, auto_ip=False)
    volume = sdk.create_volume(size=1, name="seen", wait=True)
    sdk.attach_volume(server, volume, wait=True)
    (flow,) = [row for row in story("list", "--resource", server.id) if row["name"] == "server.attach_volume"]
    (root,) = story("show", flow["request_id"])
    found = {(hop["kind"], hop["who"], hop["what"]) for hop in hops(root)}
    kinds = {kind for kind, _, _ in found}
    assert {"request", "flow", "step", "driver", "state"} <= kinds, found
    whos = " ".join(who for _, who, _ in found)
    # The hops of the workers came back in the answers over RabbitMQ, with the name of who did the work.
    assert any(host in whos for host in COMPUTE_HOSTS), whos
    assert "storage@shared" in whos, whos
    drivers = {what for kind, _, what in found if kind == "driver"}
    assert {"attach_volume", "initialize_connection"} <= drivers, drivers
    # The volume service's requests are joined by the global id.
    joined = [hop for hop in hops(root) if hop["kind"] == "flow"]
    assert {hop["what"] for hop in joined} >= {"server.attach_volume", "attachment.connect"}, joined
    # Between processes an answer of another API has an end of its own.
    asked = {hop["limit"] for hop in hops(root) if hop["who"] == "volume api" and "limit" in hop}
    assert 90.0 in asked, asked
    page = cluster.celaje("flow", "show", volume.id, *files)
    assert max(map(len, page.splitlines())) <= 80
    assert "in-use" in page
    cluster.celaje("flow", "show", server.id, "--sequence", *files)
    logs = sorted(map(str, (cluster.folder / "log").iterdir()))
    lines = cluster.celaje("logs", flow["request_id"], *logs)
    for component in ("compute-api", "compute-conductor", "volume-api", "volume-worker"):
        assert component in lines, lines
    sdk.delete_server(server.id, wait=True)
    sdk.delete_volume(volume.id, wait=True)


def test_a_story_is_followed_while_it_happens(cluster, files):
    """The back end's workers are away: first it shows that they are waited for, then that it is done."""
    sdk = cluster.sdk()
    for name in WORKERS:
        cluster.terminate(name)
    volume = sdk.block_storage.create_volume(size=1, name="followed")
    with subprocess.Popen(
        [str(BIN / "celaje"), "flow", "show", volume.id, "--follow", *files],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as following:
        before = []
        while not any("flow volume.create: waiting" in line for line in before):
            line = following.stdout.readline()
            assert line, "".join(before)
            before.append(line)
        for name in WORKERS:
            cluster.start(name)
        after, _ = following.communicate(timeout=300)
    assert following.returncode == 0, after
    assert "flow volume.create: done" in after, after
    sdk.delete_volume(volume.id, wait=True)


def test_why_a_server_found_no_host(cluster, files, image):
    sdk = cluster.sdk()
    huge = sdk.create_flavor("huge", ram=1 << 17, vcpus=2, disk=1)
    sdk.compute.put(f"/os-quota-sets/{sdk.current_project_id}", json={"quota_set": {"ram": -1}})
    body = {"server": {"name": "huge", "flavorRef": huge.id, "imageRef": image, "networks": "none"}}
    made = sdk.compute.post("/servers", json=body, microversion="2.37")
    assert made.status_code == 202, made.text
    server = made.json()["server"]["id"]
    cluster.until(lambda: sdk.compute.get_server(server).status == "ERROR", 60, "the server in ERROR")
    words = cluster.celaje("why", server, *files)
    assert "ResourcesFilter" in words, words
    assert f"{1 << 17}" in words, words
    sdk.delete_server(server, wait=True)
    sdk.delete_flavor(huge.id)


def test_doctor_and_timeouts_read_the_same_files(cluster, files):
    told = subprocess.run(
        [str(BIN / "celaje"), "doctor", "--json", *files],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert told.stdout, told.stderr
    findings = json.loads(told.stdout)
    assert [one for one in findings if one["severity"] == "error"] == []
    chains = subprocess.run(
        [str(BIN / "celaje"), "timeouts", "attach", "--json", *files],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    (chain,) = json.loads(chains.stdout)
    origins = {link["option"]: link["origin"] for link in chain["links"]}
    assert origins["rpc_response_timeout"].startswith(str(cluster.folder / "etc" / "celaje.conf")), origins
