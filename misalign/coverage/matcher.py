"""Which captions name which concepts, by one pass of Aho-Corasick over many of them."""

from __future__ import annotations

import importlib.util
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from misalign.coverage.normalize import END, Normalizer
from misalign.coverage.taxonomy import Taxonomy
from misalign.errors import invalid

if TYPE_CHECKING:
    import pyarrow as pa

WORDS, SUBSTRING, SPACES = MATCHES = ("words", "substring", "spaces")
TERM, EXCLUDED, BEFORE, AFTER = range(4)  # what a pattern is
DENIALS = ("no", "without", "free of")  # what denies the term that follows
DENIALS += tuple(f"{one} {a}" for one in ("not", "without") for a in ("a", "an", "any", "the"))
MANY = 20_000  # patterns
# captions, and bytes of them, that are looked at together: what fits the processor's caches
ROWS, BYTES = 1 << 13, 1 << 22


class Found(NamedTuple):
    """What captions name: keys, row times the number of concepts plus concept, sorted, once each.

    `negated` has what they name in a negation alone, `compounds` where a term is but a part of what
    the concept excludes.
    """

    named: np.ndarray
    negated: np.ndarray
    compounds: np.ndarray


class Matcher:
    """Looks terms up in captions.

    Captions and terms are compared after NFKC, full case folding, and NFKC again; characters that
    show nothing within a word, such as soft hyphens, are left out.

    With ``"words"`` a term is found where its words are whole, that is, where no neighbour of a
    word is a word character: a letter, number or mark of Unicode (variation selectors, which style
    emoji, apart), or an underscore. A gap in a term, that is, white space and hyphens or dashes in
    a row, matches any such run: "ice-cream" and "ice  cream" name "ice cream". Any other character
    in a term, such as the apostrophe of "bird's-eye", matches any other such character, with or
    without gaps around it. As apostrophes are no word characters, "t-shirt's" names "shirt". A term
    that is denied right before or after it, as in "no dog", "without a dog" or "dog-free", is
    found apart, and so is one within an exclusion of its concept, as "dog" within "hot dog".

    With ``"substring"`` a term is found wherever its characters stand in a row, "hat" in "that"
    too, as in the authors' code. With ``"spaces"`` it is found between white space, in its case, as
    MetaCLIP does (Xu et al. 2024).

    Terms may overlap, and a term of several concepts names them all.
    """

    def __init__(self, taxonomy: Taxonomy, match: str = WORDS) -> None:
        if match not in MATCHES:
            raise invalid("match", ", ".join(MATCHES), match)
        expect_installed()
        from ahocorasick_rs import BytesAhoCorasick, Implementation

        concepts = list(enumerate(taxonomy.concepts))
        named = [(term, i, TERM) for i, one in concepts for term in one.terms]
        if match == WORDS:
            named += [(term, i, EXCLUDED) for i, one in concepts for term in one.excluded]
            named += [(text, -1, BEFORE) for text in DENIALS] + [("free", -1, AFTER)]
        self.normalizer = Normalizer((term for term, *_ in named), match)
        places: dict[bytes, set[tuple[int, int]]] = {}
        terms = self.normalizer.terms([term for term, *_ in named])
        for term, (_, i, role) in zip(terms, named, strict=True):
            places.setdefault(term, set()).add((role, i))
        self.size = len(taxonomy.concepts)
        # what pattern p stands for is `_roles[_starts[p] : _starts[p + 1]]`
        self._counts = np.array([len(one) for one in places.values()])
        self._starts = np.cumsum(self._counts) - self._counts
        self._roles = np.array([pair for one in places.values() for pair in sorted(one)])
        self.patterns = [*places]
        many = len(self.patterns) > MANY  # of whose automaton the fastest form takes gigabytes
        how = Implementation.ContiguousNFA if many else Implementation.DFA
        self._engine = BytesAhoCorasick(self.patterns, implementation=how)

    def __call__(self, captions: pa.Array) -> tuple[np.ndarray, np.ndarray]:
        """Find what captions, strings of valid UTF-8 or null, name: rows and concepts, sorted."""
        return np.divmod(self.find(captions).named, self.size)

    def find(self, captions: pa.Array) -> Found:
        """Find concepts in captions, and apart those that are denied or parts of others."""
        data, order = self.normalize(captions)
        patterns, starts, ends = self.find_matches(data)
        lines = np.searchsorted(np.flatnonzero(np.frombuffer(data, np.uint8) == ord("\n")), starts)
        counts = self._counts[patterns]
        # the k-th meaning of each match, for matches that have several
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        roles, concepts = self._roles[np.repeat(self._starts[patterns], counts) + within].T
        starts, ends = np.repeat(starts, counts), np.repeat(ends, counts)
        keys = np.repeat(order[lines], counts) * self.size + concepts
        terms = roles == TERM
        before, after = ends[roles == BEFORE] - 1, starts[roles == AFTER]
        denied = terms & (np.isin(starts, before) | np.isin(ends - 1, after))
        part = np.zeros(len(terms), bool)
        for i in np.flatnonzero(roles == EXCLUDED):
            low, high = np.searchsorted(ends, [starts[i], ends[i] + 1])
            inside = slice(low, high)
            part[inside] |= (concepts[inside] == concepts[i]) & (starts[inside] >= starts[i])
        named = once(keys[terms & ~denied & ~part])
        negated = _without(once(keys[denied & ~part]), named)
        compounds = _without(once(keys[terms & part]), named, negated)
        return Found(named, negated, compounds)

    def find_matches(self, data: bytes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Find patterns in normalised captions: the place of each in `patterns`, start and end."""
        found = self._engine.find_matches_as_indexes(data, overlapping=True)
        flat = np.fromiter(chain.from_iterable(found), np.int64, 3 * len(found))
        return flat[::3], flat[1::3], flat[2::3]

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


def once(keys: np.ndarray) -> np.ndarray:
    """Numbers from 0, sorted and each once; fast on such as are nearly so, as here."""
    keys = np.sort(keys, kind="stable")
    return keys[np.diff(keys, prepend=-1) != 0]


def _without(keys: np.ndarray, *others: np.ndarray) -> np.ndarray:
    """Sorted keys that are not among others, sorted too."""
    for other in others:
        if len(other):
            places = np.searchsorted(other, keys).clip(max=len(other) - 1)
            keys = keys[other[places] != keys]
    return keys


def expect_installed() -> None:
    """Raise a one-line ImportError without the packages that read and search captions."""
    needed = ("pyarrow", "ahocorasick_rs", "py3langid")
    if missing := [name for name in needed if not importlib.util.find_spec(name)]:
        expected = "the packages of captions (pip install 'misalign[captions]')"
        raise invalid("captions", expected, f"no {', '.join(missing)}", ImportError)


matcher = lru_cache(maxsize=4)(Matcher)  # this process may have made it before


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
