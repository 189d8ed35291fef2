"""Concepts, and the terms that name them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from misalign.errors import expect


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
    """

    category: str
    group: str
    name: str
    terms: tuple[str, ...]


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
        of two groups.
    """

    concepts: tuple[Concept, ...]
    exclusive: tuple[frozenset[int], ...] = field(default=())

    def __post_init__(self) -> None:
        expect(self.concepts, "concepts", "at least one", "none")

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
