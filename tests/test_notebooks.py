"""Every chapter keeps the rules of the book, and the check of the rules works."""

import re
from pathlib import Path

import check_pairs
import nbformat
import pytest
import yaml
from check_pairs import chapters, problems, referred
from nbformat.v4 import new_code_cell, new_notebook, new_output

import misalign.paths

CONFIG = misalign.paths.NOTEBOOKS / "jupytext.toml"
FIGURE = {"image/png": "AAAA", "text/plain": "<Figure>"}


@pytest.mark.parametrize("stem", chapters(), ids=lambda stem: stem.name)
def test_chapter_keeps_the_rules(stem: Path) -> None:
    found = problems(stem, referred())
    assert not found, "\n".join(found)


def test_files_are_numbered_as_chapters_are_read() -> None:
    """The site counts the chapters of numbered parts through; a file has the number of its page."""
    parts = yaml.safe_load((misalign.paths.ROOT / "_toc.yml").read_text())["parts"]
    numbered = [page for part in parts if part.get("numbered") for page in part["chapters"]]
    names = [Path(page["file"]).name for page in numbered]
    assert [name[:3] for name in names] == [f"{n:02}_" for n in range(1, len(names) + 1)]
    assert sorted(stem.name for stem in chapters() if stem.name[0].isdigit()) == names


def _chapter(folder: Path, *cells: nbformat.NotebookNode) -> Path:
    """A pair of one chapter, written as the project pairs it."""
    import jupytext
    from jupytext.config import load_jupytext_config

    (folder / "jupytext.toml").write_text(CONFIG.read_text())
    ipynb = folder / "01_x.ipynb"
    notebook = new_notebook(cells=list(cells))
    nbformat.write(notebook, ipynb)
    config = load_jupytext_config(str(ipynb))
    text = jupytext.writes(jupytext.read(ipynb), fmt="py:percent", config=config)
    ipynb.with_suffix(".py").write_text(text)
    return ipynb.with_suffix("")


def _image(*tags: str, **figure: str) -> nbformat.NotebookNode:
    return new_code_cell(
        "draw()",
        execution_count=1,
        outputs=[new_output("display_data", data=FIGURE)],
        metadata={
            "mystnb": {"figure": figure, "image": {"alt": "A line that rises."}},
            "tags": list(tags),
        },
    )


def test_sound_chapter_has_no_problem(tmp_path: Path) -> None:
    stem = _chapter(tmp_path, _image(caption="A figure.", name="fig-x"))
    assert problems(stem, {"fig-x"}) == []


def test_figure_needs_caption_name_and_reference(tmp_path: Path) -> None:
    assert len(problems(_chapter(tmp_path, _image()), set())) == 2
    stem = _chapter(tmp_path, _image(caption="A figure.", name="fig-x"))
    assert ["no page refers" in text for text in problems(stem, set())] == [True]


@pytest.mark.parametrize(
    "end",
    [
        "100 runs of sweep figure_03.",
        "140 runs of sweeps figure_03 and controls.",
        "A line. 15 of 140 runs of sweeps figure_03 and controls.",
        "150 runs of sweeps controls, table_04 and figure_03.",
        "Drawn from results/inflation.csv.",
    ],
)
def test_recorded_figure_says_what_it_is_drawn_from(end: str) -> None:
    assert list(check_pairs.source(f"Scores. {end}")) == []


@pytest.mark.parametrize(
    ("end", "words"),
    [
        ("Drawn as the figure before.", "not with 'N runs of sweep NAME.'"),
        ("100 runs of sweep figure_03", "not with 'N runs of sweep NAME.'"),
        ("99 runs of sweep figure_03.", "says 99 runs, its sweep figure_03 have 100"),
        ("100 of 100 runs of sweep figure_03.", "says 100 of 100 runs"),
        ("200 runs of sweeps figure_03 and controls.", "have 140"),
        ("100 runs of sweeps figure_03.", "one sweep, or several sweeps"),
        ("100 runs of sweeps figure_03 and figure_03.", "each once"),
        ("100 runs of sweep figure_99.", "sweep: expected one of .*, got 'figure_99'"),
        ("Drawn from results/numerical.csv.", "no table without runs"),
        ("Drawn from results/nothing.csv.", "no table without runs"),
    ],
)
def test_caption_that_says_another_number_or_sweep_is_refused(end: str, words: str) -> None:
    (text,) = check_pairs.source(f"Scores. {end}")
    assert re.search(words, text)


def test_only_recorded_figures_need_a_sweep(tmp_path: Path) -> None:
    words = {"caption": "A figure.", "name": "fig-x"}
    assert problems(_chapter(tmp_path, _image("hide-input", **words)), {"fig-x"}) == []
    (text,) = problems(_chapter(tmp_path, _image("recorded", **words)), {"fig-x"})
    assert "its caption ends with 'A figure.'" in text


def test_difference_of_a_pair_is_seen(tmp_path: Path) -> None:
    stem = _chapter(tmp_path, new_code_cell("a = 1", execution_count=1))
    assert problems(stem, set()) == []
    py = stem.with_suffix(".py")
    py.write_text(py.read_text().replace("a = 1", "a = 2"))
    assert ["differ" in text for text in problems(stem, set())] == [True]


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        (new_code_cell("a = 1"), "not executed"),
        (new_code_cell("a = 1\n" * 26, execution_count=1), "26 lines"),
        (new_code_cell(f"a = '{'b' * 100}'", execution_count=1), "100 characters"),
        (
            new_code_cell("a = f(1)", execution_count=1, metadata={"tags": ["parameters"]}),
            "LITERAL",
        ),
        (
            new_code_cell(
                "a",
                execution_count=1,
                outputs=[new_output("error", ename="E", evalue="", traceback=[])],
            ),
            "error",
        ),
    ],
)
def test_breach_is_named(tmp_path: Path, cell: nbformat.NotebookNode, words: str) -> None:
    (text,) = problems(_chapter(tmp_path, cell), set())
    assert words in text


def test_missing_half_is_named(tmp_path: Path) -> None:
    stem = _chapter(tmp_path, new_code_cell("a = 1", execution_count=1))
    stem.with_suffix(".ipynb").unlink()
    assert "01_x.ipynb is missing" in problems(stem, set())[0]


def test_references_are_found(tmp_path: Path) -> None:
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "book").mkdir()
    (tmp_path / "notebooks" / "01_x.py").write_text("# see {numref}`fig-one`")
    (tmp_path / "book" / "page.md").write_text("see {numref}`Figure %s <fig-two>`, {ref}`three`")
    assert {"fig-one", "fig-two", "three"} <= check_pairs.referred(tmp_path)
