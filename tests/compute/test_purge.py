"""Rows of servers that were deleted long ago are removed for good; younger ones and living ones stay."""

import datetime

from click.testing import CliRunner
from sqlalchemy import select
from tests.cloud import LabCloud, until
from tests.compute.lab import Lab
from tests.servers import databases

from celaje.cli.database import command
from celaje.common import clock
from celaje.compute.db.tables import SERVER_METADATA, SERVERS


def test_celaje_db_purge(tmp_path):
    cloud = LabCloud.at(tmp_path / "state").begin()
    try:
        lab = Lab(cloud)
        made = [
            lab.post(name=f"vm{number}", metadata={"a": "b"}).ok(202)["server"]["id"] for number in range(3)
        ]
        for server in made:
            until(lambda server=server: lab.show(server)["status"] == "ACTIVE")
        old, young, alive = made
        for server in (old, young):
            lab.user.delete(f"/v2.1/servers/{server}").ok(204)
            until(lambda server=server: lab.user.get(f"/v2.1/servers/{server}").status == 404)
        long_ago = clock.now() - datetime.timedelta(days=40)
        database = cloud.running["compute"].database
        database.write(
            lambda tx: tx.execute(SERVERS.update().where(SERVERS.c.id == old).values(deleted_at=long_ago))
        )
        # Beside the running cloud.
        url = databases.connection(tmp_path / "state", "compute")
        where = ["--service", "compute", "--connection", url] if url else ["--state", str(tmp_path / "state")]
        done = CliRunner().invoke(command, ["purge", "--days", "30", *where])
        assert (done.exit_code, done.output.split()) == (0, ["compute", "1", "removed"]), done.output
        for table, column in ((SERVERS, SERVERS.c.id), (SERVER_METADATA, SERVER_METADATA.c.server_id)):
            left = database.read(lambda tx, c=column: set(tx.execute(select(c)).scalars()))
            assert left == {young, alive}, table
        refused = CliRunner().invoke(command, ["purge", "--state", str(tmp_path / "state")])
        assert refused.exit_code == 2 and "--days" in refused.output
    finally:
        cloud.stop(5)
