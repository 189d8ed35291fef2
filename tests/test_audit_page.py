"""The report of an audit: it needs nobody else, trusts no name, and is whole or not there."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from audited import FULL, TREND, make_counts

from misalign.audit import figures
from misalign.audit import page as pages
from misalign.audit.findings import find
from misalign.audit.page import page

bs4 = pytest.importorskip("bs4", reason="pip install -e '.[test]'")

HOSTILE = "<script>alert('x')</script>"
NAMES = (HOSTILE, '" onload="alert(1)', "$\\frac{1$", "{{ 7 * 7 }}", "]]>--><b>", "名前 &amp;")


def soup(text):
    return bs4.BeautifulSoup(text, "html.parser")


@pytest.fixture(scope="module")
def full():
    return find(make_counts(**FULL), TREND)


@pytest.fixture(scope="module")
def text(full):
    return page(full, ["a.csv"])


@pytest.fixture(scope="module")
def report(text):
    return soup(text)


def rows_of(table):
    """Text and key of every cell of a table's body."""
    return [
        [
            (cell.get("data-key"), cell.get_text(" ", strip=True))
            for cell in row.find_all(["th", "td"])
        ]
        for row in table.tbody.find_all("tr")
    ]


def test_says_first_what_a_busy_reader_needs(report):
    order = [tag.get_text() for tag in report.find_all("h2")]
    assert order == [
        "Figures",
        "Findings by group",
        "What to do",
        "All concepts",
        "Method and limits",
    ]
    first = report.main.find("section")
    assert first["class"] == ["summary"] and len(first.find_all("p")) == 3


def test_loads_nothing_and_links_nowhere(report, text):
    assert not report.find_all(["link", "iframe", "object", "embed", "img", "base", "form"])
    assert not report.find_all(src=True) and not report.find_all("a")
    for tag in report.find_all(True):
        for name in ("href", "xlink:href"):
            assert tag.get(name, "#").startswith("#")
    assert not re.search(r"@import|url\(\s*['\"]?(?!#)", text)
    # names of XML namespaces are no addresses that anything is fetched from
    assert not re.search(r"https?://(?!www\.w3\.org/)", text)


def test_every_figure_has_a_caption_and_words_for_those_who_cannot_see(report):
    drawn = report.find_all("figure")
    assert [figure.h3.get_text() for figure in drawn] == [
        "What captions do to what pictures show",
        "Coverage by group",
        "Concepts named least",
        "Predicted blind spots",
    ]
    for figure in drawn:
        assert figure.svg and figure.figcaption.get_text().strip()
        assert figure.find(role="img")["aria-label"].strip()


def test_figures_take_the_colour_of_the_text(full):
    for drawing in figures.drawings(full):
        assert 'fill="currentColor"' in drawing.svg and "<?xml" not in drawing.svg


def test_a_point_stands_where_its_rates_say(full):
    dots = soup(figures.drawings(full)[0].svg).find_all(["circle", "rect", "path"])
    rates = full.concepts.set_index("concept").loc["cat"]  # named in half, wrong in 2 of 5
    x, y = 60 + (508 - 60) * (1 - rates["omission"]), 410 - 390 * (1 - rates["perturbation"])
    places = [(float(dot.get("cx", "nan")), float(dot.get("cy", "nan"))) for dot in dots]
    assert any(place == pytest.approx((x, y), abs=0.1) for place in places)


def test_names_among_points_do_not_overlap():
    rows = [("mine", "g", f"concept {i}", 5) for i in range(30)]
    labelled = {i: (100, 60 + i % 2, 20, 20) for i in range(30)}
    drawing = figures.drawings(find(make_counts(rows, {"g": 9}, labelled=labelled)))[0]
    texts = [one for one in soup(drawing.svg).find_all("text") if "concept" in one.get_text()]
    heights = sorted(float(one["y"]) for one in texts if "naming" not in one.get_text())
    assert len(heights) == 8
    assert all(b - a >= 13 for a, b in zip(heights, heights[1:], strict=False))
    assert 20 < heights[0] and heights[-1] < 410


def test_a_report_needs_no_matplotlib():
    script = "import sys, test_audit_page as t; t.page(t.find(t.make_counts(**t.FULL), t.TREND));"
    script += "print([name for name in sys.modules if 'matplotlib' in name])"
    call = [sys.executable, "-c", script]
    done = subprocess.run(call, cwd=Path(__file__).parent, capture_output=True, check=True)
    assert done.stdout.decode().strip() == "[]"


def test_names_of_users_are_text():
    rows = [("mine", f"group {name}", one, 5) for name in NAMES for one in (name, f"{name} 2")]
    pairs = [(i, i + 1) for i in range(0, len(rows), 2)]
    values = {"exclusive": pairs, "together": [(*pair, 2) for pair in pairs]}
    values |= {"labelled": {i: (9, 1, 5, 3) for i, _ in pairs}}
    failed = tuple((f"{name}.csv", name) for name in NAMES)
    counts = make_counts(rows, dict.fromkeys(NAMES, 8), failed=failed, **values)
    text = page(find(counts, TREND), NAMES)
    report = soup(text)
    assert HOSTILE not in text and len(report.find_all("script")) == 1
    assert not report.find_all(["b", "i"]) and "49" not in report.header.get_text()
    assert not report.find_all(lambda tag: any(key.startswith("on") for key in tag.attrs))
    first = [row.th.get_text() for row in report.find(id="concepts").tbody.find_all("tr")[::2]]
    assert first == [*NAMES]
    drawn = report.find_all("svg")
    assert len(drawn) == 4
    # figures carry them as text too
    for name in (HOSTILE[:20], *NAMES[1:]):
        assert all(name in figure.get_text() for figure in drawn)


def test_table_can_be_sorted_and_is_whole_without_a_script(report, full):
    table = report.find("table", id="concepts")
    assert "sortable" in table["class"] and len(table.tbody.find_all("tr")) == 11
    heads = [head.get_text() for head in table.thead.find_all("th")]
    assert heads[:5] == ["Concept", "Group", "Coverage", "Status", "What to do"]
    assert {len(row) for row in rows_of(table)} == {len(heads)}
    assert "sortBy" in report.find("script").get_text()


def test_csv_says_what_the_table_says(full, tmp_path):
    pages.write(full, tmp_path / "r.html", tmp_path / "r.csv")
    table = soup((tmp_path / "r.html").read_text(encoding="utf-8")).find("table", id="concepts")
    written = pd.read_csv(tmp_path / "r.csv")
    heads = [head.get_text() for head in table.thead.find_all("th")]
    cells = pd.DataFrame(rows_of(table), columns=heads)
    for head, column in (("Concept", "concept"), ("Group", "group"), ("Status", "status")):
        assert [text for _, text in cells[head]] == written[column].tolist()
    for head, column in (
        ("Captions", "captions"),
        ("Coverage", "coverage"),
        ("Omission", "omission"),
        ("Perturbation", "perturbation"),
        ("Predicted accuracy", "score"),
    ):
        shown = [float(key) if key else float("nan") for key, _ in cells[head]]
        assert shown == pytest.approx(written[column].tolist(), nan_ok=True, rel=1e-12)
    pd.testing.assert_frame_equal(written, full.concepts, check_dtype=False)


def test_without_fit_or_labels_the_page_says_so():
    report = soup(page(find(make_counts())))
    text = report.get_text(" ", strip=True)
    assert "No predicted blind spots: the published fit is not part" in text
    assert "none were given" in text and "The limit is a convention" in text
    assert "Predicted accuracy" not in report.find(id="concepts").get_text()
    assert "exclude each other, so there was nothing to look for" in text


def test_no_contradiction_is_said():
    report = soup(page(find(make_counts(exclusive=[(2, 3)]))))
    assert "No caption names two concepts that exclude each other." in report.get_text()


def test_files_that_could_not_be_read_are_named_on_top():
    report = soup(page(find(make_counts(failed=(("b.parquet", "not a Parquet file"),)))))
    assert "b.parquet: not a Parquet file" in report.header.get_text()


def test_figures_of_many_show_the_least():
    rows = [("mine", f"g{i}", f"c{i}", i) for i in range(200)]
    counts = make_counts(rows, {f"g{i}": i for i in range(200)})
    first, second, third = figures.drawings(find(counts, TREND))
    for drawing in (first, second, third):
        assert "the 25 least of 200" in drawing.caption
        assert "g24" in drawing.svg and "g25" not in drawing.svg


@pytest.mark.parametrize("kept", [None, "old"])
def test_nothing_is_half_written_if_a_figure_fails(full, tmp_path, monkeypatch, kept):
    def fail(findings):
        raise OSError("no space")

    monkeypatch.setattr("misalign.audit.figures.drawings", fail)
    paths = (tmp_path / "r.html", tmp_path / "r.csv")
    for path in paths if kept else ():
        path.write_text(kept)
    with pytest.raises(OSError):
        pages.write(full, *paths)
    assert {path.read_text() for path in tmp_path.iterdir()} == ({kept} if kept else set())


def test_places_that_cannot_be_written_are_refused(full, tmp_path, complains):
    (tmp_path / "folder").mkdir()
    with complains("csv", "a file to write to", "folder"):
        pages.write(full, tmp_path / "r.html", tmp_path / "folder")
    with complains("csv", "another file than the page", "r.html"):
        pages.write(full, tmp_path / "r.html", tmp_path / "folder" / ".." / "r.html")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_the_page_is_the_same_twice(full, text):
    assert page(full, ["a.csv"]) == text


BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)
CLICKS = """
<script>
const order = () => [...document.querySelectorAll("#concepts tbody tr:not([hidden]) th")]
  .map((cell) => cell.textContent).join(" ");
const seen = [order()];
const click = (column) => {
  document.querySelectorAll("#concepts thead button")[column].click();
  seen.push(order());
};
const heads = [...document.querySelectorAll("#concepts thead th")].map((one) => one.textContent);
click(0); click(heads.indexOf("Coverage")); click(heads.indexOf("Coverage"));
click(heads.indexOf("Predicted accuracy"));
const search = document.querySelector(".filter input");
search.value = "texture";
search.dispatchEvent(new Event("input"));
seen.push(order());
seen.push(document.documentElement.scrollWidth <= innerWidth);
document.title = "";
document.body.textContent = JSON.stringify(seen);
</script>
"""


@pytest.mark.skipif(not BROWSER, reason="no Chromium: apt-get install chromium")
def test_a_click_sorts_the_table_in_a_browser(text, tmp_path):
    path = tmp_path / "r.html"
    path.write_text(text.replace("</body>", f"{CLICKS}</body>"), encoding="utf-8")
    flags = ["--headless", "--disable-gpu", "--no-first-run", "--window-size=400,800"]
    flags += [f"--user-data-dir={tmp_path / 'browser'}", "--virtual-time-budget=1000"]
    flags += ["--no-sandbox"] if getattr(os, "geteuid", lambda: 1)() == 0 else []
    done = subprocess.run(
        [BROWSER, *flags, "--dump-dom", path.as_uri()], capture_output=True, timeout=120, check=True
    )
    body = soup(done.stdout.decode()).body.get_text()
    seen = json.loads(body)
    given = "dog cat glossy matte rough sepia hdr lazy evil bolt nut"
    names, least, most, scores, found, fits = seen[1:]
    assert seen[0] == given and names == " ".join(sorted(given.split()))
    assert least == "evil glossy lazy bolt hdr matte rough cat sepia dog nut"
    assert most.split()[:3] == ["nut", "dog", "sepia"]
    assert set(scores.split()[-2:]) == {"lazy", "evil"}  # without a score: last
    assert set(found.split()) == {"glossy", "matte", "rough"}
    assert fits


def test_a_figure_names_what_is_perturbed_only_if_something_is():
    said = [
        figures.drawings(find(make_counts(labelled={0: (50, 10, 40 - wrong, wrong)})))[0].alt
        for wrong in (0, 20)
    ]
    assert said == [
        "Rates of 1 concept.",
        "Rates of 1 concept; captions perturb dog (Animal) most, 50 %.",
    ]


def test_without_a_label_to_report_there_is_no_figure_of_rates():
    titles = [
        one.title for one in figures.drawings(find(make_counts(labelled={8: (50, 10, 10, 30)})))
    ]
    assert "What captions do to what pictures show" not in titles
