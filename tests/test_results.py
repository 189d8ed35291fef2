"""Record files: whole or not at all, one order, and many writers at once."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from misalign import records as results
from misalign.records import RUNS, SCORES, Record
from misalign.run import Run


def record(name="a", seed=0, scores=(0.5, -0.25), experiment="numerical", **fields):
    """A record of one linear probe on s1, s2, ...; only s1 has an oracle."""
    rows = [
        {
            **{"run": name, "scale": "smoke", "variant": "", "latents": "independent"},
            **{"bias": "selection", "setting": 1, "seed": seed, "encoding_size": 1},
            **{"modality": "image", "split": "test", "probe": "linear", "target": "image"},
            **{"factor": f"s{i}", "metric": "r2", "score": value},
            "oracle": 1.0 if i == 1 else np.nan,
        }
        for i, value in enumerate(scores, 1)
    ]
    run = {
        **{"run": name, "experiment": experiment, "scale": "smoke"},
        **{"parameters": f'{{"seed": {seed}}}', "commit": "1234567", "code": "0123456789ab"},
        **{"device": "CPU, 1 threads", "torch": "2.13.0", "steps": 20, "seconds": 1.5},
        **{"loss": 0.25, "date": "2026-01-01T00:00:00Z", "rows": len(scores)},
        "losses": "2 0.5 0.25",
    }
    return Record(
        pd.DataFrame(rows, columns=list(SCORES)),
        pd.DataFrame([run | fields], columns=list(RUNS)),
    )


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*") if path.name != ".lock"}


def test_header_is_that_of_the_design(tmp_path):
    results.write(record(), tmp_path)
    first = {name: text.decode().split("\n")[0] for name, text in contents(tmp_path).items()}
    assert first == {
        "numerical.csv": "run,scale,variant,latents,bias,setting,seed,encoding_size,modality,"
        "split,probe,target,factor,metric,score,oracle",
        "runs.csv": "run,experiment,scale,parameters,commit,code,device,torch,steps,seconds,"
        "loss,date,rows,losses",
    }


def test_what_is_written_is_read_again(tmp_path):
    new = record()
    results.write(new, tmp_path)
    pd.testing.assert_frame_equal(results.read("numerical", tmp_path), new.scores)
    pd.testing.assert_frame_equal(results.runs(tmp_path), new.run)


def test_a_loss_curve_is_read_as_numbers(tmp_path):
    results.write(record(), tmp_path)
    results.write(record("b", seed=1, losses=""), tmp_path)
    first, second = map(results.loss_curve, results.runs(tmp_path)["losses"])
    assert first.tolist() == [2, 0.5, 0.25] and second.tolist() == []


def test_hexadecimal_names_stay_text(tmp_path):
    for name in ("000123456789", "1e5000000000", "123456789012"):
        results.write(record(name, commit="0012345", code="000000000012"), tmp_path)
    assert set(results.read("numerical", tmp_path)["run"]) == set(results.runs(tmp_path)["run"])
    assert "1e5000000000" in set(results.runs(tmp_path)["run"])
    assert set(results.runs(tmp_path)["commit"]) == {"0012345"}


def test_unknown_oracle_is_nan_and_the_papers_variant_is_empty(tmp_path):
    results.write(record(), tmp_path)
    scores = results.read("numerical", tmp_path)
    assert scores["oracle"].isna().tolist() == [False, True]
    assert set(scores["variant"]) == {""}


def test_experiments_have_files_of_their_own(tmp_path):
    results.write(record("a"), tmp_path)
    results.write(record("b", experiment="mpi3d"), tmp_path)
    assert set(contents(tmp_path)) == {"numerical.csv", "mpi3d.csv", "runs.csv"}
    assert set(results.read("mpi3d", tmp_path)["run"]) == {"b"}
    assert set(results.runs(tmp_path)["run"]) == {"a", "b"}


def test_writing_a_run_again_replaces_it(tmp_path):
    results.write(record("a", scores=(0.1, 0.2, 0.3)), tmp_path)
    results.write(record("b", seed=1), tmp_path)
    results.write(record("a", scores=(0.9,)), tmp_path)
    scores = results.read("numerical", tmp_path)
    assert scores["score"][scores["run"] == "a"].tolist() == [0.9]
    assert scores["score"][scores["run"] == "b"].tolist() == [0.5, -0.25]
    assert len(results.runs(tmp_path)) == 2


def test_files_do_not_depend_on_the_order_of_writing(tmp_path):
    new = [record(name, seed, (seed / 7,)) for seed, name in enumerate("fbeadc")]
    for folder, order in (("one", new), ("other", [*new[::-1], new[2]])):
        for each in order:
            results.write(each, tmp_path / folder)
    assert contents(tmp_path / "one") == contents(tmp_path / "other")


def test_rewriting_leaves_every_digit_of_other_runs(tmp_path):
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.uniform(-1, 1, 500), rng.normal(0, 1e-4, 500), [-31.25, 1e-6]])
    results.write(record("a", scores=values.round(6)), tmp_path)
    before = (tmp_path / "numerical.csv").read_text().splitlines()
    results.write(record("b", seed=1), tmp_path)
    after = (tmp_path / "numerical.csv").read_text().splitlines()
    assert [line for line in after if not line.startswith("b,")] == before


def test_scores_without_a_row_in_runs_are_not_read(tmp_path):
    for seed, name in enumerate("ab"):
        results.write(record(name, seed), tmp_path)
    runs = results.runs(tmp_path)
    runs[runs["run"] != "b"].to_csv(tmp_path / "runs.csv", index=False)
    assert set(results.read("numerical", tmp_path)["run"]) == {"a"}


def test_nothing_recorded_says_what_to_do(tmp_path, complains):
    with complains("results", "make sweep", "numerical.csv", FileNotFoundError):
        results.read("numerical", tmp_path)
    assert results.runs(tmp_path).empty
    assert tuple(results.runs(tmp_path).columns) == RUNS


def drop_column(path: Path, name: str) -> bytes:
    pd.read_csv(path, dtype=str).drop(columns=name).to_csv(path, index=False)
    return path.read_bytes()


def test_scores_without_a_column_are_refused_and_nothing_is_written(tmp_path, complains):
    results.write(record("a"), tmp_path)
    path = tmp_path / "numerical.csv"
    drop_column(path, "oracle")
    before = contents(tmp_path)
    with complains(str(path), "columns run, scale", "['oracle']"):
        results.read("numerical", tmp_path)
    with complains(str(path), "columns run, scale", "['oracle']"):
        results.write(record("b"), tmp_path)
    assert contents(tmp_path) == before


def test_runs_without_a_column_are_refused(tmp_path, complains):
    results.write(record("a"), tmp_path)
    path = tmp_path / "runs.csv"
    before = drop_column(path, "loss")
    for call in (lambda: results.runs(tmp_path), lambda: results.write(record("b"), tmp_path)):
        with complains(str(path), "columns run, experiment", "['loss']"):
            call()
    assert path.read_bytes() == before


def test_runs_without_a_column_leave_the_scores_alone(tmp_path):
    results.write(record("a"), tmp_path)
    drop_column(tmp_path / "runs.csv", "loss")
    before = contents(tmp_path)
    with pytest.raises(ValueError, match="loss"):
        results.write(record("b"), tmp_path)
    assert contents(tmp_path) == before


def test_runs_without_training_leave_losses_numbers(tmp_path):
    results.write(record("a", loss=np.nan), tmp_path)
    results.write(record("b", seed=1, loss=0.5), tmp_path)
    loss = results.runs(tmp_path).set_index("run")["loss"]
    assert loss["b"] == 0.5
    assert np.isnan(loss["a"])


def test_the_row_of_a_run_is_written_last(tmp_path, monkeypatch):
    # it is what tells a sweep that the run is done
    written, to_csv = [], pd.DataFrame.to_csv

    def watch(table, path, **options):
        written.append(path.name)
        to_csv(table, path, **options)

    monkeypatch.setattr(pd.DataFrame, "to_csv", watch)
    results.write(record("a"), tmp_path)
    assert ["runs" in name for name in written] == [False, True]


@pytest.mark.parametrize("broken", ["numerical", "runs"])
def test_failing_write_leaves_the_old_file_and_no_rest(tmp_path, monkeypatch, broken):
    results.write(record("a"), tmp_path)
    before = contents(tmp_path)
    to_csv = pd.DataFrame.to_csv

    def fail(table, path, **options):
        to_csv(table, path, **options)
        if broken in path.name:
            raise OSError("disk full")

    monkeypatch.setattr(pd.DataFrame, "to_csv", fail)
    with pytest.raises(OSError, match="disk full"):
        results.write(record("b", seed=1), tmp_path)
    monkeypatch.undo()
    after = contents(tmp_path)
    assert set(after) == set(before)
    assert after[f"{broken}.csv"] == before[f"{broken}.csv"]
    assert set(results.read("numerical", tmp_path)["run"]) == {"a"}  # not half a record
    results.write(record("b", seed=1), tmp_path)
    assert set(results.read("numerical", tmp_path)["run"]) == {"a", "b"}


def test_a_writer_killed_between_the_files_leaves_a_run_that_does_not_count(tmp_path, monkeypatch):
    results.write(record("a"), tmp_path)
    whole, written = results.replacing, []

    def killed(path):
        if written:
            raise KeyboardInterrupt
        written.append(path.name)
        return whole(path)

    monkeypatch.setattr(results, "replacing", killed)
    with pytest.raises(KeyboardInterrupt):
        results.write(record("b", seed=1), tmp_path)
    monkeypatch.undo()
    assert written == ["numerical.csv"]  # else the run would stand there without its scores
    assert set(results.runs(tmp_path)["run"]) == {"a"}
    assert set(results.recorded("numerical", tmp_path)) == {"a"}
    assert set(results.read("numerical", tmp_path)["run"]) == {"a"}


# ---- damage


def edited(path: Path, change) -> None:
    path.write_text("".join(change(path.read_text().splitlines(keepends=True))))


@pytest.fixture
def nine(tmp_path):
    """Records of run a, of nine scores, between two others."""
    for seed, name in enumerate(("0", "a", "b")):
        results.write(record(name, seed, scores=[0.5] * 9), tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "kept", [lambda rows: rows[:1], lambda rows: rows[::2], lambda rows: []], ids=["1", "5", "0"]
)
def test_a_run_that_lacks_scores_is_not_recorded_and_no_figure_draws_it(nine, kept, complains):
    def change(lines):
        rows = [line for line in lines if line.startswith("a,")]
        return [line for line in lines if line not in rows or line in kept(rows)]

    edited(nine / "numerical.csv", change)
    assert set(results.recorded("numerical", nine)) == {"0", "b"}
    expected, got = "9 rows of run a in numerical.csv", "(misalign sweep records the run again)"
    with complains(f"{nine / 'runs.csv'}, line 3", expected, got):
        results.read("numerical", nine)
    results.write(record("a", 1, scores=[0.5] * 9), nine)
    assert len(results.read("numerical", nine)) == 27


@pytest.mark.parametrize("name", ["numerical", "runs"])
@pytest.mark.parametrize("cut", [1, 3, 30, 60])
def test_a_file_that_is_cut_inside_a_row_is_refused_with_the_line_that_repairs(
    nine, name, cut, complains
):
    path = nine / f"{name}.csv"
    content = path.read_bytes()
    path.write_bytes(content[:-cut])
    line = content[:-cut].count(b"\n") + 1
    for call in (results.recorded, results.read):
        with complains(f"{path}, line {line}", "a whole row", f"sed -i {line}d {path}"):
            call("numerical", nine)
    with complains(f"{path}, line {line}", "a whole row", "misalign sweep"):
        results.write(record("c"), nine)
    subprocess.run(["sed", "-i", f"{line}d", str(path)], check=True)
    assert set(results.recorded("numerical", nine)) >= {"0", "a"} - ({"0"} if cut == 60 else set())


@pytest.mark.parametrize("name", ["numerical", "runs"])
def test_a_row_that_is_cut_inside_a_file_is_refused(nine, name, complains):
    path = nine / f"{name}.csv"
    whole = path.read_text()
    header, first, second, *rest = whole.splitlines(keepends=True)
    merged = first[:40].rpartition(",")[0] + second
    for bad in ("a,numerical\n", merged, "<<<<<<< HEAD\n", header):
        path.write_text("".join([header, first, bad, second, *rest]))
        with complains(f"{path}, line 3", "a whole row", f"sed -i 3d {path}"):
            results.recorded("numerical", nine)
    path.write_text(whole)
    assert len(results.read("numerical", nine)) == 27


@pytest.mark.parametrize("name", ["numerical", "runs"])
def test_rows_that_are_there_twice_are_refused(nine, name, complains):
    path = nine / f"{name}.csv"
    edited(path, lambda lines: [*lines[:3], lines[2], *lines[3:]])
    run = path.read_text().splitlines()[2].split(",")[0]
    for call in (results.recorded, results.read):
        with complains(
            f"{path}, line 4", "a row that is there once", f"run {run} again (sed -i 4d"
        ):
            call("numerical", nine)
    subprocess.run(["sed", "-i", "4d", str(path)], check=True)
    assert len(results.read("numerical", nine)) == 27


def test_every_recorded_run_of_the_project_is_whole_and_keeps_its_name():
    table = results.runs()
    for experiment in set(table["experiment"]):
        mine = table[table["experiment"] == experiment]
        assert set(results.recorded(experiment)) == set(mine["run"])
    for row in table.itertuples():
        assert Run.from_parameters(row.parameters).id == row.run


def test_writers_at_once_lose_no_row(tmp_path):
    program = (
        "import sys; from pathlib import Path; import test_results as t\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "for i in range(8): t.results.write(t.record(sys.argv[1] + str(i), i), Path(sys.argv[2]))"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", program, name, str(tmp_path)],
            **{"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True},
            env=environment,
        )
        for name in "ab"
    ]
    for writer in writers:
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate()
        assert writer.returncode == 0
    names = {f"{name}{i}" for name in "ab" for i in range(8)}
    assert set(results.runs(tmp_path)["run"]) == names
    assert results.read("numerical", tmp_path)["run"].value_counts().to_dict() == dict.fromkeys(
        names, 2
    )
