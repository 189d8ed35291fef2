"""Structures of caption files that people have: the right count, or a line that says what to do."""

import bz2
import csv
import gzip
import io
import json
import lzma
import random
import tarfile
import zipfile
from pathlib import Path

import pytest

pa = pytest.importorskip("pyarrow")
pytest.importorskip("ahocorasick_rs")

import pyarrow.parquet as pq  # noqa: E402

from misalign.coverage import files  # noqa: E402
from misalign.coverage.count import count  # noqa: E402
from misalign.coverage.reading import How, Read  # noqa: E402
from misalign.coverage.taxonomy import Concept, Taxonomy  # noqa: E402

INPUTS = Path(__file__).parent / "caption_inputs"
TAXONOMY = Taxonomy(tuple(Concept("", "Animal", name, (name,)) for name in ("dog", "cat")))

RIGHT = {  # captions, those without text, and those that name a dog
    "stray_quote.tsv": (4, 0, 1),
    "kaggle_captions.txt": (2, 0, 0),
    "Flickr8k.token.txt": (1, 0, 0),
    "folder_with_notes": (1, 0, 0),
    "img2dataset_files": (4, 0, 1),
    "mixed_json_txt": (5, 0, 2),
    "00000.tar": (4, 0, 1),
    "dataset_coco.json": (4, 0, 1),
    "llava.json": (4, 0, 1),
    "textcaps.json": (4, 0, 1),
    "sugarcrepe.json": (1, 0, 1),
    "dict_name_to_caps.json": (4, 0, 1),
    "nan.jsonl": (2, 1, 1),
    "conceptual_captions.tsv": (2, 0, 0),
    "german.txt": (2, 0, 0),
    "four_captions.csv": (4, 0, 0),  # "no dog here" names none
}


def counted(*names, **options):
    counts = count(names, TAXONOMY, **options)
    return counts.captions, counts.empty, int(counts.concepts[0])


def texts(*names, **options):
    """Captions as they are read."""
    how = How(**options)
    parts = files.shards(files.found(names, how), how)
    assert not parts.failed, parts.failed
    batches = (batch for one in parts.shards for batch in files.batches(one, Read.of(one.source)))
    return [text for batch in batches for text in batch.captions.to_pylist()]


@pytest.mark.parametrize("name", RIGHT)
def test_common_structures_are_counted_right(name):
    assert counted(INPUTS / name) == RIGHT[name]


@pytest.mark.parametrize(
    ("name", "whole", "why"),
    [
        ("flickr30k_results.csv", (2, 1, 1), "line 3: expected 3 fields, got 2"),
        ("badline.jsonl", (2, 0, 1), "line 2: Unterminated string"),
    ],
)
def test_a_broken_row_is_named_by_its_line_and_left_out_on_request_only(name, whole, why):
    ((file, reason),) = count([INPUTS / name], TAXONOMY).failed
    assert file == str(INPUTS / name)
    assert reason.startswith(why) and reason.endswith("(--skip-bad counts the others)")
    assert counted(INPUTS / name, skip_bad=True) == whole
    (read,) = count([INPUTS / name], TAXONOMY, skip_bad=True).read
    assert read.bad[0].startswith(why) and sum(read.skipped.values()) == 1


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("png.txt", "encoding: expected text, got bytes of value 0, as binary files have"),
        ("utf16be_nobom.txt", "encoding: expected text, got UTF-16 (use --encoding utf-16-be)"),
    ],
)
def test_what_is_no_text_is_refused(name, why):
    counts = count([INPUTS / name], TAXONOMY)
    assert (counts.captions, counts.failed) == (0, ((str(INPUTS / name), why),))


def test_an_encoding_that_is_named_is_read():
    assert texts(INPUTS / "utf16be_nobom.txt", encoding="utf-16-be") == ["A dog on a beach."]


def test_what_a_folder_does_not_count_is_named():
    counts = count([INPUTS / "mixed_json_txt"], TAXONOMY)
    skipped = {Path(file).name: why for file, why in counts.skipped}
    assert skipped == dict.fromkeys(["README.md", "README.txt"], "not captions, by its name")
    assert [Path(read.file).name for read in counts.read] == ["a.txt", "captions_val2014.json"]
    counts = count([INPUTS / "img2dataset_files"], TAXONOMY)
    assert len(counts.skipped) == 9
    assert {why for _, why in counts.skipped} == {
        "its captions are counted from 00000.parquet",
        "not captions, by its name",
    }
    counts = count([INPUTS / "mixed_json_txt"], TAXONOMY, exclude=["*.json"])
    assert counts.captions == 1
    assert (
        dict(counts.skipped)[str(INPUTS / "mixed_json_txt" / "captions_val2014.json")] == "excluded"
    )


# --- what a structure stands for ---


def write_table(path, rows, delimiter, **how):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=delimiter, **how).writerows(rows)


def write_tar(path, captions, key="txt", folder=""):
    with tarfile.open(path, "w") as archive:
        for i, caption in enumerate(captions):
            content = caption if key == "txt" else json.dumps({"caption": caption, "width": 3})
            for ending, data in (("jpg", b"\xff\xd8"), (key, content.encode())):
                member = tarfile.TarInfo(f"{folder}{i:06}.{ending}")
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))


PARTS = [
    "dog",
    "cat",
    '"',
    "'",
    ",",
    "\t",
    "|",
    " ",
    "a",
    "\u00e9",
    "\u2028",
    "\r",
    "\n",
    '""',
    "#1",
]


def random_captions(seed, letters=PARTS, size=40):
    draw = random.Random(seed)
    bodies = ["".join(draw.choices(letters, k=draw.randint(1, 9))) for _ in range(size)]
    return [f"a {body} x" for body in bodies]


def flat(captions):
    """As text of lines can hold them."""
    return [" ".join(text.split()) for text in captions]


def write_sidecars(path, captions):
    path.mkdir()
    for i, text in enumerate(captions):
        (path / f"{i:03}.jpg").write_bytes(b"\xff\xd8")
        (path / f"{i:03}.txt").write_bytes(text.encode())


def plain(name, captions):
    """Captions as the text of a file."""
    rows = [{"image_id": 1, "id": i, "caption": text} for i, text in enumerate(captions)]
    files = {
        "a.txt": "\n".join(flat(captions)) + "\n",
        "bare.txt": "".join(f"{i}.jpg\t{text}\n" for i, text in enumerate(flat(captions))),
        "a.jsonl": "".join(json.dumps(row) + "\n" for row in rows),
        "coco.json": json.dumps({"images": [{"id": 1}], "annotations": rows}),
        "strings.json": json.dumps(captions),
        "names.json": json.dumps({f"{i}.jpg": [text] for i, text in enumerate(captions)}),
    }
    return files.get(name)


def write(folder, name, captions, seed):
    """Captions in a format, and as they have to come back."""
    path, content = folder / name, plain(name, captions)
    if content:
        path.write_text(content)
    elif name.endswith((".csv", ".tsv")):
        rows = [("image", "caption"), *((f"{i}.jpg", text) for i, text in enumerate(captions))]
        write_table(path, rows, "," if name.endswith(".csv") else "\t")
    elif name.endswith(".parquet"):
        pq.write_table(pa.table({"caption": captions}), path)
    elif name.endswith(".tar"):
        write_tar(path, captions, "txt" if seed % 2 else "json")
    else:
        write_sidecars(path, captions)
    return path, flat(captions) if name.endswith(".txt") else captions


NAMES = ["a.csv", "a.tsv", "a.txt", "bare.txt", "a.jsonl", "coco.json", "strings.json"]
NAMES += ["names.json", "a.parquet", "a.tar", "sidecars"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", range(5))
def test_captions_of_odd_characters_come_back(tmp_path, name, seed):
    path, expected = write(tmp_path, name, random_captions(seed), seed)
    assert texts(path) == expected


PACKED = {"": lambda data: data, ".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}


@pytest.mark.parametrize("ending", [".gz", ".bz2", ".xz", ".zip"])
@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.txt", "a.jsonl", "coco.json", "a.tar"])
def test_packed_files_are_read(tmp_path, name, ending):
    path, expected = write(tmp_path, name, random_captions(7), 7)
    if ending == ".zip":
        with zipfile.ZipFile(tmp_path / "data.zip", "w") as archive:
            archive.write(path, f"deep/{name}")
        assert texts(tmp_path / "data.zip") == expected
    else:
        packed = path.with_name(path.name + ending)
        packed.write_bytes(PACKED[ending](path.read_bytes()))
        assert texts(packed) == expected


def test_what_is_no_archive_is_refused_in_one_line(tmp_path, complains):
    (tmp_path / "a.zip").write_bytes(b"a dog")
    with complains("captions", "a .zip archive", "a.zip (File is not a zip file)"):
        count([tmp_path / "a.zip"], TAXONOMY)


def test_a_packed_archive_is_known_by_its_short_ending(tmp_path):
    path, expected = write(tmp_path, "a.tar", random_captions(3), 3)
    (tmp_path / "b.tgz").write_bytes(gzip.compress(path.read_bytes()))
    assert texts(tmp_path / "b.tgz") == expected


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "utf-8-sig"])
@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.txt", "a.jsonl", "strings.json"])
def test_other_encodings_are_read_when_they_are_named(tmp_path, name, encoding):
    captions = [f"caf\u00e9 {i}, a dog" for i in range(5)]
    path, expected = write(tmp_path, name, captions, 0)
    path.write_bytes(path.read_text("utf-8").encode(encoding))
    assert texts(path, encoding=encoding) == expected
    if encoding == "utf-16":
        (reason,) = (why for _, why in count([path], TAXONOMY).failed)
        assert reason == "encoding: expected UTF-8, got UTF-16 (use --encoding utf-16)"


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.txt", "a.jsonl", "a.tar", "sidecars"])
def test_bytes_that_are_no_utf_8_are_replaced_and_reported_in_every_format(tmp_path, name):
    path, _ = write(tmp_path, name, ["a cafX dog", "a cat"], 1)
    for file in [path] if path.is_file() else sorted(path.glob("*.txt")):
        file.write_bytes(file.read_bytes().replace(b"cafX", b"caf\xe9"))
    counts = count([path], TAXONOMY)
    assert (counts.captions, counts.concepts.tolist(), counts.failed) == (2, [1, 1], ())
    assert [read.replaced for read in counts.read] == [1]
    assert any("no UTF-8 were replaced" in line for line in counts.described())


FAULTS = {
    "cut": lambda data: data[: len(data) * 2 // 3 + 1],
    "NUL": lambda data: data[:-4] + b"\0\0\0" + data[-4:],
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("ending", ["", ".gz", ".bz2", ".xz"])
@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "coco.json", "a.tar", "a.parquet"])
def test_a_fault_gives_one_line_or_the_right_count(tmp_path, name, ending, fault):
    if name == "a.parquet" and ending:
        pytest.skip("Parquet packs its own columns")
    captions = [f"a dog and so on, {i}" for i in range(200)]
    path, _ = write(tmp_path, name, captions, 0)
    bad = path.with_name(f"bad-{name}{ending}")
    whole = PACKED[ending](path.read_bytes())
    bad.write_bytes(FAULTS[fault](whole))
    if name == "a.csv" and fault == "cut" and not ending:
        assert counted(bad)[0] < 200  # a table that ends early looks like a shorter one
        return
    counts = count([bad, path], TAXONOMY)
    if name == "a.tar" and fault == "NUL" and not ending:
        assert counts.captions == 400  # an archive ends with such bytes
        return
    assert counts.captions == 200  # nothing of the bad file counts
    ((file, reason),) = counts.failed
    assert file == str(bad) and reason and "\n" not in reason


def test_the_line_of_a_quote_that_never_closes_is_named(tmp_path):
    path = tmp_path / "a.csv"
    rows = [f"{i}.jpg,a dog" for i in range(1000)]
    rows[499] = '499.jpg,"a dog'
    path.write_text("\n".join(["image,caption", *rows]) + "\n")
    ((_, reason),) = count([path], TAXONOMY).failed
    assert reason.startswith("line 501: expected")
    assert reason.endswith("(--quotes none takes quotes literally)")
    assert counted(path, quotes="none") == (1000, 0, 1000)


def test_a_tsv_that_reads_two_ways_is_asked_about(tmp_path, complains):
    path = tmp_path / "a.tsv"
    path.write_text('id\tcaption\n1\t"a\n2\tdog"\n3\tcat\n')
    with complains(f"quotes of {path}", "one way to read them (--quotes double or none)", "3 rows"):
        count([path], TAXONOMY)
    assert counted(path, quotes="none")[0] == 3
    assert counted(path, quotes="double")[0] == 2


def test_a_document_without_captions_is_left_out_of_a_folder(tmp_path):
    (tmp_path / "a.txt").write_text("a dog\n")
    (tmp_path / "about.json").write_text('{"version": 1}')
    (tmp_path / "boxes.json").write_text('[{"box": [1, 2], "class": 3}]')
    counts = count([tmp_path], TAXONOMY)
    assert (counts.captions, counts.failed) == (1, ())
    reasons = {Path(file).name: why for file, why in counts.skipped}
    assert "expected a list of objects or captions" in reasons["about.json"]
    assert "that holds captions, by --column" in reasons["boxes.json"]


def test_failed_downloads_do_not_count(tmp_path):
    status = ["success", "failed_to_download", None]
    rows = pa.table({"url": ["u"] * 3, "caption": ["a dog"] * 3, "status": status})
    pq.write_table(rows, tmp_path / "a.parquet")
    objects = "".join(json.dumps(row) + "\n" for row in rows.to_pylist())
    (tmp_path / "b.jsonl").write_text(objects)
    for name in ("a.parquet", "b.jsonl"):
        counts = count([tmp_path / name], TAXONOMY)
        assert counts.captions == 2
        assert counts.read[0].skipped == {"failed downloads": 1}


def test_another_column_of_text_is_said(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("caption,text\na dog,the dog of my friend\na cat,no more to say\n")
    (read,) = count([path], TAXONOMY).read
    assert (read.column, read.notes) == ("caption", ("other columns hold text, too: text",))


@pytest.mark.parametrize(
    ("name", "content", "captions"),
    [
        (
            "a.jsonl",
            [{"caption": "a dog"}, {"caption": "a cat"}],
            2,
        ),  # one document
        ("a.json", {"annotations": {"7": {"caption": "a dog"}, "8": {"caption": "a cat"}}}, 2),
        ("a.json", {"image": "1.jpg", "caption": "a dog"}, 1),
        ("a.json", {"train": ["a dog"], "val": ["a cat", "no more"]}, 3),
        ("a.json", {"1.jpg": "a dog", "2.jpg": "a cat"}, 2),
        ("a.json", {"data": [{"id": 1, "texts": ["a dog", None]}, {"id": 2, "texts": []}]}, 2),
        ("a.json", [{"img": "1.jpg", "sentences": [{"raw": "a dog"}, {"raw": "a cat"}]}], 2),
    ],
)
def test_documents_of_other_shapes_are_read(tmp_path, name, content, captions):
    (tmp_path / name).write_text(json.dumps(content))
    assert counted(tmp_path / name)[0] == captions


@pytest.mark.parametrize(
    ("name", "content", "captions"),
    [
        ("a.txt", "image_id\tcaption\n1\ta dog\n2\ta cat\n", 2),
        ("a.txt", "1.jpg|0|a dog\n1.jpg|1|a cat\n2.jpg|0|a dog, a cat\n", 3),
        ("a.txt", "1.jpg\t0\ta dog\n1.jpg\t1\ta cat and more\n", 2),
        ("a.txt", "a dog, a cat\na cat, a dog\n", 2),  # commas alone make no table
        ("a.csv", "\ufeffimage;caption\n1.jpg;a dog, a cat\n", 1),
        ("a.csv", "0,1\n1.jpg,a dog\n", None),  # columns of no names are asked about
        ("a.csv", "a dog on a beach with a red ball\na cat\n", 2),
        ("a.csv", "file_name, Caption \n1.jpg,a dog\n", 1),
        ("a.tsv", "a dog\thttp://x/1\na cat\thttp://x/2\n", 2),
        ("a.tsv", 'id\tcaption\n1\t"a ""red"" dog"\n', 1),
    ],
)
def test_tables_are_known_by_their_rows(tmp_path, name, content, captions):
    (tmp_path / name).write_text(content)
    if captions is None:
        with pytest.raises(ValueError, match=r"^column: .* by --column, got columns 0 \(looks"):
            count([tmp_path / name], TAXONOMY)
    else:
        assert counted(tmp_path / name)[0] == captions


def test_lines_that_begin_with_names_of_pictures_are_no_captions(tmp_path, complains):
    path = tmp_path / "a.txt"
    path.write_text("1.jpg a dog\n2.jpg a cat\n")
    with complains(f"lines of {path}", "captions alone", "names of pictures before them"):
        count([path], TAXONOMY)
    assert counted(path, kind="txt")[0] == 2


@pytest.mark.parametrize("kind", ["csv-bare", "cc3m"])
def test_named_layouts_are_read_as_they_are_named(tmp_path, kind):
    path = tmp_path / "captions.data"
    mark = "," if kind == "csv-bare" else "\t"
    path.write_text(f"a dog{mark}http://x/1.jpg\na cat{mark}http://x/2.jpg\n")
    assert counted(path, kind=kind) == (2, 0, 1)


def test_columns_lead_into_parquet_of_nested_records(tmp_path):
    turns = [[{"from": "human", "value": "what?"}, {"from": "gpt", "value": "a dog"}]] * 3
    pq.write_table(
        pa.table({"image": ["1", "2", "3"], "conversations": turns}), tmp_path / "a.parquet"
    )
    assert counted(tmp_path / "a.parquet", column="conversations.value") == (3, 0, 3)


def test_a_folder_of_mixed_shapes_is_said(tmp_path):
    (tmp_path / "1.txt").write_text("a dog\n")
    (tmp_path / "notes.txt").write_text("about\nthe dogs\n")
    (tmp_path / "c.csv").write_text("caption\na dog\n")
    lines = count([tmp_path], TAXONOMY).described()
    assert "files of several formats are counted: csv, txt (--exclude?)" in lines
    assert "some files of text hold one line, others several: are these captions?" in lines


def test_samples_and_notes_of_what_was_read_are_said(tmp_path):
    for i in range(5):
        (tmp_path / f"{i}.txt").write_text(f"dog {i}\n\n")
    lines = count([tmp_path], TAXONOMY).described()
    assert lines[0].startswith(f"read: 5 files, {tmp_path}/0.txt first (txt, column line): ")
    assert lines[0].endswith("10 rows, 10 captions, 5 without text; such as: dog 0 | dog 1 | dog 2")


def test_terms_apart_by_commas_are_refused_with_what_parts_them():
    with pytest.raises(ValueError, match=r"line 2: expected terms separated by \|"):
        Taxonomy.read(INPUTS / "terms_comma.csv")
