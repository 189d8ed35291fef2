"""Labelled pictures in folders: category/group/concept/picture.jpg."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path, PurePath
from typing import NamedTuple

from misalign.errors import invalid

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp"})
SENSITIVE = frozenset({"stereotype", "trait"})  # groups of labels that harm whom they are put on
LAYOUT = "category/group/concept/*.jpg (or jpeg, png, webp)"


class Group(NamedTuple):
    """Pictures of concepts that are told from each other."""

    category: str  # such as "common"
    name: str  # such as "Animal"
    concepts: tuple[str, ...]  # at least two, sorted, underscores read as spaces
    pictures: tuple[tuple[Path, int], ...]  # each with its concept's place, sorted by it


class Labelled(NamedTuple):
    """What a folder holds: groups, sorted by category and name, and notes of what was left out."""

    folder: Path
    groups: tuple[Group, ...]  # at least one
    notes: tuple[str, ...] = ()  # a line each


def read_folder(folder: Path, only: Collection[str] = (), *, sensitive: bool = False) -> Labelled:
    """Find labelled pictures; none is opened.

    A folder's name is the concept, underscores read as spaces, so ``police_officer`` and
    ``police officer`` are one. A concept without pictures, a group of fewer than two concepts and
    folders whose names begin with a dot are left out with a note. Hidden files and those of other
    suffixes are passed over.

    Parameters
    ----------
    folder : Path
        Holds ``category/group/concept/*.jpg`` (or jpeg, png, webp, in any case).
    only : collection of str, optional
        Names of groups to take; by default all.
    sensitive : bool, optional
        Whether Stereotype and Trait may be among them: labels that harm whom they are put on.
    """
    if not folder.is_dir():
        raise invalid("FOLDER", f"a folder of {LAYOUT}", folder, FileNotFoundError)
    found, notes = {}, []
    for category in _subfolders(folder, folder, notes):
        for group in _subfolders(category, folder, notes):
            name = _spaced(group.name)
            if other := found.get(name.casefold()):
                twice = f"{other[1]} in {other[0]}, too"
                raise invalid(str(group), "a group of a name of its own", twice)
            found[name.casefold()] = (as_text(category.name), name, group)
    wanted = {_spaced(name).casefold(): name for name in only}
    for key, name in wanted.items():
        if key not in found:
            names = ", ".join(name for _, name, _ in found.values()) or "no groups"
            raise invalid("group", f"one of {names}", name)
    chosen = {key: place for key, place in found.items() if not wanted or key in wanted}
    harmful = ", ".join(chosen[key][1] for key in chosen if key in SENSITIVE)
    if harmful and not sensitive:
        why = "scoring people's pictures on such labels does harm; see the book's 13_practice"
        expected = f"only groups that are not sensitive, or --sensitive ({why})"
        raise invalid("FOLDER", expected, harmful)
    read = [_group(*place, folder, notes) for place in chosen.values()]
    groups = tuple(group for group in read if len(group.concepts) > 1)
    if not groups:
        left = f"none in {folder}" + (f" ({'; '.join(notes)})" if notes else "")
        raise invalid("FOLDER", f"a group of at least two concepts in {LAYOUT}", left)
    return Labelled(folder, groups, tuple(notes))


def _group(category: str, name: str, path: Path, root: Path, notes: list[str]) -> Group:
    """Read a group's folder, and note what is left out of it."""
    pictures: dict[str, list[Path]] = {}
    for concept in _subfolders(path, root, notes):
        shown = (path for path in concept.iterdir() if not path.name.startswith("."))
        files = [path for path in shown if path.suffix.lower() in SUFFIXES and path.is_file()]
        pictures.setdefault(_spaced(concept.name), []).extend(files)
    concepts = tuple(sorted(concept for concept, paths in pictures.items() if paths))
    if empty := ", ".join(sorted(set(pictures) - set(concepts))):
        notes.append(f"{name}: no pictures of {empty}, left out")
    if len(concepts) < 2:
        there = f"{concepts[0]} only" if concepts else "no concept"
        notes.append(f"{name}: nothing to tell apart ({there}), left out")
    labelled = ((file, i) for i, key in enumerate(concepts) for file in sorted(pictures[key]))
    return Group(category, name, concepts, tuple(labelled))


def _subfolders(folder: Path, root: Path, notes: list[str]) -> Iterator[Path]:
    """Folders in order; of a hidden one there is only a note, with its path below the root."""
    for path in sorted(path for path in folder.iterdir() if path.is_dir()):
        if path.name.startswith("."):
            notes.append(f"{as_text(path.relative_to(root))}: begins with a dot, left out")
        else:
            yield path


def as_text(path: Path | str) -> str:
    """A path with slashes; bytes that are no UTF-8, which a name may hold, are escaped."""
    return PurePath(path).as_posix().encode("utf-8", "backslashreplace").decode()


def _spaced(name: str) -> str:
    return " ".join(as_text(name).replace("_", " ").split())
