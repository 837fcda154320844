"""The journals of a cluster are found by the files that its services are started with."""

import pytest
from click.testing import CliRunner

from celaje.assembly import service_class
from celaje.cli.flow import command
from celaje.common.db import Database
from celaje.common.db.schema import sync
from celaje.common.errors import ConfigurationError
from celaje.journals.sources import configured


@pytest.fixture
def files(tmp_path):
    """As `celaje service` takes them: one for all, one for each service, of which some need none."""
    url = f"sqlite:///{tmp_path}/volume.db"
    declared = service_class("volume")
    database = Database(url, service="volume")
    sync(database, "volume", declared.metadata, declared.migrations)
    database.close()
    (tmp_path / "celaje.conf").write_text(f"[DEFAULT]\nstate_path = {tmp_path}\n")
    (tmp_path / "volume.conf").write_text(f"[database]\nconnection = {url}\n")
    return [tmp_path / "celaje.conf", tmp_path / "{service}.conf"]


def test_a_name_with_service_stands_for_each(files):
    journals = configured(files, [])
    try:
        assert list(journals._databases) == ["volume"]
    finally:
        journals.close()


def test_the_command_takes_the_same_files_as_the_services(files):
    words = [word for file in files for word in ("--config-file", str(file))]
    done = CliRunner().invoke(command, ["list", *words])
    assert done.exit_code == 0, done.output


def test_a_file_that_is_named_must_be_there(files, tmp_path):
    with pytest.raises(ConfigurationError):
        configured([tmp_path / "missing.conf"], [])
