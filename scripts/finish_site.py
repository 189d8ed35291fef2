"""A Sphinx extension: what the theme leaves undone on the pages of the site.

Pages get a description, a card for those who link to them, and names for what has none; pictures
their size; icons are drawn by the page itself rather than by a script of 1.5 MB, and pages without
formulas do without MathJax. REPOSITORY and SITE, of the environment, are the addresses of the
sources and of the site; without them nothing links there.
"""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import escape

from bs4 import BeautifulSoup, Tag
from PIL import Image
from pybtex.database import Entry
from pybtex.plugin import register_plugin
from pybtex.style.formatting import unsrt
from pybtex.style.labels import BaseLabelStyle
from sphinx.application import Sphinx
from sphinx.config import Config

REPOSITORY, SITE = (os.environ.get(name, "").rstrip("/") for name in ("REPOSITORY", "SITE"))
LONGEST = 160  # characters of a description
ICON = re.compile(r"^fa-(?!solid|lg|fw)(.+)")
# of a theorem and its like: label, name, and what the paper calls it
BOX = re.compile(
    r'<div class="proof \w+ admonition" id="([\w-]+)">\s*<p class="admonition-title">'
    r'<span class="caption-number">[^<]*</span> \((.+?), the paper’s ([^)]+)\)</p>'
)


class AuthorYear(BaseLabelStyle):
    """Labels of the bibliography that say what references in the text say."""

    def format_labels(self, sorted_entries: list[Entry]) -> Iterator[str]:
        """Give each entry its first author, how many more there are, and the year."""
        for entry in sorted_entries:
            names = [
                " ".join(map(str, one.rich_prelast_names + one.rich_last_names))  # LaTeX decoded
                for one in entry.persons["author"]
            ]
            first = names[0] if len(names) != 2 else " and ".join(names)
            yield f"{first}{' et al.' if len(names) > 2 else ''}, {entry.fields['year']}"


class Bibliography(unsrt.Style):
    """Entries by the names of authors, labelled as `AuthorYear` does."""

    default_label_style = AuthorYear
    default_sorting_style = "author_year_title"


register_plugin("pybtex.style.formatting", "authoryear", Bibliography)


def setup(app: Sphinx) -> dict:
    """Take part in the build."""
    app.connect("config-inited", add_buttons)
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def add_buttons(app: Sphinx, config: Config) -> None:
    """Link to the sources: the page's, its issues, and a machine that runs the chapter."""
    if REPOSITORY:
        config.html_theme_options |= {
            "repository_url": REPOSITORY,
            "repository_branch": os.environ.get("BRANCH", "main"),
            **dict.fromkeys(
                ("use_repository_button", "use_issues_button", "use_source_button"), True
            ),
            "launch_buttons": {
                "binderhub_url": "https://mybinder.org",
                "colab_url": "https://colab.research.google.com",
            },
        }


def finish(app: Sphinx, exception: Exception | None) -> None:
    """Rewrite every page of a build that went well."""
    if exception or app.builder.format != "html":
        return
    out = Path(app.outdir)
    icons = _Icons(out / "_static" / "scripts" / "fontawesome.js")
    pages = [page for page in sorted(out.rglob("*.html")) if "_static" not in page.parts]
    texts = {page: page.read_text(encoding="utf-8") for page in pages}
    boxes = {label: names for text in texts.values() for label, *names in BOX.findall(text)}
    for page, text in texts.items():
        soup = BeautifulSoup(text, "html.parser")
        if soup.head is not None:
            _number(soup, boxes)
            _describe(soup, page.relative_to(out).as_posix())
            _name(soup)
            _size(soup, page)
            icons.draw(soup)
            if not soup.select(".math") and not soup.find(string=re.compile(r"\\\(")):
                for script in soup.find_all("script", src=re.compile("mathjax")):
                    script.decompose()
            page.write_text(str(soup), encoding="utf-8")
    front = app.config.root_doc
    (out / "index.html").write_text(
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{app.config.html_title}'
        f'</title><meta http-equiv="refresh" content="0; url={front}.html"></head>'
        f'<body><a href="{front}.html">{app.config.html_title}</a></body></html>\n',
        encoding="utf-8",
    )
    if SITE:
        urls = "".join(
            f"<url><loc>{escape(f'{SITE}/{page.relative_to(out).as_posix()}')}</loc></url>"
            for page in pages
        )
        space = "http://www.sitemaps.org/schemas/sitemap/0.9"
        (out / "sitemap.xml").write_text(f'<urlset xmlns="{space}">{urls}</urlset>\n')


def _describe(soup: BeautifulSoup, path: str) -> None:
    """Say in the head what a page is about: by its first words."""
    first = soup.select_one("article section > p")
    words = " ".join(first.get_text().split()) if first else ""
    if len(words) > LONGEST:
        words = words[:LONGEST].rpartition(" ")[0] + " ..."
    heading = soup.select_one("article h1")
    title = heading.get_text().rstrip("#\n") if heading else soup.title.get_text()
    told = {"og:title": title, "og:type": "article", "og:description": words}
    if SITE:
        told["og:url"] = f"{SITE}/{path}"
    if words and not soup.find("meta", attrs={"name": "description"}):
        soup.head.append(soup.new_tag("meta", attrs={"name": "description", "content": words}))
    for name, value in told.items():
        if value:
            soup.head.append(soup.new_tag("meta", attrs={"property": name, "content": value}))


def _number(soup: BeautifulSoup, boxes: dict[str, list[str]]) -> None:
    """Call theorems what the paper calls them, and nothing else; figures of no chapter S.1, S.2."""
    for number in soup.select(".caption-number, .std-numref"):
        if plain := re.fullmatch(r"(Figure|Table) (\d+)(\s*)", number.get_text()):
            number.string = "{} S.{}{}".format(*plain.groups())
    for link in soup.select("a[href*='#']"):
        label = link["href"].partition("#")[2]
        if label in boxes and re.fullmatch(r"[A-Z]\w+ [\d.]+\s*", link.get_text()):
            link.string = boxes[label][1]
    for label, (name, theirs) in boxes.items():
        if title := soup.select_one(f"#{label} > .admonition-title"):
            title.contents[0].string = f"Paper, {theirs}"
            title.contents[1].replace_with(f" ({name})")


def _name(soup: BeautifulSoup) -> None:
    """Give parts of a page the roles and names that assistive programs look for."""
    for summary in soup.find_all("summary"):
        if not summary.get_text(strip=True):
            beside = summary.find_parent("li")
            link = beside.find("a") if beside else None
            summary["aria-label"] = f"Pages below {link.get_text(strip=True)}" if link else "More"
    for brand in soup.select(".sidebar-primary-item:has(.navbar-brand)"):
        brand["role"], brand["aria-label"] = "navigation", "Home"
    for cell in soup.find_all("th"):
        if not cell.get_text(strip=True) and not cell.find("img"):
            cell.name = "td"
    for box in soup.select("#exercise-content, #solution-content, #proof-content"):
        del box["id"]  # every exercise, solution and theorem has the same
    for table in soup.select("figure table"):  # a wide one scrolls, and by keyboard, too
        table.find_parent("figure")["tabindex"] = "0"
    for entry in soup.select("[role=doc-biblioentry], .citation-list[role=list]"):
        del entry["role"]


def _size(soup: BeautifulSoup, page: Path) -> None:
    """Say how large pictures are, so that text does not jump; all but the first load late."""
    for number, picture in enumerate(soup.select("article img")):
        file = page.parent / picture["src"].partition("?")[0]
        if not picture.get("width") and file.suffix in (".png", ".jpg", ".webp") and file.exists():
            picture["width"], picture["height"] = map(str, Image.open(file).size)
        if number:
            picture["loading"] = "lazy"


class _Icons:
    """The icons of Font Awesome's script, drawn where a page has them."""

    def __init__(self, script: Path) -> None:
        text = script.read_text(encoding="utf-8")
        # the solid ones come last; an entry is name:[width, height, [aliases], code, path]
        entry = r'"?([a-z0-9-]+)"?:\[(\d+),(\d+),(\[[^\]]*\]),"[0-9a-f]+","([^"]+)"\]'
        self.shapes = {}
        for name, width, height, aliases, path in re.findall(entry, text):
            for one in (name, *map(str, json.loads(aliases))):
                self.shapes[one] = (width, height, path)

    def draw(self, soup: BeautifulSoup) -> None:
        """Put drawings in the place of a page's icons, and drop the script, if all are known."""
        found = [(icon, self._shape(icon)) for icon in soup.select("i[class*=fa-]")]
        if not all(shape for _, shape in found):
            return
        for icon, (width, height, path) in found:
            drawing = soup.new_tag(
                "svg",
                attrs={
                    **{name: value for name, value in icon.attrs.items() if name != "class"},
                    "class": [*icon["class"], "svg-inline--fa"],
                    "viewBox": f"0 0 {width} {height}",
                    "aria-hidden": "true",
                },
            )
            drawing.append(soup.new_tag("path", attrs={"fill": "currentColor", "d": path}))
            icon.replace_with(drawing)
        for element in soup.find_all(["script", "link"]):
            if "fontawesome" in element.get("src", element.get("href", "")):
                element.decompose()

    def _shape(self, icon: Tag) -> tuple[str, str, str] | None:
        names = (match[1] for one in icon["class"] if (match := ICON.match(one)))
        return next((self.shapes[name] for name in names if name in self.shapes), None)
