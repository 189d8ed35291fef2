"""Captions come out of every format as they went in, some at a time, and faults name the file."""

import bz2
import gzip
import json
import tracemalloc

import numpy as np
import pytest

pa = pytest.importorskip("pyarrow")
pytest.importorskip("ahocorasick_rs")

import pyarrow.parquet as pq  # noqa: E402
from pyarrow import csv  # noqa: E402

from misalign.coverage import files, formats, lines, workers  # noqa: E402
from misalign.coverage.count import count  # noqa: E402
from misalign.coverage.reading import How  # noqa: E402
from misalign.coverage.taxonomy import Concept, Taxonomy  # noqa: E402

TAXONOMY = Taxonomy(tuple(Concept("", "Animal", name, (name,)) for name in ("dog", "cat")))
CAPTIONS = ['a "dog", a cat', "", None, "two\nlines of dog", "caf\u00e9 cat \U0001f408", " \u3000"]
LINES = [text for text in CAPTIONS if text is not None and "\n" not in text]


def write(folder, name, captions, column="TEXT", group=2):
    """Write captions in the format of a name."""
    path = folder / name
    stem, packed = (name[:-3], gzip.compress) if name.endswith(".gz") else (name, None)
    stem, packed = (name[:-4], bz2.compress) if name.endswith(".bz2") else (stem, packed)
    table = pa.table({"id": range(len(captions)), column: pa.array(captions, pa.string())})
    if stem.endswith(".parquet"):
        pq.write_table(table, path, row_group_size=group)
        return path
    if stem.endswith((".csv", ".tsv")):
        sink = pa.BufferOutputStream()
        delimiter = "," if stem.endswith(".csv") else "\t"
        csv.write_csv(table, sink, csv.WriteOptions(delimiter=delimiter))
        data = sink.getvalue().to_pybytes()
    elif stem.endswith(".txt"):
        data = "\n".join(captions).encode()
    else:
        data = "".join(json.dumps(row) + "\n" for row in table.to_pylist()).encode()
    path.write_bytes(packed(data) if packed else data)
    return path


def counted(*paths, **options):
    counts = count(paths, TAXONOMY, **options)
    return counts.captions, counts.empty, counts.concepts.tolist()


NAMES = ["a.parquet", "a.csv", "a.csv.gz", "a.tsv", "a.jsonl", "a.ndjson.bz2", "a.JSONL"]


@pytest.mark.parametrize("name", NAMES)
def test_every_format_gives_every_caption(tmp_path, name):
    assert counted(write(tmp_path, name, CAPTIONS)) == (6, 3, [2, 2])


@pytest.mark.parametrize("name", ["a.txt", "a.txt.gz"])
def test_lines_are_captions(tmp_path, name):
    path = write(tmp_path, name, LINES)
    assert counted(path) == (4, 2, [1, 2])
    if name == "a.txt":
        path.write_bytes(b"\xef\xbb\xbfdog\r\n\r\ncat\r\n")
        assert counted(path) == (3, 1, [1, 1])


def test_empty_files_have_no_captions(tmp_path):
    paths = [tmp_path / name for name in ("a.txt", "a.jsonl")]
    for path in paths:
        path.touch()
    paths.append(write(tmp_path, "a.parquet", []))
    assert counted(*paths) == (0, 0, [0, 0])


def test_folders_and_patterns_stand_for_their_files_once(tmp_path):
    (tmp_path / "deep").mkdir()
    for name in ("a.txt", "deep/b.txt", "c.md"):
        (tmp_path / name).write_text("dog")
    given = [tmp_path, tmp_path / "a.txt", str(tmp_path / "*.txt")]
    items = files.found(given, How()).items.values()
    found = [item.path.relative_to(tmp_path).as_posix() for item in items]
    assert found == ["a.txt", "deep/b.txt"]


@pytest.mark.parametrize("name", ["a.jsonl", "a.txt", "a.parquet"])
def test_parts_of_a_file_are_all_of_it_once(tmp_path, monkeypatch, name):
    captions = [f"{'dog' if i % 3 else 'cat'} {'x' * (i % 50)}" for i in range(150)]
    path = write(tmp_path, name, captions)
    whole = counted(path)
    assert whole == (150, 0, [100, 50])
    monkeypatch.setattr(formats, "PART", 15)
    for size in (200, 201, 202, 203, 317):  # edges in many places of a line
        monkeypatch.setattr(lines, "PART", size)
        monkeypatch.setattr(lines, "BLOCK", 64)
        shards = files.shards(files.found([path], How()), How()).shards
        assert len(shards) > 9
        assert abs(sum(shard.size for shard in shards) - path.stat().st_size) < len(shards)
        assert counted(path) == whole


@pytest.mark.parametrize("kind", [pa.list_(pa.string()), pa.large_list(pa.large_string())])
def test_several_captions_of_a_picture_each_count(tmp_path, kind):
    rows = [["dog", "cat dog"], None, [], [None, "cat"]]
    labels = ["cat", "dog", "dog", "dog"]
    table = pa.table({"captions": pa.array(rows, kind), "shown": labels})
    pq.write_table(table, tmp_path / "a.parquet")
    with (tmp_path / "a.jsonl").open("w") as file:
        for row, label in zip(rows, labels, strict=True):
            file.write(json.dumps({"captions": row, "shown": label}) + "\n")
    for name in ("a.parquet", "a.jsonl"):
        counts = count([tmp_path / name], TAXONOMY, labels={"Animal": "shown"})
        assert (counts.captions, counts.empty, counts.concepts.tolist()) == (4, 1, [2, 2])
        assert counts.labelled.tolist() == [[2, 1, 0, 1], [2, 0, 1, 1]]


@pytest.mark.parametrize("kind", [pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
def test_other_strings_are_strings_too(tmp_path, kind):
    table = pa.table({"Caption": pa.array(CAPTIONS).cast(kind), "url": CAPTIONS})
    pq.write_table(table, tmp_path / "a.parquet")
    assert counted(tmp_path / "a.parquet") == (6, 3, [2, 2])


def test_bytes_that_are_no_utf_8_cost_no_caption(tmp_path):
    # a byte of Latin-1, one that ends captions inside, and half a surrogate; each parts words
    texts = [b"caf\xe9 dog", b"\xff", b"dog\xffcat\xc3", b"\xed\xb3\xbf cat", b"d\xc3og"]
    for name, head in (("a.txt", b""), ("a.csv", b"text\n")):
        (tmp_path / name).write_bytes(head + b"\n".join(texts))
        assert counted(tmp_path / name) == (5, 0, [2, 2])
    column = pa.array([*texts, None], pa.binary())
    pq.write_table(pa.table({"text": column}), tmp_path / "a.parquet")
    assert counted(tmp_path / "a.parquet") == (6, 1, [2, 2])


def test_the_column_is_the_usual_or_the_wanted_one(tmp_path, complains):
    path = write(tmp_path, "a.csv", ["dog"], column="what")
    with complains(
        "column", f"the one of {path}", "columns id (looks like: 0), what (looks like: dog)"
    ):
        count([path], TAXONOMY)
    assert counted(path, column="what")[0] == 1
    with complains("column", f"one of {path}: id, what", "who"):
        count([path], TAXONOMY, column="who")
    with complains(f"label column of {path}", "id, what", "shown"):
        count([path], TAXONOMY, column="what", labels={"Animal": "shown"})


@pytest.mark.parametrize(
    ("name", "expected", "got"),
    [
        ("none.csv", "a file, folder or pattern", "none.csv"),
        ("*.csv", "a file, folder or pattern", "*.csv"),
        ("empty", "files of .parquet", "empty"),
    ],
)
def test_names_of_nothing_are_refused(tmp_path, complains, name, expected, got):
    (tmp_path / "empty").mkdir()
    with complains("captions", expected, got, FileNotFoundError):
        count([tmp_path / name], TAXONOMY)


def test_unknown_formats_are_refused(tmp_path, complains):
    (tmp_path / "a.xlsx").touch()
    with complains("captions", "a file of .parquet, .csv", "a.xlsx"):
        count([tmp_path / "a.xlsx"], TAXONOMY)


def spoiled(folder):
    """Files that cannot be read, and a word of why."""
    cut = write(folder, "cut.parquet", CAPTIONS)
    cut.write_bytes(cut.read_bytes()[:-20])
    middle = folder / "middle.parquet"
    texts = [f"dog {i:050}" for i in range(4000)]
    table = pa.table({"TEXT": texts})
    pq.write_table(table, middle, row_group_size=1000, use_dictionary=False, compression="gzip")
    place = pq.read_metadata(middle).row_group(2).column(0).data_page_offset
    data = bytearray(middle.read_bytes())
    data[place + 60 : place + 200] = bytes(140)
    middle.write_bytes(data)
    packed = write(folder, "packed.csv.gz", ["dog"] * 5000)
    packed.write_bytes(packed.read_bytes()[:-30])
    broken = write(folder, "broken.jsonl", ["dog"] * 300)
    broken.write_bytes(broken.read_bytes() + b'{"TEXT": "do')
    ragged = write(folder, "ragged.csv", ["dog"] * 3)
    ragged.write_text(ragged.read_text() + "1,dog,cat\n")
    wide = folder / "wide.txt"
    wide.write_bytes("dog\n".encode("utf-16"))
    number = write(folder, "number.jsonl", ["dog"])
    number.write_text(number.read_text() + '{"TEXT": 5}\n')
    blank = folder / "blank.csv"
    blank.touch()
    return [cut, middle, packed, broken, ragged, wide, number, blank]


def test_a_file_that_cannot_be_read_is_named_and_the_rest_is_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(formats, "PART", 1000)  # parts of it could be read
    bad = spoiled(tmp_path)
    good = write(tmp_path, "good.parquet", CAPTIONS)
    counts = count([*bad, good], TAXONOMY)
    assert {file for file, _ in counts.failed} == {str(path) for path in bad}
    assert len(counts.failed) == len(bad)
    assert all(reason and "\n" not in reason for _, reason in counts.failed)
    assert (counts.captions, counts.concepts.tolist()) == (6, [2, 2])


def test_a_line_without_end_does_not_fill_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "LONGEST", 1000)
    monkeypatch.setattr(lines, "BLOCK", 100)
    (tmp_path / "a.txt").write_text("dog" * 1000)
    (reason,) = (reason for _, reason in count([tmp_path / "a.txt"], TAXONOMY).failed)
    assert reason == "line: expected at most 1,000 bytes, got more"


@pytest.mark.parametrize("name", ["a.parquet", "a.csv", "a.jsonl", "a.txt.gz"])
def test_memory_does_not_grow_with_the_file(tmp_path, monkeypatch, name):
    # of CSV pyarrow reads up to 32 blocks ahead: they fit in the smaller file too, and with blocks
    # four times as large only in the larger one, whose peak is then close to the bound
    monkeypatch.setattr(lines, "BLOCK", 1 << 12)
    monkeypatch.setattr(formats, "ROWS", 256)
    monkeypatch.setattr(workers, "SAMPLE", 100)
    before = pa.default_memory_pool()
    peaks = []
    for captions in (100, 2000, 20_000):  # first what is imported on first use
        folder = tmp_path / str(captions)
        folder.mkdir()
        draw = np.random.default_rng(0)
        texts = [f"dog {i:070}" for i in draw.integers(1 << 60, size=captions)]
        path = write(folder, name, texts, group=1000)
        pool = pa.proxy_memory_pool(before)
        pa.set_memory_pool(pool)
        tracemalloc.start()
        try:
            assert counted(path) == (captions, 0, [captions, 0])
            peaks.append(pool.max_memory() + tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
            pa.set_memory_pool(before)
    assert peaks[2] < 2 * peaks[1]


def test_a_table_without_a_header_keeps_its_first_row(tmp_path):
    path = tmp_path / "results_20130124.token"  # Flickr30k's captions are named so
    path.write_text("1.jpg#0\ta dog\n1.jpg#1\ta cat and a dog\n2.jpg#0\tnobody\n")
    counts = count([path], TAXONOMY, kind="tsv-bare", column="f1")
    assert (counts.captions, counts.concepts.tolist()) == (3, [2, 1])
    counts = count([path], TAXONOMY, kind="tsv-bare")  # the only column with text
    assert counts.captions == 3 and counts.read[0].column == "f1"
    assert counts.read[0].notes == ("column f1 was taken, the only one with text",)
    path.write_text("a dog\ta cat\na cow\ta cat and a dog\n")
    with pytest.raises(ValueError, match=r"^column: .*got columns f0 \(looks like: a dog\), f1"):
        count([path], TAXONOMY, kind="tsv-bare")


def test_a_file_is_what_it_is_said_to_be(tmp_path):
    path = tmp_path / "movie.srt"
    path.write_text("a dog\n\na cat\n")
    with pytest.raises(ValueError, match=r"^captions: expected a file of .*, got .*movie\.srt$"):
        count([path], TAXONOMY)
    counts = count([path], TAXONOMY, kind="txt")
    assert (counts.captions, counts.empty, counts.concepts.tolist()) == (3, 1, [1, 1])
    with pytest.raises(ValueError, match=r"^format: expected one of parquet, csv, .*got 'srt'$"):
        count([path], TAXONOMY, kind="srt")


def test_in_a_folder_every_file_is_what_it_is_said_to_be(tmp_path):
    for name in ("a.token", "sub/b.txt", ".hidden.token"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("1.jpg\ta dog\n")
    counts = count([tmp_path], TAXONOMY, kind="tsv-bare", column="f1")
    assert (counts.captions, counts.failed) == (2, ())
    assert count([tmp_path], TAXONOMY).captions == 1  # the text file alone, by its ending
