"""A hundred thousand captions, as tokens and as text, against NLTK on the same strings."""

import pytest
import torch

from misalign.captions.captioner import Captioner
from misalign.captions.vocabulary import tokenize
from misalign.rng import generator_for

CAPTIONS = 100_000
BAR = 5  # seconds
SAMPLE = 2000  # captions that NLTK gets; its seconds are for these


def drawn(captions):
    """Values of every factor, and a sentence for each caption."""
    values = {}
    for factor, wording in captions.wordings.items():
        generator = generator_for(0, factor)
        values[factor] = (
            torch.rand(CAPTIONS, generator=generator)
            if wording.continuous
            else torch.randint(len(wording.words), (CAPTIONS,), generator=generator)
        )
    template = torch.randint(
        len(captions.templates), (CAPTIONS,), generator=generator_for(0, "template")
    )
    return values, template


@pytest.mark.parametrize("what", ["tokens", "text"])
@pytest.mark.parametrize("world", ["mpi3d", "causal3dident"])
def bench_captions(benchmark, race, world, what):
    captions = Captioner(world)
    values, template = drawn(captions)
    texts = captions.text(values, template)
    whole = captions.vocabulary.encode(texts[:SAMPLE], captions.length)
    assert torch.equal(captions.tokens(values, template)[:SAMPLE], whole)
    benchmark.extra_info |= {"captions": CAPTIONS, "nltk_captions": SAMPLE}
    race(
        lambda: getattr(captions, what)(values, template),
        {"nltk": lambda: list(map(tokenize, texts[:SAMPLE]))},
        rounds=5,
    )
    assert benchmark.stats.stats.min < BAR
