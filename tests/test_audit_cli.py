"""`misalign audit`: what it prints, writes, refuses, and leaves alone."""

import json
from pathlib import Path

import pytest
from audited import TREND
from click.testing import CliRunner

pytest.importorskip("pyarrow", reason="pip install -e '.[captions]'")
pytest.importorskip("ahocorasick_rs", reason="pip install -e '.[captions]'")

from misalign.audit import trend
from misalign.cli import main

CONCEPTS = """
concepts:
  common:
    Animal: {dog: [puppy], cat: []}
  mine:
    Finish: {glossy: [], matte: []}
exclusive:
  Finish: [[glossy, matte]]
"""
CAPTIONS = ["A puppy", "a dog, then a dog", "glossy and matte", "glossy", "", "A cat"]


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    """A folder with captions and concepts, which is the present one."""
    monkeypatch.chdir(tmp_path)
    # whatever fit the package has, these tests choose their own
    monkeypatch.setattr(trend, "TREND", tmp_path / "trend.json")
    (tmp_path / "c.yml").write_text(CONCEPTS)
    (tmp_path / "a.txt").write_text("\n".join(CAPTIONS) + "\n")
    rows = [f'"{text}",{animal}' for text, animal in zip(CAPTIONS, ["dog"] * 6, strict=True)]
    (tmp_path / "a.csv").write_text("\n".join(["caption,animal", *rows]) + "\n")
    return tmp_path


def invoke(*words):
    return CliRunner().invoke(main, ["audit", "--concepts", "c.yml", *map(str, words)])


def refused(outcome, *words):
    (line,) = outcome.output.strip().splitlines()
    assert outcome.exit_code == 1, outcome.output
    for word in words:
        assert word in line


def test_prints_the_summary_and_short_tables(files):
    outcome = invoke("a.txt", "--threshold", 60)
    assert outcome.exit_code == 0
    first, _, todo, fit = outcome.stdout.splitlines()[:4]
    assert "Of 4 concepts" in first and "6 captions, 1 of them without text" in first
    assert "less than 60 %" in first
    assert "glossy and matte in 1 caption" in todo
    assert fit == "No predicted blind spots: the published fit is not part of this installation."
    for title in ("Coverage by group", "The 4 concepts that", "Contradictions"):
        assert title in outcome.output
    assert "nan" not in outcome.output.lower()
    assert {path.name for path in files.iterdir()} == {"a.txt", "a.csv", "c.yml"}


def test_writes_the_page_and_the_table_beside_it(files):
    TREND.write(files / "trend.json")
    outcome = invoke("a.csv", "--html", "out/r.html", "--label", "Animal=animal")
    assert outcome.exit_code == 0, outcome.output
    assert {path.name for path in (files / "out").iterdir()} == {"r.html", "r.csv"}
    text = (files / "out" / "r.html").read_text()
    assert "What captions do to what pictures show" in text
    assert "No predicted blind spots: fewer than 1,000 captions are too few." in text
    dog = (files / "out" / "r.csv").read_text().splitlines()[1].split(",")
    assert dog[:4] == ["common", "Animal", "dog", "2"]
    assert "Contradictions" not in outcome.output  # the page has the tables


def test_one_table_may_be_enough(files):
    assert invoke("a.txt", "--csv", "only.csv").exit_code == 0
    assert (files / "only.csv").exists() and not list(files.glob("*.html"))


@pytest.mark.parametrize(
    "words", [("--html", "a.html"), ("--csv", "a.csv"), ("--csv", "c.yml"), ("--html", "a.csv")]
)
def test_never_writes_over_what_it_reads(files, words):
    before = {path.name: path.read_bytes() for path in files.iterdir()}
    refused(invoke("a.csv", *words), "expected another file than is read")
    assert {path.name: path.read_bytes() for path in files.iterdir()} == before


def test_a_file_that_cannot_be_read_is_named_and_the_rest_counted(files):
    (files / "b.parquet").write_bytes(b"nothing of the kind")
    outcome = invoke("a.txt", "b.parquet", "--html", "r.html")
    assert outcome.exit_code == 1
    assert "failed: b.parquet: " in outcome.output and "from 6 captions" in outcome.output
    assert "b.parquet" in (files / "r.html").read_text()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("none.txt", "", "none"),
        ("head.csv", "caption\n", "none"),
        ("none.csv", "", "none (none.csv: "),
        ("none.jsonl", "", "none"),
    ],
)
def test_no_caption_at_all_is_one_line(files, name, content, said):
    (files / name).write_text(content)
    refused(invoke(name, "--html", "r.html"), "captions: expected at least one, got", said)
    assert not list(files.glob("r.*"))


def test_a_broken_fit_is_one_line(files):
    (files / "trend.json").write_text("{")
    refused(invoke("a.txt"), "trend.json")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--label", "Animal"], "GROUP=COLUMN"),
        (["--label", "=animal"], "GROUP=COLUMN"),
        (["--threshold", 0], "--threshold"),
        (["--threshold", 101], "--threshold"),
        (["--match", "letters"], "--match"),
        (["--workers", 2, "--scheduler", "tcp://127.0.0.1:1"], "does not go with"),
    ],
)
def test_wrong_use_is_said_by_click(words, said):
    outcome = invoke("a.csv", *words)
    assert outcome.exit_code == 2 and said in outcome.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["no.csv"], "no.csv"),
        (["a.csv", "--label", "Animals=animal"], "Animals"),
        (["a.csv", "--label", "Animal=beast"], "caption, animal"),
        (["a.csv", "--column", "text"], "caption, animal"),
        (["a.csv", "--html", "x.csv"], "another file than the page"),
    ],
)
def test_wrong_input_is_one_line(words, said):
    refused(invoke(*words), said)


def test_substring_finds_more_than_words():
    Path("b.txt").write_text("a dog\na catalogue\nnobody\n")
    few, many = (
        [line.split()[1] for line in invoke("b.txt", "--match", match).output.splitlines()
         if line.strip().startswith("Animal ") and "%" in line][0]
        for match in ("words", "substring")
    )  # fmt: skip
    assert (few, many) == ("1", "2")


# --- files that nobody designed for ---


def documents(key):
    return [{key: text, "image_id": i} for i, text in enumerate(CAPTIONS)]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        # COCO's annotations
        (
            "coco.json",
            json.dumps({"info": {}, "images": [{"id": 1}], "annotations": documents("caption")}),
        ),
        ("list.json", json.dumps(documents("text"))),
        # what a spreadsheet exports where the comma is the decimal point
        (
            "sheet.csv",
            "\ufeffNr;Caption\r\n" + "".join(f"{i};{t}\r\n" for i, t in enumerate(CAPTIONS)),
        ),
        ("pipes.csv", "Nr|Caption\n" + "".join(f"{i}|{t}\n" for i, t in enumerate(CAPTIONS))),
        ("tabs.csv", "Nr\tCaption\n" + "".join(f"{i}\t{t}\n" for i, t in enumerate(CAPTIONS))),
    ],
)
def test_captions_are_found_in_files_as_they_come(files, name, content):
    (files / name).write_text(content, encoding="utf-8")
    outcome = invoke(name)
    assert outcome.exit_code == 0, outcome.output
    assert "from 6 captions, 1 of them without text" in outcome.output


def test_json_in_a_folder_tells_of_the_other_files(files):
    (files / "many").mkdir()
    (files / "many" / "a.txt").write_text("a dog\n")
    (files / "many" / "00000_stats.json").write_text('{"count": 1}')
    outcome = invoke("many")
    assert outcome.exit_code == 0 and "from 1 caption" in outcome.output


def test_latin_1_is_read_and_its_words_are_found(files):
    text = "Bild;caption\n1;Ein cat im Caf\xe9\n2;d\xe9j\xe0 vu\n"
    (files / "latin.csv").write_bytes(text.encode("latin-1"))
    outcome = invoke("latin.csv", "--csv", "r.csv")
    assert outcome.exit_code == 0, outcome.output
    assert "common,Animal,cat,1," in (files / "r.csv").read_text()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("wide.csv", "a,caption\n1,a dog\n".encode("utf-16"), "expected UTF-8, got UTF-16"),
        ("two.tsv", b"a dog\ta cat\thttp://x\n", "columns f0 (looks like: a dog), f1"),
        ("map.json", b'{"a dog": 1}', "expected a list of objects"),
        ("broken.json", b'[{"caption": ', "broken.json"),
        ("nested.json", b'[{"caption": {"raw": 5}}]', "expected text, got 5"),
    ],
)
def test_what_cannot_be_understood_is_one_line(files, name, content, said):
    (files / name).write_bytes(content)
    refused(invoke(name), said)
