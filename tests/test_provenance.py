"""Which changes of code make recorded runs stale, and what a record says of its origin."""

import re
from pathlib import Path

import pytest

import misalign
from misalign import provenance

PLAIN = "def f(x):\n    return x + 1\n"


def bare(tmp_path: Path, source: str) -> str:
    path = tmp_path / "module.py"
    path.write_text(source, encoding="utf-8")
    return provenance._bare(path)


@pytest.mark.parametrize(
    "source",
    [
        '"""A module."""\n' + PLAIN,
        'def f(x):\n    """Add one."""\n    return x + 1\n',
        "# a comment\ndef f(x):\n    return x + 1  # another\n",
        "def f(\n    x,\n):\n\n    return (x + 1)\n",
    ],
    ids=["module docstring", "docstring", "comments", "layout"],
)
def test_words_and_layout_do_not_count(tmp_path, source):
    assert bare(tmp_path, source) == bare(tmp_path, PLAIN)


@pytest.mark.parametrize(
    "source",
    ["def f(x):\n    return x + 2\n", "def f(x):\n    return x - 1\n", PLAIN + "y = f(0)\n"],
    ids=["number", "operator", "statement"],
)
def test_expressions_count(tmp_path, source):
    assert bare(tmp_path, source) != bare(tmp_path, PLAIN)


def test_strings_that_are_no_docstrings_count(tmp_path):
    one, other = (bare(tmp_path, f"NAME = {word!r}\n") for word in ("latents", "batches"))
    assert one != other


def test_class_of_a_docstring_alone_stays_a_class(tmp_path):
    assert bare(tmp_path, 'class A:\n    """Nothing."""\n') == bare(
        tmp_path, "class A:\n    pass\n"
    )


def test_code_hash_follows_the_deciding_modules_and_no_others(tmp_path, monkeypatch):
    (tmp_path / "worlds").mkdir()
    for name in ("bias", "worlds/a", "plots"):
        (tmp_path / f"{name}.py").write_text(PLAIN, encoding="utf-8")
    monkeypatch.setattr(provenance, "LIBRARY", tmp_path)
    monkeypatch.setattr(provenance, "DECIDING", {"numerical": ("bias", "worlds/a")})

    def changed(name: str, source: str) -> str:
        (tmp_path / f"{name}.py").write_text(source, encoding="utf-8")
        return provenance.code_hash.__wrapped__("numerical")

    before = provenance.code_hash.__wrapped__("numerical")
    assert changed("plots", "y = 2\n") == before
    assert changed("bias", '"""Words."""\n' + PLAIN) == before
    assert changed("bias", "y = 2\n") != before
    assert changed("bias", PLAIN) == before
    assert changed("worlds/a", "y = 2\n") != before


def test_any_change_of_a_table_counts(tmp_path, monkeypatch):
    (tmp_path / "words.yml").write_text("a: 1\n", encoding="utf-8")
    monkeypatch.setattr(provenance, "LIBRARY", tmp_path)
    before = provenance._digest(["words.yml"])
    (tmp_path / "words.yml").write_text("a: 2\n", encoding="utf-8")
    assert provenance._digest(["words.yml"]) != before


def test_every_deciding_module_exists():
    for experiment, names in provenance.DECIDING.items():
        for name in names:
            file = name if "." in name else f"{name}.py"
            assert (Path(misalign.__file__).parent / file).exists(), name
        assert re.fullmatch("[0-9a-f]{12}", provenance.code_hash(experiment))


def test_commit_is_empty_without_git(monkeypatch, tmp_path):
    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert provenance.commit.__wrapped__() == ""
    monkeypatch.setenv("PATH", "")
    assert provenance.commit.__wrapped__() == ""


def test_device_name_of_a_cpu_names_its_threads():
    assert provenance.device_name("cpu").endswith(" threads")


def test_pictures_are_as_old_as_the_modules_that_render_them(tmp_path, monkeypatch):
    for name in ("trace", "encoders"):
        (tmp_path / f"{name}.py").write_text(PLAIN, encoding="utf-8")
    monkeypatch.setattr(provenance, "LIBRARY", tmp_path)
    monkeypatch.setattr(provenance, "RENDERING", {"mpi3d": ("trace",)})
    before = provenance.scenes_hash.__wrapped__("mpi3d")
    (tmp_path / "encoders.py").write_text("y = 2\n", encoding="utf-8")
    assert provenance.scenes_hash.__wrapped__("mpi3d") == before
    (tmp_path / "trace.py").write_text("y = 2\n", encoding="utf-8")
    assert provenance.scenes_hash.__wrapped__("mpi3d") != before


def test_records_of_pictures_are_stale_when_the_pictures_are():
    for experiment, names in provenance.DECIDING.items():
        world = experiment.split("_")[0]
        assert set(provenance.RENDERING.get(world, ())) <= set(names), experiment
