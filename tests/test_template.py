"""Result chapters are papermill templates: any run by its parameters, no misspelt one unnoticed."""

import nbformat
import papermill
import pytest

from misalign import records as results
from misalign.experiment import Run
from misalign.paths import NOTEBOOKS, ROOT

TEMPLATES = ["06_numerical"]
OWN = {
    "06_numerical": {},
    "09_mpi3d": {"experiment": "mpi3d", "encoding_size": None},
    "10_causal3dident": {
        "experiment": "causal3dident",
        "latents": "graph",
        "encoding_size": None,
    },
    "11_openclip": {"experiment": "concepts", "encoding_size": 8, "bias": "coverage"},
    "12_practice": {"experiment": "concepts", "encoding_size": 8, "bias": "breadth"},
}

# Jupyter's clients warn of their own deprecations
pytestmark = pytest.mark.filterwarnings("ignore")


def execute(name, folder, **parameters):
    target = folder / "out.ipynb"
    papermill.execute_notebook(
        str(NOTEBOOKS / f"{name}.ipynb"),
        str(target),
        parameters=parameters,
        cwd=str(ROOT),
        kernel_name="python3",
        progress_bar=False,
    )
    return nbformat.read(target, as_version=4)


@pytest.mark.parametrize("name", list(OWN))
def test_any_setting_runs_by_its_parameters_and_records_when_asked(name, tmp_path):
    parameters = {"scale": "smoke", "bias": "perturbation", "setting": 4, "seed": [1, 2]}
    parameters |= OWN[name]
    execute(name, tmp_path, **parameters, record=str(tmp_path / "kept"))
    recorded = results.runs(tmp_path / "kept")
    assert set(recorded["run"]) == {run.id for run in Run.grid(**parameters)}


@pytest.mark.parametrize("name", TEMPLATES)
@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"sedd": 1}, "parameters: expected some of"),
        ({"encoding_size": 0}, "encoding_size: expected a whole number of at least 1, got 0"),
    ],
)
def test_an_unknown_or_invalid_parameter_stops_it(name, wrong, words, tmp_path):
    with pytest.raises(papermill.PapermillExecutionError, match=words):
        execute(name, tmp_path, scale="smoke", **wrong, record=str(tmp_path / "kept"))
    assert not (tmp_path / "kept").exists()
