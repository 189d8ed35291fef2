"""Selection and perturbation bias: which semantics a caption omits, and which it distorts.

Index sets are 1-based, as in the paper, and both biases are numbered in graded lexicographic
order: smaller sets first, then by their elements (footnotes 2 and 3; Clarification B.2).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import comb
from numbers import Integral, Real

from misalign.errors import check_int, invalid

SETTINGS = ("selection", "perturbation", "joint")
KINDS = ("noise", "uniform", "other")


def subset_rank(subset: Iterable[int], n: int) -> int:
    """Place of a subset of {1, ..., n} in graded lexicographic order, the empty set being 0.

    Counted with binomial coefficients, so n = 40 costs no more than n = 10.

    Examples
    --------
    >>> [subset_rank(subset, 3) for subset in [(), (3,), (1, 2)]]
    [0, 3, 4]
    """
    elements = sorted(check_int("subset", element, 1, n) for element in subset)
    rank = sum(comb(n, size) for size in range(len(elements)))
    previous = 0
    for left, element in zip(range(len(elements), 0, -1), elements, strict=True):
        # every set that agrees so far and goes on with a smaller element comes before this one
        rank += sum(comb(n - skipped, left - 1) for skipped in range(previous + 1, element))
        previous = element
    return rank


def subset_at(rank: int, n: int) -> tuple[int, ...]:
    """Inverse of `subset_rank`: the subset of {1, ..., n} at a place in graded lexicographic order.

    Examples
    --------
    >>> [subset_at(rank, 3) for rank in range(5)]
    [(), (1,), (2,), (3,), (1, 2)]
    """
    rank, size = check_int("rank", rank, 0, 2**n - 1), 0
    while rank >= comb(n, size):
        rank -= comb(n, size)
        size += 1
    elements: list[int] = []
    candidate = 1
    while len(elements) < size:
        following = comb(n - candidate, size - len(elements) - 1)
        if rank < following:
            elements.append(candidate)
        else:
            rank -= following
        candidate += 1
    return tuple(elements)


@dataclass(frozen=True)
class Bias:
    """What captions do to n semantic factors (Definitions 3.1 and 3.2).

    Parameters
    ----------
    n : int
        Number of semantic factors, n_s.
    selected : iterable of int
        I_theta, the factors that captions mention; not empty, within {1, ..., n}.
    perturbed : iterable of int, optional
        I_rho, the factors that captions may get wrong; a proper subset of `selected`.
    probability : float, optional
        Chance that a caption perturbs a given factor of `perturbed` (the paper: 0.75 in the
        numerical study, App. C.1).
    kind : {"noise", "uniform", "other"}, optional
        What a perturbed factor's value becomes in the caption: itself with noise added (App. C.1),
        a fresh draw that may hit the old value again, or any other value but the old one (the
        words of App. D.1 and E.1 allow either of the last two; the authors' code has the first of
        them).
    omission_probability : float or sequence of float, optional
        Chance that a caption leaves the last selected factor out (App. G.1): a number, missing
        completely at random, or one for each value of that factor, missing not at random.

    Raises
    ------
    ValueError
        If a set is empty, out of range, or not nested as above; the message names the culprit.

    Examples
    --------
    Example 3.1 of the paper, with shape, size, color numbered 1, 2, 3:

    >>> bias = Bias.from_indices(n=3, theta=5, rho=3)
    >>> bias.selected, bias.omitted, bias.perturbed, bias.unbiased
    ((1, 3), (2,), (3,), (1,))
    """

    n: int
    selected: tuple[int, ...]
    perturbed: tuple[int, ...] = ()
    probability: float = 0.75
    kind: str = "noise"
    omission_probability: float | tuple[float, ...] = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "n", check_int("n", self.n, 1))
        for name in ("selected", "perturbed"):
            object.__setattr__(self, name, _index_set(name, getattr(self, name), self.n))
        if not self.selected:
            raise invalid("selected", "a non-empty index set I_theta (Definition 3.1)", "none")
        stray = [i for i in self.perturbed if i not in self.selected]
        if stray:
            raise invalid("perturbed", f"indices within I_theta = {self.selected}", stray)
        if self.perturbed == self.selected:
            proper = "a proper subset I_rho of I_theta: something stays unbiased (Definition 3.2)"
            raise invalid("perturbed", proper, f"all of it, {self.perturbed}")
        if not (_is_share(self.probability) and self.probability):
            raise invalid("probability", "a number in (0, 1]", self.probability)
        if self.kind not in KINDS:
            raise invalid("kind", f"one of {', '.join(map(repr, KINDS))}", repr(self.kind))
        chances = self.omission_probability
        each = tuple(chances) if isinstance(chances, Iterable) else (chances,)
        if not (each and all(map(_is_share, each))):
            expected = "a number in [0, 1], or one for each value of the last selected factor"
            raise invalid("omission_probability", expected, repr(chances))
        # plain numbers: they are hashed, compared and written out
        object.__setattr__(self, "probability", float(self.probability))
        plain = tuple(map(float, each)) if isinstance(chances, Iterable) else float(chances)
        object.__setattr__(self, "omission_probability", plain)

    @property
    def omitted(self) -> tuple[int, ...]:
        """I_theta^c, the factors that captions leave out."""
        return tuple(i for i in range(1, self.n + 1) if i not in self.selected)

    @property
    def unbiased(self) -> tuple[int, ...]:
        """I_rho^c = I_theta without I_rho: what Theorem 4.1 says is learned."""
        return tuple(i for i in self.selected if i not in self.perturbed)

    @property
    def theta(self) -> int:
        """Selection bias theta in {1, ..., 2**n - 1}: the rank of I_theta among non-empty sets."""
        return subset_rank(self.selected, self.n)

    @property
    def rho(self) -> int:
        """Perturbation bias rho in {1, ..., 2**|I_theta| - 1}; 1 is the empty set."""
        places = [self.selected.index(i) + 1 for i in self.perturbed]
        return subset_rank(places, len(self.selected)) + 1

    @classmethod
    def from_indices(cls, n: int, theta: int, rho: int = 1, **options: object) -> Bias:
        """Read theta and rho back into index sets; a ValueError for one out of its range.

        Of n semantic factors theta is in {1, ..., 2**n - 1}, rho in {1, ..., 2**|I_theta| - 1},
        where 1 is the empty set; options are `probability`, `kind` and `omission_probability`.
        """
        n = check_int("n", n, 1)
        selected = subset_at(check_int("theta", theta, 1, 2**n - 1), n)
        rho = check_int("rho", rho, 1, 2 ** len(selected) - 1)
        perturbed = tuple(selected[i - 1] for i in subset_at(rho - 1, len(selected)))
        return cls(n, selected, perturbed, **options)

    @classmethod
    def numerical(cls, bias: str, setting: int) -> Bias:
        """One of the numerical study's settings (Tables 2, 3 and 5); a ValueError for another.

        Parameters
        ----------
        bias : {"selection", "perturbation", "joint"}
            ``selection``: I_theta = {1, ..., setting} (Table 2). ``perturbation``: everything
            selected, I_rho = {1, ..., setting - 1} (Table 3). ``joint``: I_theta = [8],
            I_rho = {1, 2} (Table 5; its rho is 10, not the printed 12).
        setting : int
            1-based column of the table.

        Examples
        --------
        >>> Bias.numerical("perturbation", 3).perturbed
        (1, 2)
        """
        if bias not in SETTINGS:
            raise invalid("bias", f"one of {', '.join(SETTINGS)}", repr(bias))
        last, table = {"selection": (10, 2), "perturbation": (10, 3), "joint": (1, 5)}[bias]
        setting = check_int("setting", setting, 1, last, f"{bias} bias (Table {table})")
        if bias == "selection":
            return cls(10, tuple(range(1, setting + 1)))
        if bias == "perturbation":
            return cls(10, tuple(range(1, 11)), tuple(range(1, setting)))
        return cls(10, tuple(range(1, 9)), (1, 2))


def _index_set(name: str, elements: Iterable[int], n: int) -> tuple[int, ...]:
    """Sorted plain ints without repeats; a ValueError for one outside {1, ..., n}."""
    if not isinstance(elements, Iterable):
        raise invalid(name, "an index set", repr(elements))
    elements = list(elements)
    whole = [isinstance(i, Integral) and not isinstance(i, bool) for i in elements]
    stray = [i for i, fits in zip(elements, whole, strict=True) if not (fits and 1 <= i <= n)]
    if stray:
        raise invalid(name, f"indices from 1 to {n}", stray)
    return tuple(sorted(set(map(int, elements))))


def _is_share(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and 0 <= value <= 1
