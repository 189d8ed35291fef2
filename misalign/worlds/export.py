"""Causal3DIdent as files in the published layout, rendered by this library."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from misalign.errors import check_int, invalid
from misalign.images import layout
from misalign.images.rendered import Render
from misalign.paths import replacing
from misalign.rng import generator_for
from misalign.worlds.captions import TemplateCaptions, is_hue
from misalign.worlds.causal3dident import SEMANTIC, composed, draw, setting
from misalign.worlds.images import BIASES

SETTINGS = [(bias, number) for bias in BIASES for number in range(1, len(SEMANTIC) + 1)]
RENDERERS = ("torch", "blender")
Values = dict[str, Tensor]  # of factors, each of shape (n,)
MADE_OF = "render.json"  # what the folder's files were made of
PARTIAL = re.compile(r"\..+\.\d+\.(png|csv|txt|json)")  # what a killed `replacing` leaves behind


def export(
    folder: Path,
    n: int,
    *,
    seed: int = 0,
    size: int = 128,
    batch: int = 64,
    device: torch.device | str = "cpu",
    renderer: str = "torch",
) -> None:
    """Write Causal3DIdent's pictures, factors, and captions of all 14 settings of Table 10.

    A folder that an earlier call left unfinished is completed: what is there stays, and the end is
    the same byte for byte, given the same kind of device. Bars show progress on a terminal.

    One of fewer pictures gets the rest as a part with streams of its own, since a draw does not
    begin with a smaller one's; ``render.json`` has the sizes of parts, which decide what is drawn.

    Parameters
    ----------
    folder, n : Path, int
        Where to, made if it is missing, and the number of pictures (the paper: 100,000).
    seed : int, optional
        Of factors and captions, each of which has its own stream.
    size, batch, device : int, int, torch.device or str, optional
        Pixels a side, pictures a call of the renderer, and where to render.
    renderer : {"torch", "blender"}, optional
        `misalign.rendering.causal3dident` or `misalign.rendering.blender.blender`.

    Raises
    ------
    ModuleNotFoundError, ValueError
        Without what the renderer needs, before anything is written; if the folder holds something
        else, or the renderer is unknown.
    """
    named = {"n": n, "size": size, "batch": batch}
    n, size, batch = (check_int(name, value, 1) for name, value in named.items())
    render = _renderer(renderer)
    made_of = {"world": "causal3dident", "n": n, "seed": seed, "size": size}
    made_of["device"] = torch.device(device).type
    # the default goes without saying, so that folders begun before there was a choice go on
    sizes = _claim(folder, made_of if renderer == "torch" else made_of | {"renderer": renderer})
    parts = [draw(m, generator=_stream(seed, part, "latents")) for part, m in enumerate(sizes)]
    factors = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
    known = {"z_pos": 0.0} | {name: values.numpy() for name, values in factors.items()}
    columns = layout.COLUMNS.items()  # in the order of the published table
    table = pd.DataFrame({column: known[name] for name, column in columns if name in known})
    _write_table(folder / layout.LATENTS, table)
    moved = {name: values.to(device) for name, values in factors.items()}
    _write_pictures(folder / layout.IMAGES, moved, lambda part: render(part, size=size), batch)
    for bias, number in tqdm(SETTINGS, "captions", unit="setting", disable=None):
        _write_captions(folder, parts, bias, number, seed)


def _renderer(name: str) -> Callable[..., Tensor]:
    """A renderer is loaded by those who render, and they hear at once what it lacks."""
    if name == "torch":
        from misalign.rendering.causal3dident import render
    elif name == "blender":
        from misalign.rendering.blender.blender import expect_installed, render

        expect_installed()
    else:
        raise invalid("renderer", "torch or blender", repr(name))
    return render


def _stream(seed: int, part: int, purpose: str, *which: object) -> torch.Generator:
    """Stream of a part, counted from 0; the first has the seed's own."""
    return generator_for(seed, f"causal3dident {purpose}", *which, *([part] if part else []))


def _claim(folder: Path, made_of: dict[str, object]) -> list[int]:
    """Take an empty folder, or one of no more pictures made of the same: sizes of its parts.

    Partial files are cleared away, and so are tables that are to get more rows.
    """
    note, n, sizes = folder / MADE_OF, made_of["n"], []
    if note.exists():
        try:
            there = dict(json.loads(note.read_text(encoding="utf-8")))
        except (ValueError, TypeError):
            there = {"something": "unreadable"}
        sizes = there.pop("parts", [there.get("n")])
        if there | {"n": n} != made_of or there["n"] not in range(1, n + 1):
            expected = f"an empty folder or one made of {_said(made_of)}"
            raise invalid(str(folder), expected, f"one made of {_said(there)}")
    else:
        files = (file.name for file in folder.glob("*"))
        if there := sorted(name for name in files if not PARTIAL.fullmatch(name)):
            got = f"one with {', '.join(there[:3])}{', ...' if len(there) > 3 else ''}"
            raise invalid(str(folder), f"an empty folder, or one with {MADE_OF}", got)
    for file in folder.rglob(".*"):
        if PARTIAL.fullmatch(file.name):
            file.unlink()
    if sum(sizes) < n:
        for table in folder.glob("*.csv"):
            table.unlink()
        sizes.append(n - sum(sizes))
        told = made_of | ({"parts": sizes} if len(sizes) > 1 else {})
        with replacing(note) as partial:
            partial.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    return sizes


def _said(made_of: dict[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in made_of.items())


def _write_table(path: Path, table: pd.DataFrame) -> None:
    if not path.exists():
        with replacing(path) as partial:
            table.to_csv(partial, index=False, lineterminator="\n")


def _write_pictures(folder: Path, factors: Values, render: Render, batch: int) -> None:
    """Render what is missing; each file is written whole or not at all."""
    n = len(factors["shape"])
    there = {int(file.stem): file for file in folder.glob("*.png") if file.stem.isdecimal()}
    for i, file in there.items():  # of fewer pictures, names have fewer digits
        file.rename(file.with_name(layout.picture_name(i, n)))
    todo = torch.tensor([i for i in range(n) if i not in there], dtype=torch.long)
    with tqdm(total=n, initial=n - len(todo), unit="picture", disable=None) as bar:
        for rows in todo.split(batch) if len(todo) else ():
            pictures = render({name: values[rows] for name, values in factors.items()})
            for row, picture in zip(rows.tolist(), pictures.movedim(1, -1).cpu(), strict=True):
                with replacing(folder / layout.picture_name(row, n)) as partial:
                    Image.fromarray(picture.numpy()).save(partial, format="PNG")
                bar.update()


def _write_captions(folder: Path, parts: list[Values], bias: str, number: int, seed: int) -> None:
    """Perturb, caption, and write both how it is said and, to tell the end, what."""
    text, table = (folder / name for name in layout.captions_paths(bias, number))
    if text.exists() and table.exists():
        return
    captions, tables, lines = composed(setting(bias, number)), [], []
    for part, factors in enumerate(parts):
        generator = _stream(seed, part, "captions", bias, number)
        said, template = captions.sample_content(factors, generator=generator)
        tables.append(_said_table(captions, said, template))
        lines += captions.captioner.text(said, template)
    with replacing(text) as partial:
        partial.write_text("\n".join(lines), encoding="utf-8")
    _write_table(table, pd.concat(tables))


def _said_table(captions: TemplateCaptions, said: Values, template: Tensor) -> pd.DataFrame:
    columns = {}
    for factor in captions.selected:
        name, values = factor.name, said[factor.name]
        if is_hue(factor):
            hue, place = layout.HUES[name], captions.captioner.word_of(name, values).numpy()
            words = np.array(captions.captioner.wordings[name].words)
            columns |= {f"{hue}_name": words[place], f"{hue}_index": place}
        else:
            columns[layout.COLUMNS[name]] = values.numpy()
    return pd.DataFrame(columns | {layout.PHRASE: template.numpy()})
