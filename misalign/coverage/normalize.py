"""Text made comparable: what two spellings share before terms are looked up in them."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from functools import cache

import numpy as np

OTHER, GAP, WORD = range(3)
GAP_MARK, OTHER_MARK, FOREIGN_MARK, END_MARK = " ", ".", "\x01", "\n"
END = 0xFF  # the byte that ends a caption: no UTF-8 has it
_ESCAPED = 0xDC00 + END  # what Python decodes it to, by "surrogateescape"
# soft hyphen, joiners and the mark of byte order: within words they show nothing
_UNSEEN = "\xad\u200c\u200d\u2060\ufeff"
_SELECTORS = frozenset((*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)))


def normalize(text: str) -> str:
    """NFKC, then full case folding, then NFKC again, which folding may undo."""
    # each ASCII character is its own form, and most captions have no others
    if text.isascii():
        return text.lower()
    for char in _UNSEEN:
        text = text.replace(char, "")
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def kind(char: str) -> int:
    """`WORD` for letters, numbers, marks and "_", `GAP` for white space and dashes, or `OTHER`."""
    category = unicodedata.category(char)
    if category[0] in "LNM" or char == "_":
        # selectors are marks by category, but they style the emoji before them
        return OTHER if ord(char) in _SELECTORS else WORD
    return GAP if category == "Pd" or char.isspace() else OTHER


@cache
def kinds() -> np.ndarray:
    """Kind of every code point, uint8, shape (0x110000,)."""
    return np.fromiter(map(kind, map(chr, range(0x110000))), np.uint8, 0x110000)


class Normalizer:
    """A map of captions to the few characters that terms are made of.

    For whole words all gaps become one mark, and so do all other characters, and letters of no
    term. Gaps then shrink to one space, and one stands around every other mark and the ends of
    captions, so that a word has a space on either side. For parts of words every character of a
    term stays what it is, and so it does between spaces, in its case, where white space alone is
    a gap.
    """

    def __init__(self, terms: Iterable[str], match: str) -> None:
        self.words, self.spaces = match == "words", match == "spaces"
        self.folded = str if self.spaces else normalize
        letters = np.array(
            sorted({ord(char) for term in terms for char in self.folded(term)}), np.int64
        )
        if self.words:
            marks = np.array([ord(OTHER_MARK), ord(GAP_MARK), ord(FOREIGN_MARK)], np.uint32)
            self.codes = marks[kinds()]  # what becomes of every code point of normalised text
            letters = letters[kinds()[letters] == WORD]
        else:
            self.codes = np.full(0x110000, ord(FOREIGN_MARK), np.uint32)
        self.codes[letters] = letters
        if self.spaces:
            self.codes[[i for i in range(0x3001) if chr(i).isspace()]] = ord(GAP_MARK)
        self.codes[_ESCAPED] = ord(END_MARK)
        table = np.zeros(256, np.uint8)
        table[:128] = [self.codes[ord(self.folded(chr(code)))] for code in range(128)]
        table[END] = ord(END_MARK)
        self._table = table.tobytes()

    def terms(self, terms: Sequence[str]) -> list[bytes]:
        """What terms look like in normalised captions; empty if they have no word."""
        joined = "".join(f"{term}\udcff" for term in terms)  # END, as Python decodes it
        lines = self(joined.encode("utf-8", "surrogateescape"), False).split(b"\n")[:-1]
        if not (self.words or self.spaces):
            return lines
        return [b" %b " % one if one.strip(b".") else b"" for one in map(bytes.strip, lines)]

    def __call__(self, captions: bytes, plain: bool) -> bytes:
        """Normalise captions of valid UTF-8, or, if they are `plain`, of ASCII.

        Each ends with the byte `END`. Of the result each ends with a line feed, and nowhere else
        is one.
        """
        if plain:
            data = captions.translate(self._table)
        else:
            text = self.folded(captions.decode("utf-8", "surrogateescape"))
            codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
            data = self.codes[codes].tobytes().decode("utf-32-le").encode()
        return _spaced(data, self.words) if self.words or self.spaces else data


def _spaced(data: bytes, words: bool) -> bytes:
    """Normalised captions with one space around every mark, and never two in a row."""
    data = b" " + (data.replace(b".", b" . ") if words else data).replace(b"\n", b" \n ")
    codes = np.frombuffer(data, np.uint8)
    space = codes == ord(GAP_MARK)
    kept = np.ones(len(codes), bool)
    np.logical_and(space[1:], space[:-1], out=kept[1:])
    np.logical_not(kept[1:], out=kept[1:])
    return codes[kept].tobytes()
