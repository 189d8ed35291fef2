"""Reasons to doubt counts come before any advice, and forbid it where they are grave."""

from pathlib import Path

import pytest

pytest.importorskip("pyarrow")
pytest.importorskip("ahocorasick_rs")
pytest.importorskip("py3langid")

from misalign.audit.doubts import doubt  # noqa: E402
from misalign.audit.findings import find  # noqa: E402
from misalign.audit.trend import Fit  # noqa: E402
from misalign.audit.words import summary  # noqa: E402
from misalign.coverage.count import count  # noqa: E402
from misalign.coverage.taxonomy import Concept, Taxonomy  # noqa: E402

INPUTS = Path(__file__).parent / "caption_inputs"


def counted(folder, texts, *concepts, **options):
    (folder / "a.txt").write_text("\n".join(texts))
    own = tuple(Concept("common", "A", name, (name,)) for name in concepts)
    return count([folder / "a.txt"], Taxonomy(own) if own else None, **options)


def test_another_language_is_said_first_and_nothing_is_advised():
    findings = find(count([INPUTS / "german.txt"]), Fit.read())
    (sentence,) = summary(findings)
    assert "another language than English (de)" in sentence and "--concepts" in sentence
    assert findings.trend is None and "score" not in findings.concepts
    assert set(findings.concepts["action"]) == {"see doubts"}


def test_concepts_of_its_language_are_not_doubted(tmp_path):
    texts = ["Ein Hund steht neben einem Auto auf der Stra\u00dfe"] * 3
    assert doubt(counted(tmp_path, texts)).grave
    assert not doubt(counted(tmp_path, texts, "Hund")).grave


def test_a_script_without_spaces_is_doubted_unless_parts_of_words_are_looked_for():
    own = Taxonomy.read(INPUTS / "japanese.yml")
    counts = count([INPUTS / "japanese.txt"], own)
    assert counts.concepts.sum() == 0
    assert "--match substring" in doubt(counts).sentences[0]
    counts = count([INPUTS / "japanese.txt"], own, match="substring")
    assert counts.concepts.sum() == 1 and not doubt(counts).grave


def test_another_domain_is_not_told_to_add_every_concept(tmp_path):
    texts = [f"chest x-ray with infiltrate in the left lobe, case {i}" for i in range(200)]
    findings = find(counted(tmp_path, texts), Fit.read())
    assert "Only 0 of 200 captions name any of the concepts" in summary(findings)[0]
    assert "add" not in set(findings.concepts["action"])


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["1girl, red_dress, blue_sky and more"] * 9, "words joined by underscores"),
        (["a dog"] * 5 + [f"dog {i}" for i in range(20)], "4 repeat another, most often"),
        (["a dog " + "and then some " * 30] * 2, "2 captions are longer than the 77 tokens"),
    ],
)
def test_what_makes_counts_doubtful_is_said(tmp_path, texts, said):
    sentences = doubt(counted(tmp_path, texts, "dog", "dress")).sentences
    assert any(said in one for one in sentences), sentences


def test_plain_captions_are_not_doubted(tmp_path):
    texts = [f"a dog and a cat in the garden, {i}" for i in range(50)]
    assert doubt(counted(tmp_path, texts)) == ((), False)
    assert doubt(counted(tmp_path, ["a dog", "cat"])) == ((), False)


def test_nothing_is_predicted_from_few_captions():
    findings = find(count([INPUTS / "four_captions.csv"]), Fit.read())
    assert "score" not in findings.concepts
    assert findings.unpredicted == "fewer than 1,000 captions are too few"
