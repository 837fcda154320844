"""The example configurations in etc/: every key is read by somebody, every value is one of its type."""

from pathlib import Path

import pytest
import yaml

from celaje.assembly import SERVICES
from celaje.process import PORTS, Configurations, Process

ETC = Path(__file__).parents[1] / "etc"
FILES = [str(ETC / "celaje.conf"), str(ETC / "{service}.conf")]


@pytest.mark.parametrize("service", SERVICES)
def test_a_services_files_are_read_whole(service):
    process = Process([f"{service}.api"], Configurations(FILES))
    assert process.unknown_keys() == []
    assert process.address() == ("0.0.0.0", PORTS[service])
    assert len(process.configuration(service).loaded_files) == 2


def test_the_balancer_has_every_api_at_its_port():
    text = (ETC / "haproxy.cfg").read_text()
    for service, port in PORTS.items():
        assert f"listen {service}\n    bind :{port}\n" in text
        assert text.count(f":{port}") == 3, f"two of {service}"


def test_timeouts_are_longer_from_the_inside_out():
    conf = Configurations(FILES)
    volume = conf.of("volume")
    balancer = 120
    assert f"timeout server {balancer}s" in (ETC / "haproxy.cfg").read_text()
    # A worker's call, the API that waits for it, the other service that asked, its API, the balancer.
    own = volume.keystone_authtoken.http_connect_timeout
    compute = conf.of("compute").api_wait_timeout
    assert volume.rpc_response_timeout < volume.attachment_wait_timeout < own < compute < balancer


def test_the_clients_file_is_yaml():
    clouds = yaml.safe_load((ETC / "clouds.yaml").read_text())
    assert clouds["clouds"]["celaje"]["auth"]["auth_url"].endswith("/v3")
