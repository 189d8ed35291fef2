"""Whole words, as a slow reading of the rules finds them; and parts of words, naively."""

import coverage_reference as reference
import pytest

pytest.importorskip("ahocorasick_rs")
pa = pytest.importorskip("pyarrow")

from misalign.coverage.matcher import Matcher  # noqa: E402
from misalign.coverage.taxonomy import Concept, Taxonomy  # noqa: E402

ODD_TERMS = ("caf\u00e9", "c++", "#1", "\u043a\u043e\u0442", "\u732b", "bird's-eye", "ice cream")
ODD_TERMS += ("cream", "\ufb01refighter", "Stra\u00dfe", "\u05db\u05dc\u05d1", "k\u00f6nig", "a.b")
ODD_TERMS += ("x - y", "- hat -", "cream hat", "j")
ODD = Taxonomy(tuple(Concept("", "odd", term, (term,)) for term in ODD_TERMS))


@pytest.fixture(scope="module")
def packaged():
    return Taxonomy.read()


def found(captions, taxonomy, match="words"):
    rows, concepts = Matcher(taxonomy, match)(pa.array(captions, pa.string()))
    pairs = list(zip(rows.tolist(), concepts.tolist(), strict=True))
    assert pairs == sorted(set(pairs))
    return set(pairs)


def names(caption, taxonomy, match="words"):
    return {taxonomy.concepts[i].name for _, i in found([caption], taxonomy, match)}


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("that vanilla team is retired", set()),
        ("A HAT, a van; tea!", {"hat", "van", "tea"}),
        ("ice-cream", {"ice cream"}),
        ("ice \u2014 \n cream", {"ice cream"}),
        ("ice. cream", set()),
        ("the t-shirt's print", {"shirt"}),
        ("dog_house dogs2", set()),
        ("\uff24\uff2f\uff27\u2764\ufe0fcat", {"dog", "cat"}),
        ("cafe\u0301 dog\u0301", set()),
        ("a bird\u2019s eye view", {"bird", "top-down", "aerial"}),
        ("rainstorm", {"rain", "storm"}),  # a term of two concepts
        ("dog dog dogs", {"dog"}),
        ("", set()),
        (None, set()),
    ],
)
def test_words_are_whole(packaged, caption, expected):
    assert names(caption, packaged) == expected


def test_a_term_is_not_found_across_captions(packaged):
    assert found(["ice", "cream", "\u00e9 ice", "cream \u00e9"], packaged) == set()


def test_words_are_those_of_the_regular_expressions(packaged):
    captions = reference.adversarial(200_000, packaged)
    assert max(len(caption or "") for caption in captions) > 10_000
    expected = reference.named(captions, packaged)
    assert len(expected) > 200_000
    assert len({i for _, i in expected}) == len(packaged.concepts)
    assert found(captions, packaged) == expected


def test_terms_of_any_characters_are_those_of_the_regular_expressions():
    captions = reference.adversarial(20_000, ODD, seed=1)
    expected = reference.named(captions, ODD)
    assert {i for _, i in expected} == set(range(len(ODD_TERMS)))
    assert found(captions, ODD) == expected


@pytest.mark.parametrize("which", ["packaged", "odd"])
def test_substrings_are_those_of_python(packaged, which):
    taxonomy = packaged if which == "packaged" else ODD
    captions = reference.adversarial(10_000, taxonomy, seed=2)
    assert found(captions, taxonomy, "substring") == reference.contained(captions, taxonomy)


def test_substrings_inflate(packaged):
    assert names("that vanilla team", packaged, "substring") == {"hat", "van", "tea"}


def test_another_match_is_refused(packaged, complains):
    with complains("match", "words or substring", "stems"):
        Matcher(packaged, "stems")
