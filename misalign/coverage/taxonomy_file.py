"""Taxonomies in files: the packaged one, and a user's own."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from misalign.errors import invalid
from misalign.paths import LIBRARY

if TYPE_CHECKING:
    from misalign.coverage.taxonomy import Concept, Taxonomy

PACKAGED = LIBRARY / "data" / "concepts.yml"
NEEDED = ("group", "concept")


def read(path: Path | None) -> Taxonomy:
    """Read a taxonomy; see `misalign.coverage.Taxonomy.read`."""
    path = PACKAGED if path is None else Path(path)
    if not path.is_file():
        raise invalid("concepts", "a YAML or CSV file", path, FileNotFoundError)
    kinds = {".yml": _from_yaml, ".yaml": _from_yaml, ".csv": _from_csv}
    if path.suffix.lower() not in kinds:
        raise invalid("concepts", "a .yml, .yaml or .csv file", path)
    try:
        return kinds[path.suffix.lower()](path.read_text(encoding="utf-8-sig"))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}, line {mark.line + 1}" if mark else path
        problem = getattr(error, "problem", None) or str(error).partition("\n")[0]
        raise ValueError(f"{where}: expected YAML, got {problem}") from None
    except (ValueError, csv.Error) as error:
        raise ValueError(f"{path}: {error}") from None


def _from_yaml(text: str) -> Taxonomy:
    from misalign.coverage.taxonomy import Taxonomy

    # safe_load would take the term "no" for False, and of a key given twice the last
    content = yaml.load(text, _Strings)
    _expect_mapping(content, "file")
    extra = ", ".join(map(str, set(content) - {"concepts", "exclusive"}))
    if extra:
        raise invalid("file", "the entries concepts and exclusive", extra)
    concepts = tuple(_named(content.get("concepts")))
    sets = content.get("exclusive") or {}
    _expect_mapping(sets, "exclusive")
    return Taxonomy(concepts, tuple(_excluding(sets, concepts)))


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


def _named(content: object) -> Iterator[Concept]:
    """Concepts of nested mappings: category, group, concept, terms."""
    from misalign.coverage.taxonomy import Concept

    _expect_mapping(content, "concepts")
    for category, groups in content.items():
        _expect_mapping(groups, category)
        for group, concepts in groups.items():
            _expect_mapping(concepts, f"{category}: {group}")
            for name, terms in concepts.items():
                where = f"{category}: {group}: {name}"
                terms = terms or []
                flat = isinstance(terms, list) and all(isinstance(one, str) for one in terms)
                if not flat:
                    raise invalid(where, "a list of terms", terms)
                yield Concept(category, group, name, _with_name(name, terms))


def _expect_mapping(content: object, where: str) -> None:
    if not isinstance(content, dict):
        raise invalid(where, "entries of the form NAME: ...", content or "nothing")


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
            several = isinstance(names, list) and len(names) > 1
            if not several:
                raise invalid(where, "lists of two or more concepts", names)
            unknown = [name for name in names if name not in places]
            if unknown:
                raise invalid(where, f"concepts among {', '.join(places)}", unknown)
            yield frozenset(places[name] for name in names)


def _from_csv(text: str) -> Taxonomy:
    from misalign.coverage.taxonomy import Concept, Taxonomy

    rows = csv.DictReader(text.splitlines(), strict=True)
    columns = rows.fieldnames or []
    expected = "columns group, concept and maybe category, terms"
    if not set(NEEDED) <= set(columns):
        raise invalid("header", expected, ", ".join(columns) or "none")
    concepts = []
    for row in rows:
        where = f"line {rows.line_num}"
        complete = None not in row and all((row[name] or "").strip() for name in NEEDED)
        if not complete:
            raise invalid(where, expected, ", ".join(str(value) for value in row.values()))
        category, group, name = ((row.get(key) or "").strip() for key in ("category", *NEEDED))
        terms = [term.strip() for term in (row.get("terms") or "").split("|") if term.strip()]
        concepts.append(Concept(category, group, name, _with_name(name, terms)))
    return Taxonomy(tuple(concepts))


def _with_name(name: str, terms: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((name, *terms)))
