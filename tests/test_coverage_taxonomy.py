"""The packaged concepts are the slides', and faults in files of concepts are one line."""

import pandas as pd
import pytest
import yaml

from misalign.coverage.normalize import normalize
from misalign.coverage.taxonomy import PACKAGED, Concept, Taxonomy
from misalign.paths import REFERENCE

SMALL = """
concepts:
  common:
    Animal:
      dog: [dogs]
      cat:
    Answer:
      no: [nope, 5]
exclusive:
  Animal: [[dog, cat]]
"""


@pytest.fixture(scope="module")
def packaged():
    return Taxonomy.read()


@pytest.fixture
def read(tmp_path):
    def read(text, suffix=".yml"):
        path = tmp_path / f"own{suffix}"
        path.write_text(text)
        return Taxonomy.read(path)

    return read


def test_packaged_concepts_are_those_of_the_slides(packaged):
    expected = pd.read_csv(REFERENCE / "concepts.csv")
    found = [(one.category, one.group, one.name) for one in packaged.concepts]
    assert found == list(expected.itertuples(index=False, name=None))


def test_no_term_of_the_packaged_file_is_written_twice_or_needless():
    # a concept's own name is added by the reader; two spellings that match the same are one
    content = yaml.safe_load(PACKAGED.read_text())["concepts"]
    needless = []
    for groups in content.values():
        for concepts in groups.values():
            for name, terms in concepts.items():
                shapes = [normalize(term).replace("-", " ") for term in [name, *terms]]
                needless += [t for i, t in enumerate(shapes) if t in shapes[:i]]
    assert needless == []


def test_packaged_terms_that_several_concepts_share_are_meant(packaged):
    owners = {}
    for one in packaged.concepts:
        for term in one.terms:
            owners.setdefault(term, []).append(one.name)
    shared = {term: names for term, names in owners.items() if len(names) > 1}
    assert shared == {
        "schoolbag": ["bag", "backpack"],
        "schoolbags": ["bag", "backpack"],
        "sandstorm": ["sandstorm", "storm"],
        "sandstorms": ["sandstorm", "storm"],
        "rainstorm": ["rain", "storm"],
        "rainstorms": ["rain", "storm"],
        "snowstorm": ["snow", "storm"],
        "snowstorms": ["snow", "storm"],
        "bird's-eye view": ["top-down", "aerial"],
    }


def test_packaged_pairs_exclude_each_other(packaged):
    names = [one.name for one in packaged.concepts]
    assert {(names[i], names[j]) for i, j in packaged.pairs()} == {
        ("glossy", "matte"),
        ("rough", "smooth"),
        ("close-up", "wide shot"),
        ("low angle", "high angle"),
        ("top-down", "low angle"),
        ("low angle", "aerial"),
        ("desaturated", "saturated"),
    }


def test_yaml_gives_strings_and_own_names(read):
    found = read(SMALL)
    assert [one.terms for one in found.concepts] == [("dog", "dogs"), ("cat",), ("no", "nope", "5")]
    assert found.groups == ("Animal", "Answer")
    assert list(found.pairs()) == [(0, 1)]


def test_csv_gives_the_same_concepts(read):
    text = "category,group,concept,terms\ncommon,Animal,dog,dogs\ncommon,Animal,cat,\n"
    text += "common,Answer,no,nope| 5\n"
    assert read(text, ".csv").concepts == read(SMALL).concepts
    assert read("group,concept\nAnimal,dog\n", ".csv").concepts == (
        Concept("", "Animal", "dog", ("dog",)),
    )


@pytest.mark.parametrize(
    ("old", "new", "name", "expected", "got"),
    [
        ("[dogs]", "dogs", "common: Animal: dog", "a list of terms", "dogs"),
        ("[dogs]", "[[dogs]]", "common: Animal: dog", "a list of terms", "dogs"),
        ("[dogs]", "['...']", "terms of dog", "letters or digits in each", "..."),
        ("cat:\n", "dog:\n", "line 6", "YAML", "dog twice"),
        ("[dogs]", "[dogs", "line 6", "YAML", "expected ',' or ']'"),
        ("[[dog, cat]]", "[[dog, cow]]", "exclusive: Animal", "among dog, cat", "cow"),
        ("[[dog, cat]]", "[[dog]]", "exclusive: Animal", "two or more", "dog"),
        ("Animal: [[", "Plant: [[", "exclusive: Plant", "a group of the file", "Plant"),
        ("cat:\n", "cat: [dogs]\n", "exclusive", "no term in common of dog, cat", "dogs"),
        ("exclusive", "excluded", "file", "concepts and exclusive", "excluded"),
        (SMALL, "", "file", "entries", "nothing"),
        (SMALL, "concepts: [dog]", "concepts", "entries", "dog"),
    ],
)
def test_faults_of_a_yaml_file_name_the_entry(read, tmp_path, old, new, name, expected, got):
    with pytest.raises(ValueError) as caught:
        read(SMALL.replace(old, new))
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(str(tmp_path / "own.yml"))
    start, _, came = message.partition(", got ")
    assert name in start
    assert expected in start
    assert got in came


@pytest.mark.parametrize(
    ("text", "expected", "got"),
    [
        ("concept\ndog\n", "columns group, concept", "concept"),
        ("group,concept\nAnimal,\n", "line 2: expected", "Animal"),
        ("group,concept\nAnimal,dog,cat\n", "line 2: expected", "cat"),
        ("group,concept\nAnimal,dog\nAnimal,dog\n", "each once", "Animal: dog again"),
        ("group,concept\nA,x\nB,y\nA,z\n", "next to each other", "A in several places"),
        ("group,concept\n", "at least one", "none"),
    ],
)
def test_faults_of_a_csv_file_are_named(read, text, expected, got):
    with pytest.raises(ValueError) as caught:
        read(text, ".csv")
    start, _, came = str(caught.value).partition(", got ")
    assert expected in start
    assert got in came


def test_missing_and_unknown_files_are_refused(complains, tmp_path):
    with complains("concepts", "a YAML or CSV file", "none.yml", FileNotFoundError):
        Taxonomy.read(tmp_path / "none.yml")
    (tmp_path / "own.json").touch()
    with complains("concepts", ".yml, .yaml or .csv", "own.json"):
        Taxonomy.read(tmp_path / "own.json")


def test_exclusive_concepts_are_of_one_group(complains):
    concepts = tuple(Concept("", group, group, (group,)) for group in ("a", "b"))
    with complains("exclusive", "one group", "a, b"):
        Taxonomy(concepts, (frozenset({0, 1}),))
