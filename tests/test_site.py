"""The built site is whole and needs nobody else: `make book` first.

The static half parses every page. The browser half opens every page in headless Chromium with all
other hosts cut off, wide and as narrow as a phone, in the light and in the dark theme.
"""

import csv
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import unicodedata
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import coverage_reference
import pytest
import torch

from misalign.coverage.matcher import Matcher
from misalign.coverage.taxonomy import Taxonomy
from misalign.theory.oracle import explained

bs4 = pytest.importorskip("bs4", reason="pip install -e '.[test]'")
webdriver = pytest.importorskip("selenium.webdriver", reason="pip install -e '.[test]'")
pytest.importorskip("axe_core_python", reason="pip install -e '.[test]'")

HERE = Path(__file__).resolve().parent
SITE = HERE.parent / "_build" / "html"
IN_CI = os.environ.get("CI") == "true"
HOST = "127.0.0.1"
WIDE, PHONE = (1280, 900), (390, 844)
PAGES = sorted(
    path.relative_to(SITE).as_posix()
    for path in SITE.rglob("*.html")
    if not path.relative_to(SITE).parts[0].startswith("_")
)

pytestmark = pytest.mark.skipif(not PAGES and not IN_CI, reason="no site: run `make book` first")


def test_site_was_built() -> None:
    assert "index.html" in PAGES


# --- what the files say ---


@pytest.fixture(scope="module")
def soups() -> dict[str, "bs4.BeautifulSoup"]:
    return {
        page: bs4.BeautifulSoup((SITE / page).read_text(encoding="utf-8"), "html.parser")
        for page in PAGES
    }


def _anchors(soup: "bs4.BeautifulSoup") -> set[str]:
    return {tag["id"] for tag in soup.find_all(id=True)} | {
        tag["name"] for tag in soup.find_all("a", attrs={"name": True})
    }


def test_links_and_anchors_resolve(soups: dict) -> None:
    anchors = {page: _anchors(soup) for page, soup in soups.items()}
    broken = []
    for page, soup in soups.items():
        for link in soup.find_all(href=True):
            target = urlsplit(urljoin(f"http://{HOST}/{page}", link["href"]))
            if target.hostname != HOST:
                continue
            path = unquote(target.path).lstrip("/") or "index.html"
            fragment = unquote(target.fragment)
            if not (SITE / path).is_file():
                broken.append(f"{page}: {link['href']}: no such file")
            elif fragment and path in anchors and fragment not in anchors[path]:
                broken.append(f"{page}: {link['href']}: no such anchor")
    assert broken == []


def test_images_and_scripts_exist(soups: dict) -> None:
    missing = [
        f"{page}: {tag['src']}"
        for page, soup in soups.items()
        for tag in soup.find_all(src=True)
        if (target := urlsplit(urljoin(f"http://{HOST}/{page}", tag["src"]))).hostname == HOST
        and not (SITE / unquote(target.path).lstrip("/")).is_file()
    ]
    assert missing == []


def test_images_have_alt_texts(soups: dict) -> None:
    bare = [
        f"{page}: {tag.get('src')}"
        for page, soup in soups.items()
        for tag in soup.find_all("img")
        # Jupyter's fallback for an image without an alt text is its path
        if not tag.get("alt", "").strip() or "_images/" in tag["alt"]
    ]
    assert bare == []


# tags that make a browser fetch something; a plain <a> does not
FETCHING_RELS = {"stylesheet", "icon", "preload", "modulepreload", "preconnect", "dns-prefetch"}


def test_theorems_have_the_paper_s_numbers_and_no_other(soups: dict) -> None:
    titles, links = [], []
    for soup in soups.values():
        titles += [one.get_text() for one in soup.select(".proof > .admonition-title")]
        links += [one.get_text() for one in soup.select("a[href$='#thm-identifiability']")]
    assert len(titles) >= 9 and all(title.startswith("Paper, ") for title in titles)
    assert links and {one for one in links if one[-1].isdigit()} == {"Theorem 4.1"}


def test_figures_of_no_chapter_and_references_have_labels_of_their_own(soups: dict) -> None:
    numbers = [one.get_text() for soup in soups.values() for one in soup.select(".caption-number")]
    assert not [one for one in numbers if re.fullmatch(r"(Figure|Table) \d+\s*", one)]
    assert "Figure S.1" in {one.strip() for one in numbers}
    entries = soups["book/references.html"].select(".citation .label")
    assert entries and all(re.search(r"^[^{}\\]+, \d{4}\]$", one.get_text()) for one in entries)


def test_pages_name_no_other_host_to_load_from(soups: dict) -> None:
    foreign = []
    for page, soup in soups.items():
        urls = [tag["src"] for tag in soup.find_all(src=True)]
        urls += [
            tag["href"]
            for tag in soup.find_all("link", href=True)
            if FETCHING_RELS & set(tag.get("rel", []))
        ]
        foreign += [f"{page}: {url}" for url in urls if re.match(r"(https?:)?//", url)]
    for sheet in (SITE / "_static").rglob("*.css"):
        loads = re.findall(
            r"(?:url\(|@import)\s*['\"]?((?:https?:)?//[^'\")\s]+)",
            sheet.read_text(encoding="utf-8"),
        )
        foreign += [f"{sheet.relative_to(SITE)}: {url}" for url in loads]
    assert foreign == []


def test_pages_say_what_they_are_about(soups: dict) -> None:
    about = {page: soup.find("meta", attrs={"name": "description"}) for page, soup in soups.items()}
    silent = [page for page, found in about.items() if not found or len(found["content"]) > 164]
    assert not [page for page in silent if page.startswith(("book", "notebooks"))]
    front = bs4.BeautifulSoup((SITE / "index.html").read_text(encoding="utf-8"), "html.parser")
    assert (front.html["lang"], front.title.text) == ("en", "misalign")


def test_pages_are_not_heavier_than_they_need_be(soups: dict) -> None:
    for page, soup in soups.items():
        scripts = [one["src"] for one in soup.find_all("script", src=True)]
        assert not any("fontawesome" in one for one in scripts), page
        if not soup.select(".math"):
            assert not any("mathjax" in one for one in scripts), page
        rasters = [one for one in soup.select("article img") if one["src"].endswith(".png")]
        assert all(one.get("width") and one.get("height") for one in rasters), page


# --- what a browser shows ---


def _programs() -> tuple[str, str] | None:
    """A browser and the driver that goes with it."""
    driver = shutil.which("chromedriver")
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
    browser = next(filter(None, map(shutil.which, names)), None)
    return (browser, driver) if browser and driver else None


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with ThreadingHTTPServer((HOST, 0), partial(_Quiet, directory=SITE)) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://{HOST}:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator["webdriver.Chrome"]:
    programs = _programs()
    if programs is None:
        text = "no Chromium with chromedriver: apt-get install chromium chromium-driver"
        pytest.fail(text) if IN_CI else pytest.skip(text)
    options = webdriver.ChromeOptions()
    options.binary_location = programs[0]
    for argument in (
        "--headless=new",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--hide-scrollbars",
        f"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE {HOST}",
        f"--user-data-dir={tmp_path_factory.mktemp('chromium')}",
    ):
        options.add_argument(argument)
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        options.add_argument("--no-sandbox")  # root has no sandbox
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    # naming the driver keeps selenium from looking for one to download
    service = webdriver.ChromeService(executable_path=programs[1])
    chrome = webdriver.Chrome(options=options, service=service)
    chrome.set_script_timeout(30)
    yield chrome
    chrome.quit()


# Both run in the page and call back: when MathJax is done, and with a line for every fault.
SETTLED = (HERE / "site_settled.js").read_text()
FAULTS = (HERE / "site_faults.js").read_text()
# axe-core, and a call of it, with its options, for a line for every rule that the page breaks
AXE = resources.files("axe_core_python").joinpath("axe.min.js").read_text(encoding="utf-8")
INACCESSIBLE = """
const [options, done] = arguments;
axe.run(document, {resultTypes: ["violations"], preload: false, ...options}).then(result => done(
  result.violations.map(one => `${one.id}: ${one.nodes.slice(0, 3).map(node => node.html)}`)));
"""
# code and formulas have thousands of parts; site_faults.js looks at their contrast, and faster
SHORTENED = """
for (const one of document.querySelectorAll("pre, mjx-container")) one.textContent = "x";
"""
CONTRAST, SCROLLS = "color-contrast", "scrollable-region-focusable"


def _screen(browser: "webdriver.Chrome", size: tuple[int, int], theme: str) -> None:
    width, height = size
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
    )
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia",
        # colors that take time to change would be looked at too soon
        {
            "features": [
                {"name": "prefers-color-scheme", "value": theme},
                {"name": "prefers-reduced-motion", "value": "reduce"},
            ]
        },
    )


def _requested(browser: "webdriver.Chrome") -> list[str]:
    """Every URL asked for since the last call."""
    messages = (json.loads(entry["message"])["message"] for entry in browser.get_log("performance"))
    return [
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    ]


@pytest.mark.parametrize("page", PAGES)
def test_page_in_a_browser(browser: "webdriver.Chrome", address: str, page: str) -> None:
    _screen(browser, WIDE, "light")
    browser.get(f"{address}/{page}")
    browser.execute_async_script(SETTLED)
    faults = []
    for size in (WIDE, PHONE):
        for theme in ("light", "dark"):
            _screen(browser, size, theme)
            found = browser.execute_async_script(FAULTS, theme)
            faults += [f"{theme}, {size[0]} px: {fault}" for fault in found]
    asked = [url for url in _requested(browser) if urlsplit(url).scheme in ("http", "https")]
    faults += [f"asks another host: {url}" for url in asked if urlsplit(url).hostname != HOST]
    faults += [f"console: {e['message']}" for e in browser.get_log("browser") if _is_error(e)]
    assert not faults, "\n".join(faults)


def _is_error(entry: dict) -> bool:
    return entry["level"] == "SEVERE"


@pytest.mark.parametrize("page", PAGES)
def test_page_is_accessible(browser: "webdriver.Chrome", address: str, page: str) -> None:
    def broken(**options: object) -> list[str]:
        return browser.execute_async_script(INACCESSIBLE, options)

    _screen(browser, PHONE, "light")
    browser.get(f"{address}/{page}")
    browser.execute_async_script(SETTLED)
    browser.execute_script(AXE)
    faults = broken(runOnly=[SCROLLS])
    _screen(browser, WIDE, "light")
    faults += broken(rules={CONTRAST: {"enabled": False}, SCROLLS: {"enabled": False}})
    browser.execute_script(SHORTENED)
    for theme in ("light", "dark"):
        _screen(browser, WIDE, theme)
        faults += [f"{theme}: {fault}" for fault in broken(runOnly=[CONTRAST])]
    assert not faults, "\n".join(faults)


def test_search_works_without_a_network(browser: "webdriver.Chrome", address: str) -> None:
    browser.get(f"{address}/search.html?q=perturbation")
    script = """
    const done = arguments[arguments.length - 1];
    const look = () => {
      const found = [...document.querySelectorAll('#search-results li a')].map(a => a.href);
      found.length ? done(found) : setTimeout(look, 50);
    };
    look();
    """
    found = browser.execute_async_script(script)
    pages = {urlsplit(url).path.lstrip("/") for url in found}
    assert pages <= set(PAGES)


# --- the explorer on the front page ---


EXPLORER = "book/preface.html"


def _numbers(browser: "webdriver.Chrome") -> list[float]:
    """Predicted R2 of the four factors, then the score of the task, as the page prints them."""
    texts = browser.execute_script(
        "return [...document.querySelectorAll('#explorer .ex-value, #explorer .ex-score')]"
        ".map(one => one.textContent)"
    )
    return [float(text.split()[-1].replace("\N{MINUS SIGN}", "-")) for text in texts]


def _predicted(status: str, rho: float, weight: bool, reversed_: bool) -> list[float]:
    """The same from covariances: of the factors, and of the village of chapter 1."""
    block = tuple(i + 1 for i, one in enumerate(status) if one == "0")
    sigma = torch.full((4, 4), rho, dtype=torch.float64).fill_diagonal_(1)
    found = explained(sigma, block).tolist()
    if not weight:  # the sum of color and background is a fifth variable
        more = torch.cat([torch.eye(4), torch.tensor([[0.0, 0, 1, 1]])]).double()
        return [*found, explained(more @ sigma @ more.T, block)[4].item()]
    base = torch.block_diag(sigma, torch.ones(1, 1, dtype=torch.float64))
    y = torch.tensor([0.5, 0.5, 0, 0, 0.5**0.5], dtype=torch.float64)
    spread = (y @ base @ y).sqrt()

    def village(seen: float) -> torch.Tensor:
        rows = torch.eye(5, dtype=torch.float64)
        rows[2:4] = seen * y / spread + (1 - seen**2) ** 0.5 * rows[2:4]
        rows[4] = y
        return rows @ base @ rows.T

    chapter = (HERE.parent / "notebooks" / "01_puzzle.py").read_text(encoding="utf-8")
    seen = float(re.search(r"^coincidence = ([\d.]+)", chapter, flags=re.M)[1])
    home, there = village(seen), village(-seen if reversed_ else seen)
    inside = [i - 1 for i in block]
    w = torch.zeros(5, dtype=torch.float64)
    w[inside] = torch.linalg.solve(home[inside][:, inside], home[inside, 4])
    w[4] = -1  # what the prediction misses
    return [*found, (1 - w @ there @ w / there[4, 4]).item()]


@pytest.mark.parametrize("by_file", [False, True], ids=["http", "file"])
def test_explorer_says_what_the_theorem_predicts(
    browser: "webdriver.Chrome", address: str, by_file: bool
) -> None:
    place = (SITE / EXPLORER).as_uri() if by_file else f"{address}/{EXPLORER}"
    browser.get_log("browser")
    for status, rho in (("0012", 0), ("0000", 30), ("2010", 60), ("1220", 90)):
        for task, where in ((0, 0), (1, 0), (1, 1)):
            browser.get("about:blank")
            browser.get(f"{place}#captions={status}-{rho}-75-0-{task}-{where}")
            _requested(browser)
            expected = _predicted(status, rho / 100, bool(task), bool(where))
            assert _numbers(browser) == pytest.approx(expected, abs=0.0051)
            assert not [url for url in _requested(browser) if url[:5] != "data:"]
    assert not [e for e in browser.get_log("browser") if _is_error(e)]


def test_explorer_works_by_keyboard_alone(browser: "webdriver.Chrome", address: str) -> None:
    from selenium.webdriver.common.keys import Keys

    browser.get("about:blank")
    browser.get(f"{address}/{EXPLORER}")
    values = [
        one.get_attribute("textContent")
        for one in browser.find_elements("css selector", "#explorer .ex-value")
    ]
    assert values == ["1.00", "1.00", "?", "0.00"]  # color is to be guessed first
    guess = browser.find_element("css selector", "#explorer [name=guess]")
    guess.send_keys(Keys.HOME)
    browser.switch_to.active_element.send_keys(Keys.TAB)
    browser.switch_to.active_element.send_keys(Keys.ENTER)
    assert _numbers(browser) == [1, 1, 0, 0, 0]
    said = browser.find_element("css selector", "#explorer [aria-live]").text
    assert said.startswith("Your guess is off by 0.00.")
    # the button hands the focus to the first factor, shape; three tabs on is the background
    for _ in range(3):
        browser.switch_to.active_element.send_keys(Keys.TAB)
    browser.switch_to.active_element.send_keys(Keys.ARROW_RIGHT)  # from omitted round to stated
    assert _numbers(browser) == [1, 1, 0, 1, 0.5]
    caption = browser.find_element("css selector", "#explorer .ex-caption").text
    assert caption[1:-1] == "A large red cat on a meadow."
    assert browser.execute_script("return location.hash") == "#captions=0010-0-75-0-0-0"


def test_explorer_is_small_and_says_something_without_a_script() -> None:
    script = SITE / "_static" / "explorer.js"
    assert script.stat().st_size < 20_000
    soup = bs4.BeautifulSoup((SITE / EXPLORER).read_text(encoding="utf-8"), "html.parser")
    cells = [row.find_all("td")[-1].text for row in soup.select("#explorer tbody tr")]
    assert cells == [f"{value:.0f}" for value in _predicted("0012", 0, False, False)[:4]]


# --- captions pasted into the page of what to do with them ---


def test_pasted_captions_are_counted_as_the_library_counts_them(
    browser: "webdriver.Chrome", address: str
) -> None:
    pa = pytest.importorskip("pyarrow")
    own = Taxonomy.read()
    texts = [one or "" for one in coverage_reference.adversarial(5_000, own, seed=3)]
    browser.get("about:blank")
    browser.get(f"{address}/notebooks/13_practice.html")
    browser.execute_async_script(SETTLED)
    _requested(browser)
    data = "JSON.parse(document.getElementById('concepts-data').textContent)"
    found = browser.execute_script(f"return misalignCount(arguments[0], {data})", texts)
    rows, concepts = Matcher(own)(pa.array(texts))
    counts = [int((concepts == i).sum()) for i in range(len(own.concepts))]
    assert found == {"captions": 5_000, "naming": len(set(rows.tolist())), "counts": counts}
    field = browser.find_element("css selector", "#paste textarea")
    field.clear()
    field.send_keys("No dog, a hot-dog and a CAT.\n\nTwo puppies and a cat\n")
    cells = browser.find_elements("css selector", "#paste tbody tr")
    told = [one.text.split() for one in cells]
    assert told == [["cat", "(Animal)", "2", "100.0", "%"], ["dog", "(Animal)", "1", "50.0", "%"]]
    assert not [url for url in _requested(browser) if url[:5] != "data:"]


def test_concepts_in_the_page_are_those_of_the_library() -> None:
    path = HERE.parent / "scripts" / "write_concepts.py"
    spec = importlib.util.spec_from_file_location("write_concepts", path)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert script.PAGE.read_text(encoding="utf-8") == script.content()


def test_a_page_prints_whole_with_its_solutions_open(
    browser: "webdriver.Chrome", tmp_path: Path
) -> None:
    pypdf = pytest.importorskip("pypdf")
    out = tmp_path / "puzzle.pdf"
    script = HERE.parent / "scripts" / "make_pdf.py"
    command = [sys.executable, "-W", "error", script, "notebooks/01_puzzle", "--out", out]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    sheets = pypdf.PdfReader(out)
    assert [item.title for item in sheets.outline] == ["The puzzle"]
    text = " ".join(sheet.extract_text() for sheet in sheets.pages)
    text = " ".join(unicodedata.normalize("NFKC", text).split())  # without ligatures
    soup = bs4.BeautifulSoup(
        (SITE / "notebooks" / "01_puzzle.html").read_text(encoding="utf-8"), "html.parser"
    )
    solutions = [one.get_text().split() for one in soup.select(".solution p:last-child")]
    assert solutions
    for words in solutions:
        assert " ".join(words[-3:]) in text
    code = soup.select("details.hide pre")
    assert all(one.get_text().strip()[:40] not in text for one in code)


def test_only_pages_of_the_book_are_printed(tmp_path: Path) -> None:
    pytest.importorskip("pypdf")
    script = HERE.parent / "scripts" / "make_pdf.py"
    command = [sys.executable, script, "notebooks/none", "--out", tmp_path / "none.pdf"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: page: expected one of book/preface")
    assert not list(tmp_path.iterdir())


def test_most_of_a_chapter_is_text_and_pictures(browser: "webdriver.Chrome") -> None:
    script = HERE.parent / "scripts" / "measure_pages.py"
    done = subprocess.run([sys.executable, script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    shares = {row["page"]: int(row["share"]) for row in csv.DictReader(done.stdout.splitlines())}
    assert len(shares) == len([page for page in PAGES if page.startswith("notebooks/")])
    how_to = "notebooks/extend"  # its subject is code
    assert {page: share for page, share in shares.items() if share > 40 and page != how_to} == {}
