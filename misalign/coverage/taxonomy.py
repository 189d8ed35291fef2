"""Concepts, and the terms that name them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from misalign.coverage import taxonomy_file
from misalign.coverage.normalize import WORD, kind, normalized
from misalign.errors import invalid


@dataclass(frozen=True)
class Concept:
    """One concept of a taxonomy.

    Parameters
    ----------
    category, group, name : str
        Such as ``"common"``, ``"Animal"``, ``"dog"``.
    terms : tuple of str
        What captions call it, its own name among them: ``("dog", "dogs", "puppy", ...)``. Concepts
        may share a term.

    Raises
    ------
    ValueError
        For no terms, or one without a letter or digit.
    """

    category: str
    group: str
    name: str
    terms: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.terms:
            raise invalid(f"terms of {self.name}", "at least one", "none")
        for term in self.terms:
            worded = any(kind(char) == WORD for char in normalized(term))
            if not worded:
                raise invalid(f"terms of {self.name}", "letters or digits in each", repr(term))


@dataclass(frozen=True)
class Taxonomy:
    """Concepts in groups.

    Parameters
    ----------
    concepts : tuple of Concept
        Those of a group next to each other.
    exclusive : tuple of frozenset of int, optional
        Sets of concepts, by their places in `concepts`, of which one picture can show only one,
        such as ``glossy`` and ``matte``: a caption that names two of them contradicts itself. Each
        lies within one group.

    Raises
    ------
    ValueError
        For no concepts, two of one name in a group, a group in two places, or exclusive concepts
        of two groups or with a term in common.
    """

    concepts: tuple[Concept, ...]
    exclusive: tuple[frozenset[int], ...] = field(default=())

    def __post_init__(self) -> None:
        if not self.concepts:
            raise invalid("concepts", "at least one", "none")
        names = Counter((one.group, one.name) for one in self.concepts)
        twice = [f"{group}: {name}" for (group, name), count in names.items() if count > 1]
        if twice:
            raise invalid("concepts", "each once in its group", f"{', '.join(twice)} again")
        runs = Counter(group for group, _ in groupby(one.group for one in self.concepts))
        parted = [group for group, count in runs.items() if count > 1]
        expected = "those of a group next to each other"
        if parted:
            raise invalid("concepts", expected, f"{', '.join(parted)} in several places")
        for places in self.exclusive:
            members = [self.concepts[i] for i in sorted(places)]
            shown = ", ".join(one.name for one in members)
            if len({one.group for one in members}) != 1:
                raise invalid("exclusive", "one group", shown)
            terms = Counter(normalized(t) for one in members for t in one.terms)
            shared = [term for term, count in terms.items() if count > 1]
            expected = f"no term in common of {shown}"
            if shared:
                raise invalid("exclusive", expected, ", ".join(shared))

    @classmethod
    def read(cls, path: Path | None = None) -> Taxonomy:
        """Read a file of concepts.

        A YAML file has an entry ``concepts`` that maps category, group and concept to a list of
        further terms, and maybe an entry ``exclusive`` that maps a group to lists of concepts.
        A CSV file has the columns ``group`` and ``concept``, and maybe ``category`` and ``terms``,
        which are separated by ``|``. A concept's own name is always one of its terms.

        Parameters
        ----------
        path : Path, optional
            By default the 146 concepts of the slides' second validation, with terms of our own.

        Returns
        -------
        Taxonomy

        Raises
        ------
        ValueError
            One line that names the file and the entry.
        FileNotFoundError
            If there is no such file.
        """
        return taxonomy_file.read(path)

    @property
    def groups(self) -> tuple[str, ...]:
        """Their names, in the order of the concepts."""
        return tuple(dict.fromkeys(concept.group for concept in self.concepts))

    def members(self, group: str) -> tuple[int, ...]:
        """Places of a group's concepts."""
        return tuple(i for i, one in enumerate(self.concepts) if one.group == group)

    def pairs(self) -> Iterator[tuple[int, int]]:
        """Places of every two concepts that exclude each other, the first before the second."""
        found = {(i, j) for one in self.exclusive for i in one for j in one if i < j}
        yield from sorted(found)
