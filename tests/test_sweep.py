"""Sweeps and the command: what is checked, skipped, recorded and complained about."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from click.testing import CliRunner
from sweep_template import PARAMETERS, write_template
from sweep_template import write_grid as plan

from misalign import cli, experiment, paths, provenance
from misalign import parallel as cluster
from misalign import records as results
from misalign.experiment import Run
from misalign.sweeps import grid as sweep
from misalign.sweeps import runner as carry_out
from misalign.sweeps import worker as template
from misalign.sweeps.grid import Sweep, estimate, groups, parameters
from misalign.worlds import mixing


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A notebook folder with a template, and nothing else of the project's."""
    write_template(tmp_path / "template.ipynb")
    nbformat.write(nbformat.v4.new_notebook(), tmp_path / "plain.ipynb")
    write_template(tmp_path / "lacking.ipynb", PARAMETERS.replace('variant = ""\n', ""))
    monkeypatch.setattr(sweep, "NOTEBOOKS", tmp_path)
    monkeypatch.setattr(carry_out, "EXECUTED", tmp_path / "executed")
    return tmp_path


def run_here(plan, runs, kept):
    """Execute runs in this process; returns the outcomes."""
    return list(carry_out.run_local(carry_out.Task(plan, (), kept).part(runs)))


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """Records of seeds 0 and 1, trained once, and by the command; tests take a copy of them."""
    base = tmp_path_factory.mktemp("made")
    path = plan(base, seed=[0, 1])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mixing, "DRAWS", 100)
        outcome = invoke(path, "--results", base / "kept", "--no-notebooks")
    assert outcome.exit_code == 0, outcome.output
    assert "grid: 2 of 2 runs to do" in outcome.output
    assert "2 runs recorded, 0 failed" in outcome.output
    return base / "kept"


@pytest.fixture
def kept(made, folder):
    return shutil.copytree(made, folder / "kept")


def invoke(*words):
    return CliRunner().invoke(cli.main, ["sweep", *map(str, words)])


def refused(outcome, words, status=1):
    """Whether the command stopped with one line and nothing else."""
    (line,) = outcome.output.strip().splitlines()[-1:]
    assert outcome.exit_code == status, outcome.output
    assert words in line
    if status == 1:
        assert outcome.output.strip() == line
    else:  # click shows the usage, too
        assert outcome.output.startswith("Usage: ")


@pytest.mark.parametrize(
    ("axes", "words"),
    [
        ({"sedd": [1]}, "parameters: expected some of"),
        ({"seed": []}, "seed: expected at least one value, got an empty list"),
        (
            {"scale": "huge"},
            "scale: expected one of smoke, laptop, full, double, gpu, paper, got 'huge'",
        ),
        ({"setting": 11}, "setting: expected a whole number from 1 to 10"),
        (
            {"notebook": "nowhere"},
            "notebook: expected a path, or one of lacking, template, got nowhere",
        ),
        (
            {"notebook": "lacking"},
            "lacking.ipynb: expected variant in the parameters cell",
        ),
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


def test_the_project_s_own_sweeps_go_by_their_names(tmp_path):
    outcome = invoke("table_05", "--dry-run", "--results", tmp_path / "kept")
    assert outcome.exit_code == 0, outcome.output
    assert outcome.output.startswith("table_05: 10 of 10 runs to do")


@pytest.mark.parametrize(
    ("name", "bias", "settings", "count"),
    [
        ("concepts_coverage", "coverage", 10, 33),  # and an untrained control
        ("concepts_breadth", "breadth", 4, 12),
        ("concepts_omission", "omission", 6, 18),
    ],
)
def test_sweeps_of_the_miniature_have_every_setting_by_three_seeds(name, bias, settings, count):
    runs = Sweep.named(name).runs
    assert len({run.id for run in runs}) == count
    assert {(run.experiment, run.bias, run.encoding_size) for run in runs} == {
        ("concepts", bias, 32)
    }
    trained = {(run.setting, run.seed) for run in runs if not run.variant}
    assert trained == {(k, seed) for k in range(1, settings + 1) for seed in range(3)}


def test_a_sweep_that_is_not_there_is_one_line_with_the_known_names():
    refused(invoke("figure_99", "--dry-run"), "FILES: expected a file, or one of assumptions, ")


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


@pytest.mark.parametrize("damage", ["text", "column", "cut", "twice"])
def test_a_damaged_results_file_is_found_before_anything_is_trained(
    folder, kept, damage, monkeypatch
):
    monkeypatch.setattr(experiment, "execute_all", lambda *_, **__: pytest.fail("trained"))
    file = kept / "numerical.csv"
    header, row, *rest = file.read_text().splitlines(keepends=True)
    changed = {
        "text": [header, row.replace(row.split(",")[-2], "ten"), *rest],
        "column": [header.replace(",oracle", ""), row, *rest],
        "cut": [header, row, *rest[:-1], rest[-1][:-5]],
        "twice": [header, row, row, *rest],
    }
    file.write_text("".join(changed[damage]))
    outcome = invoke(plan(folder, seed=[0, 1]), "--results", kept, "--no-notebooks")
    refused(outcome, str(file))


@pytest.mark.parametrize(
    ("damage", "lacking"), [("last row", [1]), ("half", [1]), ("more than half", [0, 1])]
)
def test_a_run_that_lacks_scores_is_done_again(folder, kept, damage, lacking):
    path = plan(folder, seed=[0, 1])
    grid = Sweep.read(path)
    file = kept / "numerical.csv"
    header, *rows = file.read_text().splitlines(keepends=True)
    half = len(rows) // 2
    left = {"last row": len(rows) - 1, "half": half, "more than half": half - 1}
    file.write_text("".join([header, *rows[: left[damage]]]))
    assert [run.seed for run in grid.missing(kept)] == lacking
    assert grid.stale(kept) == []
    with pytest.raises(ValueError, match="results: expected all 2 runs of grid"):
        grid.scores(kept)
    outcome = invoke(path, "--results", kept, "--dry-run", "--no-notebooks")
    assert f"grid: {len(lacking)} of 2 runs to do" in outcome.output


def test_a_device_without_a_use_is_refused(folder):
    command = ["sweep", str(plan(folder)), "--device", "cuda", "--dry-run"]
    outcome = CliRunner().invoke(cli.main, command)
    assert outcome.exit_code == 2
    assert "--device does not go with --notebooks" in outcome.output


def test_a_figure_takes_the_runs_of_its_sweep_and_no_others(folder, kept, monkeypatch):
    monkeypatch.setattr(mixing, "DRAWS", 100)
    wide = Sweep.read(plan(folder, seed=[0, 1], encoding_size=2))
    assert [outcome.error for outcome in run_here(wide, wide.runs, kept)] == [""]
    assert len(results.runs(kept)) == 4
    for seeds in ([1], [0, 1]):
        few = Sweep.read(plan(folder, seed=seeds))
        assert set(few.scores(kept)["run"]) == {run.id for run in few.runs}
    more = Sweep.read(plan(folder, seed=[0, 1, 2]))
    with pytest.raises(ValueError, match="results: expected all 3 runs of grid"):
        more.scores(kept)


FIGURE = {"latents": ["independent", "dependent"], "setting": [*range(1, 11)], "seed": [*range(5)]}


@pytest.mark.parametrize("most", [1, 3, 10, 12, 1000])
@pytest.mark.parametrize(
    "runs",
    [
        Run.grid(**FIGURE),
        # what a half-done sweep left
        [run for i, run in enumerate(Run.grid(**FIGURE)) if i % 7 and i % 3],
        Run.grid(variant=["", "raw"], bias=["selection", "perturbation"], seed=[0, 1]),
        Run.grid(encoding_size=[None, 3], setting=[1, 2, 3], seed=[0, 1]),
        [],
    ],
)
def test_groups_are_grids_that_cover_the_runs_once(runs, most):
    runs = list(dict.fromkeys(runs))
    parts = groups(runs, most)
    assert sorted(run.id for part in parts for run in part) == sorted(run.id for run in runs)
    assert all(len(part) <= most for part in parts)
    assert [Run.grid(**parameters(part)) for part in parts] == parts


def test_seeds_go_together_first_then_latents_then_settings():
    runs = Run.grid(**FIGURE)
    assert [parameters(part)["setting"] for part in groups(runs, 10)] == [*range(1, 11)]
    assert {len(part) for part in groups(runs, 10)} == {10}
    assert {len(part) for part in groups(runs, 5)} == {5}
    assert {parameters(part)["latents"] for part in groups(runs, 5)} == {*FIGURE["latents"]}
    (everything,) = groups(runs, 100)
    assert {name: parameters(everything)[name] for name in FIGURE} == FIGURE
    assert parameters(everything)["encoding_size"] is None
    with pytest.raises(ValueError, match="most: expected a whole number of at least 1, got 0"):
        groups(runs, 0)


def test_what_another_sweep_recorded_meanwhile_is_not_done_again(folder, monkeypatch):
    kept = folder / "kept"
    pair = Sweep.read(plan(folder, variant="raw", seed=[0, 1]))
    whole, late = (carry_out.Task(pair, (), kept).part(pair.runs) for _ in range(2))
    first, second = pair.runs
    run_here(pair, [first], kept)
    done = []
    monkeypatch.setattr(experiment, "execute_all", spy(done, experiment.execute_all))
    outcomes = list(carry_out.run_local(whole))
    assert [outcome.recorded for outcome in outcomes] == [(first,), (second,)]
    assert [outcome.recorded for outcome in carry_out.run_local(late)] == [pair.runs]
    assert done == [[second]]
    # a worker looks, too: this notebook is not even there
    (task,) = late
    (folder / "template.ipynb").unlink()
    assert template.attempt(task.job) == ((), "")


def spy(calls, function):
    def called(runs, **options):
        calls.append(runs)
        return function(runs, **options)

    return called


def test_of_a_group_that_fails_the_sick_run_alone_stays_failed(folder, monkeypatch):
    def sick(runs, **options):
        if any(run.seed == 1 for run in runs):
            raise RuntimeError("seed one is sick\nand more")
        return healthy(runs, **options)

    healthy = experiment.execute_all
    monkeypatch.setattr(experiment, "execute_all", sick)
    path = plan(folder, variant="raw", seed=[0, 1, 2])
    outcome = invoke(path, "--results", folder / "kept", "--no-notebooks")
    _, named, _ = Sweep.read(path).runs
    assert outcome.exit_code == 1
    assert outcome.output.splitlines()[1:] == [
        f"failed: {named.parameters}: seed one is sick",
        "2 runs recorded, 1 failed",
    ]


def test_what_is_recorded_is_skipped_and_a_second_sweep_does_nothing(folder, kept):
    more = Sweep.read(plan(folder, seed=[0, 1, 2]))
    assert [run.seed for run in more.missing(kept)] == [2]
    before = {path.name: path.read_bytes() for path in kept.glob("*.csv")}
    second = invoke(plan(folder, seed=[0, 1]), "--results", kept, "--no-notebooks")
    assert second.exit_code == 0
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
    one = Sweep.read(plan(folder, variant="raw"))
    run_here(one, one.runs, kept)
    assert one.stale(kept) == []
    for module in (sweep, carry_out):
        monkeypatch.setattr(module, "code_hash", lambda experiment: "another")
    assert one.missing(kept) == []
    assert one.stale(kept) == list(one.runs)
    # redone by code that still is not the present one, it does not count as done
    (outcome,) = run_here(one, one.stale(kept), kept)
    assert outcome.failed == one.runs
    assert outcome.error == template.UNRECORDED


def test_the_estimate_comes_from_recorded_seconds(folder, kept):
    seconds = results.runs(kept)["seconds"].mean()
    assert estimate([Run(scale="smoke", seed=5), Run(scale="smoke", seed=6)], kept) == 2 * seconds
    assert estimate([Run(scale="smoke")], folder / "nothing") is None


def test_a_dry_run_measures_a_scale_that_nobody_recorded_once(folder, monkeypatch):
    measured = []
    monkeypatch.setattr(sweep, "seconds_a_step", lambda run, device: measured.append(run) or 9.6)
    path = plan(folder, setting=[1, 2], seed=[*range(50)])
    outcome = invoke(path, "--results", folder / "kept", "--dry-run", "--scale", "paper")
    assert outcome.output.splitlines() == [
        "grid: 100 of 100 runs to do",
        "timing a few steps of paper ...",
        "paper: 9.6 s a step of one run here, so 267 hours a run and 26,667 hours in all",
    ]
    assert len(measured) == 1
    invoke(path, "--results", folder / "kept", "--dry-run", "--scale", "laptop")
    assert len(measured) == 1  # the project's own records tell


def test_workers_share_the_time(folder, monkeypatch):
    monkeypatch.setattr(sweep, "recorded_seconds", lambda experiment, scale, folder: 60.0)
    path = plan(folder, setting=[1, 2, 3, 4], seed=[0, 1, 2, 3, 4])
    command = (
        path,
        "--results",
        folder / "kept",
        "--dry-run",
        "--runs-per-notebook",
        "5",
        "--workers",
    )
    assert "about 20 min\n" in invoke(*command, "1").output
    assert "about 5 min on 4 workers\n" in invoke(*command, "9").output


def test_a_scheduler_that_is_not_there_is_one_line(folder, monkeypatch):
    monkeypatch.setattr(cluster, "PATIENCE", 1)
    kept = folder / "kept"
    address = "tcp://127.0.0.1:9"
    outcome = invoke(plan(folder), "--results", kept, "--scheduler", address)
    refused(outcome, f"scheduler: expected a Dask scheduler at {address}, got")
    refused(invoke(plan(folder), "--results", kept, "--scheduler", "x:y"), "got")
    assert not kept.exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--scheduler", "tcp://127.0.0.1:9", "--slurm"], "--scheduler does not go with --slurm"),
        (["--scheduler", "tcp://127.0.0.1:9", "--workers", "2"], "does not go with --workers"),
        (["--slurm", "--no-notebooks"], "--slurm does not go with --no-notebooks"),
        (["--timeout", "9", "--no-notebooks"], "--timeout does not go with --no-notebooks"),
        (["--runs-per-notebook", "0"], "0 is not in the range x>=1"),
    ],
)
def test_options_that_do_not_go_together_are_refused(folder, options, words):
    refused(invoke(plan(folder), "--results", folder / "kept", *options), words, status=2)
    assert not (folder / "kept").exists()


@pytest.mark.parametrize("package", ["distributed", "papermill", "dask_jobqueue"])
def test_a_missing_package_is_named_with_the_line_that_installs_it(folder, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    outcome = invoke(plan(folder), "--results", folder / "kept", "--slurm")
    refused(outcome, f"(pip install 'misalign[sweeps]'), got no {package}")


def test_slurm_without_sbatch_is_one_line(folder, monkeypatch):
    monkeypatch.setenv("PATH", str(folder))
    outcome = invoke(plan(folder), "--results", folder / "kept", "--slurm")
    refused(outcome, "slurm: expected sbatch on PATH, as on a cluster's login node, got none")
    assert not (folder / "kept").exists()


def test_results_that_cannot_be_written_are_one_line_before_anything_runs(folder):
    (folder / "file").touch()
    for kept in (folder / "file" / "kept", Path("/proc/kept")):
        if kept.parent.exists():
            refused(invoke(plan(folder), "--results", kept), "results: expected a folder to write")
    paths.expect_writable("results", folder / "not" / "yet")
    assert not (folder / "not").exists()


def test_an_unknown_sweep_lists_the_known():
    with pytest.raises(ValueError, match="expected one of assumptions, .*, figure_03, .*, got 'x'"):
        Sweep.named("x")


def test_a_sweep_from_a_dirty_tree_is_refused_but_with_leave(folder, monkeypatch):
    kept = folder / "kept"
    for module in (experiment, provenance):
        monkeypatch.setattr(module, "commit", lambda: "1234567+")
    monkeypatch.setattr(provenance, "RESULTS", kept)
    command = (plan(folder, variant="raw"), "--results", kept, "--no-notebooks")
    refused(invoke(*command), "results: expected files as committed (commit them, or allow it by")
    assert not kept.exists()
    assert "1 of 1 runs to do" in invoke(*command, "--dry-run").output
    assert "1 runs recorded, 0 failed" in invoke(*command, "--allow-dirty").output
    assert results.runs(kept)["commit"].tolist() == ["1234567+"]


def test_a_notebook_of_a_sweep_gets_the_leave_to_record_from_a_dirty_tree(monkeypatch):
    given = []
    for name in ("execute", "execute_all"):  # put back afterwards
        monkeypatch.setattr(experiment, name, lambda *_, **options: given.append(options))
    assert template.preamble([]) == ""
    exec(template.preamble([], allow_dirty=True), {})
    experiment.execute_all([], record="results")
    assert given == [{"record": "results", "allow_dirty": True}]


def test_pages_that_are_no_templates_are_not_offered(folder):
    shown = invoke(plan(folder, notebook="nowhere"), "--results", folder / "kept", "--dry-run")
    refused(shown, "notebook: expected a path, or one of lacking, template, got nowhere")


def test_without_notebooks_a_sweep_names_none(folder):
    path = folder / "grid.yml"
    path.write_text("runs: [{scale: smoke, variant: raw}]\n")
    options = (path, "--results", folder / "kept", "--dry-run")
    assert "1 of 1 runs to do" in invoke(*options, "--no-notebooks").output
    refused(
        invoke(*options), "notebook: expected one in the sweep file, or --no-notebooks, got none"
    )


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The package as a wheel leaves it, and an empty folder to work in."""
    base = tmp_path_factory.mktemp("installed")
    (base / "work").mkdir()
    shutil.copytree(paths.LIBRARY, base / "site" / "misalign")

    def python(*words):
        environment = os.environ | {"PYTHONPATH": str(base / "site")}
        call = [sys.executable, *map(str, words)]
        return subprocess.run(
            call, cwd=base / "work", env=environment, capture_output=True, text=True
        )

    return python


def test_outside_a_checkout_folders_are_those_of_the_working_directory(installed):
    names = "RESULTS, DATA, EXECUTED, CHECKPOINTS"
    done = installed("-c", f"from misalign.paths import {names}; print({names})")
    assert done.stdout.split() == ["results", "data", "_runs", "_runs/checkpoints"], done.stderr


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], "FILES: expected a file, or the project's own in a checkout of it (see its README)"),
        (["figure_03"], "FILES: expected a file, or the project's own in a checkout of it"),
    ],
)
def test_outside_a_checkout_a_sweep_says_so(installed, words, expected):
    done = installed("-m", "misalign", "sweep", "--dry-run", *words)
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"Error: {expected}")


def test_outside_a_checkout_runs_are_recorded_where_one_works(installed):
    code = (
        "from pathlib import Path; from misalign import Run, execute; from misalign import paths\n"
        "from misalign.sweeps.grid import Sweep\n"
        "record = execute(Run(scale='smoke', variant='raw'), record=paths.RESULTS)\n"
        "print(repr(record.run['commit'].item()), sorted(map(str, Path().rglob('*.csv'))))\n"
        "try: Sweep.named('figure_03')\n"
        "except ValueError as error: print(error)"
    )
    done = installed("-c", code)
    recorded, named = done.stdout.splitlines()
    assert recorded == "'' ['results/numerical.csv', 'results/runs.csv']"
    assert named == (
        "sweep: expected the project's own in a checkout of it (see its README), got 'figure_03'"
    )
