"""The README says what the records say, and its code runs."""

import importlib.util
import re
import subprocess
import sys

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


def test_numbers_are_those_of_the_records(script):
    assert script.MARKED.findall(TEXT), "the README has no marked number"
    assert script.filled(TEXT, script.numbers(script.rows())) == TEXT


def test_every_score_in_the_readme_is_marked():
    prose = re.sub(r"```.*?```", "", TEXT, flags=re.S)
    unmarked = re.sub(r"<!-- [a-z-]+ -->.*?<!-- / -->", "", prose)
    assert not re.search(r"\b0\.\d+", unmarked)


def test_figure_was_drawn_from_the_records(script):
    assert str(script.FIGURE.relative_to(ROOT)) in TEXT
    assert Image.open(script.FIGURE).text["Description"] == script.digest(script.rows())


def test_library_example_runs():
    (example,) = re.findall(r"```python\n(.*?)```", TEXT, flags=re.S)
    assert len([line for line in example.splitlines() if line.strip()]) <= 12
    smoke = example.replace("Run(", 'Run(scale="smoke", ', 1)
    assert smoke != example
    subprocess.run([sys.executable, "-c", smoke], check=True, capture_output=True, cwd=ROOT)


def test_every_file_and_make_target_it_names_exists():
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.M)
    for target in re.findall(r"`?make ([a-z]+)", TEXT):
        assert target in targets
    for path in re.findall(r"\]\(((?!http)[^)#]+)\)", TEXT):
        assert (ROOT / path).exists(), path
