"""A world of pictures and captions; MPI3D-Complex and Causal3DIdent differ in their factors."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from misalign.bias import Bias
from misalign.errors import check_int, invalid
from misalign.images.base import Images
from misalign.worlds.base import Batch, Factor
from misalign.worlds.captions import Captions

BIASES = ("selection", "perturbation")


def nested_settings(n: int, bias: str, setting: int, table: int, **options: float | str) -> Bias:
    """Settings that grow by a factor at a time (Tables 7 and 10); `options` as in `Bias`.

    ``"selection"``: I_theta = {1, ..., setting}. ``"perturbation"``: everything selected, I_rho the
    last setting - 1 factors.
    """
    if bias not in BIASES:
        raise invalid("bias", f"one of {', '.join(BIASES)}", repr(bias))
    setting = check_int("setting", setting, 1, n, f"{bias} bias (Table {table})")
    if bias == "selection":
        return Bias(n, tuple(range(1, setting + 1)), **options)
    return Bias(n, tuple(range(1, n + 1)), tuple(range(n - setting + 2, n + 1)), **options)


@dataclass(frozen=True, eq=False)
class ImageWorld:
    """Image-text pairs of pictures whose factors are known.

    A pair's picture is drawn with replacement from a part of the pictures; its caption is drawn or
    looked up for this pair.

    Parameters
    ----------
    known : tuple of Factor
        Factors of the pictures: semantic ones in the order of the bias's indices, then those that
        are specific to images. A ValueError if the pictures lack one.
    pictures, captions : Images, Captions
        The source, and what is said of its pictures.
    part : Tensor, optional
        Indices of the pictures to draw from, int64, such as a part of `misalign.images.base.split`;
        by default all.
    """

    known: tuple[Factor, ...]
    pictures: Images
    captions: Captions
    part: Tensor | None = None

    def __post_init__(self) -> None:
        names = [factor.name for factor in self.known]
        missing = [name for name in names if name not in self.pictures.factors]
        if missing:
            expected = f"ones whose factors are {', '.join(names)}"
            raise invalid("pictures", expected, f"none for {', '.join(missing)}")
        n = len(self.pictures)
        if self.part is None:
            object.__setattr__(self, "part", torch.arange(n, device=self._table.device))
        if not len(self.part):
            raise invalid("part", "at least one picture", "none")
        low, high = self.part.min().item(), self.part.max().item()
        if low < 0 or high >= n:
            raise invalid("part", f"indices from 0 to {n - 1}", f"ones from {low} to {high}")

    @property
    def bias(self) -> Bias:
        """What captions omit and perturb."""
        return self.captions.bias

    @property
    def factors(self) -> tuple[Factor, ...]:
        """Semantic factors, those specific to images, and `phrase`, the template m_t."""
        return (*self.known, Factor("phrase", "discrete", self.captions.templates, "text"))

    @property
    def _table(self) -> Tensor:
        return self.pictures.factors[self.known[0].name]

    def to(self, device: torch.device | str) -> ImageWorld:
        """Move tables, and pictures that are kept in memory, to a device."""
        parts = {name: getattr(self, name).to(device) for name in ("pictures", "captions", "part")}
        return replace(self, **parts)

    def sample(
        self, n: int, *, generator: torch.Generator, device: torch.device | str = "cpu"
    ) -> Batch:
        """Draw n pairs: pictures with replacement, captions as in `pairs`."""
        here = self._table.device
        if here.type != torch.device(device).type:
            raise invalid("device", f"the world's own, {here} (move it with `to`)", device)
        chosen = torch.randint(len(self.part), (n,), generator=generator, device=here)
        return self.pairs(self.part[chosen], generator=generator)

    def pairs(self, rows: Tensor, *, generator: torch.Generator) -> Batch:
        """Caption given pictures, by their indices, (n,), such as every one of a part once.

        The batch has `image` in [0, 1], float32, shape (n, 3, H, W); `text` of tokens, int64, shape
        (n, length); factors of shape (n, 1), int64 where discrete; `text_factors` of what is said,
        a color by its word, and `content` of the hues that were put into words.
        """
        values = {factor.name: self.pictures.factors[factor.name][rows] for factor in self.known}
        tokens, said, template, content = self.captions.caption(rows, values, generator=generator)
        columns = [
            {name: column[:, None] for name, column in table.items()}
            for table in (values | {"phrase": template}, said, content)
        ]
        return Batch(self.seen(rows, values), tokens, *columns)

    def seen(self, rows: Tensor, values: dict[str, Tensor]) -> Tensor:
        """What the picture's encoder is given, by indices and by factors, each (n,)."""
        return self.pictures.images(rows).to(self._table.device).float().div_(255)
