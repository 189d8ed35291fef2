"""`make execute` stores outputs, with one thread a kernel, and loses no edit of an .ipynb."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
import run_notebooks
from click.testing import CliRunner

from misalign.paths import NOTEBOOKS

# Jupyter's clients warn of their own deprecations
pytestmark = pytest.mark.filterwarnings("ignore")

TEXT = "# %% [markdown]\n# # Title\n\n# %%\nimport os\n\nprint(os.environ['OMP_NUM_THREADS'])\n"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A chapter that was executed once."""
    folder = tmp_path_factory.mktemp("written")
    shutil.copy(NOTEBOOKS / "jupytext.toml", folder)
    py = folder / "01_x.py"
    py.write_text(TEXT)
    run_notebooks.run(py, 60)
    return py


@pytest.fixture
def pair(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(written.parent, tmp_path / "pair")) / written.name


@pytest.fixture
def executed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str, list[str]]]:
    """What the command does: exit status, last line, and which chapters it went on to run."""

    def call(*arguments: object) -> tuple[int, str, list[str]]:
        ran = []
        monkeypatch.setattr(run_notebooks, "run", lambda py, timeout: ran.append(py.name))
        result = CliRunner().invoke(run_notebooks.main, [str(one) for one in arguments])
        return result.exit_code, (result.output.splitlines() or [""])[-1], ran

    return call


def edit(ipynb: Path, old: str, new: str) -> None:
    notebook = nbformat.read(ipynb, as_version=4)
    for cell in notebook.cells:
        cell.source = cell.source.replace(old, new)
    nbformat.write(notebook, ipynb)


def test_a_kernel_has_one_thread(written: Path) -> None:
    (_, cell) = nbformat.read(written.with_suffix(".ipynb"), as_version=4).cells
    assert cell.outputs[0].text == "1\n"


def test_a_second_run_writes_the_same_bytes(pair: Path) -> None:
    before = pair.with_suffix(".ipynb").read_bytes()
    run_notebooks.run(pair, 60)
    assert pair.with_suffix(".ipynb").read_bytes() == before


def test_a_changed_py_is_executed(pair: Path, executed: Callable) -> None:
    pair.write_text(TEXT.replace("Title", "Other"))
    assert executed(pair)[::2] == (0, ["01_x.py"])


@pytest.mark.parametrize(("old", "new"), [("print(", "print(1, "), ("# Title", "# By hand")])
@pytest.mark.parametrize("both", [False, True])
def test_an_edit_of_the_ipynb_stops_everything(
    old: str, new: str, both: bool, pair: Path, executed: Callable
) -> None:
    ipynb = pair.with_suffix(".ipynb")
    other = Path(shutil.copy(pair, pair.with_name("02_y.py")))
    edit(ipynb, old, new)
    if both:
        pair.write_text(TEXT.replace("import os", "import os, sys"))
    before = ipynb.read_bytes()
    status, line, ran = executed(other, pair)
    assert (status, ran) == (1, [])
    assert line.startswith(f"Error: edited, and not in the .py: {ipynb}; keep that with `jupytext")
    assert "--discard" in line
    assert ipynb.read_bytes() == before
    assert executed("--discard", other, pair)[::2] == (0, ["02_y.py", "01_x.py"])


def test_an_edit_that_the_py_has_too_is_none(pair: Path, executed: Callable) -> None:
    ipynb = pair.with_suffix(".ipynb")
    edit(ipynb, "print(", "print(1, ")
    command = [sys.executable, "-m", "jupytext", "--quiet", "--to", "py:percent", str(ipynb)]
    subprocess.run(command, check=True)
    assert "print(1, " in pair.read_text()
    assert executed(pair)[::2] == (0, ["01_x.py"])


def test_a_new_chapter_needs_no_ipynb(pair: Path, executed: Callable) -> None:
    pair.with_suffix(".ipynb").unlink()
    assert executed(pair)[::2] == (0, ["01_x.py"])
