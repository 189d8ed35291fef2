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
    with complains("match", "words, substring, spaces", "stems"):
        Matcher(packaged, "stems")


def apart(caption, *terms, excluded=(), match="words"):
    """What a caption names, what it denies, and what is but a part of an exclusion."""
    own = Taxonomy(tuple(Concept("", "A", term, (term,), tuple(excluded)) for term in terms))
    found = Matcher(own, match).find(pa.array([caption]))
    return tuple([terms[i] for i in keys] for keys in found)


@pytest.mark.parametrize(
    ("caption", "named", "denied"),
    [
        ("no dog here", [], ["dog"]),
        ("a room without a dog, not the cat", [], ["dog", "cat"]),
        ("a dog-free cat cafe", ["cat"], ["dog"]),
        ("free of dog hair", [], ["dog"]),
        ("no dog, but another dog", ["dog"], []),
        ("no. dog", ["dog"], []),
        ("no cat and a dog", ["dog"], ["cat"]),
        ("not only a dog", ["dog"], []),
        ("piano dog", ["dog"], []),
    ],
)
def test_denied_terms_are_found_apart(caption, named, denied):
    assert apart(caption, "dog", "cat") == (named, denied, [])


def test_terms_within_exclusions_are_found_apart():
    assert apart("a hot-dog stand", "dog", excluded=["hot dog"]) == ([], [], ["dog"])
    assert apart("a hot dog and a dog", "dog", excluded=["hot dog"]) == (["dog"], [], [])
    assert apart("a dog is hot", "dog", excluded=["hot dog"]) == (["dog"], [], [])


@pytest.mark.parametrize(
    "caption", ["sun\u00adglasses", "sun\u200dglasses", "\ufeffsunglasses", "SUN\u2060GLASSES"]
)
def test_characters_that_show_nothing_do_not_part_words(caption):
    assert apart(caption, "sunglasses") == (["sunglasses"], [], [])


def test_between_spaces_terms_stand_in_their_case():
    terms = ("dog", "Dog", "hot dog", "dogs.")
    for caption, expected in [
        ("dog", ["dog"]),
        ("a Dog", ["Dog"]),
        ("a hot\tdog", ["dog", "hot dog"]),
        ("dog, dog-free no DOG", []),
        ("two dogs.", ["dogs."]),
        ("caf\u00e9 dog", ["dog"]),
    ]:
        assert apart(caption, *terms, match="spaces") == (expected, [], [])


def test_many_thousand_concepts_are_found_in_little_memory():
    import tracemalloc

    own = Taxonomy(tuple(Concept("", "A", f"w{i}", (f"w{i}",)) for i in range(20_001)))
    tracemalloc.start()
    captions = [f"w{i} and w{i + 1}" for i in range(0, 20_000, 2)]
    assert len(found(captions, own)) == 20_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200e6  # a table of concepts by concepts, or by captions, takes more
