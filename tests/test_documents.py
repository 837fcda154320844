"""The documents say what is so: the coverage page, the links, and the commands that they name."""

import re
import shutil
import sys
from pathlib import Path

import pytest

from celaje.cli.main import COMMANDS
from celaje.cloud import SERVICES

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import coverage_page  # noqa: E402

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_the_coverage_page_is_current():
    assert coverage_page.PAGE.read_text() == coverage_page.page(), "run: python tools/coverage_page.py"


@pytest.mark.parametrize("service", SERVICES)
def test_the_reference_names_each_operation_once_and_knows_what_is_there(service):
    wanted = [one for one, _ in coverage_page.reference(service)]
    assert len(wanted) == len(set(wanted))
    beyond = coverage_page.operations(service).keys() - set(wanted)
    # More than a few routes that no reference knows are a reference with gaps, or invented routes.
    assert len(beyond) <= 5, sorted(beyond)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_within_the_project_lead_somewhere(document):
    text = document.read_text()
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        path, _, anchor = link.partition("#")
        if re.match(r"[a-z]+:", link):
            continue
        if path and not (document.parent / path).exists():
            broken.append(link)
        if anchor and not path and f'id="{anchor}"' not in text and f"# {anchor}" not in text.lower():
            broken.append(link)
    assert not broken


def test_every_command_in_the_readme_exists():
    blocks = "\n".join(re.findall(r"(?m)^    (.+)$", (ROOT / "README.md").read_text()))
    spans = "\n".join(re.findall(r"`([^`\n]+)`", (ROOT / "README.md").read_text()))
    named = re.findall(r"(?m)^(celaje|make|openstack) ([a-z-]+)", f"{blocks}\n{spans}")
    assert ("celaje", "up") in named
    targets = re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text())
    for tool, word in named:
        if tool == "celaje":
            assert word in COMMANDS, f"celaje {word}"
        elif tool == "make":
            assert word in targets, f"make {word}"
        else:
            assert shutil.which("openstack", path=str(Path(sys.executable).parent))


def test_every_option_of_celaje_up_in_the_readme_exists():
    from celaje.cli import up

    known = {option for parameter in up.command.params for option in parameter.opts}
    named = set(re.findall(r"`(--[a-z-]+)", (ROOT / "README.md").read_text()))
    assert named
    assert named <= known
