"""`misalign coverage`: what it prints and writes, and how it fails."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

pa = pytest.importorskip("pyarrow")
pytest.importorskip("ahocorasick_rs")

import pyarrow.parquet as pq  # noqa: E402

from misalign.cli import main  # noqa: E402

HELP = """
import sys
from pathlib import Path
from misalign.cli import main
for words in ([], ["audit"], ["coverage"], ["zeroshot"]):
    main([*words, "--help"], standalone_mode=False)
print("loaded:", *sorted({"torch", "matplotlib", "pandas", "scipy"} & set(sys.modules)))
"""
TEXTS = ["A dog on the beach", "that vanilla", None, "black cat and red dog"]


def invoke(*words):
    return CliRunner().invoke(main, ["coverage", *map(str, words)])


@pytest.fixture
def captions(tmp_path):
    path = tmp_path / "in" / "a.parquet"
    path.parent.mkdir()
    pq.write_table(pa.table({"TEXT": TEXTS, "animal": ["dog", "cat", "dog", "dog"]}), path)
    return path


def test_help_loads_neither_torch_nor_matplotlib():
    done = subprocess.run([sys.executable, "-c", HELP], capture_output=True, text=True, check=True)
    assert done.stdout.count("Usage: ") == 4
    assert done.stdout.splitlines()[-1] == "loaded:"


def test_counts_are_printed_by_group_and_written_by_concept(captions, tmp_path):
    out = tmp_path / "new" / "counts.csv"
    done = invoke(captions.parent, "--out", out)
    assert done.exit_code == 0, done.output
    (line,) = (line for line in done.output.splitlines() if line.split()[0] == "Animal")
    assert line.split()[1:5] == ["10", "2", "50.0", "%"]
    assert "4 captions, 1 of them without text; whole words counted" in done.output
    table = pd.read_csv(out).set_index("concept")
    assert len(table) == 146
    assert table.loc["dog", "captions"] == 2
    assert table.loc["hat", "captions"] == 0
    assert [path.name for path in out.parent.iterdir()] == ["counts.csv"]


def test_substrings_labels_and_own_concepts(captions, tmp_path):
    own, out = tmp_path / "own.csv", tmp_path / "out.csv"
    own.write_text("group,concept\nAnimal,dog\nAnimal,cat\nOther,hat\n")
    options = ("--concepts", own, "--match", "substring", "--label", "Animal=animal", "--out", out)
    done = invoke(captions, *options)
    assert done.exit_code == 0, done.output
    assert "substrings counted" in done.output
    table = pd.read_csv(out, index_col="concept")
    assert list(table["captions"]) == [2, 1, 1]
    assert list(table.loc["dog", ["pictures", "omitted", "right", "perturbed"]]) == [3, 1, 2, 0]


def test_files_of_other_names_are_counted_as_what_they_are_said_to_be(tmp_path):
    path = tmp_path / "results.token"
    path.write_text("1.jpg#0\tA dog\n1.jpg#1\tA cat\n")
    done = invoke(path, "--format", "tsv-bare", "--column", "f1")
    assert done.exit_code == 0, done.output
    assert "2 captions, 0 of them without text" in done.output
    refused = invoke(path, "--format", "token")
    assert refused.exit_code == 1
    assert refused.output.startswith("Error: format: expected one of parquet, csv,")


def test_two_workers_count_the_same(captions, tmp_path):
    pytest.importorskip("distributed")
    pq.write_table(pa.table({"TEXT": TEXTS}), captions.with_name("b.parquet"))
    outs = [tmp_path / f"{workers}.csv" for workers in (1, 2)]
    for workers, out in enumerate(outs, 1):
        done = invoke(captions.parent, "--workers", workers, "--out", out)
        assert done.exit_code == 0, done.output
    one, two = (pd.read_csv(out) for out in outs)
    assert one["captions"].sum() > 0
    pd.testing.assert_frame_equal(one, two)


def test_a_corrupt_file_is_named_the_rest_is_counted_and_the_status_is_1(captions, tmp_path):
    bad = captions.with_name("bad.parquet")
    bad.write_bytes(captions.read_bytes()[:-30])
    out = tmp_path / "out.csv"
    done = invoke(captions.parent, "--out", out)
    assert done.exit_code == 1
    first, line = done.stderr.splitlines()
    assert first.startswith(
        f"read: {captions} (parquet, column TEXT): 4 rows, 4 captions, 1 without"
    )
    assert line.startswith(f"failed: {bad}: ")
    assert "4 captions" in done.stdout
    assert pd.read_csv(out)["captions"].sum() > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--column", "text"), "column: expected one of {path}: TEXT, animal, got text"),
        (("--label", "Animal"), "--label: expected GROUP=COLUMN, once a group, got Animal"),
        (("--label", "Animal=a", "--label", "Animal=b"), "got Animal again"),
        (("--label", "Plant=animal"), "labels: expected groups among Animal"),
        (("--label", "Animal=TEXT"), "labels of Animal: expected names of its concepts"),
        (("--concepts", "none.yml"), "concepts: expected a YAML or CSV file, got none.yml"),
        (("--match", "stems"), "Invalid value for '--match'"),
        (("--workers", "0"), "Invalid value for '--workers'"),
        (("--slurm", "--scheduler", "tcp://x:1"), "--scheduler does not go with --slurm"),
        (("--workers", "2", "--scheduler", "tcp://x:1"), "--scheduler does not go with --workers"),
        (("none.csv",), "captions: expected a file, folder or pattern, got none.csv"),
        (("--out", "/proc/no/out.csv"), "out: expected a folder to write to"),
    ],
)
def test_errors_are_one_line_and_write_nothing(captions, tmp_path, options, message):
    out = tmp_path / "out.csv"
    done = invoke(captions, "--out", out, *options)
    assert done.exit_code in (1, 2)
    last = done.stderr.splitlines()[-1]
    assert last.startswith("Error: ")
    assert message.format(path=captions) in last
    assert "Traceback" not in done.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]


def test_a_scheduler_that_does_not_answer_is_one_line(captions, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr("misalign.parallel.PATIENCE", 0.2)
    done = invoke(captions, "--scheduler", "tcp://127.0.0.1:9")
    assert done.exit_code == 1
    assert "scheduler: expected a Dask scheduler at tcp://127.0.0.1:9" in done.stderr


def test_missing_packages_are_one_line(captions, monkeypatch):
    found = __import__("importlib.util").util.find_spec
    hidden = {"pyarrow", "ahocorasick_rs"}
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: None if name in hidden else found(name)
    )
    done = invoke(captions)
    assert done.exit_code == 1
    assert "pip install 'misalign[captions]'), got no pyarrow, ahocorasick_rs" in done.stderr


def test_never_writes_over_what_it_reads(captions):
    before = captions.read_bytes()
    done = invoke(captions, "--out", captions)
    assert done.exit_code == 1 and captions.read_bytes() == before
    assert done.output.startswith("Error: out: expected another file than is read, got")


def test_nothing_to_count_is_one_line_and_no_table(tmp_path):
    (tmp_path / "a.txt").write_text("")
    done = invoke(tmp_path / "a.txt", "--out", tmp_path / "out.csv")
    assert done.exit_code == 1
    assert done.output.startswith("Error: captions: expected at least one, got none")
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize("words", [["coverage", "a.txt"], ["--version"], ["coverage", "--help"]])
def test_a_full_disk_is_one_line(tmp_path, words):
    (tmp_path / "a.txt").write_text("a dog\n")
    with Path("/dev/full").open("w") as full:
        call = [sys.executable, "-m", "misalign", *words]
        done = subprocess.run(call, stdout=full, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "Error: output: No space left on device"
    assert "Traceback" not in done.stderr and "ignored" not in done.stderr


def test_tables_go_through_to_devices_and_pipes_and_never_replace_them(captions, tmp_path):
    link, pipe = tmp_path / "link.csv", tmp_path / "pipe"
    (tmp_path / "there.csv").write_text("old")
    link.symlink_to("there.csv")
    assert invoke(captions, "--out", link).exit_code == 0
    assert link.is_symlink() and (tmp_path / "there.csv").read_text().startswith("category,")
    assert invoke(captions, "--out", "/dev/null").exit_code == 0
    assert not Path("/dev/null").is_file()
    os.mkfifo(pipe)
    call = [sys.executable, "-m", "misalign", "coverage", str(captions), "--out", str(pipe)]
    with subprocess.Popen(call, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        assert pipe.read_text().startswith("category,group,concept,captions")
    assert process.returncode == 0 and pipe.is_fifo()
    out = subprocess.run([*call[:-1], "/dev/stdout"], capture_output=True, text=True, check=True)
    assert out.stdout.startswith("category,group,concept,captions")


def test_what_was_read_is_written_as_json(captions, tmp_path):
    (captions.parent / "README.txt").write_text("dogs")
    assert invoke(captions.parent, "--json", tmp_path / "r.json").exit_code == 0
    found = json.loads((tmp_path / "r.json").read_text())
    assert (found["captions"], found["empty"], found["failed"]) == (4, 1, [])
    (file,) = found["files"]
    assert file["file"] == str(captions) and file["column"] == "TEXT" and file["rows"] == 4
    assert file["samples"] == [TEXTS[0], TEXTS[1], TEXTS[3]]
    assert found["skipped"] == [[str(captions.parent / "README.txt"), "not captions, by its name"]]
    assert {one["concept"]: one["captions"] for one in found["concepts"]}["dog"] == 2


def test_help_shows_the_formats_and_a_file_of_concepts():
    text = CliRunner().invoke(main, ["audit", "--help"], terminal_width=200).output
    for word in ("llava", "karpathy", "webdataset", "cc3m", "tsv-bare", "Animal,dog,puppy|pup"):
        assert word in text
