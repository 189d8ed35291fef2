"""Reasons to doubt counts before they are acted upon: language, domain, repeated captions."""

from __future__ import annotations

import re
from collections import Counter
from typing import NamedTuple

from misalign.coverage.counts import Counts, shares
from misalign.coverage.taxonomy import Taxonomy

TEXTS, LETTERS = 100, 2000  # whose language is looked at
MARGIN = 20  # by which the log-likelihood of another language is higher, if captions are in it
FEW = 0.1  # a share of captions that name any concept, below which the concepts do not fit
UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u4e00-\u9fff]")
SOME = 0.01  # a share that is worth a word


class Doubts(NamedTuple):
    """Sentences, and whether they forbid to say what to do about concepts."""

    sentences: tuple[str, ...]
    grave: bool


def doubt(counts: Counts) -> Doubts:
    """Find reasons to doubt counts."""
    grave, others = [], []
    texts = counts.sample
    shown = " ".join(texts[:TEXTS])[:LETTERS]
    if len(UNSPACED.findall(shown)) > len(shown) / 4:
        if counts.match == "words":
            grave.append(
                "These captions are written without spaces between words, so that whole words are"
                " not found in them: use --match substring, and --concepts in their language."
            )
    elif (language := _language(shown)) != "en" and counts.taxonomy == Taxonomy.read():
        grave.append(
            f"These captions seem to be in another language than English ({language}), where a word"
            " may mean something else: give concepts in their language with --concepts."
        )
    _, _, most = shares([counts.naming], counts.captions)
    if most[0] < FEW and not grave:
        grave.append(
            f"Only {counts.naming:,} of {counts.captions:,} captions name any of the concepts, so"
            " these captions are about something else: give your own with --concepts."
        )
    joined = sum("_" in text for text in texts)
    if joined > len(texts) / 4 and counts.match == "words":
        grave.append(
            f"Of {len(texts):,} captions {joined:,} have words joined by underscores, which stay"
            " one word: put spaces in their place."
        )
    if (often := len(texts) - len(repeats := Counter(texts))) > SOME * len(texts):
        ((text, number),) = repeats.most_common(1)
        others.append(
            f"Of the first {len(texts):,} captions {often:,} repeat another, most often"
            f" \u201c{text[:60]}\u201d ({number:,} times): intervals are too narrow (--by text)."
        )
    if counts.long > SOME * counts.captions:
        others.append(
            f"{counts.long:,} captions are longer than the 77 tokens that CLIP reads: what they"
            " name after that is not learnt."
        )
    return Doubts((*grave, *others), bool(grave))


def _language(text: str) -> str:
    """The language of a text, English unless another is much likelier."""
    import py3langid

    ranks = py3langid.rank(text)
    return ranks[0][0] if ranks[0][1] - dict(ranks)["en"] > MARGIN else "en"
