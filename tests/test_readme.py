"""The README says what the records say, and its code runs."""

import importlib.util
import re
import subprocess
import sys

import pandas as pd
import pytest
from PIL import Image

from misalign.paths import ROOT

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("update", ROOT / "scripts" / "update_readme.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def values(script):
    pinned = pd.read_csv(script.VERDICTS, keep_default_na=False)
    return script.numbers(script.rows()) | script.judged(pinned) | script.advised()


@pytest.mark.parametrize("page", ["README.md", "book/preface.md"])
def test_numbers_are_those_of_the_records(script, values, page):
    text = (ROOT / page).read_text(encoding="utf-8")
    assert script.MARKED.findall(text), f"{page} has no marked number"
    assert script.filled(text, values) == text
    assert not re.search(r"(?m)^<!--", text), "Markdown takes such a line for a block of HTML"


def test_every_score_in_the_readme_is_marked():
    prose = re.sub(r"```.*?```", "", TEXT, flags=re.S)
    unmarked = re.sub(r"<!-- [a-z-]+ -->.*?<!-- / -->", "", prose)
    assert not re.search(r"\b0\.\d+", unmarked)


def test_figure_was_drawn_from_the_records(script):
    assert str(script.FIGURE.relative_to(ROOT)) in TEXT
    assert Image.open(script.FIGURE).text["Description"] == script.digest(script.rows())


EXAMPLES = re.findall(r"```python\n(.*?)```", TEXT, flags=re.S)


def test_examples_are_of_representations_and_of_the_library():
    assert len(EXAMPLES) == 2
    assert ["evaluate(" in one for one in EXAMPLES] == [True, False]


@pytest.mark.parametrize("example", EXAMPLES, ids=["evaluate", "library"])
def test_example_runs(example):
    assert len([line for line in example.splitlines() if line.strip()]) <= 12
    smoke = example.replace("Run(", 'Run(scale="smoke", ', 1)
    assert smoke != example or "evaluate(" in example  # all others train
    command = [sys.executable, "-W", "error", "-c", smoke]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    assert "oracle" in done.stdout


CONSOLE = re.findall(r"```console\n\$ (.*)\n((?:.*\n)*?)```", TEXT)


def test_some_command_is_shown_with_what_it_prints():
    assert CONSOLE


@pytest.mark.parametrize(("command", "printed"), CONSOLE, ids=[one for one, _ in CONSOLE])
def test_command_prints_what_stands_below_it(command, printed):
    program, *words = command.split()
    assert program == "misalign"
    call = [sys.executable, "-m", program, *words]
    done = subprocess.run(call, check=True, capture_output=True, text=True, cwd=ROOT)
    assert done.stdout == printed


@pytest.mark.parametrize(
    "name",
    ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "book/running.md", ".github/workflows/ci.yml"],
)
def test_every_file_and_make_target_it_names_exists(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.M)
    named = re.findall(r"make ([a-z]+)", text)
    assert [target for target in named if target not in targets] == []
    links = re.findall(r"\]\(((?!http)[^)#]+)\)", text)
    folder = (ROOT / name).parent
    assert [path for path in links if not (folder / path).exists()] == []


@pytest.mark.parametrize("page", ["README.md", "notebooks/errata.py"])
def test_page_names_the_version_read_and_later_ones(page):
    text = " ".join((ROOT / page).read_text(encoding="utf-8").replace("\n# ", " ").split())
    for words in ("version 2", "16 April 2025", "version 4", "NeurIPS 2025", "not read"):
        assert words.lower() in text.lower(), words
