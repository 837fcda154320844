"""`celaje flow`: what it prints, in 80 columns, and what it never prints."""

import json
import subprocess
import threading

import pytest

from tests.cloud import until
from tests.conformance.running import BIN
from tests.journals.conftest import celaje, past  # noqa: F401


def test_show_fits_a_terminal_and_says_what_happened(past, celaje):  # noqa: F811
    page = celaje("flow", "show", past.attached)
    assert max(map(len, page.splitlines())) <= 80
    assert "\x1b" not in page
    for words in ("flow server.attach_volume: done", "compute worker celaje  attach_volume", "→ in-use"):
        assert words in page
    assert not [line for line in page.splitlines() if line != line.rstrip()]


def test_show_of_a_failure_names_filter_and_numbers(past, celaje):  # noqa: F811
    page = celaje("flow", "show", past.failed)
    assert "flow server.create: failed" in page
    assert "ResourcesFilter  1 → 0" in page
    assert "512 asked" in page
    assert "undo release" in page


def test_a_resource_shows_its_latest_request_and_lists_the_earlier(past, celaje):  # noqa: F811
    page = celaje("flow", "show", past.server)
    assert page.index("server.create") < page.index("flow server.attach_volume")
    assert page.count("limit:") == 1
    assert celaje("flow", "show", past.server, "--all").count("waits to be taken up") > page.count(
        "waits to be taken up"
    )


def test_the_sequence_is_in_the_order_of_time(past, celaje):  # noqa: F811
    page = celaje("flow", "show", past.attached, "--sequence")
    assert max(map(len, page.splitlines())) <= 80
    places = [
        page.index(words) for words in ("client ", "create_attachment", "initialize_connection", "in-use")
    ]
    assert places == sorted(places)


def test_json_is_the_same_story(past, celaje):  # noqa: F811
    (story,) = json.loads(celaje("flow", "show", past.created, "--json"))
    assert story["kind"] == "request"
    assert story["facts"]["status"] == 202


@pytest.mark.parametrize("how", [(), ("--json",), ("--sequence",)])
def test_no_secret_is_shown(past, celaje, how):  # noqa: F811
    for identifier in (past.created, past.attached, past.volume_id):
        page = celaje("flow", "show", identifier, *how)
        assert "c2VjcmV0" not in page
        assert "auth_password" not in page
        assert "gAAAA" not in page


def test_list_and_its_filters(past, celaje):  # noqa: F811
    def names(*options):
        return {
            row["name"] for row in json.loads(celaje("flow", "list", "--json", "--limit", 1000, *options))
        }

    assert {"server.create", "volume.create", "port.bind"} <= names()
    assert names("--failed") == {"server.create"}
    assert "volume.create" not in names("--service", "compute")
    assert names("--resource", past.volume_id) == {"volume.create"}
    assert names("--older-than", "1d") == set()
    page = celaje("flow", "list")
    assert max(map(len, page.splitlines())) <= 80
    assert "No valid host" in page


def test_what_waits_is_found_by_what_it_waits_for(past, celaje):  # noqa: F811
    """A volume whose worker is away."""
    service = past.cloud.running["volume"]
    (worker,) = [server for server in service._servers if server.target.topic == "volume-worker"]
    worker.stop(grace=5)
    volume = past.volume.post("/v3/volumes", {"volume": {"size": 1}}).ok(202)["volume"]["id"]

    def waiting():
        rows = json.loads(celaje("flow", "list", "--waiting-on", "volume-worker", "--running", "--json"))
        return [row for row in rows if row["resource_id"] == volume]

    (row,) = until(waiting)
    assert row["state"] == "waiting"
    page = celaje("flow", "show", volume)
    assert "flow volume.create: waiting" in page
    assert "waits for volume worker celaje@fake" in page


def test_what_nobody_knows_is_told_with_what_to_do(past, celaje):  # noqa: F811
    assert "celaje flow list" in celaje("flow", "show", "req-nobody")
    assert "exclude each other" in celaje("flow", "list", "--running", "--failed")
    assert "no time" in celaje("flow", "list", "--older-than", "soon")
    assert "There is no service" in celaje("flow", "list", "--service", "nova")


def test_follow_shows_it_until_it_has_ended(past, celaje):  # noqa: F811
    """An upload that goes on until it is let end; a pipe gets each change below the one before."""
    images = past.cloud.as_user("image")
    body = {"name": "slow", "disk_format": "raw", "container_format": "bare"}
    image = images.post("/v2/images", body).ok(201)["id"]
    goes_on = threading.Event()

    def data():
        yield b"x" * 512
        assert goes_on.wait(100)

    kind = {"Content-Type": "application/octet-stream"}
    path = f"/v2/images/{image}/file"
    upload = threading.Thread(
        target=images.request, args=("PUT", path), kwargs={"raw": data(), "headers": kind}
    )
    upload.start()
    try:
        until(lambda: "image.upload" in celaje("flow", "list", "--running"))
        words = [str(BIN / "celaje"), "flow", "show", image, "--follow", "--state", str(past.cloud.state)]
        with subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as following:
            before = []
            while not any("flow image.upload: " in line for line in before):
                line = following.stdout.readline()
                assert line, before
                before.append(line)
            assert "done" not in before[-1]
            goes_on.set()
            after, _ = following.communicate(timeout=100)
    finally:
        goes_on.set()
        upload.join(30)
    assert following.returncode == 0, after
    assert "flow image.upload: done" in after
    # It has ended: one line for machines, and no waiting.
    (line,) = celaje("flow", "show", image, "--follow", "--json").splitlines()
    assert json.loads(line)[0]["outcome"] == "ok"
