"""Data that a real guest wrote, looked at after everything that a cloud does with volumes."""

import json

import pytest
from tests.volume.content import head_of
from tests.volume.guests import CINDER, LUKS_HEADER, NOVA, PLAIN, until

pytestmark = [pytest.mark.guest, pytest.mark.data, pytest.mark.timeout(900), pytest.mark.xdist_group("guest")]


@pytest.mark.parametrize("backend", ["near", "far", "over"])
def test_data_survives_whatever_is_done_with_its_volume(world, servers, backend):
    one, two = servers
    volume_id = world.new_volume(volume_type=backend)
    disk = world.attach(one, volume_id)
    written = world.shell(one).fill(disk)
    world.detach(one, volume_id)

    # Attached to another server.
    disk = world.attach(two, volume_id)
    assert world.shell(two).digest(disk) == written
    world.detach(two, volume_id)

    # Snapshot, then other data, then volumes from the snapshot and of the volume.
    snapshot_id = world.snapshot(volume_id)
    disk = world.attach(one, volume_id)
    later = world.shell(one).fill(disk)
    assert later != written
    world.detach(one, volume_id)
    from_snapshot = world.new_volume(snapshot_id=snapshot_id, size=2)
    clone = world.new_volume(source_volid=volume_id)
    for copy, content, size in ((from_snapshot, written, 2), (clone, later, 1)):
        disk = world.attach(two, copy)
        assert world.shell(two).digest(disk) == content
        assert world.shell(two).size(disk) == size << 30
        world.detach(two, copy)


@pytest.mark.parametrize("backend", ["near", "far", "over"])
def test_backups_give_back_what_a_guest_wrote(world, servers, backend):
    one, two = servers
    volume_id = world.new_volume(volume_type=backend)
    disk = world.attach(one, volume_id)
    first = world.shell(one).fill(disk)
    full = world.backup(volume_id, force=True)
    second = world.shell(one).fill(disk)
    world.detach(one, volume_id)
    later = world.backup(volume_id, incremental=True)
    disk = world.attach(one, volume_id)
    world.shell(one).fill(disk)
    world.detach(one, volume_id)
    restored = [(world.restore(full), first), (world.restore(later, volume_id=volume_id), second)]
    for copy, content in restored:
        disk = world.attach(two, copy)
        assert world.shell(two).digest(disk) == content
        world.detach(two, copy)


@pytest.mark.parametrize("backend", ["near", "far", "over"])
def test_extended_under_a_guest_that_writes(world, servers, backend):
    one, _ = servers
    volume_id = world.new_volume(volume_type=backend)
    disk = world.attach(one, volume_id)
    shell = world.shell(one)
    written = shell.fill(disk)
    for size in (2, 3):
        world.action(volume_id, "os-extend", {"new_size": size})
        world.settled("volumes", volume_id, "in-use")
        until(lambda size=size: shell.size(disk) == size << 30, 60, f"{size} GiB in the guest")
        assert shell.digest(disk) == written
        shell.run(f"dd if=/run/stream of={disk} bs=1M seek={size * 1024 - 16} conv=fsync")
        assert shell.digest(disk) == written
    world.detach(one, volume_id)


@pytest.mark.parametrize("kind", ["any", "any-secret"])
def test_data_survives_migration_between_back_ends(world, servers, kind):
    """Plain and encrypted, to every back end and on to the next."""
    one, two = servers
    volume_id = world.new_volume(volume_type=kind)
    disk = world.attach(one, volume_id)
    written = world.shell(one).fill(disk)
    world.detach(one, volume_id)
    pools = [pool["name"] for pool in world.volume.get("/v3/scheduler-stats/get_pools").ok()["pools"]]
    here = world.show(volume_id)["os-vol-host-attr:host"]
    assert len(pools) == 3
    for pool in [*(each for each in pools if each != here), here]:
        world.action(volume_id, "os-migrate_volume", {"host": pool})

        def moved(pool=pool):
            found = world.show(volume_id)
            assert found["migration_status"] != "error", (found, world.messages())
            return found["status"] == "available" and found["os-vol-host-attr:host"] == pool

        until(moved, 120, f"the volume at {pool}")
        disk = world.attach(two, volume_id)
        assert world.shell(two).digest(disk) == written
        world.detach(two, volume_id)


@pytest.mark.parametrize("backend", ["near", "far", "over"])
def test_snapshot_and_clone_while_a_guest_has_the_volume_open(world, servers, backend):
    one, two = servers
    volume_id = world.new_volume(volume_type=backend)
    disk = world.attach(one, volume_id)
    written = world.shell(one).fill(disk)
    snapshot_id = world.snapshot(volume_id)
    later = world.shell(one).fill(disk)
    clone = world.new_volume(source_volid=volume_id)
    restored = world.new_volume(snapshot_id=snapshot_id)
    for copy, content in ((restored, written), (clone, later)):
        other = world.attach(two, copy)
        assert world.shell(two).digest(other) == content
        world.detach(two, copy)
    assert world.shell(one).digest(disk) == later
    world.detach(one, volume_id)


@pytest.mark.parametrize("backend", ["far", "over"])
def test_a_daemon_that_dies_under_a_guest(world, servers, backend):
    """The guest's writes wait, and go on when the worker has brought the daemon back."""
    one, _ = servers
    volume_id = world.new_volume(volume_type=backend)
    disk = world.attach(one, volume_id)
    shell = world.shell(one)
    written = shell.fill(disk)
    driver = world.cloud.running["volume"].workers[backend].driver
    driver.daemon.kill()
    shell.run(f"(dd if=/run/stream of={disk} bs=1M seek=64 conv=fsync; echo ended $? > /run/outcome) &")
    driver.capabilities()
    until(lambda: "ended 0" in shell.run("cat /run/outcome 2>/dev/null"), 90, "the write")
    assert shell.digest(disk) == written
    world.detach(one, volume_id)


def test_connections_tell_no_secret_when_they_are_over(world, servers):
    """Keys of connections are in no log line, and no longer in the journal of flows that ended."""
    volume_id = world.new_volume(volume_type="far")
    world.attach(servers[0], volume_id)
    answer = world.volume.get("/v3/attachments/detail", headers=CINDER).ok()
    mine = [row for row in answer["attachments"] if row["volume_id"] == volume_id]
    key = mine[0]["connection_info"]["auth_password"]
    world.detach(servers[0], volume_id)
    for name in ("volume", "compute"):
        service = world.cloud.running[name]
        steps = service.flow_tables.steps
        rows = service.database.read(lambda tx, steps=steps: tx.execute(steps.select()).fetchall())
        assert key not in json.dumps([str(row) for row in rows]), name


@pytest.mark.parametrize("backend", ["near", "far", "over"])
def test_an_encrypted_volume_is_noise_to_all_but_its_guests(world, servers, backend):
    """In the clear in the guest, LUKS everywhere else: the back end's file, a copy of it, the services'
    rows."""
    one, two = servers
    volume_id = world.new_volume(volume_type=f"{backend}-secret")
    disk = world.attach(one, volume_id)
    shell = world.shell(one)
    assert shell.size(disk) == (1 << 30) - LUKS_HEADER
    written = shell.fill(disk)
    shell.run(f"yes {PLAIN} | head -c 1048576 | dd of={disk} bs=1M seek=16 conv=fsync 2>/dev/null; sync")
    snapshot_id = world.snapshot(volume_id)
    world.action(volume_id, "os-extend", {"new_size": 2})
    world.settled("volumes", volume_id, "in-use")
    until(lambda: shell.size(disk) == (2 << 30) - LUKS_HEADER, 60, "2 GiB in the guest")
    assert shell.digest(disk) == written
    world.detach(one, volume_id)
    copies = [
        world.new_volume(source_volid=volume_id, size=2),
        world.new_volume(snapshot_id=snapshot_id, size=2),
    ]
    driver = world.cloud.running["volume"].workers[backend].driver
    for each in (volume_id, *copies):
        head = head_of(driver, {"id": each}, world.cloud.state, 32 << 20)
        assert head.startswith(b"LUKS") and PLAIN.encode() not in head
        disk = world.attach(two, each)
        assert world.shell(two).digest(disk) == written
        assert PLAIN in world.shell(two).run(f"dd if={disk} bs=1M skip=16 count=1 2>/dev/null | head -n 1")
        world.detach(two, each)
    opened_with = world.passphrase(volume_id)
    for name in ("volume", "compute"):
        service = world.cloud.running[name]
        for table in service.metadata.sorted_tables:
            rows = service.database.read(lambda tx, table=table: tx.execute(table.select()).fetchall())
            assert opened_with not in json.dumps([str(row) for row in rows]), (name, table.name)


@pytest.mark.parametrize("backend", ["near", "far", "over"])
def test_a_volume_that_was_taken_from_a_running_guest_is_no_longer_its(world, servers, backend):
    """os-force_detach of a host that is said to be dead, and whose guest writes on. The last one: guest one's
    writes wait for a back end that does not answer it any more."""
    one, two = servers
    volume_id = world.new_volume(volume_type=backend)
    disk = world.attach(one, volume_id)
    written = world.shell(one).fill(disk)
    world.action(volume_id, "os-force_detach", {})
    world.settled("volumes", volume_id)
    if backend == "near":
        # A path is no session that could be ended: QEMU's lock on the file holds, and nobody else opens it.
        asked = {"volumeAttachment": {"volumeId": volume_id}}
        world.compute.post(f"/v2.1/servers/{two}/os-volume_attachments", asked, headers=NOVA).ok(200)
        until(lambda: not world.lists(two, volume_id), 120, "refused")
        world.settled("volumes", volume_id)
        assert world.shell(one).digest(disk) == written
        # The server that has it lets go, as its user asks; now another one may.
        world.detach(one, volume_id)
        until(lambda: not world.lists(one, volume_id), 120, "it has let go")
        disk = world.attach(two, volume_id)
        assert world.shell(two).digest(disk) == written
        world.detach(two, volume_id)
        return
    other = world.attach(two, volume_id)
    taken = world.shell(two).fill(other)
    world.shell(one).run(f"(dd if=/run/stream of={disk} bs=1M conv=fsync > /dev/null 2>&1) &")
    assert world.shell(two).digest(other) == taken
    world.detach(two, volume_id)
    other = world.attach(two, volume_id)
    assert world.shell(two).digest(other) == taken
    world.detach(two, volume_id)
