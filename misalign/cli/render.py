"""``misalign render``: pictures in the layout of the published files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from misalign.cli.options import COUNT, FOLDER, expect_device, one_line


@click.command(context_settings={"show_default": True})
@click.argument("world", type=click.Choice(["causal3dident"]))
@click.option("--n", type=COUNT, default=100_000, help="Pictures; a folder of fewer gets the rest.")
@click.option("--out", type=FOLDER, required=True, help="Folder to write to, or to complete.")
@click.option("--seed", type=int, default=0, help="Of factors and captions.")
@click.option("--size", type=COUNT, default=128, help="Pixels a side.")
@click.option("--batch", type=COUNT, default=64, help="Pictures at a time.")
@click.option("--device", default="cpu", help="Where to render.")
@click.option(
    "--renderer",
    type=click.Choice(["torch", "blender"]),
    default="torch",
    help="This library's own, or Cycles by the package bpy, which is there for Python 3.11 alone.",
)
def render(world: str, n: int, out: Path, device: str, **options: Any) -> None:
    """Write a WORLD's pictures, factors and captions in the layout of the published files."""
    from misalign.paths import expect_writable
    from misalign.worlds.export import SETTINGS, export

    expect_device(device)
    if options["renderer"] == "blender" and device != "cpu":
        raise click.UsageError("--device does not go with --renderer blender: it uses the CPU")
    with one_line():
        for part in ("images", "text"):  # where there is none yet, the folder above is tried
            expect_writable("out", out / part)
        export(out, n, device=device, **options)
    click.echo(f"{world}: {n:,} pictures and {len(SETTINGS)} sets of captions in {out}")
