"""Concepts and the terms that name them: the packaged ones, and a user's own."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from pathlib import Path

import numpy as np
import yaml

from misalign.coverage.normalize import WORD, kind, normalize
from misalign.errors import invalid
from misalign.paths import DATA_FILES

PACKAGED = DATA_FILES / "concepts.yml"
NEEDED = ("group", "concept")


@dataclass(frozen=True)
class Concept:
    """One concept of a taxonomy.

    Parameters
    ----------
    category, group, name : str
        Such as ``"common"``, ``"Animal"``, ``"dog"``.
    terms, excluded : tuple of str
        What captions call it, its own name among them: ``("dog", "dogs", "puppy", ...)``; and
        longer phrases in which these do not name it: ``("hot dog",)``. Concepts may share a term.
    """

    category: str
    group: str
    name: str
    terms: tuple[str, ...]
    excluded: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.terms:
            raise invalid(f"terms of {self.name}", "at least one", "none")
        for term in (*self.terms, *self.excluded):
            if not any(kind(char) == WORD for char in normalize(term)):
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
        lies within one group, and no two of them share a term.

    Examples
    --------
    >>> animals = [("dog", ("dog", "puppy")), ("cat", ("cat",))]
    >>> own = Taxonomy(tuple(Concept("common", "Animal", *animal) for animal in animals))
    >>> own.groups, own.members("Animal")
    (('Animal',), (0, 1))
    >>> len(Taxonomy.read().concepts)  # the packaged ones
    146
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
        parted = ", ".join(group for group, count in runs.items() if count > 1)
        if parted:
            expected = "those of a group next to each other"
            raise invalid("concepts", expected, f"{parted} in several places")
        for places in self.exclusive:
            members = [self.concepts[i] for i in sorted(places)]
            shown = ", ".join(one.name for one in members)
            if len({one.group for one in members}) != 1:
                raise invalid("exclusive", "one group", shown)
            terms = Counter(normalize(term) for one in members for term in one.terms)
            shared = ", ".join(term for term, count in terms.items() if count > 1)
            if shared:
                raise invalid("exclusive", f"no term in common of {shown}", shared)

    @classmethod
    def read(cls, path: Path | None = None) -> Taxonomy:
        """Read a file of concepts, by default the slides' 146 with terms of our own.

        A YAML file has an entry ``concepts`` that maps category, group and concept to a list of
        further terms, and maybe an entry ``exclusive`` that maps a group to lists of concepts.
        A CSV file has the columns ``group`` and ``concept``, and maybe ``category`` and ``terms``,
        which are separated by ``|``. A concept's own name is always one of its terms. A term that
        begins with ``!`` is a phrase in which the others do not name the concept: ``!hot dog``. An
        error is one line that names the file and the entry.
        """
        path = PACKAGED if path is None else Path(path)
        if not path.is_file():
            raise invalid("concepts", "a YAML or CSV file", path, FileNotFoundError)
        readers = {".yml": _from_yaml, ".yaml": _from_yaml, ".csv": _from_csv}
        if path.suffix.lower() not in readers:
            raise invalid("concepts", "a .yml, .yaml or .csv file", path)
        try:
            return readers[path.suffix.lower()](path.read_text(encoding="utf-8-sig"))
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            where = f"{path}, line {mark.line + 1}" if mark else path
            problem = getattr(error, "problem", None) or str(error).partition("\n")[0]
            raise ValueError(f"{where}: expected YAML, got {problem}") from None
        except (ValueError, csv.Error) as error:
            raise ValueError(f"{path}: {error}") from None

    def __hash__(self) -> int:
        return len(self.concepts)  # at no cost, as taxonomies are looked up with every batch

    @cached_property
    def groups(self) -> tuple[str, ...]:
        """Their names, in the order of the concepts."""
        return tuple(dict.fromkeys(concept.group for concept in self.concepts))

    def members(self, group: str) -> tuple[int, ...]:
        """Places of a group's concepts."""
        return tuple(i for i, one in enumerate(self.concepts) if one.group == group)

    @cached_property
    def group_of(self) -> np.ndarray:
        """The place of each concept's group, int64, shape (C,)."""
        place = {group: i for i, group in enumerate(self.groups)}
        return np.array([place[one.group] for one in self.concepts])

    @cached_property
    def pair_keys(self) -> np.ndarray:
        """Each of `pairs` as a number, first place times concepts plus second, int64, sorted."""
        return np.array([i * len(self.concepts) + j for i, j in self.pairs()], np.int64)

    @cached_property
    def by_term(self) -> dict[str, tuple[int, ...]]:
        """Places of the concepts of each term, normalised."""
        found: dict[str, tuple[int, ...]] = {}
        for i, one in enumerate(self.concepts):
            for term in {normalize(term) for term in one.terms}:
                found[term] = (*found.get(term, ()), i)
        return found

    def pairs(self) -> list[tuple[int, int]]:
        """Places of every two concepts that exclude each other, the first before the second."""
        return sorted({(i, j) for one in self.exclusive for i in one for j in one if i < j})


class _Strings(yaml.BaseLoader):
    """A loader that makes strings, lists and mappings only, and refuses a key given twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        known = set()
        for key, _ in node.value:
            name = str(key.value)
            if name in known:
                problem = f"{name} twice"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            known.add(name)
        return super().construct_mapping(node, deep)


def _from_yaml(text: str) -> Taxonomy:
    # safe_load would take the term "no" for False, and of a key given twice the last
    content = _mapping(yaml.load(text, _Strings), "file")
    extra = ", ".join(map(str, set(content) - {"concepts", "exclusive"}))
    if extra:
        raise invalid("file", "the entries concepts and exclusive", extra)
    concepts = tuple(_nested(content.get("concepts")))
    sets = _mapping(content.get("exclusive") or {}, "exclusive")
    return Taxonomy(concepts, tuple(_excluding(sets, concepts)))


def _mapping(content: object, where: str) -> dict:
    if not isinstance(content, dict):
        raise invalid(where, "entries of the form NAME: ...", content or "nothing")
    return content


def _nested(content: object) -> Iterator[Concept]:
    """Concepts of nested mappings: category, group, concept, terms."""
    for category, groups in _mapping(content, "concepts").items():
        for group, concepts in _mapping(groups, category).items():
            for name, terms in _mapping(concepts, f"{category}: {group}").items():
                terms = terms or []
                if not isinstance(terms, list) or not all(isinstance(one, str) for one in terms):
                    raise invalid(f"{category}: {group}: {name}", "a list of terms", terms)
                yield _concept(category, group, name, terms)


def _concept(category: str, group: str, name: str, terms: list[str]) -> Concept:
    own = dict.fromkeys((name, *(term for term in terms if not term.startswith("!"))))
    excluded = dict.fromkeys(term[1:].strip() for term in terms if term.startswith("!"))
    return Concept(category, group, name, tuple(own), tuple(excluded))


def _excluding(sets: dict, concepts: tuple[Concept, ...]) -> Iterator[frozenset[int]]:
    """Places of exclusive concepts, given by their names in a group."""
    for group, lists in sets.items():
        places = {one.name: i for i, one in enumerate(concepts) if one.group == group}
        where = f"exclusive: {group}"
        if not places:
            raise invalid(where, "a group of the file", group)
        if not isinstance(lists, list):
            raise invalid(where, "a list of lists of concepts", lists)
        for names in lists:
            if not isinstance(names, list) or len(names) < 2:
                raise invalid(where, "lists of two or more concepts", names)
            unknown = [name for name in names if name not in places]
            if unknown:
                raise invalid(where, f"concepts among {', '.join(places)}", unknown)
            yield frozenset(places[name] for name in names)


def _from_csv(text: str) -> Taxonomy:
    rows = csv.DictReader(text.splitlines(), strict=True)
    columns = rows.fieldnames or []
    expected = "columns group, concept and maybe category, terms"
    if not set(NEEDED) <= set(columns):
        raise invalid("header", expected, ", ".join(columns) or "none")
    concepts = []
    for row in rows:
        if None in row or not all((row[name] or "").strip() for name in NEEDED):
            got = ", ".join(str(value) for value in row.values())
            raise invalid(f"line {rows.line_num}", expected, got)
        category, group, name = ((row.get(key) or "").strip() for key in ("category", *NEEDED))
        terms = [term.strip() for term in (row.get("terms") or "").split("|") if term.strip()]
        if comma := [term for term in terms if "," in term]:
            raise invalid(f"line {rows.line_num}", "terms separated by |", repr(comma[0]))
        concepts.append(_concept(category, group, name, terms))
    return Taxonomy(tuple(concepts))
