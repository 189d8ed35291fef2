"""Sweeps and the command: what is checked, skipped, recorded and complained about."""

import nbformat
import pytest
import yaml
from click.testing import CliRunner

from misalign import cli, results, sweep
from misalign.experiment import Run
from misalign.sweep import Sweep, carry_out, estimate, groups

PARAMETERS = "\n".join(
    [
        "experiment = 'numerical'",
        "scale = 'smoke'",
        "variant = ''",
        "latents = 'independent'",
        "bias = 'selection'",
        "setting = 1",
        "seed = 0",
        "encoding_size = None",
        "record = ''",
    ]
)
BODY = """
import os
from misalign import Run, execute
runs = Run.from_notebook(globals())
if setting == 2:
    raise RuntimeError("setting two is broken")
if setting == 3:
    os._exit(1)
for run in runs:
    execute(run, record=record)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A notebook folder with a template, and nothing else of the project's."""
    cell = nbformat.v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})
    drawing = nbformat.v4.new_code_cell("1 / 0", metadata={"tags": ["recorded"]})
    cells = [cell, nbformat.v4.new_code_cell(BODY), drawing]
    kernel = {"name": "python3", "language": "python", "display_name": "Python 3"}
    template = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
    nbformat.write(template, tmp_path / "template.ipynb")
    nbformat.write(nbformat.v4.new_notebook(), tmp_path / "plain.ipynb")
    monkeypatch.setattr(sweep, "NOTEBOOKS", tmp_path)
    monkeypatch.setattr(sweep, "EXECUTED", tmp_path / "executed")
    return tmp_path


def plan(folder, notebook="template", **axes):
    path = folder / "grid.yml"
    block = {"scale": "smoke", **axes}
    path.write_text(yaml.safe_dump({"notebook": notebook, "runs": [block]}))
    return path


@pytest.mark.parametrize(
    ("axes", "words"),
    [
        ({"sedd": [1]}, "parameters: expected some of"),
        ({"seed": []}, "seed: expected at least one value, got an empty list"),
        ({"scale": "huge"}, "scale: expected one of smoke, laptop, paper, got 'huge'"),
        ({"setting": 11}, "setting: expected a whole number from 1 to 10"),
        ({"notebook": "nowhere"}, "notebook: expected one of"),
        ({"notebook": "plain"}, "notebook: expected a cell tagged parameters"),
        ({"setting": [[1]]}, "setting: expected a whole number"),
    ],
)
def test_a_bad_grid_is_one_line_and_nothing_runs(folder, axes, words):
    path = plan(folder, **axes)
    kept = folder / "kept"
    outcome = CliRunner().invoke(cli.main, ["sweep", str(path), "--results", str(kept)])
    assert outcome.exit_code == 1
    assert words in outcome.output
    assert len(outcome.output.strip().splitlines()) == 1
    assert not kept.exists()


def test_a_file_that_is_no_sweep_is_refused(folder):
    path = folder / "grid.yml"
    path.write_text("- 1\n")
    with pytest.raises(ValueError, match="expected the keys notebook and runs"):
        Sweep.read(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("notebook: [", "expected YAML, got"),
        ("notebook: template\nruns: [1]\n", "runs: expected a list of blocks"),
        ("notebook: template\nruns: []\n", "runs: expected a list of blocks"),
    ],
)
def test_broken_sweep_file_is_one_line(folder, text, words):
    path = folder / "grid.yml"
    path.write_text(text)
    outcome = CliRunner().invoke(cli.main, ["sweep", str(path), "--dry-run"])
    assert outcome.exit_code == 1
    assert words in outcome.output
    assert len(outcome.output.strip().splitlines()) == 1


def test_an_unknown_device_is_one_complaint_before_anything_runs(folder):
    command = ["sweep", str(plan(folder, seed=[0, 1])), "--no-notebooks", "--device", "potato"]
    outcome = CliRunner().invoke(cli.main, command)
    assert outcome.exit_code == 2
    assert outcome.output.count("--device: expected one of this machine") == 1


@pytest.mark.parametrize("damage", ["half", "text", "column"])
def test_a_damaged_results_file_is_found_before_anything_is_trained(folder, damage, monkeypatch):
    kept, path = folder / "kept", plan(folder, seed=[0, 1])
    whole = Sweep.read(path)
    list(carry_out(whole, list(whole.runs), kept, notebooks=False))
    monkeypatch.setattr(sweep, "execute", lambda *_, **__: pytest.fail("trained"))
    file = kept / "numerical.csv"
    lines = file.read_text().splitlines(keepends=True)
    if damage == "half":
        file.write_text("".join(lines[: len(lines) // 2]))
        assert len(whole.missing(kept)) == 1
        with pytest.raises(ValueError, match="results: expected all 2 runs"):
            whole.scores(kept)
        return
    header, row = lines[0], lines[1].split(",")
    row[-2] = "ten"
    first = header.replace(",oracle", "") if damage == "column" else header
    file.write_text("".join([first, ",".join(row), *lines[2:]]))
    outcome = CliRunner().invoke(
        cli.main, ["sweep", str(path), "--results", str(kept), "--no-notebooks"]
    )
    assert outcome.exit_code == 1
    assert str(file) in outcome.output
    assert len(outcome.output.strip().splitlines()) == 1


def test_a_device_without_a_use_is_refused(folder):
    command = ["sweep", str(plan(folder)), "--device", "cuda", "--dry-run"]
    outcome = CliRunner().invoke(cli.main, command)
    assert outcome.exit_code == 2
    assert "--device goes with --no-notebooks" in outcome.output


def test_a_figure_takes_the_runs_of_its_sweep_and_no_others(folder):
    kept = folder / "kept"
    both = Sweep.read(plan(folder, seed=[0, 1], encoding_size=[1, 2]))
    list(carry_out(both, list(both.runs), kept, notebooks=False))
    few = Sweep.read(plan(folder, seed=[0, 1]))
    assert set(few.scores(kept)["run"]) == {run.id for run in few.runs}
    more = Sweep.read(plan(folder, seed=[0, 1, 2]))
    with pytest.raises(ValueError, match="results: expected all 3 runs of grid"):
        more.scores(kept)


def test_runs_that_differ_only_in_their_seed_go_together():
    runs = Run.grid(scale="smoke", seed=[0, 1], setting=[1, 2])
    assert [[(r.setting, r.seed) for r in group] for group in groups(runs)] == [
        [(1, 0), (1, 1)],
        [(2, 0), (2, 1)],
    ]


def test_what_is_recorded_is_skipped_and_a_second_sweep_does_nothing(folder):
    kept = folder / "kept"
    few = Sweep.read(plan(folder, seed=[0]))
    assert [o.error for o in carry_out(few, list(few.runs), kept, notebooks=False)] == [""]
    more = Sweep.read(plan(folder, seed=[0, 1]))
    assert [run.seed for run in more.missing(kept)] == [1]
    command = ["sweep", str(plan(folder, seed=[0, 1])), "--results", str(kept), "--no-notebooks"]
    assert CliRunner().invoke(cli.main, command).exit_code == 0
    before = {path.name: path.read_bytes() for path in kept.glob("*.csv")}
    second = CliRunner().invoke(cli.main, command)
    assert "0 of 2 runs to do" in second.output
    assert {path.name: path.read_bytes() for path in kept.glob("*.csv")} == before


def test_a_dry_run_says_what_is_missing_and_writes_nothing(folder):
    kept = folder / "kept"
    command = ["sweep", str(plan(folder, seed=[0, 1])), "--results", str(kept), "--dry-run"]
    outcome = CliRunner().invoke(cli.main, command)
    assert outcome.exit_code == 0
    assert "2 of 2 runs to do" in outcome.output
    assert not kept.exists()


def test_runs_recorded_by_other_code_are_stale_but_not_missing(folder, monkeypatch):
    kept = folder / "kept"
    one = Sweep.read(plan(folder))
    list(carry_out(one, list(one.runs), kept, notebooks=False))
    assert one.stale(kept) == []
    monkeypatch.setattr(sweep, "code_hash", lambda experiment: "another")
    assert one.missing(kept) == []
    assert one.stale(kept) == list(one.runs)
    # redone by code that still is not the present one, it does not count as done
    (outcome,) = carry_out(one, one.stale(kept), kept, notebooks=False)
    assert outcome.failed == list(one.runs)


def test_the_estimate_comes_from_recorded_seconds(folder):
    kept = folder / "kept"
    one = Sweep.read(plan(folder))
    assert estimate(list(one.runs), kept) is None
    list(carry_out(one, list(one.runs), kept, notebooks=False))
    seconds = results.runs(kept)["seconds"].item()
    assert estimate([Run(scale="smoke", seed=5), Run(scale="smoke", seed=6)], kept) == 2 * seconds


@pytest.mark.filterwarnings("ignore")  # Jupyter's clients warn of their own deprecations
def test_failures_are_named_the_rest_goes_on_and_a_dead_kernel_is_not_done(folder):
    path, kept = plan(folder, setting=[2, 3, 4]), folder / "kept"
    outcome = CliRunner().invoke(cli.main, ["sweep", str(path), "--results", str(kept)])
    assert outcome.exit_code == 1
    assert "setting two is broken" in outcome.output
    assert "1 runs recorded, 2 failed" in outcome.output
    recorded = Sweep.read(path).missing(kept)
    assert [run.setting for run in recorded] == [2, 3]
