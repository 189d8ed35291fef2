"""The wheel alone, in an empty folder: what it holds, what works, and what it says of the rest.

Its dependencies are those of this environment; the package is the wheel's own copy.
"""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_string

import pytest

from misalign.paths import LIBRARY, ROOT

BUILD = """
import sys
from setuptools import build_meta
folder = sys.argv[1]  # setuptools sets arguments of its own
build_meta.build_sdist(folder)
build_meta.build_wheel(folder)
"""
CAPTIONS = "caption\na red cube on a table\na dog in the snow\n"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Folder of a wheel and an sdist, built from a copy."""
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    for path in ROOT.iterdir():
        if path.is_file() and path.name[0] != ".":
            shutil.copy(path, source)
    for name in ("misalign", "tests", "scripts", "sweeps", "results"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-c", BUILD, str(built)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    return built


@pytest.fixture(scope="module")
def wheel(built):
    (path,) = built.glob("*.whl")
    return path


def files(folder):
    paths = (path for path in folder.rglob("*") if "__pycache__" not in path.parts)
    return sorted(str(path.relative_to(folder)) for path in paths)


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The folder that the wheel is installed into; at the end it must be as it was."""
    folder = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--target", str(folder), str(wheel)], check=True, capture_output=True)
    before = files(folder)
    yield folder
    assert files(folder) == before


@pytest.fixture
def call(installed, tmp_path):
    """Run a program of the wheel's in an empty folder."""

    def run(*command):
        environment = os.environ | {"PYTHONPATH": str(installed), "PYTHONSAFEPATH": "1"}
        pipes = {"capture_output": True, "text": True}
        return subprocess.run(command, cwd=tmp_path, env=environment, **pipes)

    return run


@pytest.fixture
def misalign(call, installed):
    """Run the command; return what it prints."""

    def run(*options):
        ended = call(sys.executable, str(installed / "bin" / "misalign"), *options)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    return run


def test_wheel_holds_the_library_and_nothing_else(wheel):
    names = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("misalign/")}
    assert names == {f"misalign/{name}" for name in files(LIBRARY) if (LIBRARY / name).is_file()}
    assert "misalign/py.typed" in names
    every = {name.partition("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert every == {"misalign", wheel.name.partition("-py3")[0] + ".dist-info"}


def test_sdist_builds_the_wheel_and_has_no_test_that_could_not_run(built, wheel):
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {member.name.partition("/")[2] for member in archive if member.isfile()}
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("misalign/")}
    assert inside | {"pyproject.toml", "README.md", "LICENSE"} <= names
    folders = {name.partition("/")[0] for name in names if "/" in name}
    assert folders == {"misalign", "misalign.egg-info"}


def test_metadata_is_whole(wheel):
    archive = zipfile.ZipFile(wheel)
    info = wheel.name.partition("-py3")[0] + ".dist-info"
    metadata = message_from_string(archive.read(f"{info}/METADATA").decode())
    assert metadata["License-Expression"] == "MIT"
    assert metadata["Requires-Python"] == ">=3.11"
    assert "Typing :: Typed" in metadata.get_all("Classifier")
    assert metadata.get_all("Project-URL") == ["Paper, https://arxiv.org/abs/2504.10143"]
    assert {"book", "captions", "sweeps", "clip"} <= set(metadata.get_all("Provides-Extra"))
    assert "misalign = misalign.cli:main" in archive.read(f"{info}/entry_points.txt").decode()
    assert f"{info}/licenses/LICENSE" in archive.namelist()


def test_help_lists_every_command(misalign):
    text = misalign("--help")
    for command in ("audit", "coverage", "render", "sweep", "zeroshot"):
        assert f"  {command} " in text


def test_captions_are_audited_and_counted(misalign, tmp_path):
    (tmp_path / "captions.csv").write_text(CAPTIONS)
    assert "2 captions" in misalign("audit", "captions.csv", "--html", "report.html")
    assert (tmp_path / "report.html").stat().st_size > 10_000
    misalign("coverage", "captions.csv", "--out", "coverage.csv")
    assert "dog,1," in (tmp_path / "coverage.csv").read_text()


def test_pictures_are_rendered(misalign, tmp_path):
    misalign("render", "causal3dident", "--n", "2", "--size", "16", "--out", "scenes")
    assert len([*(tmp_path / "scenes").rglob("*.png")]) == 2


def test_the_library_example_of_the_readme_runs(call, installed, tmp_path):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    examples = "\n".join(re.findall(r"```python\n(.*?)```", text, flags=re.S))
    where = f"import misalign; assert misalign.__file__.startswith({str(installed)!r})\n"
    smoke = examples.replace("Run(", 'Run(scale="smoke", ', 1)
    ended = call(sys.executable, "-W", "error", "-c", where + smoke)
    assert ended.returncode == 0, ended.stderr
    assert files(tmp_path) == []


def test_a_sweep_says_that_it_needs_the_checkout(call, installed):
    command = str(installed / "bin" / "misalign")
    for options in (["--dry-run"], [], ["figure_03"]):
        ended = call(sys.executable, command, "sweep", *options)
        assert ended.returncode != 0
        assert "checkout" in ended.stderr.splitlines()[-1], ended.stderr
