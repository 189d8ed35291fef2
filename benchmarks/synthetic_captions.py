"""Millions of captions, generated: a pool of different ones, and shards that draw from it.

Concepts and their terms are those of the library; all other words are made up, but for some that
contain a concept's name. So rates mean something, and coverage does not.
"""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from misalign.coverage.taxonomy import Concept, Taxonomy

POOL = 200_000
SHARD = 1_000_000  # captions of a Parquet file
LETTERS = "eeeeeetttttaaaaooooiiiinnnnsssshhhhrrrrddllluuccmmffwwyyggppbbvk"
TRAPS = "that what vanilla team steam scar card shared tired inspired teapot carpet advantage"
ENDINGS = (".", "!", " | Shop", " - 2019", ", new", " (4)", "...", " #1234567")
FOREIGN = ("caf\u00e9", "\u00fcber", "\u2728", "\u041c\u043e\u0441\u043a\u0432\u0430", "d\u00e9cor")
TERMS, ACCENTS = 0.1, 0.06  # shares: of words that are terms, of captions that are not ASCII


def pool(size: int = POOL, seed: int = 0) -> list[str]:
    """Different captions of about 70 characters, as in web-crawled sets."""
    draw = random.Random(seed)
    terms = [term for one in Taxonomy.read().concepts for term in one.terms]
    words = [_word(draw) for _ in range(5000)] + 50 * TRAPS.split()
    return [_caption(draw, terms, words) for _ in range(size)]


def taxonomy(terms: int, seed: int = 0) -> Taxonomy:
    """Concepts of five made-up terms each, so many terms in all."""
    draw = random.Random(seed)
    concepts = []
    for i in range(terms // 5):
        made = [" ".join(_word(draw) for _ in range(draw.choice((1, 2, 2, 3)))) for _ in range(4)]
        concepts.append(Concept("", "made up", f"{made[0]} {i}", (f"{made[0]} {i}", *made)))
    return Taxonomy(tuple(concepts))


def _word(draw: random.Random) -> str:
    return "".join(draw.choices(LETTERS, k=draw.choice((1, 2, 3, 3, 4, 4, 5, 6, 7, 8, 9))))


def _caption(draw: random.Random, terms: list[str], words: list[str]) -> str:
    length = draw.randint(4, 20)
    chosen = (draw.choice(terms if draw.random() < TERMS else words) for _ in range(length))
    text = " ".join(chosen)
    if draw.random() < 0.5:
        text = text.title() + draw.choice(ENDINGS)
    return f"{text} {draw.choice(FOREIGN)}" if draw.random() < ACCENTS else text


def shards(folder: Path, captions: int, seed: int = 0) -> list[Path]:
    """Write Parquet files with a column TEXT, every caption drawn at random from one pool."""
    texts = pa.array(pool(seed=seed))
    draw = np.random.default_rng(seed)
    paths = []
    for i, start in enumerate(range(0, captions, SHARD)):
        rows = draw.integers(len(texts), size=min(SHARD, captions - start))
        path = folder / f"part-{i:05}.parquet"
        # no dictionary: real captions hardly repeat
        table = pa.table({"TEXT": texts.take(pa.array(rows))})
        pq.write_table(table, path, row_group_size=SHARD // 4, use_dictionary=False)
        paths.append(path)
    return paths
