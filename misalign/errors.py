"""One form for every complaint about an argument: its name, what was expected, what came."""

from __future__ import annotations

from numbers import Integral


def invalid(
    name: str, expected: str, got: object, error: type[Exception] = ValueError
) -> Exception:
    """Make a one-line error, "NAME: expected EXPECTED, got GOT", for the caller to raise.

    Examples
    --------
    >>> raise invalid("tau", "a temperature above 0", -1)
    Traceback (most recent call last):
    ValueError: tau: expected a temperature above 0, got -1
    """
    return error(f"{name}: expected {expected}, got {got}")


def check_int(name: str, value: object, least: int, most: int | None = None, of: str = "") -> int:
    """Return a whole number within bounds as an int, numpy's integers included.

    Bounds are included, and belong to something, `of`; True and False are no numbers. All else is a
    ValueError, as `invalid` words it.
    """
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if whole and value >= least and (most is None or value <= most):
        return int(value)
    bounds = f"of at least {least}" if most is None else f"from {least} to {most}"
    raise invalid(name, f"a whole number {bounds}{f' for {of}' if of else ''}", repr(value))
