"""Result chapters are papermill templates: any run by its parameters, no misspelt one unnoticed.

nbval executes every chapter at its own parameters. Here each goes through others in this process,
with the records of those very runs in place of training and probing; papermill, a kernel and
training get one chapter, whole.
"""

from dataclasses import replace

import papermill
import pytest
from matplotlib import pyplot as plt
from nbformat import NotebookNode
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook

import misalign
from misalign import records
from misalign.paths import NOTEBOOKS, ROOT, SWEEPS
from misalign.records import Record
from misalign.run import Run
from misalign.sweeps import grid
from misalign.sweeps.grid import Sweep

TEMPLATES = [
    path.name
    for path in sorted(NOTEBOOKS.glob("*.ipynb"))
    if {"experiment", "record"} <= set(papermill.inspect_notebook(str(path)))
]
# they compute more in cells of their own, whatever the parameters: only what deals with runs
OWN_CELLS = ("_assumptions.ipynb", "_downstream.ipynb")

# Jupyter's clients warn of their own deprecations
pytestmark = pytest.mark.filterwarnings("ignore")


def template(name: str) -> NotebookNode:
    """A chapter without the cells that a sweep leaves out."""
    notebook = load_notebook_node(str(NOTEBOOKS / name))
    notebook.cells = [cell for cell in notebook.cells if "recorded" not in cell.metadata.tags]
    return notebook


def cells(name: str, **parameters: object) -> list[str]:
    """Code of a chapter with parameters set."""
    notebook = parameterize_notebook(template(name), parameters)
    sources = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    if not name.endswith(OWN_CELLS):
        return sources
    start = [("from_notebook" in source) for source in sources].index(True) + 1
    return sources[:start] + [source for source in sources[start:] if "execute_all(runs" in source]


@pytest.fixture(scope="module")
def recorded_run() -> dict[str, Run]:
    """The last run of a recorded sweep by the notebook's name, and one for each experiment."""
    found, done = {}, set(records.runs()["run"])
    for path in sorted(SWEEPS.glob("*.yml")):
        sweep = Sweep.named(path.stem)
        if sweep.runs[-1].id not in done:
            continue
        found[sweep.notebook.name] = found[sweep.runs[-1].experiment] = sweep.runs[-1]
    return found


def test_there_are_templates():
    assert len(TEMPLATES) >= 7


@pytest.mark.parametrize("name", TEMPLATES)
def test_any_runs_go_through_it_and_are_recorded_when_asked(
    name, recorded_run, monkeypatch, tmp_path
):
    # a chapter without a sweep of its own shows the numerical study
    run = recorded_run.get(name, recorded_run["numerical"])
    parameters = grid.parameters([run, replace(run, seed=run.seed - 1)])
    table = records.read(run.experiment)
    asked = []

    def replay(runs, *, record=""):
        asked.append(([one.id for one in runs], record))
        return [Record(table[table["run"] == one.id], records.runs()) for one in runs]

    monkeypatch.setattr(misalign, "execute_all", replay, raising=False)
    monkeypatch.chdir(NOTEBOOKS)
    names: dict[str, object] = {}
    for cell in cells(name, **parameters, record=str(tmp_path)):
        exec(cell, names)
    plt.close("all")
    assert asked == [([one.id for one in Run.grid(**parameters)], str(tmp_path))]


@pytest.mark.parametrize("name", TEMPLATES)
@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"sedd": 1}, "parameters: expected some of"),
        ({"encoding_size": 0}, "encoding_size: expected a whole number of at least 1, got 0"),
    ],
)
def test_an_unknown_or_invalid_parameter_stops_it(name, wrong, words, tmp_path):
    names: dict[str, object] = {}
    with pytest.raises(ValueError, match=words):
        for cell in cells(name, scale="smoke", **wrong, record=str(tmp_path / "kept")):
            exec(cell, names)
    assert "scores" not in names
    assert not (tmp_path / "kept").exists()


def test_papermill_executes_a_whole_chapter_and_records_its_runs(tmp_path):
    parameters = {"scale": "smoke", "bias": "perturbation", "setting": 4, "seed": [1, 2]}
    (name,) = (name for name in TEMPLATES if name.endswith("_numerical.ipynb"))
    kept = tmp_path / "kept"
    papermill.execute_notebook(
        template(name),
        str(tmp_path / "out.ipynb"),
        parameters=parameters | {"record": str(kept)},
        cwd=str(ROOT),
        kernel_name="python3",
        progress_bar=False,
        start_timeout=300,
    )
    assert set(records.runs(kept)["run"]) == {run.id for run in Run.grid(**parameters)}
