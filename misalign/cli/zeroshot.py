"""``misalign zeroshot``: macro-F1 of a model of pictures and text, by group of concepts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from misalign.cli.options import COUNT, FOLDER, expect_device


@click.command(context_settings={"show_default": True})
@click.argument("folder", type=FOLDER)
@click.option("--model", required=True, help="Of open_clip, such as ViT-B-32 or hf-hub:ORG/REPO.")
@click.option("--pretrained", help="Its weights, a tag or a file [default: random ones].")
@click.option(
    "--prompt",
    "prompts",
    multiple=True,
    help='What a concept is put into, such as "a drawing of a {}."; repeatable: a concept is then '
    'the mean of its texts\' unit vectors, scaled to length 1 [default: "a photo of a {}." alone; '
    "published numbers use ensembles of prompts].",
)
@click.option("--group", "groups", multiple=True, help="Score this group only; repeatable.")
@click.option("--out", type=FOLDER, required=True, help="New or empty folder for the tables.")
@click.option("--batch", type=COUNT, default=64, help="Pictures at a time.")
@click.option("--workers", type=click.IntRange(0), default=0, help="Processes that read.")
@click.option("--device", default="cpu", help="Where to compute.")
@click.option("--amp", is_flag=True, help="Compute in bfloat16 where that is fit.")
@click.option("--seed", type=int, default=0, help="Of random weights.")
@click.option(
    "--sensitive",
    is_flag=True,
    help="Score the groups Stereotype and Trait, too. Such labels harm people they are put on.",
)
@click.pass_context
def zeroshot(context: click.Context, folder: Path, model: str, out: Path, **options: Any) -> None:
    """Score a model on FOLDER's pictures: category/group/concept/*.jpg (or jpeg, png, webp).

    Every picture is taken for the concept of its group whose text is nearest. A group's score is
    the mean F1 of its concepts, beside that of permuted labels. A picture that cannot be read is
    named and left out; the others are scored all the same, and the exit status is 1.
    """
    from misalign.reporting.zeroshot_plots import confusion_matrix
    from misalign.rng import generator_for
    from misalign.zeroshot.evaluate import evaluate, expect_new
    from misalign.zeroshot.folder import read_folder
    from misalign.zeroshot.models import PROMPTS, RANDOM, load

    expect_device(options["device"])
    generator = generator_for(options["seed"], "weights")
    encoding = {name: options[name] for name in ("device", "amp")}
    encoding["prompts"] = options["prompts"] or PROMPTS
    try:
        expect_new(out)
        labelled = read_folder(folder, options["groups"], sensitive=options["sensitive"])
        loaded = load(model, options["pretrained"], generator=generator, **encoding)
        result = evaluate(labelled, loaded, batch=options["batch"], workers=options["workers"])
        result.save(out, confusion_matrix)
    except (ValueError, OSError, ImportError, RuntimeError) as error:
        raise click.ClickException(str(error).partition("\n")[0]) from None
    settings, groups = result.settings, result.groups
    click.echo(f"{settings['model']}, weights {settings['weights']}")
    click.echo(f"prompts: {'; '.join(settings['prompts'])} ({settings['averaging']})")
    click.echo(groups.to_string(index=False, float_format="{:.3f}".format, na_rep="-"))
    if settings["weights"] == RANDOM:
        click.echo("RANDOM WEIGHTS: these scores say nothing (see --pretrained)", err=True)
    unreadable = [f"unreadable: {': '.join(row)}" for row in result.unreadable.values]
    for line in (*result.notes, *unreadable):
        click.echo(line, err=True)
    scored, lost = groups[["images", "unreadable"]].sum()
    click.echo(f"{scored:,} pictures scored, {lost:,} unreadable; tables in {out}")
    context.exit(1 if len(result.unreadable) else 0)
