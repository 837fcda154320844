import pytest

from celaje.common.messaging import Messages, Target, call, cast, check, fanout
from celaje.common.messaging.target import accepts, parse_version


class Volumes(Messages):
    topic = "volume-worker"
    version = "1.3"

    @call(timeout="create_timeout", since="1.2")
    def create_volume(self, volume: dict, image: dict | None = None) -> dict:
        "Makes the volume."

    @cast()
    def forget(self, volume_id: str) -> None: ...

    @fanout()
    def report(self) -> None: ...


def test_the_table_lists_its_messages_in_order():
    rows = Volumes.messages()
    assert [(r.name, r.kind, r.timeout, r.since) for r in rows] == [
        ("create_volume", "call", "create_timeout", "1.2"),
        ("forget", "cast", None, "1.0"),
        ("report", "fanout", None, "1.0"),
    ]
    assert rows[0].doc == "Makes the volume."
    assert list(rows[0].signature.parameters) == ["volume", "image"]
    assert Messages.messages() == []


def test_a_table_inherits_rows():
    class More(Volumes):
        @cast(since="1.3")
        def more(self) -> None: ...

    assert [r.name for r in More.messages()] == ["create_volume", "forget", "report", "more"]
    assert len(Volumes.messages()) == 3


def test_target_of_a_server():
    assert Volumes.target("h@file") == Target("volume-worker", "h@file", version="1.3")
    assert str(Volumes.target("h@file")) == "volume-worker@h@file"


@pytest.mark.parametrize("name", ["to", "_hidden", "messages"])
def test_names_that_a_message_cannot_have(name):
    def message(self) -> None: ...

    with pytest.raises(TypeError, match="cannot have this name"):
        type("Bad", (Messages,), {"topic": "t", name: cast()(message)})


def test_a_message_cannot_be_newer_than_its_table():
    with pytest.raises(TypeError, match=r"since 1\.1"):

        class Bad(Messages):
            topic = "t"

            @cast(since="1.1")
            def early(self) -> None: ...


def test_arguments_must_travel_by_name():
    with pytest.raises(TypeError, match="cannot travel by name"):

        class Bad(Messages):
            topic = "t"

            @cast()
            def many(self, *values) -> None: ...


def test_check_is_content_with_a_receiver_that_agrees():
    class Implementation:
        def create_volume(self, volume: dict, image: dict | None = None) -> dict:
            return volume

        def forget(self, volume_id, reason="none"): ...

        def report(self): ...

        def more(self, anything): ...

    assert check(Volumes, Implementation) == []


def test_check_names_every_disagreement():
    class Implementation:
        def create_volume(self, volume: list, image=1, host: str = "", *, must) -> dict:
            return {}

        def forget(self, volume):
            return None

    assert check(Volumes, Implementation) == [
        "Implementation.create_volume has image=1, the table has image: dict | None = None",
        "Implementation.create_volume needs must, which nobody sends",
        "Implementation.create_volume: volume is <class 'list'>, in the table <class 'dict'>",
        "Implementation.forget does not take volume_id",
        "Implementation.forget needs volume, which nobody sends",
        "Implementation.report is missing",
    ]


@pytest.mark.parametrize(
    ("spoken", "needed", "served"),
    [("1.3", "1.3", True), ("1.3", "1.0", True), ("1.3", "1.4", False), ("2.0", "1.0", False),
     ("1.0", "2.0", False), ("1.10", "1.9", True)],
)  # fmt: skip
def test_versions(spoken, needed, served):
    assert accepts(spoken, needed) is served


@pytest.mark.parametrize("text", ["1", "1.x", "", "1.2.3", "-1.0"])
def test_bad_versions(text):
    with pytest.raises(ValueError, match="not a version"):
        parse_version(text)
