"""Log lines in both forms, their context, and that no secret gets through."""

import io
import json
import logging
import logging.handlers
import os

import pytest

from celaje.common import clock, conf, log
from celaje.common.context import RequestContext, Step, using
from celaje.common.errors import ConfigurationError

CONTEXT = RequestContext(request_id="req-1", user_id="u1", project_id="p1", step=Step("f1", 3, 2))


@pytest.fixture
def configured(tmp_path):
    """Sets logging up on a stream or file and puts the process's logging back afterwards."""
    root = logging.getLogger()
    names = ["", "celaje", "sqlalchemy"]
    levels = {name: logging.getLogger(name).level for name in names}
    handlers = list(root.handlers)

    def configured(stream=None, **values):
        loaded = conf.load("volume", {}, overrides={(None, key): value for key, value in values.items()})
        log.setup(loaded, stream)
        return stream

    with clock.installed(clock.VirtualClock()):
        yield configured
    for handler in root.handlers:
        if handler not in handlers:
            handler.close()
    root.handlers[:] = handlers
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def test_a_plain_line_tells_time_level_logger_and_who(configured):
    out = configured(io.StringIO())
    with using(CONTEXT):
        log.get("celaje.volume.api").info("made %s of %d", "v1", 5)
    log.get("volume").warning("alone")
    with using(RequestContext(request_id="req-2")):
        log.get("volume").warning("anonymous")
    assert out.getvalue().splitlines() == [
        "2026-01-01 00:00:00.000 INFO celaje.volume.api [req-1 u1 p1 flow=f1 step=3] made v1 of 5",
        "2026-01-01 00:00:00.000 WARNING celaje.volume [-] alone",
        "2026-01-01 00:00:00.000 WARNING celaje.volume [req-2 - -] anonymous",
    ]


def test_a_json_line_has_the_context_as_fields(configured):
    out = configured(io.StringIO(), use_json=True)
    with using(CONTEXT):
        log.get("volume").info("two\nlines of %s", {"password": "hunter2"})
    assert json.loads(out.getvalue()) == {
        "time": "2026-01-01T00:00:00.000000Z",
        "level": "INFO",
        "logger": "celaje.volume",
        "message": "two\nlines of {'password': '***'}",
        "request_id": "req-1",
        "user_id": "u1",
        "project_id": "p1",
        "flow": "f1",
        "step": 3,
        "attempt": 2,
    }
    assert out.getvalue().count("\n") == 1


@pytest.mark.parametrize("use_json", [False, True])
def test_a_traceback_is_written_without_its_secrets(configured, use_json):
    out = configured(io.StringIO(), use_json=use_json)
    try:
        raise ValueError("cannot reach amqp://guest:hunter2@broker:5672/")
    except ValueError:
        log.get("volume").exception("failed")
    assert "ValueError" in out.getvalue()
    assert "guest:***@broker" in out.getvalue()
    assert "hunter2" not in out.getvalue()


def test_debug_is_for_celaje_only(configured):
    out = configured(io.StringIO(), debug=True)
    log.get("volume").debug("seen")
    logging.getLogger("elsewhere").debug("unseen")
    logging.getLogger("sqlalchemy.engine").info("unseen")
    configured(out)
    log.get("volume").debug("unseen")
    assert out.getvalue().splitlines() == ["2026-01-01 00:00:00.000 DEBUG celaje.volume [-] seen"]


def test_setting_up_twice_writes_once(configured):
    configured(io.StringIO())
    out = configured(io.StringIO())
    log.get("volume").info("once")
    assert out.getvalue().count("once") == 1


def test_a_client_cannot_forge_a_line(configured):
    out = configured(io.StringIO())
    log.get("volume").info("name %s", "x\n2026-01-01 00:00:00.000 INFO celaje.identity [-] admin\rlogged in")
    assert out.getvalue().count("\n") == 1
    assert "\r" not in out.getvalue()


def test_a_file_and_its_rotation(configured, tmp_path):
    configured(log_file="volume.log", log_dir=str(tmp_path))
    path = tmp_path / "volume.log"
    log.get("volume").info("first")
    os.rename(path, tmp_path / "volume.log.1")
    log.get("volume").info("second")
    assert "second" in path.read_text()
    assert "first" not in path.read_text()
    with pytest.raises(ConfigurationError, match="absent"):
        configured(log_file="volume.log", log_dir=str(tmp_path / "absent"))


def test_arguments_that_do_not_fit_neither_raise_nor_leak(configured, capsys):
    out = configured(io.StringIO())
    log.get("volume").info("password=%s %d", "hunter2")
    log.get("volume").info("no place", {"a": 1}, "hunter2")
    assert "do not fit" in out.getvalue()
    assert "hunter2" not in out.getvalue() + "".join(capsys.readouterr())


def test_other_handlers_get_masked_records(configured):
    other = logging.handlers.BufferingHandler(10)
    logging.getLogger().addHandler(other)
    configured(io.StringIO())
    log.get("volume").info("X-Auth-Token: %s", "hunter2")
    log.get("volume").info("%(password)s for %(name)s", {"password": "hunter2", "name": "n"})
    assert [record.getMessage() for record in other.buffer] == ["X-Auth-Token: ***", "*** for n"]


@pytest.mark.parametrize(
    "text",
    [
        "password=hunter2",
        "password = 'hunter2 with spaces hunter2'",
        "Password: hunter2, user: u",
        '{"adminPass": "hunter2", "name": "n"}',
        '{"adminPass":"hun\\"ter2 hunter2"}',
        "{'auth': {'password': 'hunter2'}}",
        '{"body": "{\\"password\\": \\"hunter2\\"}"}',
        "{'passwords': ['hunter2', 'hunter2']}",
        "{'secret_number': 1, 'secret': hunter2}",
        "{b'password': b'hunter2'}",
        "('X-Auth-Token', 'hunter2')",
        "['--os-password', 'hunter2']",
        "mount --secret hunter2 /dev/x",
        "X-Auth-Token: hunter2",
        "X-Subject-Token=hunter2",
        "x-service-token: 'hunter2'",
        "headers {'Authorization': 'Bearer hunter2hunter2'}",
        "Authorization: Basic aHVudGVyMg==hunter2",
        "curl -H 'authorization: bearer hunter2hunter2'",
        "rabbit://u:hunter2@one:5672,u:hunter2@two:5672/vhost",
        "transport_url = rabbit://u:hunter2@one:5672//",
        "mysql+pymysql://u:hun:ter2hunter2@db/x?charset=utf8",
        "redis://:hunter2@host",
        "url='ftp://u:it'hunter2@host/x'",
        "https://h/v1/a/c/o?temp_url_sig=hunter2&temp_url_expires=5",
        "GET /v3?token=hunter2&x=1",
        "gAAAAABhunter2hunter2hunter2hunter2hunter2hunter2hunter2==",
        "-----BEGIN RSA PRIVATE KEY-----\nhunter2\nhunter2\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\\nhunter2 cut off",
        "auth_key=hunter2 secret_key: hunter2 key=hunter2",
        "token_id: hunter2",
        "db_pass=hunter2",
        "temp-url-sig : hunter2",
        "pass: hunter2",
        "Cookie: hunter2",
    ],
)
def test_secrets_are_masked(text):
    assert "hunter2" not in log.mask(text)
    assert "***" in log.mask(text)


@pytest.mark.parametrize(
    "text",
    [
        "volume v1 is available",
        "sort_key=name, public_key: ssh-rsa AAAA, routing_key=volume.host",
        "keypair: mine, key_name=mine, encryption_key_id=5, compass=north, tokens_left = 3",
        "http://127.0.0.1:8776/v3/p1/volumes?limit=2",
        "https://user@host:5000/v3",
        "the password was changed",
        "2 passed, designated host",
        "basic auth is off",
    ],
)
def test_harmless_text_stays(text):
    assert log.mask(text) == text


def test_data_is_masked_by_field_name():
    data = {
        "user": "u",
        "adminPass": "x",
        "nested": [{"secret": {"a": 1}}, ("token=abc", 5)],
        "access_token": None,
        5: b"raw",
    }
    assert log.masked(data) == {
        "user": "u",
        "adminPass": "***",
        "nested": [{"secret": "***"}, ("token=***", 5)],
        "access_token": None,
        5: b"raw",
    }
    assert data["adminPass"] == "x"


@pytest.mark.timeout(60)
def test_masking_a_long_text_does_not_blow_up():
    """Linear: well under a second. Quadratic: minutes, which the time limit ends."""
    text = "key" * 100_000 + " password=hunter2 " + "a.b-" * 100_000 + "'" * 5000 + "http://" * 5000
    assert "hunter2" not in log.mask(text)
