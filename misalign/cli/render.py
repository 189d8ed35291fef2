"""``misalign render``: pictures in the layout of the published files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from misalign.cli.options import COUNT, FOLDER, expect_device


@click.command()
@click.argument("world", type=click.Choice(["causal3dident"]))
@click.option("--n", type=COUNT, default=100_000, show_default=True, help="Number of pictures.")
@click.option("--out", type=FOLDER, required=True, help="Folder to write to, or to complete.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of factors and captions.")
@click.option("--size", type=COUNT, default=128, show_default=True, help="Pixels a side.")
@click.option("--batch", type=COUNT, default=64, show_default=True, help="Pictures at a time.")
@click.option("--device", default="cpu", show_default=True, help="Where to render.")
@click.option(
    "--renderer",
    type=click.Choice(["torch", "blender"]),
    default="torch",
    show_default=True,
    help="This library's own, or Cycles by the package bpy, which is there for Python 3.11 alone.",
)
def render(world: str, n: int, out: Path, device: str, **options: Any) -> None:
    """Write a WORLD's pictures, factors and captions in the layout of the published files."""
    from misalign.worlds.export import SETTINGS, export

    expect_device(device)
    if options["renderer"] == "blender" and device != "cpu":
        raise click.UsageError("--device does not go with --renderer blender: it uses the CPU")
    try:
        export(out, n, device=device, **options)
    except (ValueError, OSError, ImportError) as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"{world}: {n:,} pictures and {len(SETTINGS)} sets of captions in {out}")
