"""Zero-shot scores of folders of pictures: what is read, left out, scored and written."""

import json
import os

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from misalign.metrics import expected_chance, macro_f1
from misalign.reporting.zeroshot_plots import confusion_matrix
from misalign.zeroshot.evaluate import evaluate, read_picture
from misalign.zeroshot.folder import read_folder

COLORS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}


class Eye:
    """Stands in for a model: a picture's vector is its mean colour, a concept's the colour."""

    def __init__(self, **colors):
        self.colors = COLORS | colors

    def preprocess(self, picture):
        return torch.from_numpy(np.array(picture)).permute(2, 0, 1) / 255

    def pictures(self, batch):
        return torch.nn.functional.normalize(batch.mean((2, 3)), dim=1)

    def concepts(self, names):
        vectors = torch.tensor([self.colors[name] for name in names]).float()
        return torch.nn.functional.normalize(vectors, dim=1)

    def describe(self):
        return {"model": "eye", "weights": "its own", "prompts": ("{}",)}


def paint(path, color, size=(4, 4)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, COLORS.get(color, color)).save(path)


@pytest.fixture
def folder(tmp_path):
    """Three colours of two pictures each."""
    for name in COLORS:
        for i in range(2):
            paint(tmp_path / "in" / "common" / "Color" / name / f"{i}.png", name)
    return tmp_path / "in"


def color(folder):
    return folder / "common" / "Color"


def names(group):
    return [f"{group.concepts[place]}/{path.name}" for path, place in group.pictures]


def test_pictures_come_in_a_stable_order_whatever_case_their_suffix_has(folder):
    for name in ("B.JPG", "a.jpeg", "c.WebP"):
        paint(color(folder) / "red" / name, "red")
    (group,) = read_folder(folder).groups
    assert (group.category, group.name) == ("common", "Color")
    assert group.concepts == ("blue", "green", "red")
    red = ["red/0.png", "red/1.png", "red/B.JPG", "red/a.jpeg", "red/c.WebP"]
    assert names(group) == ["blue/0.png", "blue/1.png", "green/0.png", "green/1.png", *red]


def test_hidden_files_and_other_suffixes_are_passed_over(folder):
    before = read_folder(folder)
    (color(folder) / "red" / "notes.txt").write_text("")
    (color(folder) / "red" / "._0.png").write_text("")
    paint(color(folder) / "0.png", "red")
    assert read_folder(folder) == before


def test_hidden_folders_are_left_out_with_a_note_each(folder):
    before = read_folder(folder)
    for path in (".trash/Color/red", "common/.old/red", "common/Color/..name"):
        paint(folder / path / "0.png", "red")
    found = read_folder(folder)
    assert found.groups == before.groups
    assert found.notes == (
        ".trash: begins with a dot, left out",
        "common/.old: begins with a dot, left out",
        "common/Color/..name: begins with a dot, left out",
    )


def test_underscores_are_spaces(folder):
    role = folder / "common" / "Job_Role"
    for name in ("police_officer", "police officer", "farmer"):
        paint(role / name / f"{name}.png", "red")
    (group,) = read_folder(folder, ["job role"]).groups
    assert group.concepts == ("farmer", "police officer")
    assert [place for _, place in group.pictures] == [0, 1, 1]


def test_an_empty_concept_and_a_group_of_one_are_left_out_with_a_note(folder):
    (color(folder) / "mauve").mkdir()
    paint(folder / "common" / "Animal" / "dog" / "0.png", "red")
    (folder / "common" / "Animal" / "cat").mkdir()
    found = read_folder(folder)
    assert [group.name for group in found.groups] == ["Color"]
    assert found.groups[0].concepts == ("blue", "green", "red")
    assert found.notes == (
        "Animal: no pictures of cat, left out",
        "Animal: nothing to tell apart (dog only), left out",
        "Color: no pictures of mauve, left out",
    )


def test_folders_that_cannot_be_scored_are_one_line(folder, tmp_path, complains):
    with complains("FOLDER", "category/group/concept/*.jpg", "nowhere", FileNotFoundError):
        read_folder(tmp_path / "nowhere")
    with complains("FOLDER", "a group of at least two concepts", "none"):
        read_folder(color(folder))  # a level too deep
    with complains("group", "one of Color", "Colour"):
        read_folder(folder, ["Colour"])
    paint(folder / "nuisance" / "color" / "red" / "0.png", "red")
    with complains(str(folder / "nuisance" / "color"), "a name of its own", "Color in common"):
        read_folder(folder)


@pytest.mark.parametrize("name", ["Stereotype", "trait"])
def test_labels_that_do_harm_have_to_be_asked_for(folder, name, complains):
    for concept in ("red", "green"):
        paint(folder / "sensitive" / name / concept / "0.png", concept)
    with complains("FOLDER", "--sensitive (scoring people's pictures on such labels does", name):
        read_folder(folder)
    assert [group.name for group in read_folder(folder, ["Color"]).groups] == ["Color"]
    assert [group.name for group in read_folder(folder, [name], sensitive=True).groups] == [name]


def test_a_model_that_sees_scores_1(folder):
    result = evaluate(read_folder(folder), Eye())
    assert result.groups[["images", "unreadable", "macro_f1", "corrected"]].values.tolist() == [
        [6, 0, 1, 1]
    ]
    assert result.groups["chance"].item() == pytest.approx(1 / 3)
    rows = result.concepts[["images", "precision", "recall", "f1"]].values.tolist()
    assert rows == [[2, 1, 1, 1]] * 3
    assert not result.notes and result.unreadable.empty


def test_scores_are_those_of_the_confusion_matrix(folder):
    paint(color(folder) / "red" / "2.png", "blue")
    paint(color(folder) / "blue" / "2.png", "green")
    result = evaluate(read_folder(folder), Eye())
    counts = result.confusions["Color"]
    assert counts.to_dict("split") == {
        "index": ["blue", "green", "red"],
        "columns": ["blue", "green", "red"],
        "data": [[2, 1, 0], [0, 2, 0], [1, 0, 2]],
    }
    row = result.groups.iloc[0]
    assert row["macro_f1"] == pytest.approx(macro_f1(counts.to_numpy()))
    assert row["chance"] == pytest.approx(expected_chance(counts.to_numpy()))
    assert result.concepts["precision"].tolist() == pytest.approx([2 / 3, 2 / 3, 1])
    assert result.concepts["recall"].tolist() == pytest.approx([2 / 3, 1, 2 / 3])


def test_concepts_are_told_apart_within_their_group_only(folder):
    for name in ("scarlet", "navy"):
        paint(folder / "common" / "Shade" / name / "0.png", {"scarlet": "red"}.get(name, "blue"))
    result = evaluate(read_folder(folder), Eye(scarlet=(255, 0, 0), navy=(0, 0, 255)))
    assert result.groups["macro_f1"].tolist() == [1, 1]
    assert {name: len(counts) for name, counts in result.confusions.items()} == {
        "Color": 3,
        "Shade": 2,
    }


@pytest.mark.parametrize("options", [{"batch": 1}, {"batch": 4}, {"batch": 4, "workers": 2}])
def test_batches_and_workers_have_no_influence(folder, options):
    paint(color(folder) / "red" / "2.png", "blue")
    (color(folder) / "red" / "3.png").write_bytes(b"")
    state = torch.random.get_rng_state()
    one, other = (evaluate(read_folder(folder), Eye(), **way) for way in ({}, options))
    assert torch.equal(torch.random.get_rng_state(), state)
    for name in ("concepts", "groups", "unreadable"):
        pd.testing.assert_frame_equal(getattr(one, name), getattr(other, name))


def spoil(path, how):
    if how == "zero bytes":
        path.write_bytes(b"")
    elif how == "text":
        path.write_text("no picture")
    elif how == "truncated":
        noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
        Image.fromarray(noise).save(path)
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
    else:
        Image.new("1", (12_000, 8_000)).save(path)


@pytest.mark.parametrize(
    ("how", "suffix"),
    [
        ("zero bytes", "png"),
        ("text", "jpg"),
        ("truncated", "jpg"),
        ("truncated", "png"),
        ("truncated", "webp"),
        ("a bomb", "png"),
    ],
)
def test_an_unreadable_picture_is_named_counted_and_not_scored(folder, how, suffix):
    expected = evaluate(read_folder(folder), Eye())
    path = color(folder) / "red" / f"5.{suffix}"
    spoil(path, how)
    result = evaluate(read_folder(folder), Eye())
    assert result.unreadable["path"].tolist() == [f"common/Color/red/5.{suffix}"]
    reason = result.unreadable["reason"].item()
    assert reason and "\n" not in reason and str(folder) not in reason
    assert result.groups[["images", "unreadable"]].values.tolist() == [[6, 1]]
    pd.testing.assert_frame_equal(result.concepts, expected.concepts)
    with pytest.raises(ValueError):
        read_picture(path)


def test_a_name_that_is_no_text_is_escaped(folder, tmp_path):
    (color(folder) / os.fsdecode(b"red/\xfe.png")).write_bytes(b"")
    result = evaluate(read_folder(folder), Eye())
    assert result.unreadable["path"].tolist() == [r"common/Color/red/\udcfe.png"]
    result.save(tmp_path / "out")
    assert pd.read_csv(tmp_path / "out" / "unreadable.csv").equals(result.unreadable)


def test_concepts_and_groups_without_a_readable_picture_are_noted(folder):
    for i in range(2):
        (color(folder) / "red" / f"{i}.png").write_bytes(b"")
    for name in ("red", "blue"):
        path = folder / "common" / "Shade" / name / "0.png"
        path.parent.mkdir(parents=True)
        path.write_bytes(b"")
    result = evaluate(read_folder(folder), Eye())
    assert result.groups["images"].tolist() == [4, 0]
    assert result.groups["macro_f1"].isna().tolist() == [False, True]
    assert result.groups["macro_f1"][0] == 1  # of the two colours that are left
    assert result.notes == (
        "Color: no readable picture of red",
        "Shade: no readable picture of blue, red",
    )


def test_a_model_whose_vectors_are_not_finite_is_one_line(folder, complains):
    with complains("model", "finite vectors for Color", "others"):
        evaluate(read_folder(folder), Eye(red=(float("nan"), 0, 0)))
    with complains("batch", "at least 1", "0"):
        evaluate(read_folder(folder), Eye(), batch=0)


@pytest.fixture
def result(folder):
    paint(color(folder) / "red" / "2.png", "blue")
    (color(folder) / "red" / "3.png").write_bytes(b"")
    return evaluate(read_folder(folder), Eye())


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*"))


def test_all_tables_are_written_and_read_back(result, tmp_path):
    out = tmp_path / "out"
    result.save(out, confusion_matrix)
    assert files(out) == [
        "concepts.csv",
        "confusion/Color.csv",
        "confusion/Color.png",
        "groups.csv",
        "run.json",
        "unreadable.csv",
    ]
    for name in ("concepts", "groups", "unreadable"):
        read, expected = pd.read_csv(out / f"{name}.csv"), getattr(result, name)
        pd.testing.assert_frame_equal(read, expected, check_exact=False, atol=1e-6)
    counts = pd.read_csv(out / "confusion" / "Color.csv", index_col="truth")
    assert np.array_equal(counts, result.confusions["Color"])
    run = json.loads((out / "run.json").read_text())
    assert run["model"] == "eye" and run["prompts"] == ["{}"]
    assert run["images"] == 7 and run["unreadable"] == 1
    result.save(tmp_path / "bare")
    assert files(tmp_path / "bare") == [name for name in files(out) if not name.endswith(".png")]


def test_a_folder_with_files_is_refused(result, tmp_path, complains):
    (tmp_path / "thesis.tex").write_text("")
    with complains("out", "a new or an empty folder", "thesis.tex", FileExistsError):
        result.save(tmp_path)
    assert not (tmp_path / "groups.csv").exists()


def test_a_killed_save_leaves_no_half_file_and_no_run(result, tmp_path, monkeypatch):
    def killed(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", killed)
    with pytest.raises(KeyboardInterrupt):
        result.save(tmp_path / "out", confusion_matrix)
    assert files(tmp_path / "out") == [
        "concepts.csv",
        "confusion/Color.csv",
        "groups.csv",
        "unreadable.csv",
    ]


def test_the_matrix_is_drawn_in_shares_of_its_rows():
    counts = pd.DataFrame([[3, 1], [0, 0]], index=["a", "b"], columns=["a", "b"])
    (ax, _) = confusion_matrix(counts, "Letters").axes
    assert [text.get_text() for text in ax.texts] == ["0.75", "0.25"]
    drawn = np.ma.filled(ax.images[0].get_array(), np.nan)
    assert drawn[0].tolist() == [0.75, 0.25] and np.isnan(drawn[1]).all()
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b"]
