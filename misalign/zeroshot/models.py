"""Models of pictures and text by open_clip, an optional package."""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import torch
from PIL import Image
from torch import Tensor, nn

from misalign.errors import invalid

PROMPTS = ("a photo of a {}.",)
PROMPT = re.compile(r"([^{}]|{{|}})*{}([^{}]|{{|}})*")  # other braces are doubled
AVERAGING = "a concept is the mean of its texts' unit vectors, scaled to length 1"
RANDOM = "none: randomly initialised"
CONTENTS = "a safetensors file or a state dict of tensors alone"


@dataclass(frozen=True, eq=False)
class OpenClip:
    """A model of open_clip with its prompts; see `load`."""

    model: nn.Module  # with `encode_image` and `encode_text`, in evaluation mode
    preprocess: Callable[[Image.Image], Tensor]  # to (3, H, W), in the loader's processes
    tokenizer: Callable[[list[str]], Tensor]
    name: str
    weights: str
    prompts: tuple[str, ...] = PROMPTS
    device: str = "cpu"
    amp: bool = False

    def __post_init__(self) -> None:
        expect_prompts(self.prompts)

    def pictures(self, batch: Tensor) -> Tensor:
        """Unit vectors of preprocessed pictures, (B, 3, H, W): shape (B, d), on the CPU."""
        with torch.inference_mode(), self._autocast():
            return self.model.encode_image(batch.to(self.device), normalize=True).float().cpu()

    def concepts(self, names: Sequence[str]) -> Tensor:
        """Unit vectors of C concepts, see `AVERAGING`: shape (C, d), on the CPU."""
        args = self.model, self.tokenizer, list(names), list(self.prompts)
        with torch.inference_mode(), self._autocast():
            columns = _open_clip().build_zero_shot_classifier(*args, device=self.device)
        return columns.float().T.cpu()

    def describe(self) -> dict[str, object]:
        """What decides the scores, for the record."""
        fields = {name: getattr(self, name) for name in ("weights", "prompts", "device", "amp")}
        packages = ("open_clip_torch", "torchvision", "timm")
        versions = {"torch": torch.__version__} | {name: version(name) for name in packages}
        return {"model": self.name, **fields, "averaging": AVERAGING, "versions": versions}

    def _autocast(self) -> torch.autocast:
        return torch.autocast(torch.device(self.device).type, torch.bfloat16, enabled=self.amp)


def expect_prompts(prompts: Sequence[str]) -> None:
    """Refuse prompts that do not have one ``{}`` for the concept, and none at all."""
    # a format or an attribute would change the name, or read more than it
    bad = [repr(prompt) for prompt in prompts if not PROMPT.fullmatch(prompt)]
    if bad or not prompts:
        raise invalid("prompt", "one {} for the concept", bad[0] if bad else "none")


def load(
    name: str,
    weights: str | None = None,
    *,
    generator: torch.Generator,
    prompts: Sequence[str] = PROMPTS,
    device: str = "cpu",
    amp: bool = False,
) -> OpenClip:
    """Make a model of open_clip, in evaluation mode.

    Checkpoints are read by safetensors, or by torch with ``weights_only``: nothing is unpickled.
    Weights of a tag get the activations they were trained with, ``-quickgelu`` in the name or not.

    Parameters
    ----------
    name : str
        One of ``open_clip.list_models()``, or ``hf-hub:...`` or ``local-dir:...`` with weights.
    weights : str, optional
        A file, or a tag of ``open_clip.list_pretrained()``, which is downloaded if it is not in the
        cache. Without it the model is randomly initialised.
    generator : torch.Generator
        Seeds torch's own one, which draws the random weights and is then put back.
    prompts : sequence of str, optional
        Each with one ``{}`` for the concept.
    device, amp : str, bool, optional
        Where to compute, and whether to do so in bfloat16 where torch thinks that fit.
    """
    expect_prompts(prompts)
    open_clip = _open_clip()
    whole = ":" in name  # brings its weights
    options = {} if whole else _expect_known(open_clip, name, weights)
    if whole and weights:
        raise invalid("pretrained", f"none with {name}, which has its own", weights)
    loads = bool(whole or weights)
    options |= {"pretrained": weights, "require_pretrained": loads, "pretrained_text": False}
    options |= {"device": device, "weights_only": True}
    seed = torch.randint(2**31, (1,), generator=generator).item()
    try:
        with torch.random.fork_rng(devices=[]), contextlib.ExitStack() as after:
            torch.manual_seed(seed)
            # open_clip's lines on the root logger say what the error does
            after.callback(logging.disable, logging.root.manager.disable)
            logging.disable(logging.ERROR)
            model, _, preprocess = open_clip.create_model_and_transforms(name, **options)
            tokenizer = open_clip.get_tokenizer(name)
    # a download and a damaged file may raise nearly anything, in many lines
    except Exception as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        if "weights_only" in str(error):  # torch suggests to unpickle the file
            reason = "other contents"
        what = f"{name} with weights {weights or 'of its own'} ({CONTENTS})" if loads else name
        raise invalid("model", what, reason) from None
    where = _source(weights) if weights else name if whole else RANDOM
    model.eval().requires_grad_(False)
    return OpenClip(model, preprocess, tokenizer, name, where, tuple(prompts), device, amp)


def _open_clip() -> ModuleType:
    try:
        import open_clip
    # a torchvision for another torch raises one of the latter two
    except (ImportError, RuntimeError, AttributeError) as error:
        name, expected = "open_clip", "the extra clip (pip install 'misalign[clip]')"
        got = str(error).partition("\n")[0]
        if "torchvision" in got and not isinstance(error, ImportError):
            number, _, build = torch.__version__.partition("+")
            fix = f"pip uninstall -y torchvision && pip install torch=={number} torchvision"
            if build.startswith(("cpu", "cu", "rocm")):  # else torch is from PyPI
                fix += f" --index-url https://download.pytorch.org/whl/{build}"
            name, expected = "torchvision", f"one that fits torch {torch.__version__} ({fix})"
            got = f"torchvision {version('torchvision')}, which does not ({got})"
        raise invalid(name, expected, got, ImportError) from None
    return open_clip


def _expect_known(open_clip: ModuleType, name: str, weights: str | None) -> dict[str, bool]:
    """Refuse unknown models and weights, and give the options that weights of a tag need."""
    known, key = open_clip.list_models(), name.replace("/", "-")
    if key not in known:
        close = ", ".join(difflib.get_close_matches(name, known) or known[:3])
        raise invalid("model", f"one of open_clip's {len(known)}, such as {close}", name)
    # as in open_clip, a tag goes before a file of its name
    config = open_clip.get_pretrained_cfg(key, weights) if weights else {}
    if weights and not config and not Path(weights).is_file():
        tags = open_clip.list_pretrained_tags_by_model(key)
        raise invalid("pretrained", f"one of {', '.join([*tags, 'a file'])}", weights)
    return {"force_quick_gelu": bool(config.get("quick_gelu"))}


def _source(weights: str) -> str:
    """A tag, or a file with its checksum."""
    if not (path := Path(weights)).is_file():
        return weights
    with path.open("rb") as file:
        return f"{path.name}, sha256 {hashlib.file_digest(file, 'sha256').hexdigest()}"
