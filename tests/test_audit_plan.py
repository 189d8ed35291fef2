"""Which captions to keep and which to write anew, beside slow and plain counts."""

import json
import random
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

pytest.importorskip("pyarrow")
pytest.importorskip("ahocorasick_rs")

from misalign.cli import main  # noqa: E402
from misalign.coverage.count import Plan, count  # noqa: E402
from misalign.coverage.reading import How  # noqa: E402
from misalign.coverage.selection import balance, recaption  # noqa: E402
from misalign.coverage.taxonomy import Concept, Taxonomy  # noqa: E402

NAMES = ["dog", "cat", "cow", "hen"]
TAXONOMY = Taxonomy(tuple(Concept("common", "A", one, (one, f"{one}s")) for one in NAMES))


@pytest.fixture
def tagged(tmp_path):
    """A file of tagged pictures, and what is in it: texts, what they name, what pictures show."""
    draw, rows = random.Random(0), []
    for i in range(600):
        shown = [
            name for name, p in zip(NAMES, (0.8, 0.5, 0.2, 0.05), strict=True) if draw.random() < p
        ]
        said = [name for name in shown if draw.random() < 0.6]
        said += [draw.choice(NAMES)] if draw.random() < 0.2 else []
        rows.append({"image": i // 3, "caption": " and ".join(["a barn", *said]), "tags": shown})
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    named = [{name for name in NAMES if name in row["caption"].split()} for row in rows]
    return path, rows, named, [set(row["tags"]) for row in rows]


def planned(path, **how):
    plan = Plan.of([path], TAXONOMY, "words", How(**how))
    return plan, plan.count()


def test_naming_rate_and_precision_are_those_of_a_loop(tagged):
    path, _, named, shown = tagged
    counts = count([path], TAXONOMY, tags="tags")
    pairs = list(zip(named, shown, strict=True))
    for i, name in enumerate(NAMES):
        there = [(name in said, name in seen) for said, seen in pairs]
        expected = [sum(seen for _, seen in there), there.count((False, True))]
        expected += [there.count((True, True)), there.count((True, False))]
        assert counts.labelled[i].tolist() == expected
    assert counts.labelled.all()


@pytest.mark.parametrize("join", [", ".join, "|".join, list])
def test_tags_may_be_lists_or_words_apart(tmp_path, join):
    rows = [("a dog", ["Dogs", "tree"]), ("a cat", ["dog", "cat"]), ("a hen", []), ("a cow", None)]
    lines = [{"caption": text, "tags": tags and join(tags)} for text, tags in rows]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines))
    counts = count([tmp_path / "a.jsonl"], TAXONOMY, tags="tags")
    assert counts.labelled[:2].tolist() == [[2, 1, 1, 0], [1, 0, 1, 0]]


@pytest.mark.parametrize("name", ["tags.csv", "tags.jsonl", "tags.parquet"])
def test_tags_may_be_in_a_file_of_their_own(tmp_path, name):
    rows = [("1.jpg", "a dog"), ("1.jpg", "a cat"), ("2.jpg", "a hen"), ("3.jpg", "a hen")]
    pd.DataFrame(rows, columns=["image", "caption"]).to_csv(tmp_path / "a.csv", index=False)
    tags = pd.DataFrame({"image": ["2.jpg", "1.jpg"], "tags": ["hen|cow", "dog"]})
    write = {"csv": tags.to_csv, "parquet": tags.to_parquet, "jsonl": tags.to_json}
    ending = name.rpartition(".")[2]
    more = {"orient": "records", "lines": True} if ending == "jsonl" else {"index": False}
    write[ending](tmp_path / name, **more)
    options = {"tags": str(tmp_path / name), "image": "image"}
    counts = count([tmp_path / "a.csv"], TAXONOMY, **options)
    assert counts.labelled.tolist() == [[2, 1, 1, 0], [0, 0, 0, 1], [1, 1, 0, 0], [1, 0, 1, 0]]
    with pytest.raises(ValueError, match="^image: expected the column that captions and .* share"):
        count([tmp_path / "a.csv"], TAXONOMY, tags=str(tmp_path / name))


def test_examples_are_of_what_they_say(tagged):
    path, *_ = tagged
    counts = count([path], TAXONOMY, tags="tags")
    assert {"named", "not named", "not shown"} <= counts.examples.keys()
    for kind, by_concept in counts.examples.items():
        for place, texts in by_concept.items():
            assert 1 <= len(texts) <= 3
            says = [NAMES[place] in text.split() for text in texts]
            assert all(says) if kind in ("named", "not shown") else not any(says)


@pytest.mark.parametrize(("by", "key"), [("image", "image"), ("text", "caption")])
def test_pictures_or_texts_are_counted_once(tagged, by, key):
    path, rows, named, _ = tagged
    units = {}
    for row, said in zip(rows, named, strict=True):
        units.setdefault(row[key], set()).update(said)
    counts = count([path], TAXONOMY, by=by, image="image" if by == "image" else "")
    table = counts.by_concept().set_index("concept")
    expected = Counter(name for said in units.values() for name in said)
    assert counts.total == len(units) < 600
    assert table["captions"].to_dict() == dict(expected)
    assert table["coverage"].tolist() == [expected[name] / len(units) for name in NAMES]
    (group,) = counts.by_group()["captions"]
    assert group == sum(bool(said) for said in units.values())


def test_balanced_chances_are_those_of_the_description(tagged, tmp_path):
    path, _, named, _ = tagged
    plan, counts = planned(path)
    table = balance(plan, counts, 50, tmp_path / "keep.parquet", seed=1)
    kept = pd.read_parquet(tmp_path / "keep.parquet")
    often = Counter(name for said in named for name in said)
    chances = [1 - np.prod([1 - min(1, 50 / often[name]) for name in said]) for said in named]
    assert kept["probability"].tolist() == pytest.approx(chances)
    assert kept["row"].tolist() == list(range(600)) and set(kept["file"]) == {str(path)}
    assert abs(kept["keep"].sum() - sum(chances)) < 4 * np.sqrt(600 / 4)
    assert not kept["keep"][[not said for said in named]].any()
    rows = table.set_index("concept")
    assert rows.loc["all captions", ["captions", "kept"]].tolist() == [600, kept["keep"].sum()]
    for name in NAMES:
        there = np.array([name in said for said in named])
        assert rows.loc[name, "expected"] == pytest.approx(np.array(chances)[there].sum())
        assert rows.loc[name, "kept"] == kept["keep"][there].sum()


def test_choices_are_repeated_by_their_seed(tagged, tmp_path):
    path, *_ = tagged
    plan, counts = planned(path, tags="tags")
    for choose in (balance, recaption):
        draws = []
        for seed in (1, 1, 2):
            choose(plan, counts, 20, tmp_path / "out.parquet", seed=seed)
            draws.append(pd.read_parquet(tmp_path / "out.parquet"))
        assert draws[0].equals(draws[1]) and not draws[0].equals(draws[2])


def test_rows_to_write_anew_gain_most(tagged, tmp_path):
    path, rows, named, shown = tagged
    plan, counts = planned(path, tags="tags")
    table = recaption(plan, counts, 30, tmp_path / "re.parquet").set_index("concept")
    chosen = pd.read_parquet(tmp_path / "re.parquet")
    left = [seen - said for said, seen in zip(named, shown, strict=True)]
    rate = {name: table.loc[name, "named"] / table.loc[name, "pictures"] for name in NAMES}
    weight = {name: (1 - rate[name]) / table.loc[name, "pictures"] for name in NAMES}
    gains = sorted((sum(weight[name] for name in some) for some in left), reverse=True)
    assert chosen["gain"].tolist() == pytest.approx(gains[:30])
    for row, text, some in chosen[["row", "caption", "left_out"]].itertuples(index=False):
        assert text == rows[row]["caption"] and set(some.split(", ")) == left[row]
    more = Counter(name for some in chosen["left_out"] for name in some.split(", "))
    assert (table["after"] - table["named"]).to_dict() == {name: more[name] for name in NAMES}


def invoke(*words):
    return CliRunner().invoke(main, ["audit", *map(str, words)])


def test_the_command_chooses_and_writes(tagged, tmp_path):
    path, *_ = tagged
    done = invoke(path, "--tags", "tags", "--recaption", 5, "--out", tmp_path / "re.parquet")
    assert done.exit_code == 0, done.output
    assert len(pd.read_parquet(tmp_path / "re.parquet")) == 5
    assert f"written: {tmp_path / 're.parquet'}" in done.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--balance", 5), "--out needs one of --balance and --recaption"),
        (("--out", "x.parquet"), "--out needs one of --balance and --recaption"),
        (
            ("--recaption", 5, "--out", "x.parquet"),
            "recaption: expected tags of what pictures show",
        ),
        (("--tags", "labels"), "tags column of"),
        (("--tags", "caption"), ""),
        (("--by", "image"), "image: expected a column of"),
    ],
)
def test_what_cannot_be_chosen_is_one_line(tagged, tmp_path, words, said, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = invoke("a.jsonl", *words)
    if said:
        assert done.exit_code != 0 and said in done.output.splitlines()[-1]
    assert [one.name for one in tmp_path.iterdir()] == ["a.jsonl"]
