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
from misalign.images.layout import (
    COLUMNS,
    HUES,
    IMAGES,
    LATENTS,
    PHRASE,
    captions_paths,
    picture_name,
)
from misalign.images.rendered import Render
from misalign.paths import replacing
from misalign.rng import generator_for
from misalign.worlds.captions import TemplateCaptions, is_hue
from misalign.worlds.causal3dident import SEMANTIC, composed, latents, setting
from misalign.worlds.images import BIASES

SETTINGS = [(bias, number) for bias in BIASES for number in range(1, len(SEMANTIC) + 1)]
RENDERERS = ("torch", "blender")
MADE_OF = "render.json"  # what the folder's files were made of
PARTIAL = re.compile(r"\..+\.\d+\.(png|csv|txt|json)")  # what a killed `replacing` leaves behind
# of the published table, in its order; the depth is constant
TABLE = (
    *("shape", "x_pos", "y_pos", "z_pos", "alpha", "beta", "gamma"),
    *("color", "s_pos", "s_color", "b_color"),
)


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

    Parameters
    ----------
    folder : Path
        Where to; made if it is missing.
    n : int
        Number of pictures (the paper: 100,000).
    seed : int, optional
        Of factors and captions, each of which has its own stream.
    size : int, optional
        Pixels a side.
    batch : int, optional
        Pictures a call of the renderer.
    device : torch.device or str, optional
        Where to render.
    renderer : {"torch", "blender"}, optional
        `misalign.rendering.causal3dident` or `misalign.rendering.blender.blender`.

    Raises
    ------
    ModuleNotFoundError
        Without what the renderer needs, before anything is written.
    ValueError
        If the folder holds something else, or the renderer is unknown.
    """
    named = {"n": n, "size": size, "batch": batch}
    n, size, batch = (check_int(name, value, 1) for name, value in named.items())
    render = _renderer(renderer)
    made_of = {"world": "causal3dident", "n": n, "seed": seed, "size": size}
    made_of["device"] = torch.device(device).type
    # the default goes without saying, so that folders begun before there was a choice go on
    _claim(folder, made_of if renderer == "torch" else made_of | {"renderer": renderer})
    factors = latents(n, seed)
    _write_table(folder / LATENTS, _latents_table(factors))
    moved = {name: values.to(device) for name, values in factors.items()}
    _write_pictures(folder / IMAGES, moved, lambda part: render(part, size=size), batch)
    for bias, number in tqdm(SETTINGS, "captions", unit="setting", disable=None):
        _write_captions(folder, factors, bias, number, seed)


def _renderer(name: str) -> Callable[..., Tensor]:
    """A renderer is loaded by those who render, and they hear at once what it lacks."""
    if name not in RENDERERS:
        raise invalid("renderer", " or ".join(RENDERERS), repr(name))
    if name == "torch":
        from misalign.rendering.causal3dident import render
    else:
        from misalign.rendering.blender.blender import expect_installed, render

        expect_installed()
    return render


def _claim(folder: Path, made_of: dict[str, object]) -> None:
    """Take an empty folder, or one whose files are made of the same; clear away partial files."""
    note = folder / MADE_OF
    if note.exists():
        try:
            there = json.loads(note.read_text(encoding="utf-8"))
        except ValueError:
            there = "something unreadable"
        if there != made_of:
            expected = f"an empty folder or one made of {_said(made_of)}"
            raise invalid(str(folder), expected, f"one made of {_said(there)}")
    else:
        files = folder.iterdir() if folder.is_dir() else ()
        there = sorted(file.name for file in files if not PARTIAL.fullmatch(file.name))
        if there:
            got = f"one with {', '.join(there[:3])}{', ...' if len(there) > 3 else ''}"
            raise invalid(str(folder), f"an empty folder, or one with {MADE_OF}", got)
        with replacing(note) as partial:
            partial.write_text(json.dumps(made_of, indent=2) + "\n", encoding="utf-8")
    for file in folder.rglob(".*"):
        if PARTIAL.fullmatch(file.name):
            file.unlink()


def _said(made_of: object) -> str:
    if not isinstance(made_of, dict):
        return str(made_of)
    return ", ".join(f"{name} {value}" for name, value in made_of.items())


def _latents_table(factors: dict[str, Tensor]) -> pd.DataFrame:
    table = {name: values.numpy() for name, values in factors.items()}
    table["z_pos"] = np.zeros(len(table["shape"]))
    return pd.DataFrame({COLUMNS[name]: table[name] for name in TABLE})


def _write_table(path: Path, table: pd.DataFrame) -> None:
    if not path.exists():
        with replacing(path) as partial:
            table.to_csv(partial, index=False, lineterminator="\n")


def _write_pictures(folder: Path, factors: dict[str, Tensor], render: Render, batch: int) -> None:
    """Render what is missing; each file is written whole or not at all."""
    n = len(factors["shape"])
    names = [picture_name(i, n) for i in range(n)]
    there = {file.name for file in folder.glob("*.png")}
    todo = torch.tensor([i for i, name in enumerate(names) if name not in there], dtype=torch.long)
    with tqdm(total=n, initial=n - len(todo), unit="picture", disable=None) as bar:
        for rows in todo.split(batch) if len(todo) else ():
            pictures = render({name: values[rows] for name, values in factors.items()})
            for row, picture in zip(rows.tolist(), pictures.movedim(1, -1).cpu(), strict=True):
                with replacing(folder / names[row]) as partial:
                    Image.fromarray(picture.numpy()).save(partial, format="PNG")
                bar.update()


def _write_captions(
    folder: Path, factors: dict[str, Tensor], bias: str, number: int, seed: int
) -> None:
    """Perturb, caption, and write both what is said and how."""
    text, table = (folder / name for name in captions_paths(bias, number))
    if text.exists() and table.exists():
        return
    captions = composed(setting(bias, number))
    generator = generator_for(seed, "causal3dident captions", bias, number)
    said, template = captions.sample_content(factors, generator=generator)
    _write_table(table, _said_table(captions, said, template))
    with replacing(text) as partial:
        partial.write_text("\n".join(captions.captioner.text(said, template)), encoding="utf-8")


def _said_table(
    captions: TemplateCaptions, said: dict[str, Tensor], template: Tensor
) -> pd.DataFrame:
    columns = {}
    for factor in captions.selected:
        name, values = factor.name, said[factor.name]
        if is_hue(factor):
            place = captions.captioner.word_of(name, values).numpy()
            words = np.array(captions.captioner.wordings[name].words)
            columns |= {f"{HUES[name]}_name": words[place], f"{HUES[name]}_index": place}
        else:
            columns[COLUMNS[name]] = values.numpy()
    return pd.DataFrame(columns | {PHRASE: template.numpy()})
