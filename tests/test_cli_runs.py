"""From a number to its run: `misalign runs` finds it, `misalign show` tells what is recorded."""

import re
import shlex
import subprocess
import sys

import pandas as pd
import papermill
import pytest
from click.testing import CliRunner
from papermill.cli import _resolve_type as parsed

from misalign import cli, provenance, records
from misalign.paths import RESULTS, ROOT
from misalign.run import Run
from misalign.sweeps.grid import Sweep

KEYS = ["modality", "split", "probe", "target", "factor", "metric"]


@pytest.fixture
def kept(tmp_path):
    """Results of two stale runs that a sweep names, and of a fresh one that none does."""
    plan = Sweep.named("figure_03").runs
    ours = [plan[0], plan[7], Run(scale="smoke", seed=3)]
    for at, run in enumerate(ours):
        base = {"scale": run.scale, "variant": "", "latents": run.latents, "bias": run.bias}
        base |= {"setting": run.setting, "seed": run.seed, "encoding_size": run.encoding_size}
        scores = {"s1": (0.9, 1.0), "s2": (0.25, 0.0), "s3": (0.1, None)}
        rows = [
            base
            | dict(zip(KEYS, ("image", "test", "nonlinear", "image", name, "r2"), strict=True))
            | {"run": run.id, "score": score, "oracle": oracle}
            for name, (score, oracle) in scores.items()
        ]
        made = {"commit": "abc1234", "device": "AMD EPYC, 1 threads", "torch": "2.13.0+cpu"}
        made |= {"code": provenance.code_hash("numerical") if at == 2 else "0" * 12}
        made |= {
            "steps": 600,
            "seconds": 10.0 + at,
            "loss": -4.5,
            "rows": len(rows),
            "date": f"2026-11-2{at}T04:55:47Z",
            "losses": "1 -4.5",
        }
        row = {"run": run.id, "experiment": run.experiment, "scale": run.scale}
        table = pd.DataFrame([row | {"parameters": run.parameters} | made])
        records.write(records.Record(pd.DataFrame(rows), table), tmp_path)
    return tmp_path, ours


def ask(command, *words, results=RESULTS):
    outcome = CliRunner().invoke(cli.main, [command, *words, "--results", str(results)])
    assert not outcome.exception or isinstance(outcome.exception, SystemExit), outcome.exception
    return outcome


def found(folder, *words):
    """Ids that are listed, and how many are said to be."""
    outcome = ask("runs", *words, results=folder)
    assert outcome.exit_code == 0, outcome.output
    count = int(re.search(r"(\d+) of \d+ runs", outcome.stderr)[1])
    ids = {line.split()[0] for line in outcome.stdout.splitlines()[1:]}
    assert len(ids) == count
    return ids


@pytest.mark.parametrize(
    ("words", "places"),
    [
        ((), {0, 1, 2}),
        (("smoke",), {2}),
        (("stale",), {0, 1}),
        (("full", "EPYC", "2026-11-21"), {1}),
        (("2",), {1}),
        (("setting > 1",), {1}),
        (("seconds < 11.5 and stale == 'stale'",), {0, 1}),
        (("seed == 3 or setting == 2",), {1, 2}),
        (("mpi3d",), set()),
        # nothing begins with it, though a date, a device and a size have it inside
        (("0-cpu",), set()),
    ],
)
def test_runs_are_found_by_words_and_by_queries(kept, words, places):
    folder, ours = kept
    assert found(folder, *words) == {ours[at].id for at in places}


def test_a_run_is_found_by_the_beginning_of_its_id(kept):
    folder, ours = kept
    assert found(folder, ours[0].id[:8]) == {ours[0].id}


def shown(folder, start):
    outcome = ask("show", start, results=folder)
    assert outcome.exit_code == 0, outcome.output
    return {line[:14].strip(): line[15:] for line in outcome.stdout.splitlines()}


def test_all_that_is_recorded_of_a_run_is_shown(kept):
    folder, ours = kept
    lines = shown(folder, ours[1].id[:6])
    assert lines["run"] == ours[1].id
    told = {
        name: type(value)(lines[name])
        for name, value in ours[1].as_dict().items()
        if name in ours[1].needed
    }
    assert Run(**told) == ours[1]
    assert lines["code"] == f"{'0' * 12} (stale: now {provenance.code_hash('numerical')})"
    assert (lines["commit"], lines["torch"], lines["steps"]) == ("abc1234", "2.13.0+cpu", "600")
    assert (lines["seconds"], lines["loss"], lines["date"][:10]) == ("11.0", "-4.5", "2026-11-21")
    assert lines["device"] == "AMD EPYC, 1 threads"
    point = "image test nonlinear image"
    ends = f"-0.100 ({point} s1 r2) to +0.250 ({point} s2 r2)"
    assert lines["scores"] == f"3 rows; score less oracle: {ends}"
    assert lines["sweeps"].split(", ") == ["figure_03"]


def test_a_run_of_the_present_code_and_of_no_sweep_says_so(kept):
    folder, ours = kept
    lines = shown(folder, ours[2].id)
    assert lines["code"].endswith("(as now)")
    assert lines["sweeps"] == "none" and "repeat" not in lines


@pytest.mark.parametrize("name", ["figure_03", "mpi3d_returns", "assumptions", "controls"])
def test_the_line_that_repeats_a_run_is_of_this_run(name):
    plan = Sweep.named(name)
    run = plan.runs[-1]
    lines = shown(RESULTS, run.id)
    assert name in lines["sweeps"].split(", ")
    papermill_, path, target, *options = shlex.split(lines["repeat"])
    assert (papermill_, target) == ("papermill", f"{run.id}.ipynb")
    flags, names, values = options[::3], options[1::3], options[2::3]
    assert set(flags) <= {"-p"}
    cell = papermill.inspect_notebook(path)
    set_there = {key: parsed(one["default"].strip('"')) for key, one in cell.items()}
    passed = dict(zip(names, map(parsed, values), strict=True))
    # what is as the notebook has it is not passed
    assert all(set_there[key] != value for key, value in passed.items())
    assert Run.grid(**{key: (set_there | passed)[key] for key in run.needed}) == [run]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("runs", "setting >"), "QUERY: expected a query, got "),
        (("runs", "colour == 'red'"), "QUERY: expected a query, got name 'colour' is not defined"),
        (("runs", "setting + seed", "*", "2"), "QUERY: expected a query, got "),
        (
            ("show", "zzz"),
            "RUN: expected the id of one recorded run .*, with which none of 3 begin",
        ),
        (("show", ""), "RUN: expected the id of one recorded run .*, with which 3 of 3 begin"),
    ],
)
def test_a_bad_question_is_answered_in_one_line(kept, words, message):
    outcome = ask(*words, results=kept[0])
    assert outcome.exit_code == 1
    assert re.fullmatch(f"Error: {message}[^\n]*\n", outcome.output)


@pytest.mark.parametrize("words", [("runs",), ("show", "abc")])
def test_a_folder_without_records_is_named(tmp_path, words):
    outcome = ask(*words, results=tmp_path)
    assert outcome.exit_code == 1
    assert outcome.output == (
        f"Error: results: expected recorded runs (misalign sweep), got none in {tmp_path}\n"
    )


def test_records_of_a_study_that_is_not_there_are_listed(kept):
    folder, ours = kept
    path = folder / "runs.csv"
    path.write_text(path.read_text().replace(f"{ours[2].id},numerical", f"{ours[2].id},mine"))
    assert found(folder, "mine", "unknown") == {ours[2].id}


def test_help_and_the_library_s_names_load_neither_torch_nor_matplotlib():
    program = """
import sys
from click.testing import CliRunner
from misalign.cli import main
for words in ([], ["runs"], ["show"], ["sweep"]):
    assert CliRunner().invoke(main, [*words, "--help"]).exit_code == 0
assert "torch" not in sys.modules and "matplotlib" not in sys.modules
import misalign, misalign.style
misalign.Run, misalign.World, misalign.execute, misalign.oracle
import misalign.experiment, misalign.reporting.summaries, misalign.reporting.verdicts
import misalign.reporting.concept_tables, misalign.reporting.captions
assert "torch" in sys.modules and "matplotlib" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
