"""Zero-shot scores of models of pictures and text, by group of concepts (the slides)."""

from misalign.zeroshot.evaluate import evaluate
from misalign.zeroshot.folder import Group, Labelled, read_folder
from misalign.zeroshot.models import Model, OpenClip, load
from misalign.zeroshot.result import Zeroshot

__all__ = ["Group", "Labelled", "Model", "OpenClip", "Zeroshot", "evaluate", "load", "read_folder"]
