"""The book's pages of the library show every public name, and no name that is not there."""

import importlib
import re

import pytest

import misalign
from misalign.paths import ROOT

INDEX = re.findall(r"^   ~?(misalign\S+)$", (ROOT / "book" / "api.md").read_text(), flags=re.M)
PAGES = "\n".join(page.read_text() for page in sorted((ROOT / "book" / "api").glob("*.md")))
MEMBERS = [
    f"{module}.{name}"
    for module, names in re.findall(r"automodule:: (\S+)\n   :members: (.+)\n", PAGES)
    for name in names.split(", ")
]


def test_the_overview_lists_what_the_pages_show() -> None:
    assert sorted(INDEX) == sorted(MEMBERS)
    assert len(set(INDEX)) == len(INDEX)


def test_every_name_of_the_package_itself_is_listed() -> None:
    listed = {id(_found(name)) for name in INDEX}
    assert [name for name in misalign.__all__ if id(getattr(misalign, name)) not in listed] == []


@pytest.mark.parametrize("name", INDEX)
def test_a_listed_name_is_defined_there_and_has_a_docstring(name: str) -> None:
    found = _found(name)
    assert found.__module__ == name.rpartition(".")[0]
    assert found.__doc__


def _found(name: str) -> object:
    module, _, last = name.rpartition(".")
    return getattr(importlib.import_module(module), last)
