"""Fit published accuracies to counts of captions, which `misalign audit` predicts blind spots by.

The points are classes of evaluation sets and the four pretraining sets, ViT-B/16. A count of 0 is
left out: most are of the counting, not of the captions. `make trend` runs this; a test fails while
the packaged fit says something else than the tables.
"""

import sys

from misalign.audit.trend import TREND, Fit
from misalign.reporting import web


def fitted() -> Fit:
    table = web.observations()
    table = table[table["caption_lemmatized"].fillna(0) > 0]
    sizes = table["pretraining"].map(web.SIZES).astype(float) * 1e6
    sets = list(zip(table["pretraining"], sizes, strict=True))
    return Fit.fit(table["caption_lemmatized"].astype(float), sets, table["accuracy"] / 100)


def main() -> int:
    fitted().write(TREND)
    print(TREND)
    return 0


if __name__ == "__main__":
    sys.exit(main())
