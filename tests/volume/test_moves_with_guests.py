"""A volume moves between real back ends while the guest that uses it writes on: not a byte may be missing.

The guest writes every block to its disk and to a file in its memory; what the disk gives back afterwards,
from the other back end and past the guest's own cache, must be what the file holds.
"""

import re

import pytest
from tests.cloud import until

pytestmark = [pytest.mark.guest, pytest.mark.data, pytest.mark.timeout(900), pytest.mark.xdist_group("guest")]

MEGABYTES = 16
BLOCKS = MEGABYTES * 16  # of 64 KiB
WRITER = """cat > /run/writer <<'EOF'
n=0
dd if=/dev/zero of=/run/copy bs=1M count={megabytes}
dd if=/dev/zero of={disk} bs=1M count={megabytes} conv=fsync
while [ ! -e /run/stop ]; do
  dd if=/dev/urandom of=/run/block bs=64k count=1
  dd if=/run/block of=/run/copy bs=64k seek=$((n * 7 % {blocks})) conv=notrunc
  dd if=/run/block of={disk} bs=64k seek=$((n * 7 % {blocks})) conv=notrunc,fsync || break
  n=$((n+1)); echo $n > /run/written
done
touch /run/ended
EOF"""


class Writer:
    """Writes in the guest until it is stopped."""

    def __init__(self, shell, disk):
        self._shell = shell
        self._disk = disk
        shell.run("rm -f /run/stop /run/ended /run/written")
        shell.run(WRITER.format(megabytes=MEGABYTES, blocks=BLOCKS, disk=disk))
        shell.run("sh /run/writer > /dev/null 2>&1 &")
        self.until_written(5)

    def written(self):
        said = self._shell.run("cat /run/written 2>/dev/null")
        found = re.search(r"^(\d+)$", said, re.MULTILINE)
        return int(found.group(1)) if found else 0

    def until_written(self, more):
        until(lambda: self.written() >= more, 60, f"{more} blocks")

    def stop(self):
        """The digest of what it wrote."""
        self._shell.run("touch /run/stop")
        until(
            lambda: "ENDED" in self._shell.run("test -e /run/ended && echo EN''DED"), 60, "the writer's end"
        )
        said = self._shell.run("sha256sum /run/copy")
        return re.search(r"\b([0-9a-f]{64})\b", said).group(1)


def pools(world):
    return [pool["name"] for pool in world.volume.get("/v3/scheduler-stats/get_pools").ok()["pools"]]


def volumes(world):
    return world.volume.get("/v3/volumes/detail").ok()["volumes"]


def moved(world, volume_id, pool):
    def look():
        found = world.show(volume_id)
        assert found["migration_status"] != "error", (found, world.messages())
        return found["migration_status"] == "success" and found["os-vol-host-attr:host"] == pool

    until(look, 180, f"the volume at {pool}")
    assert world.show(volume_id)["status"] == "in-use"


@pytest.mark.parametrize("kind", ["any", "any-secret"])
def test_a_guest_writes_while_its_volume_moves(world, servers, kind):
    """Plain and encrypted, from every back end to the next and home again."""
    one, two = servers
    others = len(volumes(world))
    volume_id = world.new_volume(volume_type=kind)
    disk = world.attach(one, volume_id)
    shell = world.shell(one)
    here = world.show(volume_id)["os-vol-host-attr:host"]
    for pool in [*(each for each in pools(world) if each != here), here]:
        writer = Writer(shell, disk)
        before = writer.written()
        world.action(volume_id, "os-migrate_volume", {"host": pool})
        moved(world, volume_id, pool)
        # It goes on, at the new place.
        writer.until_written(max(before, writer.written()) + 5)
        content = writer.stop()
        assert shell.digest(disk, MEGABYTES) == content
    # Nothing is left of the ways it went.
    until(lambda: len(volumes(world)) == others + 1, 60)
    world.detach(one, volume_id)
    disk = world.attach(two, volume_id)
    assert world.shell(two).digest(disk, MEGABYTES) == content
    world.detach(two, volume_id)
    world.volume.delete(f"/v3/volumes/{volume_id}").ok(202)
    until(lambda: world.volume.get(f"/v3/volumes/{volume_id}").status == 404, 60)


def test_a_guest_that_starts_anew_has_its_moved_volume(world, servers):
    """What the host keeps of the server names the new place."""
    one, _ = servers
    volume_id = world.new_volume(volume_type="any")
    disk = world.attach(one, volume_id)
    written = world.shell(one).fill(disk)
    here = world.show(volume_id)["os-vol-host-attr:host"]
    pool = next(each for each in pools(world) if each != here)
    world.action(volume_id, "os-migrate_volume", {"host": pool})
    moved(world, volume_id, pool)
    driver = world.cloud.running["compute"].compute_worker.driver
    server = {"uuid": one}
    driver.power_off(server)
    driver.power_on(server)
    world._shells.pop(one, None)
    until(lambda: driver.console_output(server).count("READY") >= 2, 180, "the second start")
    said = world.shell(one).run("grep -H . /sys/block/vd*/serial")
    disk = "/dev/" + re.search(rf"/sys/block/(vd\w+)/serial:{volume_id[:20]}", said).group(1)
    assert world.shell(one).digest(disk) == written
    world.detach(one, volume_id)
