"""Configuration: values as oslo.config has them, and line numbers, inheritance and unknown keys beside."""

import pytest
from oslo_config import cfg

from celaje.common import conf
from celaje.common.errors import ConfigurationError

OPTIONS: conf.Options = {
    None: [cfg.ListOpt("enabled_backends", default=[]), cfg.StrOpt("label", default="$state_path/x")],
    "volume": [
        cfg.IntOpt("create_deadline", default=600, min=1, help="Seconds."),
        cfg.StrOpt("old", deprecated_opts=[cfg.DeprecatedOpt("older", group="DEFAULT")]),
        cfg.IntOpt("secret_number", secret=True),
        cfg.MultiStrOpt("many"),
    ],
}
DRIVER = [
    cfg.StrOpt("volume_driver", required=True, help="What drives it."),
    cfg.IntOpt("latency", default=5),
    cfg.StrOpt("pool", default="rbd"),
    cfg.StrOpt("host"),
]


@pytest.fixture
def write(tmp_path):
    def write(text, name="celaje.conf"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return str(path)

    return write


def load(*files, **more):
    return conf.load("volume", OPTIONS, files, **more)


def test_values_and_defaults_by_attribute(write):
    loaded = load(write("[DEFAULT]\ndebug = yes\nstate_path=/s\n[volume]\ncreate_deadline: 7\n"))
    assert (loaded.debug, loaded.DEFAULT.debug, loaded.label) == (True, True, "/s/x")
    assert (loaded.volume.create_deadline, loaded.database.pool_timeout) == (7, 30)
    assert loaded.service.report_interval == 10
    with pytest.raises(AttributeError):
        _ = loaded.volume.nothing
    with pytest.raises(AttributeError):
        _ = loaded.nothing


def test_two_services_do_not_share_values(write):
    first, second = load(), load()
    first.set("volume", "create_deadline", 1)
    assert (first.volume.create_deadline, second.volume.create_deadline) == (1, 600)
    assert "volume" not in cfg.CONF


def test_later_files_win_and_origin_says_which_line(write, tmp_path):
    first = write("[volume]\n# note\ncreate_deadline = 1\nold = a\n")
    second = write("[DEFAULT]\n\n[VOLUME]\ncreate_deadline = 2\ncreate_deadline = 3\n", "conf.d/b.conf")
    third = write("[DEFAULT]\nolder = b\n", "conf.d/c.conf")
    write("[volume]\ncreate_deadline = nonsense\n", "conf.d/ignored.txt")
    loaded = load(first, dirs=[tmp_path / "conf.d"])
    assert loaded.origin("volume", "create_deadline") == (3, f"{second}:5")
    assert loaded.overridden("volume", "create_deadline") == [f"{first}:3", f"{second}:4", f"{second}:5"]
    assert loaded.origin("volume", "old") == ("b", f"{third}:2")
    assert loaded.origin(None, "debug") == (False, "default")
    loaded.set("volume", "create_deadline", "9")
    assert loaded.origin("volume", "create_deadline") == (9, "override")


def test_the_environment_is_an_origin(monkeypatch):
    monkeypatch.setenv("OS_VOLUME__CREATE_DEADLINE", "44")
    assert load().origin("volume", "create_deadline") == (44, "environment OS_VOLUME__CREATE_DEADLINE")
    monkeypatch.setenv("OS_VOLUME__CREATE_DEADLINE", "soon")
    with pytest.raises(ConfigurationError, match=r"^environment OS_VOLUME__CREATE_DEADLINE: \[volume\]"):
        load()


def test_overrides_and_defaults_of_the_caller(write):
    path = write("[volume]\ncreate_deadline = 5\n")
    values = {("volume", "create_deadline"): 6, (None, "debug"): True}
    assert load(path, overrides=values).volume.create_deadline == 6
    loaded = load(path, defaults=values)
    assert (loaded.volume.create_deadline, loaded.origin(None, "debug")) == (5, (True, "default"))
    with pytest.raises(ConfigurationError, match=r"\[volume\] nothing"):
        load(overrides={("volume", "nothing"): 1})
    with pytest.raises(ConfigurationError, match=r"override: \[volume\] create_deadline"):
        load(overrides={("volume", "create_deadline"): "soon"})


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("[volume]\n\ncreate_deadline = soon\n", 3, r"\[volume\] create_deadline: .*soon"),
        ("[volume]\ncreate_deadline = 0\n", 2, "create_deadline: .*1"),
        ("[DEFAULT]\ndebug = perhaps\n", 2, r"\[DEFAULT\] debug"),
        ("[database]\nsqlite_synchronous = off\n", 2, "sqlite_synchronous"),
        ("[DEFAULT]\nosapi_max_limit = many\n", 2, r"\[api\] max_limit"),
        ("debug = yes\n", 1, "before any"),
        ("[DEFAULT]\nnonsense\n", 2, "key = value"),
        ("[DEFAULT\n", 1, "section"),
        ("[DEFAULT]\n= 5\n", 2, "no key"),
        ("[DEFAULT]\n  hanging\n", 2, "indented"),
    ],
)
def test_what_cannot_be_used_is_told_with_file_and_line(write, text, line, words):
    path = write(text)
    with pytest.raises(ConfigurationError, match=words) as caught:
        load(path)
    assert caught.value.message.startswith(f"{path}:{line}: ")


def test_a_wrong_secret_is_not_shown(write):
    with pytest.raises(ConfigurationError) as caught:
        load(write("[volume]\nsecret_number = hunter2\n"))
    assert "secret_number" in caught.value.message
    assert "hunter2" not in caught.value.message


def test_files_that_cannot_be_read(tmp_path):
    for files, dirs in [([tmp_path / "none.conf"], []), ([tmp_path], []), ([], [tmp_path / "none.d"])]:
        with pytest.raises(ConfigurationError, match=str(tmp_path)):
            conf.load("volume", OPTIONS, files, dirs)
    (tmp_path / "x.conf").write_bytes(b"[DEFAULT]\nlabel = \xff\n")
    with pytest.raises(ConfigurationError, match="UTF-8"):
        conf.load("volume", OPTIONS, [], [tmp_path])


def test_a_required_option_is_asked_for_by_name():
    options = {"identity": [cfg.StrOpt("url", required=True)]}
    with pytest.raises(ConfigurationError, match=r"\[identity\] url must be set"):
        conf.load("volume", options)
    assert conf.load("volume", options, overrides={("identity", "url"): "u"}).identity.url == "u"


def test_options_that_clash_are_refused():
    with pytest.raises(ConfigurationError, match="declared twice"):
        conf.load("volume", [OPTIONS, {"volume": [cfg.StrOpt("create_deadline")]}])
    with pytest.raises(ConfigurationError, match="origin cannot name"):
        conf.load("volume", {"origin": [cfg.StrOpt("x")]})


def test_back_ends_inherit_from_backend_defaults_then_default(write):
    path = write(
        "[DEFAULT]\nenabled_backends = lvm-1, b\nlatency = 1\nhost = node\n"
        "[backend_defaults]\nvolume_driver = shared\nlatency = 2\n"
        "[lvm-1]\nlatency = 3\n[b]\nvolume_driver = own\n"
    )
    loaded = load(path)
    first, second = (loaded.backend(name, DRIVER) for name in loaded.enabled_backends)
    assert (first.volume_driver, first.latency, first.pool, first.host) == ("shared", 3, "rbd", "node")
    assert (second.volume_driver, second.latency) == ("own", 2)
    assert loaded.origin("lvm-1", "latency") == (3, f"{path}:9")
    assert loaded.origin("b", "latency") == (2, f"{path}:7")
    assert loaded.origin("b", "host") == ("node", f"{path}:4")
    assert loaded.origin("b", "pool") == ("rbd", "default")
    loaded.set("b", "latency", 9)
    assert (second.latency, first.latency) == (9, 3)
    loaded.set("backend_defaults", "pool", "p")
    assert (first.pool, first.get("nothing", 1)) == ("p", 1)
    with pytest.raises(AttributeError, match="nothing"):
        _ = first.nothing


def test_a_later_files_default_section_does_not_beat_the_back_ends_own(write):
    files = [write("[b]\nlatency = 3\n"), write("[DEFAULT]\nlatency = 1\nvolume_driver = d\n", "later.conf")]
    backend = load(*files).backend("b", DRIVER)
    assert (backend.latency, backend.volume_driver) == (3, "d")


def test_back_ends_complain_clearly(write):
    path = write("[b]\nlatency = slow\nvolume_driver = x\n[c]\nlatency = 1\n")
    loaded = load(path)
    with pytest.raises(ConfigurationError, match=rf"^{path}:2: \[b\] latency"):
        loaded.backend("b", DRIVER)
    with pytest.raises(ConfigurationError, match=r"\[c\] needs volume_driver: What drives it"):
        load(write("[c]\nlatency = 1\n")).backend("c", DRIVER)
    for name in ("database", "DEFAULT", "backend_defaults"):
        with pytest.raises(ConfigurationError, match="not a back end"):
            load().backend(name, DRIVER)


def test_overrides_wait_for_their_back_end():
    loaded = load(overrides={("b", "volume_driver"): "fake", ("b", "latency"): "0"})
    assert loaded.backend("b", DRIVER[:1]).volume_driver == "fake"
    again = loaded.backend("b", DRIVER)
    assert (again.latency, again.volume_driver) == (0, "fake")


def test_unknown_keys_are_named_with_the_nearest(write):
    path = write(
        "[DEFAULT]\ndebgu = yes\nosapi_max_limit = 5\nconnection = x\nlatency = 1\n"
        "[databse]\nconnection = x\n[b]\nvolume_driver = x\nlatencyy = 3\n[image]\nstores = f\n"
        "[quite]\ndifferent_thing = 1\n"
    )
    loaded = load(path)
    loaded.backend("b", DRIVER)
    found = loaded.unknown_keys(known=[{"image": [cfg.StrOpt("stores")]}])
    assert [(item.line, item.section, item.key, item.nearest) for item in found] == [
        (2, "DEFAULT", "debgu", "DEFAULT.debug"),
        (4, "DEFAULT", "connection", "database.connection"),
        (7, "databse", "connection", "database.connection"),
        (10, "b", "latencyy", "b.latency"),
        (14, "quite", "different_thing", None),
    ]
    assert str(found[0]) == f"{path}:2: nobody reads [DEFAULT] debgu; did you mean DEFAULT.debug?"


def test_another_services_back_ends_in_a_shared_file_are_no_false_alarm(write):
    path = write("[backend_defaults]\nlatency=1\n[any]\npool=x\npoool=y\n[databse]\npool_timeout=1\n")
    found = load(path).unknown_keys(backend_options=DRIVER)
    assert [(item.key, item.nearest) for item in found] == [
        ("poool", "any.pool"),
        ("pool_timeout", "database.pool_timeout"),
    ]


def test_check_warns_or_refuses(write, caplog):
    text = "[volume]\ncreate_deadlin = 1\n"
    load(write(text)).check_keys()
    assert "did you mean volume.create_deadline?" in caplog.text
    with pytest.raises(ConfigurationError, match="create_deadlin"):
        load(write(text + "[DEFAULT]\nstrict_config = true\n")).check_keys()
    load(write("[DEFAULT]\nstrict_config = true\n")).check_keys()


def test_the_sample_uncommented_is_a_file_that_loads_to_the_defaults(write):
    loaded = load()
    text = loaded.sample()
    assert "# Seconds. (integer, at least 1)\n#create_deadline = 600" in text
    lines = [line[1:] if line.startswith("#") and line[1] != " " else line for line in text.splitlines()]
    again = load(write("\n".join(line for line in lines if not line.endswith(("<not set>", "machine>")))))
    assert again.unknown_keys() == []
    for group, key in loaded:
        assert again.origin(group, key)[0] == loaded.origin(group, key)[0], (group, key)


def test_continued_lines_and_values_with_signs(write):
    path = write("[DEFAULT]\nlabel = a:b=c\n[volume]\nold = one\n  two\n\n; note\nmany = 1\nmany = 2\n")
    loaded = load(path)
    assert (loaded.label, loaded.volume.old, loaded.volume.many) == ("a:b=c", "one\ntwo", ["1", "2"])
    assert loaded.unknown_keys() == []
