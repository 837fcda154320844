"""The documents say what is so: the coverage page, the links, and the commands that they name."""

import re
import shutil
import sys
from pathlib import Path

import click
import pytest

from celaje.cli.main import COMMANDS, cli
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


def commands_of(document):
    """Every `celaje ...` of a document: lines of its shell blocks, and words between backquotes."""
    text = document.read_text()
    blocks = "\n".join(re.findall(r"(?ms)^```(?:sh|bash|console)\n(.*?)^```$", text))
    prose = re.sub(r"(?ms)^```.*?^```$", "", text)
    lines = blocks.replace("\\\n", " ").splitlines() + re.findall(r"(?m)^    (.+)$", prose)
    lines += [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose)]
    for line in lines:
        found = re.search(r"(?:^\s*|\$\(|&& |\| )(?:\S*/)?celaje ((?:[a-z]|--)[^#|&;)>]*)", line)
        if found:
            yield found[1]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_of_a_document_is_one_that_is_there(document):
    """With every option that it is shown with."""
    for line in commands_of(document):
        command, words = cli, re.split(r"[\s'\"\\]+", line.strip())
        context = click.Context(cli)
        while words and words[0] and isinstance(command, click.Group):
            inner = command.get_command(context, words[0])
            if "." in words[0] and command.name == "service":
                break  # `celaje service volume.api` starts it
            assert inner is not None, f"celaje {line}: there is no {words[0]}"
            command = inner
            words.pop(0)
        known = {option for one in command.params for option in (*one.opts, *one.secondary_opts)}
        known.add("--help")
        given = {word.partition("=")[0] for word in words if word.startswith("--") and len(word) > 2}
        assert given <= known, f"celaje {line}: {command.name} has no {', '.join(sorted(given - known))}"


def test_the_figures_that_the_page_on_seeing_names_are_those_that_there_are():
    from celaje.common import metrics
    from celaje.common.metrics.page import _PRESENT

    labels = {one.name: one.labels for one in metrics.ALL}
    page = (ROOT / "docs" / "seeing.md").read_text()
    rows = re.findall(r"(?m)^\| (`celaje_[^|]+)\| ([^|]*)\|", page)
    told = {}
    for names, listed in rows:
        for name in re.findall(r"`(\w+)`", names):
            told[name] = tuple(word.strip() for word in listed.split(","))
    assert set(told) == {*labels, *(row[0] for row in _PRESENT)}
    for name, wanted in labels.items():
        assert told[name] == wanted, name
