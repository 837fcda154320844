"""`[oslo_policy]` decides in a running service: policy_file, policy_dirs, enforce_scope."""

import pytest

from celaje.common.policy import PolicyError
from celaje.common.service import base
from tests.cloud import Client, LabCloud, until


@pytest.fixture
def cloud(tmp_path, monkeypatch):
    """cloud(text of celaje.conf) -> a volume service behind identity, with files beside the configuration."""
    monkeypatch.setattr(base, "POLICY_EVERY", 0.05)
    started = []

    def start(text="", service="volume"):
        file = tmp_path / "celaje.conf"
        file.write_text(text)
        made = LabCloud.at(tmp_path / "state", services=("identity", service), files=[file])
        started.append(made)
        return made.begin()

    yield start
    for one in started:
        one.stop(grace=5)


def status(cloud, user="demo"):
    return cloud.as_user("volume", user, user).get("/v3/types").status


def test_rules_of_policy_file_beside_the_configuration_are_in_force(cloud, tmp_path):
    (tmp_path / "my-volume.yaml").write_text('"volume_extension:type_get_all": "role:admin"\n')
    running = cloud("[oslo_policy]\npolicy_file = my-{service}.yaml\n")
    assert (status(running), status(running, "admin")) == (403, 200)


def test_without_a_line_it_is_the_services_own_file_and_a_change_counts_soon(cloud, tmp_path):
    running = cloud()
    assert status(running) == 200
    (tmp_path / "volume-policy.yaml").write_text('"volume_extension:type_get_all": "!"\n')
    until(lambda: status(running, "admin") == 403)
    (tmp_path / "volume-policy.yaml").unlink()
    until(lambda: status(running) == 200)


def test_policy_dirs_win(cloud, tmp_path):
    folder = tmp_path / "rules" / "volume"
    folder.mkdir(parents=True)
    (folder / "a.yaml").write_text('"volume_extension:type_get_all": "role:admin"\n')
    (tmp_path / "volume-policy.yaml").write_text('"volume_extension:type_get_all": "@"\n')
    running = cloud("[oslo_policy]\npolicy_dirs = rules/{service}\n")
    assert status(running) == 403


@pytest.mark.parametrize(("enforced", "expected"), [("true", 403), ("false", 200)])
def test_enforce_scope(cloud, enforced, expected):
    running = cloud(f"[oslo_policy]\nenforce_scope = {enforced}\n", "placement")
    user = {"name": "admin", "domain": {"id": "default"}, "password": running.secrets.password("admin")}
    identity = {"methods": ["password"], "password": {"user": user}}
    body = {"auth": {"identity": identity, "scope": {"system": {"all": True}}}}
    login = running.anonymous("identity").post("/v3/auth/tokens", body)
    login.ok(201)
    placement = Client(running.transport_to("placement"), login.headers["x-subject-token"])
    # Its rules are meant for projects' tokens.
    assert placement.get("/resource_providers").status == expected


def test_a_rule_that_the_service_does_not_have_keeps_it_from_starting(cloud, tmp_path):
    (tmp_path / "volume-policy.yaml").write_text('"volume:creat": "@"\n')
    with pytest.raises(PolicyError, match=r"volume:creat .*volume-policy.yaml.*Did you mean volume:create"):
        cloud()
