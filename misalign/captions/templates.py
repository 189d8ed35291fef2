"""Sentences with slots, taken apart at their spaces (Tables 8 and 11)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import product
from numbers import Integral
from string import Formatter

import yaml
from torch import Tensor

from misalign.captions.wording import Wording
from misalign.errors import check_int, invalid
from misalign.paths import DATA_FILES

TABLES = {"mpi3d": (7, 8), "causal3dident": (10, 11)}  # of the settings, and of the sentences
SOUNDS_OPEN = re.compile("[aeiou]|xkcd", re.IGNORECASE)  # "an orange", "an xkcd-blue"


@cache
def contents() -> dict:
    """What ``misalign/data/captions.yml`` holds, by world."""
    return yaml.safe_load((DATA_FILES / "captions.yml").read_text(encoding="utf-8"))


def settings(world: str) -> tuple[tuple[str, ...], ...]:
    """The nested sets of factors that have sentences (Tables 7 and 10), setting 1 first.

    The world is "mpi3d" or "causal3dident"; a ValueError for another.
    """
    if world not in TABLES:
        raise invalid("world", f"one of {', '.join(TABLES)}", repr(world))
    factors = tuple(contents()[world]["words"])
    return tuple(factors[:count] for count in range(1, len(factors) + 1))


def setting_of(world: str, selected: int | Iterable[str] | None = None) -> int:
    """Number, 1-based, of the setting with these factors, in any order; by default all of them.

    A number stands for itself. A ValueError lists all settings if none selects just these factors.
    """
    known = settings(world)
    if selected is None:
        return len(known)
    place = f"Table {TABLES[world][0]}"
    if isinstance(selected, Integral):
        return check_int("selected", selected, 1, len(known), f"{world} ({place})")
    selected = (selected,) if isinstance(selected, str) else tuple(selected)
    for number, one in enumerate(known, 1):
        if set(one) == set(selected):
            return number
    listed = "; ".join(f"{number}: {', '.join(one)}" for number, one in enumerate(known, 1))
    expected = f"a set that has sentences ({place}: {listed})"
    raise invalid("selected", expected, ", ".join(map(str, selected)) or "none")


def sentences(world: str, setting: int, printed: bool = False) -> tuple[str, ...]:
    """Templates of a setting, 1-based, with slots such as ``{shape}`` (Tables 8 and 11).

    They are complete unless `printed`, in the paper's wording, which from Causal3DIdent's setting 5
    on leaves the position out of some. One misprint is mended even then: the space after ``{size}``
    in setting 4 of Table 8.
    """
    entries = contents()[world]["templates"][setting]
    return tuple(one.get("printed", one["text"]) if printed else one["text"] for one in entries)


@dataclass(frozen=True)
class Unit:
    """A part of a sentence between two spaces: fixed text, or slots and what sticks to them."""

    wordings: tuple[Wording, ...]  # of the factors in the slots, in their order
    strings: tuple[str, ...]  # for every combination of words, the last slot's changing fastest
    spans: tuple[dict[str, tuple[int, int]], ...]  # of each factor's words in each of the strings

    @classmethod
    def fill(cls, pattern: str, wordings: dict[str, Wording], article: str = "") -> Unit:
        """Fill a pattern such as ``{y_pos}-{x_pos},`` with all words that it may take.

        An article is put before the text, with an n where the sound of the first word needs one.
        """
        pieces = [(text, slot) for text, slot, _, _ in Formatter().parse(pattern)]
        slots = [slot for _, slot in pieces if slot]
        strings, spans = [], []
        for words in product(*(wordings[slot].words for slot in slots)):
            text = ""
            if article:
                text = f"{article}n " if SOUNDS_OPEN.match(words[0]) else f"{article} "
            said = dict(zip(slots, words, strict=True))
            where = {}
            for before, slot in pieces:
                text += before
                if slot:
                    where[slot] = (len(text), len(text) + len(said[slot]))
                    text += said[slot]
            strings.append(text)
            spans.append(where)
        return cls(tuple(wordings[slot] for slot in slots), tuple(strings), tuple(spans))

    def place(self, words: dict[str, Tensor], rows: Tensor) -> Tensor:
        """Which of the strings the captions `rows` have, given the index of each one's words."""
        place = rows.new_zeros(len(rows))
        for one in self.wordings:
            place = place * len(one.words) + words[one.factor][rows]
        return place


def units(sentence: str, wordings: dict[str, Wording], agree: bool) -> tuple[Unit, ...]:
    """Take a template apart at its spaces; text without slots stays in one piece.

    Joined by spaces, one string of each unit makes a caption. If articles `agree`, one right
    before a slot goes with the word put there: "an armadillo".
    """
    parts: list[tuple[str, str]] = []  # article and pattern
    article = ""
    words = sentence.split(" ")
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if agree and word in ("a", "A") and following.startswith("{"):
            article = word
        elif "{" in word:
            parts.append((article, word))
            article = ""
        elif parts and "{" not in parts[-1][1]:
            parts[-1] = ("", f"{parts[-1][1]} {word}")
        else:
            parts.append(("", word))
    return tuple(Unit.fill(pattern, wordings, article) for article, pattern in parts)
