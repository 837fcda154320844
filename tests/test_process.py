"""Processes from configuration files: which parts, which files, and what an operator can get wrong."""

import pytest

from celaje.common.errors import ConfigurationError
from celaje.process import Configurations, Process, named_parts


def write(folder, name, text):
    (folder / name).write_text(text)
    return str(folder / name)


def test_a_name_is_a_part_or_all_parts_of_a_service():
    assert named_parts(["volume.worker", "volume.api"]) == {"volume": ("api", "worker")}
    assert named_parts(["volume"]) == {"volume": ("api", "conductor", "scheduler", "worker", "backup")}
    assert named_parts(["compute.worker", "identity"]) == {"identity": ("api",), "compute": ("worker",)}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("storage.api", "There is no service storage; there are identity"),
        ("network.scheduler", "network has network.api, network.conductor, network.worker"),
        ("image.worker", "image has image.api"),
    ],
)
def test_what_there_is_not_is_told_with_what_there_is(name, words):
    with pytest.raises(ConfigurationError, match=words):
        named_parts([name])


def test_each_service_has_its_own_file_beside_the_shared_one(tmp_path):
    shared = write(tmp_path, "celaje.conf", "[DEFAULT]\nhost = one\n")
    write(tmp_path, "volume.conf", "[api]\nbind_port = 1234\n")
    conf = Configurations([shared, str(tmp_path / "{service}.conf")])
    assert (conf.of("volume").host, conf.of("volume").api.bind_port) == ("one", 1234)
    assert (conf.of("compute").host, conf.of("compute").api.bind_port) == ("one", None)


def test_a_file_that_is_named_must_be_there(tmp_path):
    with pytest.raises(ConfigurationError, match=r"missing\.conf"):
        Configurations([str(tmp_path / "missing.conf")]).of("volume")


def test_without_any_configuration_it_says_where_it_looked(tmp_path):
    with pytest.raises(ConfigurationError, match="There is no configuration for volume"):
        Configurations([str(tmp_path / "{service}.conf")]).of("volume")


def test_parts_that_others_must_reach_need_a_broker(tmp_path):
    file = write(tmp_path, "a.conf", f"[DEFAULT]\nstate_path = {tmp_path}\n")
    with pytest.raises(ConfigurationError, match="it must name a broker"):
        Process(["volume.worker"], Configurations([file])).bus_of("volume")


def test_a_service_that_speaks_to_others_needs_a_login(tmp_path):
    file = write(
        tmp_path, "a.conf", f"[DEFAULT]\nstate_path = {tmp_path}\ntransport_url = rabbit://127.0.0.1:1/\n"
    )
    with pytest.raises(ConfigurationError, match=r"\[keystone_authtoken\] auth_url and password"):
        Process(["volume.worker"], Configurations([file])).start()


def test_one_process_has_one_address(tmp_path):
    write(tmp_path, "volume.conf", "[api]\nbind_port = 1\n")
    write(tmp_path, "compute.conf", "[api]\nbind_port = 2\n")
    conf = Configurations([str(tmp_path / "{service}.conf")])
    with pytest.raises(ConfigurationError, match=r"volume 127\.0\.0\.1:1, compute 127\.0\.0\.1:2"):
        Process(["volume.api", "compute.api"], conf).address()
    assert Process(["volume.api", "compute.worker"], conf).address() == ("127.0.0.1", 1)


def test_a_database_without_tables_names_the_command(tmp_path):
    file = write(
        tmp_path,
        "a.conf",
        f"[DEFAULT]\nstate_path = {tmp_path}\n[database]\nconnection = sqlite:///{tmp_path}/{{service}}.db\n",
    )
    with pytest.raises(ConfigurationError, match="celaje db sync --service identity"):
        Process(["identity"], Configurations([file])).start()
