"""Which changes of code make recorded runs stale, and what a record says of its origin."""

import math
import re
import subprocess
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
    monkeypatch.setattr(provenance, "_LOADED", math.inf)

    def code(**modules: str) -> str:
        for name, source in modules.items():
            path = library / name.replace("__", "/")
            path = path if path.suffix else path.with_suffix(".py")
            path.parent.mkdir(exist_ok=True)
            path.write_text(source, encoding="utf-8")
        provenance._tree.cache_clear()
        provenance._parts.cache_clear()
        return provenance.modules_hash("misalign.study")

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


def test_another_function_under_the_same_name_counts(package):
    modules = {"one": "def f():\n    return 1\ndef g():\n    return 2\n"}
    before = package(study="from misalign.one import f as h\nz = h()\n", **modules)
    assert package(study="from misalign.one import g as h\nz = h()\n") != before
    assert package(study="from misalign.one import f as h\nz = h()\n") == before


def test_code_that_was_written_after_it_was_loaded_is_marked(package, monkeypatch):
    before = package(study=PLAIN)
    assert re.fullmatch("[0-9a-f]{12}", before)
    monkeypatch.setattr(provenance, "_LOADED", 0)
    assert package(study=PLAIN) == before + "+"


def test_any_change_of_a_named_table_counts(package):
    before = package(**{"study": 'FILE = "words.yml"\n', "data__words.yml": "a: 1\n"})
    assert package(**{"data__words.yml": "a: 2\n"}) != before


@pytest.fixture(scope="module")
def closures():
    """Files of each study, found once."""
    found = {name: (provenance.SHARED, provenance.study_module(name)) for name in STUDIES}
    return {name: provenance.closure(*modules) for name, modules in found.items()}


@pytest.mark.parametrize("experiment", STUDIES)
def test_a_function_added_to_any_module_of_a_study_makes_its_records_stale(
    experiment, closures, monkeypatch
):
    files = closures[experiment]
    before = provenance.code_hash(experiment)
    assert before == provenance.files_hash(files)
    assert re.fullmatch("[0-9a-f]{12}", before)
    assert {"bias.py", "rng.py", "experiment.py", "loop.py"} <= {file.name for file in files}
    parts = provenance._parts
    for changed in files:

        def more(file: Path, changed: Path = changed) -> tuple[str, ...]:
            return (*parts(file), "def added():\n    pass") if file == changed else parts(file)

        monkeypatch.setattr(provenance, "_parts", more)
        assert provenance.files_hash(files) != before, changed


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
def test_modules_and_tables_that_decide_numbers_are_in_the_closure(experiment, module, closures):
    assert provenance.LIBRARY / module in closures[experiment]


@pytest.mark.parametrize("folder", ["reporting", "cli", "sweeps", "audit", "coverage", "zeroshot"])
@pytest.mark.parametrize("experiment", STUDIES)
def test_figures_and_commands_decide_no_numbers(experiment, folder, closures):
    assert not [
        file for file in closures[experiment] if provenance.LIBRARY / folder in file.parents
    ]


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A repository with a committed file, in the place of the project's."""
    for name in ("misalign/bias.py", "results/runs.csv", "README.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("1\n")
    who = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    for words in (["init", "-q"], ["add", "."], [*who, "commit", "-qm", "first"]):
        subprocess.run(["git", "-C", str(tmp_path), *words], check=True)
    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    monkeypatch.setattr(provenance, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(provenance, "commit", provenance.commit.__wrapped__)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "dirty"),
    [
        ("misalign/bias.py", True),
        ("README.md", True),
        ("misalign/new.py", True),
        ("sweeps/new.yml", True),
        ("notes.txt", False),
        ("results/runs.csv", False),
        ("results/new.csv", False),
    ],
)
def test_a_commit_tells_whether_files_differ_but_for_results(checkout, name, dirty, complains):
    commit = provenance.commit()
    assert re.fullmatch("[0-9a-f]{7,}", commit)
    provenance.expect_clean(checkout / "results")
    (checkout / name).parent.mkdir(exist_ok=True)
    (checkout / name).write_text("2\n")
    assert provenance.commit() == commit + "+" * dirty
    provenance.expect_clean(checkout / "elsewhere")
    if dirty:
        with complains("results", "--allow-dirty", f"others than those of {commit}"):
            provenance.expect_clean(checkout / "results")
    else:
        provenance.expect_clean(checkout / "results")


def test_commit_is_empty_without_git(checkout, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert provenance.commit() == ""
    monkeypatch.undo()
    # an installed package may lie within somebody else's repository
    monkeypatch.setattr(provenance, "ROOT", checkout / "misalign")
    assert provenance.commit.__wrapped__() == ""


def test_device_name_of_a_cpu_names_its_threads():
    assert provenance.device_name("cpu").endswith(" threads")
