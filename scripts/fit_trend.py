"""Fit published accuracies to counts of captions, which `misalign audit` predicts blind spots by.

The points are classes of evaluation sets and the four pretraining sets, ViT-B/16. Names of one word
only, and the larger of the two counts of captions: names of several words are counted by how an
evaluation set spells them, and lemmas miss plurals. `make trend` runs this; a test fails while the
packaged fit says something else than the tables.
"""

import sys

from misalign.audit.trend import TREND, Fit
from misalign.reporting import web


def fitted() -> Fit:
    table = web.observations()
    captions = table[["caption_lemmatized", "caption_lowercased"]].max(axis=1)
    table = table.assign(captions=captions).dropna(subset="captions")
    table = table[~table["concept"].str.contains(" ")]
    sizes = table["pretraining"].map(web.SIZES).astype(float) * 1e6
    sets = list(zip(table["pretraining"], sizes, strict=True))
    return Fit.fit(table["captions"].astype(float), sets, table["accuracy"] / 100)


def main() -> int:
    fitted().write(TREND)
    print(TREND)
    return 0


if __name__ == "__main__":
    sys.exit(main())
