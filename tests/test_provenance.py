"""Which changes of code make recorded runs stale, and what a record says of its origin."""

import re
from pathlib import Path

import pytest

from misalign import provenance
from misalign.run import STUDIES

PLAIN = "def f(x):\n    return x + 1\n"


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Write modules of a small package that takes the library's place; hash what one imports."""
    library = tmp_path / "misalign"
    (library / "data").mkdir(parents=True)
    monkeypatch.setattr(provenance, "LIBRARY", library)
    monkeypatch.setattr(provenance, "DATA_FILES", library / "data")

    def code(**modules: str) -> str:
        for name, source in modules.items():
            path = library / name.replace("__", "/")
            path = path if path.suffix else path.with_suffix(".py")
            path.parent.mkdir(exist_ok=True)
            path.write_text(source, encoding="utf-8")
        provenance._tree.cache_clear()
        provenance._parts.cache_clear()
        return provenance.modules_hash.__wrapped__("misalign.study")

    yield code
    provenance._tree.cache_clear()
    provenance._parts.cache_clear()


@pytest.mark.parametrize(
    "source",
    [
        '"""A module."""\n' + PLAIN,
        'def f(x):\n    """Add one."""\n    return x + 1\n',
        "# a comment\ndef f(x):\n    return x + 1  # another\n",
        "def f(\n    x,\n):\n\n    return (x + 1)\n",
        "import math\n" + PLAIN,
    ],
    ids=["module docstring", "docstring", "comments", "layout", "import"],
)
def test_words_layout_and_imports_do_not_count(package, source):
    assert package(study=source) == package(study=PLAIN)


@pytest.mark.parametrize(
    "source",
    ["def f(x):\n    return x + 2\n", "def f(x):\n    return x - 1\n", PLAIN + "y = f(0)\n"],
    ids=["number", "operator", "statement"],
)
def test_expressions_count(package, source):
    assert package(study=source) != package(study=PLAIN)


def test_strings_that_are_no_docstrings_count(package):
    one, other = (package(study=f"NAME = {word!r}\n") for word in ("latents", "batches"))
    assert one != other


def test_class_of_a_docstring_alone_stays_a_class(package):
    assert package(study='class A:\n    """Nothing."""\n') == package(study="class A:\n    pass\n")


def test_what_is_imported_counts_directly_or_not_also_inside_a_function(package):
    modules = {
        "study": "from misalign import bias\nfrom misalign.worlds import a\n",
        "bias": PLAIN,
        "worlds__a": "def g():\n    from misalign.worlds.b import h\n    return h\n",
        "worlds__b": "def h():\n    pass\n",
        "plots": PLAIN,
    }
    before = package(**modules)
    assert package(plots="y = 2\n") == before
    for name in ("bias", "worlds__a", "worlds__b"):
        assert package(**{name: modules[name] + "y = 2\n"}) != before
        assert package(**modules) == before


def test_what_only_type_checkers_import_does_not_count(package):
    guarded = (
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from misalign import other\n"
    )
    before = package(study=guarded + PLAIN, other=PLAIN)
    assert package(other="y = 2\n") == before


def test_a_pure_move_leaves_records_fresh(package):
    before = package(study="from misalign.one import f\nz = f(1)\n", one=PLAIN)
    assert package(study="from misalign.two import f\nz = f(1)\n", two=PLAIN) == before
    assert package(study=PLAIN + "z = f(1)\n", two="", one="") == before


def test_any_change_of_a_named_table_counts(package):
    before = package(**{"study": 'FILE = "words.yml"\n', "data__words.yml": "a: 1\n"})
    assert package(**{"data__words.yml": "a: 2\n"}) != before


@pytest.mark.parametrize("experiment", STUDIES)
def test_a_function_added_to_any_module_of_a_study_makes_its_records_stale(experiment, monkeypatch):
    before = provenance.code_hash(experiment)
    assert re.fullmatch("[0-9a-f]{12}", before)
    files = provenance.closure(provenance.SHARED, provenance.study_module(experiment))
    assert {"bias.py", "rng.py", "experiment.py", "loop.py"} <= {file.name for file in files}
    parts = provenance._parts
    for changed in files:

        def more(file: Path, changed: Path = changed) -> tuple[str, ...]:
            return (*parts(file), "def added():\n    pass") if file == changed else parts(file)

        monkeypatch.setattr(provenance, "_parts", more)
        assert provenance.code_hash.__wrapped__(experiment) == before  # cached by modules_hash
        shared, own = provenance.SHARED, provenance.study_module(experiment)
        assert provenance.modules_hash.__wrapped__(shared, own) != before, changed


@pytest.mark.parametrize(
    ("experiment", "module"),
    [
        ("numerical", "worlds/mixing.py"),
        ("numerical", "theory/oracle.py"),
        ("mpi3d", "captions/values.py"),
        ("mpi3d", "data/captions.yml"),
        ("causal3dident", "rendering/shapes.yaml"),
        ("causal3dident", "theory/caption_oracle.py"),
        ("concepts", "probes/classification.py"),
    ],
)
def test_modules_and_tables_that_decide_numbers_are_in_the_closure(experiment, module):
    files = provenance.closure(provenance.SHARED, provenance.study_module(experiment))
    assert provenance.LIBRARY / module in files


@pytest.mark.parametrize("folder", ["reporting", "cli", "sweeps", "audit", "coverage", "zeroshot"])
@pytest.mark.parametrize("experiment", STUDIES)
def test_figures_and_commands_decide_no_numbers(experiment, folder):
    files = provenance.closure(provenance.SHARED, provenance.study_module(experiment))
    assert not [file for file in files if provenance.LIBRARY / folder in file.parents]


def test_commit_is_empty_without_git(monkeypatch, tmp_path):
    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert provenance.commit.__wrapped__() == ""
    monkeypatch.setenv("PATH", "")
    assert provenance.commit.__wrapped__() == ""


def test_device_name_of_a_cpu_names_its_threads():
    assert provenance.device_name("cpu").endswith(" threads")
