"""Print the built site as one PDF, chapter by chapter in the book's order; `make pdf` runs this.

python scripts/make_pdf.py                          _build/misalign.pdf, all pages
python scripts/make_pdf.py notebooks/01_puzzle      that page alone
python scripts/make_pdf.py --out book.pdf           into another file

Needs Chromium with its driver, and the packages selenium and pypdf. Solutions are printed open,
code that a page folds stays folded.
"""

import base64
import io
import os
import shutil
import sys
from pathlib import Path

import click
import yaml
from pypdf import PdfReader, PdfWriter
from selenium import webdriver
from selenium.webdriver.common.print_page_options import PrintOptions
from tqdm import tqdm

from misalign.errors import invalid
from misalign.paths import ROOT, replacing

SITE = ROOT / "_build" / "html"
SETTLED = (ROOT / "tests" / "site_settled.js").read_text(encoding="utf-8")
OPENED = """
document.documentElement.dataset.theme = "light";
for (const one of document.querySelectorAll("details:not(.hide)")) one.open = true;
for (const one of document.querySelectorAll(".dropdown.toggle-hidden .toggle-button")) one.click();
for (const one of document.querySelectorAll("img[loading]")) one.loading = "eager";
return document.querySelector("h1").innerText.replace("#", "").trim();
"""


def pages() -> list[str]:
    """Names of all pages in the book's order, by the table of contents."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    chapters = [chapter for part in toc["parts"] for chapter in part["chapters"]]
    nested = [[one, *one.get("sections", ())] for one in chapters]
    return [toc["root"], *(page["file"] for group in nested for page in group)]


def chromium() -> webdriver.Chrome:
    """A browser without a window; one line says what is missing, it or the site."""
    names = (("chromium", "chromium-browser", "google-chrome"), ("chromedriver",))
    found = [next(filter(None, map(shutil.which, several)), None) for several in names]
    if not all(found):
        raise click.ClickException(str(invalid("browser", "Chromium and chromedriver", "none")))
    if not (SITE / "index.html").exists():
        raise click.ClickException(str(invalid(str(SITE), "a built site (make book)", "none")))
    options = webdriver.ChromeOptions()
    options.binary_location = found[0]
    for flag in ("--headless=new", "--disable-dev-shm-usage"):
        options.add_argument(flag)
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        options.add_argument("--no-sandbox")  # root has no sandbox
    # naming the driver keeps selenium from looking for one to download
    browser = webdriver.Chrome(options, webdriver.ChromeService(executable_path=found[1]))
    browser.set_script_timeout(60)
    return browser


def printed(browser: webdriver.Chrome, page: str) -> tuple[str, PdfReader]:
    """Title and printed sheets of a page of the site."""
    browser.get((SITE / f"{page}.html").as_uri())
    browser.execute_async_script(SETTLED)
    title = browser.execute_script(OPENED)
    paper = PrintOptions()
    paper.set_page_size(PrintOptions.A4)
    paper.background, paper.scale = True, 0.8
    sheets = base64.b64decode(browser.print_page(paper))
    return title, PdfReader(io.BytesIO(sheets))


@click.command(help=__doc__.partition("\n")[0])
@click.argument("chosen", nargs=-1)
@click.option("--out", type=click.Path(path_type=Path), default=ROOT / "_build" / "misalign.pdf")
def main(chosen: tuple[str, ...], out: Path) -> None:
    """Print pages, by default all of them, into one file with an outline."""
    known = pages()
    for name in chosen:
        if name not in known:
            raise click.ClickException(str(invalid("page", f"one of {', '.join(known)}", name)))
    book, browser = PdfWriter(), chromium()
    try:
        for page in tqdm(chosen or known, unit="page", disable=None):
            title, sheets = printed(browser, page)
            start = len(book.pages)
            book.append(sheets, import_outline=False)
            book.add_outline_item(title=title, page_number=start)
    finally:
        browser.quit()
    out.parent.mkdir(parents=True, exist_ok=True)
    with replacing(out) as partial:
        book.write(partial)
    sys.stdout.write(f"{out}: {len(book.pages)} sheets\n")


if __name__ == "__main__":
    main()
