"""Say of every chapter on the built site which share of its height is code and printed output.

python scripts/measure_pages.py    a table: share in percent, height and weight of the page

What is folded counts by the height of its fold, figures and tables count as text. `make book`
first; needs Chromium with its driver, and the package selenium.
"""

import sys
from pathlib import Path

import click
from make_pdf import SITE, chromium, pages

SIZE = {"width": 1280, "height": 900, "deviceScaleFactor": 1, "mobile": False}
HEIGHTS = """
const article = document.querySelector(".bd-article");
const height = one => one.getBoundingClientRect().height;
const cells = ".cell_input, details.hide, .cell_output :is(.stream, .text_plain, .stderr)";
const parts = [...article.querySelectorAll(cells)];
const outer = parts.filter(one => !one.parentElement.closest(".cell_input, details.hide"));
return [outer.reduce((sum, one) => sum + height(one), 0), height(article)];
"""


def weight(page: Path) -> int:
    """Bytes of a page and of the pictures that it shows."""
    text = page.read_text(encoding="utf-8")
    pictures = (SITE / "_images").iterdir()
    return page.stat().st_size + sum(one.stat().st_size for one in pictures if one.name in text)


@click.command(help=__doc__.partition("\n")[0])
def main() -> None:
    """Measure, and print a table as CSV."""
    browser = chromium()
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", SIZE)
    sys.stdout.write("page,share,height,megabytes\n")
    try:
        for page in (name for name in pages() if name.startswith("notebooks/")):
            path = SITE / f"{page}.html"
            browser.get(path.as_uri())
            code, whole = browser.execute_script(HEIGHTS)
            share, size = 100 * code / whole, weight(path) / 1e6
            sys.stdout.write(f"{page},{share:.0f},{whole:.0f},{size:.2f}\n")
    finally:
        browser.quit()


if __name__ == "__main__":
    main()
