"""Write the concepts for the page that counts them in a browser: `book/concepts.html`.

It holds no more than names, groups and terms. A test fails while it says something else than
`misalign/data/concepts.yml`.
"""

import json

from misalign.coverage.taxonomy import Taxonomy
from misalign.paths import ROOT

PAGE = ROOT / "book" / "concepts.html"


def content() -> str:
    """A script element of JSON: it is read, not executed."""
    concepts = []
    for one in Taxonomy.read().concepts:
        entry = {"name": one.name, "group": one.group, "terms": one.terms}
        concepts.append(entry | ({"excluded": one.excluded} if one.excluded else {}))
    data = json.dumps(concepts, separators=(",", ":"))
    return f'<script type="application/json" id="concepts-data">{data}</script>\n'


if __name__ == "__main__":
    PAGE.write_text(content(), encoding="utf-8")
