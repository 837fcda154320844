"""Reads beside what the database and the encoder alone cost: one volume over HTTP, lists of a thousand."""

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import insert, select

from celaje.common import clock
from celaje.compute.db.tables import BLOCK_DEVICES, INTERFACES, SERVERS
from celaje.volume.db.tables import VOLUMES
from tests.bench.figures import Theme
from tests.bench.http_client import Connection, login_request, request
from tests.bench.lab import BenchLab
from tests.compute.lab import LATEST
from tests.conformance.running import RunningCloud, free_port

ROUNDS, TURNS = 200, 10
LISTED = 1000


def microseconds(function):
    begun = time.perf_counter()
    function()
    return (time.perf_counter() - begun) * 1e6


@pytest.fixture
def cloud(tmp_path):
    running = RunningCloud(tmp_path / "state", "fake")
    running.state.mkdir()
    running.start()
    yield running
    running.stop()


@pytest.fixture
def bare(cloud):
    port = free_port()
    process = subprocess.Popen(
        [
            str(Path(sys.executable).parent / "granian"), "--interface", "wsgi", "--port", str(port),
            "--blocking-threads", "16", "--no-log", "tests.bench.bare:app",
        ],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "CELAJE_BENCH_DATABASE": str(cloud.state / "volume" / "volume.db")},
    )  # fmt: skip
    end = time.monotonic() + 30
    while True:
        try:
            connection = Connection(port)
            break
        except OSError:
            assert time.monotonic() < end and process.poll() is None
            time.sleep(0.05)
    yield connection
    connection.close()
    process.terminate()
    process.wait(30)


@pytest.mark.bench
def test_one_volume_over_http(cloud, bare):
    ours = Connection(cloud.port)
    token = login(ours, cloud)
    headers = [("X-Auth-Token", token), ("OpenStack-API-Version", "volume 3.71")]
    body = msgspec.json.encode({"volume": {"size": 1, "name": "one"}})
    sent = [*headers, ("Content-Type", "application/json")]
    status, made = ours.ask(request("POST", "/volume/v3/volumes", sent, body))
    assert status == 202, made
    volume_id = msgspec.json.decode(made)["volume"]["id"]
    asked = request("GET", f"/volume/v3/volumes/{volume_id}", headers)
    asked_bare = request("GET", f"/{volume_id}")
    own, limit = [], []
    for _ in range(TURNS):
        # In turns, so that the machine's noise meets both.
        own += [microseconds(lambda: ours.ask(asked)) for _ in range(ROUNDS)]
        limit += [microseconds(lambda: bare.ask(asked_bare)) for _ in range(ROUNDS)]
    (status, shown), (bare_status, bare_shown) = ours.ask(asked), bare.ask(asked_bare)
    assert status == bare_status == 200
    assert msgspec.json.decode(shown)["volume"]["id"] == msgspec.json.decode(bare_shown)["volume"]["id"]
    ours.close()
    figure, floor = statistics.median(own), statistics.median(limit)
    with Theme("reads") as figures:
        figures.add(
            "GET one volume over HTTP",
            figure,
            "us",
            limit=floor,
            of="Core get-one + encode behind the same server",
            hold=">= 0.6 of its rate",
            held=floor / figure >= 0.6,
            note=f"{floor / figure:.2f} of its rate",
        )


def login(connection, cloud):
    password = msgspec.json.decode((cloud.state / "secrets.json").read_bytes())["admin"]
    status, head, _ = connection.ask_fully(login_request(password))
    assert status == 201
    lines = head.split(b"\r\n")
    return next(one for one in lines if one.lower().startswith(b"x-subject-token")).split(b": ")[1].decode()


@pytest.mark.bench
def test_a_thousand_servers(tmp_path):
    lab = BenchLab.at(tmp_path / "state", {})
    try:
        server = lab.create()
        multiply(lab, server)
        database = lab.service.database

        def listed():
            return lab.user.get("/v2.1/servers/detail", headers=LATEST).ok()["servers"]

        product = answered(lab.user, "/v2.1/servers/detail", LATEST)
        statement = select(SERVERS).order_by(SERVERS.c.created_at.desc(), SERVERS.c.id)

        def bare():
            with database.engine.connect() as connection:
                rows = [dict(row) for row in connection.execute(statement).mappings()]
            return msgspec.json.encode({"servers": [view(row) for row in rows]})

        compare(listed(), product, bare, database, "servers")
    finally:
        lab.cloud.stop(5)


@pytest.mark.bench
def test_a_thousand_volumes(tmp_path):
    lab = BenchLab.at(tmp_path / "state", {})
    try:
        lab.new_volume()
        database = lab.cloud.running["volume"].database

        def multiply_volume(tx):
            (row,) = [dict(one) for one in tx.execute(select(VOLUMES)).mappings()]
            tx.execute(insert(VOLUMES), [{**row, "id": clock.new_uuid()} for _ in range(LISTED - 1)])

        database.write(multiply_volume)
        product = answered(lab.volume, "/v3/volumes/detail", {"OpenStack-API-Version": "volume 3.71"})
        statement = select(VOLUMES).order_by(VOLUMES.c.created_at.desc(), VOLUMES.c.id)

        def bare():
            with database.engine.connect() as connection:
                rows = [dict(row) for row in connection.execute(statement).mappings()]
            return msgspec.json.encode({"volumes": [volume_view(row) for row in rows]})

        compare(msgspec.json.decode(product())["volumes"], product, bare, database, "volumes")
    finally:
        lab.cloud.stop(5)


def answered(client, path, headers):
    """Asks, and gives the bytes of the answer."""
    sent = {"X-Auth-Token": client.token, **headers}

    def ask():
        _, _, chunks = client._transport.send("GET", path, sent, None)
        return b"".join(chunks)

    return ask


def compare(shown, product, bare, database, what):
    """The list of the product beside the bare one, in turns."""
    assert len(shown) == LISTED
    mine = {one["id"]: one for one in msgspec.json.decode(bare())[what]}
    assert all(set(mine[one["id"]]) == set(one) for one in shown), "the bare view has the same keys"
    own, limit = [], []
    for _ in range(15):
        own.append(microseconds(product) / 1e3)
        limit.append(microseconds(bare) / 1e3)
    before = database.statements
    product()
    figure, floor = statistics.median(own), statistics.median(limit)
    with Theme("lists" if what == "servers" else f"lists_{what}") as figures:
        figures.add(
            f"GET 1000 {what} in detail",
            figure,
            "ms",
            limit=floor,
            of="Core select + plain view + encode",
            hold="<= 1.5 x",
            held=figure <= 1.5 * floor,
            note=f"{database.statements - before} statements, {len(product()) / 1024:.0f} KiB",
        )


def multiply(lab, server_id):
    """Rows as many servers have, made from those of one that was really made."""

    def unit(tx):
        (row,) = [dict(one) for one in tx.execute(select(SERVERS)).mappings()]
        assert row["id"] == server_id
        of_server = {
            table: [dict(one) for one in tx.execute(select(table)).mappings()]
            for table in (INTERFACES, BLOCK_DEVICES)
        }
        copies = [{**row, "id": clock.new_uuid()} for _ in range(LISTED - 1)]
        for copy in copies:
            copy["name"] = f"vm-{copy['id'][:8]}"
        tx.execute(insert(SERVERS), copies)
        for table, rows in of_server.items():
            more = [
                {**own, "server_id": copy["id"], "id": clock.new_uuid()} for copy in copies for own in rows
            ]
            if more:
                tx.execute(insert(table), more)

    lab.service.database.write(unit)


def view(row):
    """A plain dictionary of the same keys, from one row."""
    server_id, flavor = row["id"], row["flavor"]
    return {
        "id": server_id,
        "name": row["name"],
        "status": "ACTIVE",
        "tenant_id": row["project_id"],
        "user_id": row["user_id"],
        "metadata": {},
        "hostId": row["host"],
        "image": {
            "id": row["image_id"],
            "links": [{"rel": "bookmark", "href": f"/images/{row['image_id']}"}],
            "properties": {},
        },
        "flavor": {
            "vcpus": flavor["vcpus"],
            "ram": flavor["memory_mb"],
            "disk": flavor["root_gb"],
            "ephemeral": flavor["ephemeral_gb"],
            "swap": flavor["swap"],
            "original_name": flavor["name"],
            "extra_specs": flavor["extra_specs"],
        },
        "created": row["created_at"].isoformat(),
        "updated": row["updated_at"].isoformat(),
        "addresses": {},
        "accessIPv4": row["access_ip_v4"] or "",
        "accessIPv6": row["access_ip_v6"] or "",
        "links": [
            {"rel": "self", "href": f"/v2.1/servers/{server_id}"},
            {"rel": "bookmark", "href": f"/servers/{server_id}"},
        ],
        "OS-DCF:diskConfig": row["disk_config"],
        "progress": row["progress"],
        "OS-EXT-AZ:availability_zone": row["availability_zone"],
        "config_drive": row["config_drive"],
        "key_name": row["key_name"],
        "OS-SRV-USG:launched_at": row["launched_at"].isoformat(),
        "OS-SRV-USG:terminated_at": None,
        "OS-EXT-STS:task_state": row["task_state"],
        "OS-EXT-STS:vm_state": row["vm_state"],
        "OS-EXT-STS:power_state": row["power_state"],
        "os-extended-volumes:volumes_attached": [],
        "locked": row["locked"],
        "description": row["description"],
        "tags": [],
        "trusted_image_certificates": row["trusted_image_certificates"],
        "locked_reason": row["locked_reason"],
        "OS-EXT-SRV-ATTR:hostname": row["hostname"],
        "pinned_availability_zone": row["pinned_availability_zone"],
        "scheduler_hints": row["scheduler_hints"] or {},
    }


def volume_view(row):
    """The same for a volume, as an admin sees it."""
    volume_id = row["id"]
    return {
        "id": volume_id,
        "status": row["status"],
        "size": row["size"],
        "availability_zone": row["availability_zone"],
        "created_at": row["created_at"].isoformat(),
        "updated_at": row["updated_at"].isoformat(),
        "name": row["name"],
        "description": row["description"],
        "volume_type": row["volume_type_id"],
        "volume_type_id": row["volume_type_id"],
        "snapshot_id": row["snapshot_id"],
        "source_volid": row["source_volid"],
        "metadata": row["metadata"],
        "links": [
            {"rel": "self", "href": f"/v3/volumes/{volume_id}"},
            {"rel": "bookmark", "href": f"/volumes/{volume_id}"},
        ],
        "user_id": row["user_id"],
        "bootable": "true" if row["bootable"] else "false",
        "encrypted": row["encryption_key_id"] is not None,
        "replication_status": None,
        "consistencygroup_id": None,
        "group_id": row["group_id"],
        "multiattach": row["multiattach"],
        "attachments": [],
        "shared_targets": False,
        "service_uuid": row["service_uuid"],
        "consumes_quota": row["consumes_quota"],
        "os-vol-tenant-attr:tenant_id": row["project_id"],
    }
