"""Text made comparable: what two spellings share before terms are looked up in them."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
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


@dataclass(frozen=True, eq=False)
class Normalizer:
    """A map of captions to the few characters that terms are made of.

    Parameters
    ----------
    codes : ndarray
        What becomes of every code point of normalised text, uint32, shape (0x110000,).
    spaced : bool
        Whether gaps shrink to one space, and stand around every other mark and the ends of
        captions, so that a word has a space on either side.
    """

    codes: np.ndarray
    spaced: bool

    @classmethod
    def words(cls, terms: Iterable[str]) -> Normalizer:
        """For whole words: gaps are one, other marks are one, and so are letters of no term."""
        marks = np.array([ord(OTHER_MARK), ord(GAP_MARK), ord(FOREIGN_MARK)], np.uint32)
        codes = marks[kinds()]
        letters = _alphabet(terms)
        letters = letters[kinds()[letters] == WORD]
        codes[letters] = letters
        return cls(codes, True)

    @classmethod
    def raw(cls, terms: Iterable[str]) -> Normalizer:
        """For parts of words: every character of a term stays what it is."""
        codes = np.full(0x110000, ord(FOREIGN_MARK), np.uint32)
        letters = _alphabet(terms)
        codes[letters] = letters
        return cls(codes, False)

    def __post_init__(self) -> None:
        self.codes[_ESCAPED] = ord(END_MARK)
        table = bytearray(256)
        for code in range(128):
            table[code] = self.codes[ord(chr(code).lower())]
        table[END] = ord(END_MARK)
        object.__setattr__(self, "_table", bytes(table))

    def term(self, term: str) -> bytes:
        """What a term looks like in normalised captions; empty if it has no word."""
        data = self(term.encode() + bytes([END]), term.isascii())
        text = data.decode().rstrip(" ").removesuffix(END_MARK).strip(" ")
        if self.spaced and not any(mark not in " ." for mark in text):
            return b""
        return f" {text} ".encode() if self.spaced else text.encode()

    def __call__(self, captions: bytes, plain: bool) -> bytes:
        """Normalise captions.

        Parameters
        ----------
        captions : bytes
            Valid UTF-8, the byte `END` after each caption.
        plain : bool
            Whether they are ASCII otherwise.

        Returns
        -------
        bytes
            UTF-8, a line feed after each caption and nowhere else.
        """
        if plain:
            data = captions.translate(self._table)
        else:
            text = normalize(captions.decode("utf-8", "surrogateescape"))
            codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
            data = self.codes[codes].tobytes().decode("utf-32-le").encode()
        return _spaced(data) if self.spaced else data


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
