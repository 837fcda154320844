"""Many requests at once through two APIs on one database: no quota is exceeded, and usage equals the rows.

On SQLite requests are written one after the other anyway; `make test-databases` runs this on the others.
"""

import itertools
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.volume.conftest import Client

from celaje.common.rest import InProcessTransport
from celaje.volume.db.tables import BACKUPS, GROUPS, SNAPSHOTS, VOLUMES

ASKED = 8


@pytest.fixture
def apis(lab, volumes):
    """Clients of one project at two APIs. The second one has no other part of the service."""
    other = lab.make(parts=("api",))
    second = Client(InProcessTransport(lambda: other.api), volumes.token, volumes.project_id)
    yield [volumes, second]
    other.stop()


@pytest.fixture
def admin(lab):
    return lab.client("admin")


@pytest.fixture
def limit(admin, volumes):
    def limit(**limits):
        path = f"/os-quota-sets/{volumes.project_id}"
        assert admin.put(path, {"quota_set": limits}).status == 200

    return limit


@pytest.fixture
def used(lab, admin, volumes):
    """What the API says is used, which must be what the rows say."""

    def used():
        told = admin.get(f"/os-quota-sets/{volumes.project_id}?usage=true").body["quota_set"]
        database = lab.service.database

        def rows(table):
            found = database.read(lambda tx: tx.execute(table.select()).mappings().all())
            return [row for row in found if row["project_id"] == volumes.project_id]

        held, shot = rows(VOLUMES), rows(SNAPSHOTS)
        assert told["volumes"]["in_use"] == len(held)
        assert told["snapshots"]["in_use"] == len(shot)
        sizes = [row["pending_size"] or row["size"] for row in held]
        assert told["gigabytes"]["in_use"] == sum(sizes) + sum(row["volume_size"] for row in shot)
        assert told["backups"]["in_use"] == len(rows(BACKUPS))
        assert told["backup_gigabytes"]["in_use"] == sum(row["size"] for row in rows(BACKUPS))
        assert told["groups"]["in_use"] == len(rows(GROUPS))
        names = {row["id"]: row["name"] for row in admin.get("/types").body["volume_types"]}
        by_type = Counter(names[row["volume_type_id"]] for row in held)
        for name in names.values():
            assert told[f"volumes_{name}"]["in_use"] == by_type[name]
        return {name: entry["in_use"] for name, entry in told.items() if isinstance(entry, dict)}

    return used


def at_once(apis, requests):
    """Each of `requests(client)` begins together with the others, every other one at the second API."""
    requests = list(requests)
    together = threading.Barrier(len(requests))
    places = itertools.cycle(apis)

    def one(pair):
        client, request = pair
        together.wait(30)
        return request(client)

    with ThreadPoolExecutor(len(requests)) as pool:
        return list(pool.map(one, [(next(places), request) for request in requests]))


def granted(answers, refusal=413):
    assert {answer.status for answer in answers} <= {202, 200, refusal}, [each.words for each in answers]
    return [answer for answer in answers if answer.status != refusal]


def many(request):
    return [request] * ASKED


def new_volume(size=1, **fields):
    return lambda client: client.post("/volumes", {"volume": {"size": size, **fields}})


def made(apis, settled, number, **fields):
    found = [apis[0].create(**fields)["id"] for _ in range(number)]
    for volume_id in found:
        settled(volume_id)
    return found


def test_volumes(apis, limit, used):
    limit(volumes=3)
    assert len(granted(at_once(apis, many(new_volume())))) == 3
    assert used()["volumes"] == 3


def test_gigabytes(apis, limit, used):
    limit(gigabytes=7)
    assert len(granted(at_once(apis, many(new_volume(2))))) == 3
    assert used()["gigabytes"] == 6


def test_gigabytes_of_volumes_that_are_made_and_extended(apis, limit, used, settled):
    there = made(apis, settled, 4, size=1)
    limit(gigabytes=10)
    extend = [lambda client, one=one: client.act(one, "os-extend", {"new_size": 3}) for one in there]
    answers = at_once(apis, [*extend, *[new_volume(2)] * 4])
    assert len(granted(answers)) == 3
    assert used()["gigabytes"] == 10


def test_the_volumes_of_a_type(apis, admin, limit, used):
    admin.post("/types", {"volume_type": {"name": "rare"}})
    limit(volumes_rare=2, gigabytes_rare=10)
    assert len(granted(at_once(apis, many(new_volume(volume_type="rare"))))) == 2
    assert used()["volumes_rare"] == 2


def test_the_gigabytes_of_a_type(apis, admin, limit, used):
    admin.post("/types", {"volume_type": {"name": "rare"}})
    limit(gigabytes_rare=5)
    assert len(granted(at_once(apis, many(new_volume(2, volume_type="rare"))))) == 2
    assert used()["gigabytes_rare"] == 4


def test_volumes_that_become_of_a_type_and_are_made_of_it(apis, admin, limit, used, settled):
    """A retype that is under way counts among the volumes of the type that it leads to."""
    admin.post("/types", {"volume_type": {"name": "rare"}})
    there = made(apis, settled, 4, size=1)
    limit(volumes_rare=3)
    retype = [lambda client, one=one: client.act(one, "os-retype", {"new_type": "rare"}) for one in there]
    answers = at_once(apis, [*retype, *[new_volume(volume_type="rare")] * 4])
    assert len(granted(answers)) == 3
    for volume_id in there:
        settled(volume_id)
    assert used()["volumes_rare"] == 3


def test_snapshots(apis, limit, used, settled):
    there = made(apis, settled, 4, size=1)
    limit(snapshots=3)
    requests = [
        lambda client, one=one: client.post("/snapshots", {"snapshot": {"volume_id": one}})
        for one in there * 2
    ]
    assert len(granted(at_once(apis, requests))) == 3
    assert used()["snapshots"] == 3


def test_gigabytes_of_snapshots_and_volumes(apis, limit, used, settled):
    there = made(apis, settled, 2, size=2)
    limit(gigabytes=9)
    snapshots = [
        lambda client, one=one: client.post("/snapshots", {"snapshot": {"volume_id": one}})
        for one in there * 2
    ]
    assert len(granted(at_once(apis, [*snapshots, *[new_volume(2)] * 4]))) == 2
    assert used()["gigabytes"] == 8


@pytest.mark.parametrize(("limits", "most"), [({"backups": 3}, 3), ({"backup_gigabytes": 4}, 2)])
def test_backups(apis, limit, used, settled, limits, most):
    there = made(apis, settled, 6, size=2)
    limit(**limits)
    requests = [
        lambda client, one=one: client.post("/backups", {"backup": {"volume_id": one}}) for one in there
    ]
    assert len(granted(at_once(apis, requests))) == most
    assert used()["backups"] == most


def test_groups(apis, admin, limit, used):
    kind = admin.post("/group_types", {"group_type": {"name": "k"}}).body["group_type"]["id"]
    volume_type = admin.post("/types", {"volume_type": {"name": "t"}}).body["volume_type"]["id"]
    limit(groups=3)
    body = {"group": {"group_type": kind, "volume_types": [volume_type]}}
    assert len(granted(at_once(apis, many(lambda client: client.post("/groups", body))))) == 3
    assert used()["groups"] == 3


def test_a_copied_group_counts_as_a_whole(apis, admin, limit, used, settled, until):
    """Volumes of two types: each has room by itself, both together have none."""
    kind = admin.post("/group_types", {"group_type": {"name": "k"}}).body["group_type"]["id"]
    types = [
        admin.post("/types", {"volume_type": {"name": name}}).body["volume_type"]["id"]
        for name in ("one", "two")
    ]
    client = apis[0]
    group = client.post("/groups", {"group": {"group_type": kind, "volume_types": types}}).body["group"]["id"]
    until(lambda: client.get(f"/groups/{group}").body["group"]["status"] == "available")
    for volume_type in types:
        settled(client.create(2, volume_type=volume_type, group_id=group)["id"])
    copy = {"create-from-src": {"source_group_id": group}}
    for limits in ({"volumes": 3, "gigabytes": 100}, {"volumes": 100, "gigabytes": 7}):
        limit(**limits)
        assert client.post("/groups/action", copy).status == 413, limits
    assert used()["volumes"] == 2


def test_transfers_into_a_project(lab, apis, admin, settled):
    """The taker's quota, not the giver's; by both APIs."""
    there = made(apis, settled, 6, size=1)
    offers = [
        apis[0].post("/volume-transfers", {"transfer": {"volume_id": one}}).body["transfer"] for one in there
    ]
    stranger = lab.client("stranger")
    second = Client(apis[1].transport, stranger.token, stranger.project_id)
    admin.put(f"/os-quota-sets/{stranger.project_id}", {"quota_set": {"volumes": 2}})
    requests = [
        lambda client, offer=offer: client.post(
            f"/volume-transfers/{offer['id']}/accept", {"accept": {"auth_key": offer["auth_key"]}}
        )
        for offer in offers
    ]
    assert len(granted(at_once([stranger, second], requests))) == 2
    assert len(stranger.get("/volumes").body["volumes"]) == 2
    assert len(apis[0].get("/volumes").body["volumes"]) == 4
