"""Captions: templates, content words, color names, tokens, vocabulary (Tables 6 to 11)."""

from misalign.captions.captioner import Captioner
from misalign.captions.lines import read_lines
from misalign.captions.templates import sentences, settings
from misalign.captions.vocabulary import Vocabulary, tokenize
from misalign.captions.wording import Wording

__all__ = [
    "Captioner",
    "Vocabulary",
    "Wording",
    "read_lines",
    "sentences",
    "settings",
    "tokenize",
]
