"""Who keeps the keys of encrypted volumes: the database, sealed, or the configuration."""

import pytest
from tests.volume.test_encryption import made, new_type, passphrase

from celaje.common.errors import ConfigurationError
from celaje.volume.keys.base import KeyLost, KeyManagerError
from celaje.volume.keys.fixed import KEY_ID


def test_one_fixed_key_for_all(lab, settled):
    lab.overrides |= {("key_manager", "backend"): "fixed_key", ("key_manager", "fixed_key"): "AB" * 32}
    lab.start()
    volumes = lab.client()
    new_type(lab, "secret")
    for _ in range(2):
        volume = made(volumes, settled, volume_type="secret")
        assert volume["encryption_key_id"] == KEY_ID
    assert passphrase(lab, KEY_ID) == "ab" * 32
    assert made(volumes, settled, source_volid=volume["id"])["encryption_key_id"] == KEY_ID
    with pytest.raises(KeyLost):
        passphrase(lab, "somebody else's")


@pytest.mark.parametrize(
    "values",
    [
        {"backend": "fixed_key"},
        {"backend": "fixed_key", "fixed_key": "not hexadecimal"},
        {"backend": "barbican"},
        {"backend": "os.path.join"},
    ],
)
def test_what_cannot_keep_keys_is_told_at_start(lab, values):
    lab.overrides |= {("key_manager", key): value for key, value in values.items()}
    with pytest.raises(ConfigurationError, match="key_manager"):
        lab.start()
    lab.service = None


def test_a_key_belongs_to_its_project(lab, volumes):
    keys, database = lab.service.keys, lab.service.database
    key_id = database.write(keys.create, "mine", 128)
    assert len(passphrase(lab, key_id)) == 32
    with pytest.raises(KeyManagerError):
        database.write(lambda tx: keys.copy(tx, key_id, owner="yours", project_id="yours"))
    database.write(keys.delete, key_id)
    database.write(keys.delete, key_id)
    with pytest.raises(KeyLost):
        passphrase(lab, key_id)


def test_another_key_file_opens_nothing(lab, volumes):
    service = lab.service
    key_id = service.database.write(service.keys.create, "mine", 256)
    service.stop(grace=1)
    (lab.state / "encryption.key").unlink()
    lab.start()
    with pytest.raises(KeyLost, match="sealed with another key"):
        passphrase(lab, key_id)
