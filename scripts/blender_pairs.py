"""Draw the same scenes by this library (above) and by Blender (below); needs the extra `blender`.

python scripts/blender_pairs.py                     the figure of the book
python scripts/blender_pairs.py --n 64 --out x.png  more of them
"""

from __future__ import annotations

from pathlib import Path

import click
import torch
from PIL import Image

from misalign.paths import ROOT
from misalign.rendering import causal3dident
from misalign.rendering.blender import blender
from misalign.reporting.images import sheet
from misalign.worlds.causal3dident import latents

FIGURE = ROOT / "book" / "figures" / "blender_pairs.png"
SEED = 5


@click.command(help=__doc__.partition("\n")[0])
@click.option("--n", type=click.IntRange(min=1), default=6, show_default=True)
@click.option("--columns", type=click.IntRange(min=1), default=6, show_default=True)
@click.option("--size", type=click.IntRange(min=1), default=128, show_default=True)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), default=FIGURE)
def main(n: int, columns: int, size: int, out: Path) -> None:
    factors = latents(n, SEED)
    pairs = [draw(factors, size=size) for draw in (causal3dident.render, blender.render)]
    rows = [part for both in zip(*(p.split(columns) for p in pairs), strict=True) for part in both]
    blank = torch.full((-n % columns, 3, size, size), 255, dtype=torch.uint8)
    rows[-2:] = [torch.cat([row, blank]) for row in rows[-2:]]
    Image.fromarray(sheet(torch.cat(rows), columns).numpy()).save(out, optimize=True)


if __name__ == "__main__":
    main()
