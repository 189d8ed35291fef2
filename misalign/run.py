"""A `Run`: everything that decides a result, and nothing else."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

from misalign.errors import expect, expect_whole
from misalign.scales import Scale
from misalign.studies import Study, study

CONTROLS = ("untrained", "raw")  # variants that are not trained


@dataclass(frozen=True, kw_only=True)
class Run:
    """Everything that decides a result.

    Parameters
    ----------
    experiment : str, optional
        Which study, such as ``"numerical"`` or ``"mpi3d"``, see `misalign.studies`; it decides what
        the other fields may be.
    scale : str, optional
        How much compute: ``"smoke"``, ``"laptop"``, or another of the study's.
    variant : str, optional
        "", the paper's set-up, or one of the study's, such as ``"untrained"``: encoders left as
        initialised.
    latents : str, optional
        What depends on what, such as ``"independent"``, ``"dependent"`` or ``"graph"``.
    bias : str, optional
        Which table of settings, such as ``"selection"`` or ``"perturbation"``.
    setting : int, optional
        1-based column of that table.
    seed : int, optional
        Decides world, training and probes.
    encoding_size : int, optional
        Width of the representations; by default the number of unbiased factors.

    Raises
    ------
    ValueError
        For any value outside the above; the message names the field.
    """

    experiment: str = "numerical"
    scale: str = "laptop"
    variant: str = ""
    latents: str = "independent"
    bias: str = "selection"
    setting: int = 1
    seed: int = 0
    encoding_size: int | None = None

    def __post_init__(self) -> None:
        ours = study(self.experiment)
        for name, known in (("variant", ours.variants), ("latents", ours.latents)):
            value = getattr(self, name)
            listed = ", ".join(map(repr, known))
            expect(value in known, name, f"one of {listed}", repr(value))
        expect(isinstance(self.scale, str), "scale", "one name", repr(self.scale))
        scales = ", ".join(ours.scales)
        expect(self.scale in ours.scales, "scale", f"one of {scales}", repr(self.scale))
        expect_whole("seed", self.seed, 0)
        unbiased = ours.bias(self.bias, self.setting).unbiased
        if self.encoding_size is None:
            object.__setattr__(self, "encoding_size", len(unbiased))
        expect_whole("encoding_size", self.encoding_size, 1)

    @property
    def study(self) -> Study:
        """What the run is a run of."""
        return study(self.experiment)

    @property
    def budget(self) -> Scale:
        """What the run's scale decides in its study."""
        return self.study.scales[self.scale]

    @property
    def trains(self) -> bool:
        """Whether the run's encoders are trained; those of a control are not."""
        return self.variant not in CONTROLS

    @property
    def parameters(self) -> str:
        """The fields as JSON, keys sorted."""
        return json.dumps(asdict(self), sort_keys=True)

    @property
    def id(self) -> str:
        """Hash of the fields, 12 characters."""
        return hashlib.sha256(self.parameters.encode()).hexdigest()[:12]

    @classmethod
    def grid(cls, **axes: object) -> list[Run]:
        """Every combination of the values given for each field.

        Parameters
        ----------
        **axes
            Fields of a run; a list makes an axis of several values.

        Returns
        -------
        list of Run
            The last axis varies fastest.

        Raises
        ------
        ValueError
            For an unknown field, an empty axis, or a value that `Run` refuses.
        """
        known = [field.name for field in fields(cls)]
        unknown = [name for name in axes if name not in known]
        expect(not unknown, "parameters", f"some of {', '.join(known)}", ", ".join(unknown))
        for name, values in axes.items():
            expect(values != [], name, "at least one value", "an empty list")
        values = [axis if isinstance(axis, list) else [axis] for axis in axes.values()]
        return [cls(**dict(zip(axes, point, strict=True))) for point in itertools.product(*values)]

    @classmethod
    def from_notebook(cls, names: Mapping[str, object]) -> list[Run]:
        """Read the runs that the parameters cell of a notebook names.

        papermill sets any name that it is given and only logs one that the notebook does not
        know, so every value in the notebook's name space that papermill could have set must be a
        field of `Run`.

        Parameters
        ----------
        names : mapping
            ``globals()`` right after the parameters cell, before anything else is assigned.

        Returns
        -------
        list of Run

        Raises
        ------
        ValueError
            As in `grid`.
        """
        plain = bool | int | float | str | list | tuple | dict | None
        axes = {
            name: value
            for name, value in names.items()
            if isinstance(value, plain)
            and not name.startswith("_")
            and name not in ("In", "Out", "record")
        }
        return cls.grid(**axes)
