"""Which captions name which concepts, by one pass of Aho-Corasick over many of them."""

from __future__ import annotations

from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from misalign.coverage.normalize import END, Normalizer
from misalign.coverage.taxonomy import Taxonomy
from misalign.errors import invalid

if TYPE_CHECKING:
    import pyarrow as pa

WORDS, SUBSTRING = MATCHES = ("words", "substring")
# captions, and bytes of them, that are looked at together: what fits the processor's caches
ROWS, BYTES = 1 << 13, 1 << 22


class Matcher:
    """Looks terms up in captions.

    Captions and terms are compared after NFKC, full case folding, and NFKC again.

    With ``"words"`` a term is found where its words are whole, that is, where no neighbour of a
    word is a word character: a letter, number or mark of Unicode (variation selectors, which style
    emoji, apart), or an underscore. A gap in a term, that is, white space and hyphens or dashes in
    a row, matches any such run: "ice-cream" and "ice  cream" name "ice cream". Any other character
    in a term, such as the apostrophe of "bird's-eye", matches any other such character, with or
    without gaps around it. As apostrophes are no word characters, "t-shirt's" names "shirt".

    With ``"substring"`` a term is found wherever its characters stand in a row, "hat" in "that"
    too, as in the authors' code.

    Terms may overlap, and a term of several concepts names them all.
    """

    def __init__(self, taxonomy: Taxonomy, match: str = WORDS) -> None:
        if match not in MATCHES:
            raise invalid("match", " or ".join(MATCHES), match)
        expect_installed()
        from ahocorasick_rs import BytesAhoCorasick, Implementation

        named = [(term, i) for i, one in enumerate(taxonomy.concepts) for term in one.terms]
        self.normalizer = Normalizer((term for term, _ in named), match == WORDS)
        concepts: dict[bytes, set[int]] = {}
        for term, i in named:
            concepts.setdefault(self.normalizer.term(term), set()).add(i)
        self.size = len(taxonomy.concepts)
        # the concepts of pattern p are `_concepts[_starts[p] : _starts[p + 1]]`
        self._counts = np.array([len(places) for places in concepts.values()])
        self._starts = np.cumsum(self._counts) - self._counts
        self._concepts = np.array([i for places in concepts.values() for i in sorted(places)])
        self.patterns = [*concepts]
        self._engine = BytesAhoCorasick(self.patterns, implementation=Implementation.DFA)

    def __call__(self, captions: pa.Array) -> tuple[np.ndarray, np.ndarray]:
        """Find concepts in captions, strings of valid UTF-8 or null.

        Returns
        -------
        rows, concepts : ndarray
            Every concept that a caption names, once, sorted by caption, then concept; int64,
            both of shape (found,).
        """
        data, order = self.normalize(captions)
        patterns, lines = self.find_matches(data)
        rows = order[lines]
        counts = self._counts[patterns]
        # the k-th concept of each match, for matches that have several
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        concepts = self._concepts[np.repeat(self._starts[patterns], counts) + within]
        cells = np.zeros(len(captions) * self.size, bool)  # a sort that takes no comparisons
        cells[np.repeat(rows, counts) * self.size + concepts] = True
        return np.divmod(np.flatnonzero(cells), self.size)

    def find_matches(self, data: bytes) -> tuple[np.ndarray, np.ndarray]:
        """Find patterns in normalised captions: the place of each in `patterns`, and its line."""
        found = self._engine.find_matches_as_indexes(data, overlapping=True)
        flat = np.fromiter(chain.from_iterable(found), np.int64, 3 * len(found))
        ends = np.flatnonzero(np.frombuffer(data, np.uint8) == ord("\n"))
        return flat[::3], np.searchsorted(ends, flat[1::3])

    def normalize(self, captions: pa.Array) -> tuple[bytes, np.ndarray]:
        """Captions as normalised lines, ASCII before others, and the row of each."""
        import pyarrow.compute as pc

        captions = captions.fill_null("")
        plain = pc.string_is_ascii(captions)
        mask = plain.to_numpy(zero_copy_only=False)
        if mask.all():
            return self.normalizer(_ended(captions), True), np.arange(len(captions))
        others = captions.filter(pc.invert(plain))
        data = self.normalizer(_ended(captions.filter(plain)), True)
        data += self.normalizer(_ended(others), False)
        return data, np.concatenate([np.flatnonzero(mask), np.flatnonzero(~mask)])


def expect_installed() -> None:
    """Raise a one-line ImportError without the packages that read and search captions."""
    from importlib.util import find_spec

    missing = [name for name in ("pyarrow", "ahocorasick_rs") if not find_spec(name)]
    if missing:
        expected = "the packages of captions (pip install 'misalign[captions]')"
        raise invalid("captions", expected, f"no {', '.join(missing)}", ImportError)


@lru_cache(maxsize=4)
def matcher(taxonomy: Taxonomy, match: str) -> Matcher:
    """A matcher that this process may have made before."""
    return Matcher(taxonomy, match)


def _ended(captions: pa.Array) -> bytes:
    """Captions in a row, the byte `END` after each."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not len(captions):
        return b""
    joined = pc.binary_join_element_wise(captions.cast(pa.binary()), b"", bytes([END]))
    _, offsets, data = joined.buffers()
    ends = np.frombuffer(offsets, np.int32)[joined.offset : joined.offset + len(joined) + 1]
    return memoryview(data)[ends[0] : ends[-1]].tobytes()
