"""Text made comparable: what two spellings share before terms are looked up in them."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from functools import cache

import numpy as np

OTHER, GAP, WORD = range(3)
GAP_MARK, OTHER_MARK, FOREIGN_MARK, END_MARK = " ", ".", "\x01", "\n"
END = 0xFF  # the byte that ends a caption: no UTF-8 has it
_ESCAPED = 0xDC00 + END  # what Python decodes it to, by "surrogateescape"
_SELECTORS = frozenset((*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)))


def normalize(text: str) -> str:
    """NFKC, then full case folding, then NFKC again, which folding may undo."""
    # each ASCII character is its own form, and most captions have no others
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFKC", text).casefold()
    return unicodedata.normalize("NFKC", folded)


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
    term stays what it is.
    """

    def __init__(self, terms: Iterable[str], words: bool) -> None:
        letters = _alphabet(terms)
        if words:
            marks = np.array([ord(OTHER_MARK), ord(GAP_MARK), ord(FOREIGN_MARK)], np.uint32)
            self.codes = marks[kinds()]  # what becomes of every code point of normalised text
            letters = letters[kinds()[letters] == WORD]
        else:
            self.codes = np.full(0x110000, ord(FOREIGN_MARK), np.uint32)
        self.codes[letters] = letters
        self.codes[_ESCAPED] = ord(END_MARK)
        self.words = words
        table = bytearray(256)
        for code in range(128):
            table[code] = self.codes[ord(chr(code).lower())]
        table[END] = ord(END_MARK)
        self._table = bytes(table)

    def term(self, term: str) -> bytes:
        """What a term looks like in normalised captions; empty if it has no word."""
        data = self(term.encode() + bytes([END]), term.isascii())
        text = data.decode().rstrip(" ").removesuffix(END_MARK).strip(" ")
        if self.words and not any(mark not in " ." for mark in text):
            return b""
        return f" {text} ".encode() if self.words else text.encode()

    def __call__(self, captions: bytes, plain: bool) -> bytes:
        """Normalise captions of valid UTF-8, or, if they are `plain`, of ASCII.

        Each ends with the byte `END`. Of the result each ends with a line feed, and nowhere else
        is one.
        """
        if plain:
            data = captions.translate(self._table)
        else:
            text = normalize(captions.decode("utf-8", "surrogateescape"))
            codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
            data = self.codes[codes].tobytes().decode("utf-32-le").encode()
        return _spaced(data) if self.words else data


def _alphabet(terms: Iterable[str]) -> np.ndarray:
    """Code points of normalised terms."""
    return np.array(sorted({ord(char) for term in terms for char in normalize(term)}), np.int64)


def _spaced(data: bytes) -> bytes:
    """Normalised captions with one space around every mark, and never two in a row."""
    data = b" " + data.replace(b".", b" . ").replace(b"\n", b" \n ")
    codes = np.frombuffer(data, np.uint8)
    space = codes == ord(GAP_MARK)
    kept = np.ones(len(codes), bool)
    np.logical_and(space[1:], space[:-1], out=kept[1:])
    np.logical_not(kept[1:], out=kept[1:])
    return codes[kept].tobytes()
