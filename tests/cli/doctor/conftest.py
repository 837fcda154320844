"""`doctor(text)`: the findings of one check on a configuration, or on a state directory."""

import pytest

from celaje.cli.configured import Configured
from celaje.cli.doctor.command import examine


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "celaje.conf"
    path.touch(mode=0o600)
    return path


@pytest.fixture
def doctor(file):
    """doctor(check, text, state=folder) -> findings of that check."""

    def look(check, text="", state=None, more=()):
        file.write_text(text)
        found = examine(Configured(state, [file, *more]))
        return [one for one in found if one.check == check]

    return look
