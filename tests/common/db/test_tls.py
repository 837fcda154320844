"""A database whose server speaks TLS: what the operator's URL says is kept."""

import shutil
import tempfile
from pathlib import Path

import pytest
from sqlalchemy import text

from celaje.common.db import Database
from celaje.common.db.errors import BadConnection
from tests.servers import mariadb, postgresql
from tests.servers.certificates import certificates
from tests.servers.shared import account

pytestmark = [pytest.mark.servers, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def folder():
    """Not one of pytest's: the servers run as users of their own."""
    folder = Path(tempfile.mkdtemp(prefix="celaje-tls-"))
    folder.chmod(0o755)
    certificates(folder)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def keep_for(user, folder, target):
    """The server reads its key as its own user, and nobody else may."""
    target.mkdir()
    for name in ("server.pem", "server.key", "ca.pem"):
        shutil.copy(folder / name, target)
        (target / name).chmod(0o600)
        if account(user):
            shutil.chown(target / name, user, user)


@pytest.fixture(scope="module")
def postgres(folder):
    """TCP sessions with TLS only."""
    place = folder / "postgresql"
    keep_for("postgres", folder, place)
    files = {"ssl_cert_file": "server.pem", "ssl_key_file": "server.key", "ssl_ca_file": "ca.pem"}
    settings = {"ssl": "on", **{name: str(place / file) for name, file in files.items()}}
    running = postgresql.make(place, settings=settings)
    postgresql.stop(running)
    rules = place / "data" / "pg_hba.conf"
    rules.write_text(
        "hostssl all withcertificate 127.0.0.1/32 trust clientcert=verify-ca\n"
        "hostnossl all all 127.0.0.1/32 reject\nhostssl all all 127.0.0.1/32 trust\n"
    )
    running = postgresql.start(place, running.port, settings)
    yield running
    postgresql.stop(running)


@pytest.fixture(scope="module")
def maria(folder):
    place = folder / "mariadb"
    keep_for("mysql", folder, place)
    words = {"cert": "server.pem", "key": "server.key", "ca": "ca.pem"}
    running = mariadb.make(
        place,
        settings=[
            "--require-secure-transport=1",
            *(f"--ssl-{key}={place / name}" for key, name in words.items()),
        ],
    )
    yield running
    mariadb.stop(running)


def ask(url, question):
    database = Database(url, pool_timeout=1.0)
    try:
        return database.read(lambda tx: tx.execute(text(question)).first())
    finally:
        database.close()


def refused(url, words):
    with pytest.raises(BadConnection, match=words):
        ask(url, "SELECT 1")


IN_USE = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"


def test_postgresql_verifies_who_it_speaks_to(postgres, folder):
    plain = postgresql.url(postgres)
    full = f"{plain}?sslmode=verify-full&sslrootcert={folder}/"
    assert ask(f"{full}ca.pem", IN_USE)[0] is True
    refused(f"{full}stranger-ca.pem", "certificate verify failed")
    # The certificate is for the address, not for this name of it.
    refused(f"{full}ca.pem".replace("127.0.0.1", "localhost", 1), "server certificate for")
    refused(f"{plain}?sslmode=disable", "pg_hba.conf rejects connection")


def test_postgresql_asks_for_a_certificate(postgres, folder):
    url = postgresql.url(postgres)
    database = Database(f"{url}?sslmode=require")
    database.write(lambda tx: tx.execute(text("CREATE ROLE withcertificate LOGIN")))
    database.close()
    own = url.replace("postgres@", "withcertificate@") + f"?sslmode=verify-full&sslrootcert={folder}/ca.pem"
    keys = folder / "keys"
    keys.mkdir()
    for name in ("client", "stranger"):
        shutil.copy(folder / f"{name}.key", keys)
        (keys / f"{name}.key").chmod(0o600)
    with_own = f"{own}&sslcert={folder}/client.pem&sslkey={keys}/client.key"
    assert ask(with_own, IN_USE)[0] is True
    refused(own, "requires a valid client certificate")
    refused(f"{own}&sslcert={folder}/stranger.pem&sslkey={keys}/stranger.key", "unknown ca")


def test_mariadb_verifies_who_it_speaks_to(maria, folder):
    plain = mariadb.url(maria)
    cipher = ask(f"{plain}?ssl_ca={folder}/ca.pem", "SHOW STATUS LIKE 'Ssl_cipher'")
    assert cipher[1]
    refused(f"{plain}?ssl_ca={folder}/stranger-ca.pem", "certificate verify failed")
    refused(
        f"{plain}?ssl_ca={folder}/ca.pem".replace("127.0.0.1", "localhost", 1), "certificate verify failed"
    )
    refused(f"{plain}?ssl_disabled=true", "Access denied|insecure transport")


def test_a_file_that_is_not_there_is_told(postgres, maria, folder):
    for url in (
        f"{postgresql.url(postgres)}?sslmode=verify-full&sslrootcert={folder}/nowhere.pem",
        f"{mariadb.url(maria)}?ssl_ca={folder}/nowhere.pem",
    ):
        with pytest.raises(BadConnection, match=r"nowhere\.pem|a file of its URL"):
            ask(url, "SELECT 1")
