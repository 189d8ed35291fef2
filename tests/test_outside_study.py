"""A study from outside the package goes all the way, and the package is not touched."""

import importlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from sweep_template import PARAMETERS, write_template

from misalign import cli, provenance
from misalign import records as results
from misalign.bias import Bias
from misalign.experiment import execute
from misalign.reporting import plots
from misalign.run import Run
from misalign.run import _registered as registered

SOURCE = Path(__file__).with_name("outside_study.py")
BODY = """
from misalign import Run, execute_all
_done = execute_all(Run.from_notebook(globals()), record=record)
"""
# a study that no distribution offers, as a cell of a notebook could hold it
MORE = """
from misalign import register_study
from pebbles import PebbleStudy

@register_study
class More(PebbleStudy):
    name = "more"
"""


@pytest.fixture
def outside(tmp_path, monkeypatch):
    """A distribution that offers a study, as pip leaves it, in the folder where work is done."""
    site = tmp_path / "site"
    info = site / "pebbles-1.0.dist-info"
    info.mkdir(parents=True)
    shutil.copy(SOURCE, site / "pebbles.py")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: pebbles\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[misalign.studies]\npebbles = pebbles:PebbleStudy\n")
    work = tmp_path / "work"
    work.mkdir()
    (work / "more.py").write_text(MORE)
    before = set(registered)
    monkeypatch.syspath_prepend(site)
    paths = [str(site), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.chdir(work)
    importlib.invalidate_caches()
    yield work
    for name in set(registered) - before:
        del registered[name]
    for name in ("pebbles", "more"):
        sys.modules.pop(name, None)


def grid(folder, **content):
    path = folder / "stones.yml"
    block = {"scale": "smoke", "setting": [1, 2], "seed": [0, 1], **content.pop("block")}
    path.write_text(yaml.safe_dump({**content, "runs": [block]}))
    return path


def test_a_study_that_a_distribution_offers_is_run_and_names_its_own_parameters(outside):
    assert len(SOURCE.read_text().splitlines()) < 60
    run = Run(experiment="pebbles", scale="smoke", setting=2)
    assert run.encoding_size == 2
    assert run.option("noise") == 1.0
    loud = Run(experiment="pebbles", scale="smoke", setting=2, options={"noise": np.float32(4)})
    assert loud.option("noise") == 4.0
    assert json.loads(loud.parameters) == json.loads(run.parameters) | {"noise": 4.0}
    assert len({run.id, loud.id}) == 2
    assert Run.grid(experiment="pebbles", scale="smoke", setting=2, noise=[1, 4]) == [run, loud]
    assert Run.from_parameters(loud.parameters) == loud
    record = execute(loud)
    assert set(record.scores["variant"]) == {"noise=4.0"}
    # both modalities by both probes
    assert len(record.scores) == record.run["rows"].item() == 4 * 3
    assert np.isfinite(record.scores["score"]).all()
    file = Path(importlib.import_module("pebbles").__file__)
    assert file in provenance.closure(provenance.study_module("pebbles"))


def test_a_study_s_own_parameters_are_checked(outside, complains):
    with complains("options", "some of noise", "nose"):
        Run(experiment="pebbles", scale="smoke", options={"nose": 1})
    with complains("noise", "a number like 1.0", "[1, 2]"):
        Run(experiment="pebbles", scale="smoke", options={"noise": [1, 2]})
    with complains("parameters", "seed, encoding_size, options, noise", "nose"):
        Run.grid(experiment="pebbles", nose=1)
    with complains("options", "some of none", "noise"):
        Run(experiment="assumptions", latents="binary", bias="perturbation", options={"noise": 1.0})
    with complains("options", "batch_size, tau, first_tau", "noise"):
        Run(experiment="mpi3d", options={"noise": 1.0})


def test_a_bias_of_one_s_own_is_recorded_under_what_it_is(outside):
    bias = Bias(3, (1, 3), (3,), probability=1.0)
    run = Run(experiment="pebbles", scale="smoke", bias=bias)
    assert run.encoding_size == 1
    execute(run, record=outside / "kept")
    scores = results.read("pebbles", outside / "kept")
    assert set(scores["bias"]) == {"n=3 selected=(1, 3) perturbed=(3,) probability=1.0"}
    (row,) = results.runs(outside / "kept").itertuples()
    assert Run.from_parameters(row.parameters) == run
    assert row.run == run.id


def test_a_study_registered_by_a_module_is_swept_without_a_notebook_and_drawn(outside):
    path = grid(outside, block={"experiment": "more", "noise": [0.5, 2.0], "variant": "untrained"})
    command = ["sweep", str(path), "--results", str(outside / "kept"), "--no-notebooks"]
    refused = CliRunner().invoke(cli.main, command)
    assert "experiment: expected one of 'numerical'" in refused.output
    done = CliRunner().invoke(cli.main, [*command, "--import", "more"])
    assert done.exit_code == 0, done.output
    assert "8 runs recorded, 0 failed" in done.output
    scores = results.read("more", outside / "kept")
    assert set(scores["variant"]) == {"untrained noise=0.5", "untrained noise=2.0"}
    quiet = scores.query("variant == 'untrained noise=0.5' and probe == 'linear'")
    quiet = quiet[quiet["modality"] == "image"]
    figure, ax = plt.subplots()
    plots.heatmap(ax, plots.over_seeds(quiet), ["s1", "s2", "s3"])
    assert ax.texts
    plt.close(figure)
    missing = CliRunner().invoke(cli.main, [*command, "--import", "mere"])
    expected = "Error: --import: expected a module that can be imported, got mere ("
    assert missing.output == f"{expected}ModuleNotFoundError: No module named 'mere')\n"


def test_a_notebook_of_one_s_own_executes_a_sweep(outside):
    parameters = PARAMETERS.replace('"numerical"', '"more"') + "noise = 1.0\n"
    (outside / "pages").mkdir()
    write_template(outside / "pages" / "mine.ipynb", parameters, BODY)
    block = {"experiment": "more", "noise": 2.0, "setting": 1}
    path = grid(outside, notebook="pages/mine", block=block)
    code = "import misalign.paths, pathlib; misalign.paths.EXECUTED = pathlib.Path('executed'); "
    call = [sys.executable, "-c", code + "from misalign.cli import main; main()", "sweep"]
    call += [str(path), "--import", "more", "--results", str(outside / "kept"), "--workers", "1"]
    done = subprocess.run(call, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 runs recorded, 0 failed" in done.stdout
    scores = results.read("more", outside / "kept")
    assert set(scores["variant"]) == {"noise=2.0"}
    assert len(scores) == 2 * 4 * 3
    (executed,) = (outside / "executed" / "stones").iterdir()
    assert "import more" in executed.read_text()


def test_a_notebook_of_another_study_or_without_its_parameters_is_refused_in_the_dry_run(outside):
    write_template(outside / "mine.ipynb")
    command = ["sweep", "stones.yml", "--dry-run", "--results", str(outside / "kept")]
    grid(outside, notebook="mine.ipynb", block={"experiment": "pebbles", "noise": 2.0})
    outcome = CliRunner().invoke(cli.main, command)
    assert "mine.ipynb: expected noise in the parameters cell, got only bias" in outcome.output
    write_template(outside / "mine.ipynb", PARAMETERS + "noise = 1.0\n")
    outcome = CliRunner().invoke(cli.main, command)
    assert 'mine.ipynb: expected runs of "numerical", got pebbles' in outcome.output
    grid(outside, block={"experiment": "pebbles"})
    outcome = CliRunner().invoke(cli.main, command)
    assert "notebook: expected one in the sweep file, or --no-notebooks, got none" in outcome.output
