"""One form for every complaint about an argument: its name, what was expected, what came."""

from __future__ import annotations

from numbers import Integral


def invalid(
    name: str, expected: str, got: object, error: type[Exception] = ValueError
) -> Exception:
    """Make a one-line error, "NAME: expected EXPECTED, got GOT", for the caller to raise.

    Parameters
    ----------
    name : str
        The argument at fault.
    expected, got : str, object
        What would have been right, and what came.
    error : type of Exception, optional
        Its type.

    Examples
    --------
    >>> raise invalid("tau", "a temperature above 0", -1)
    Traceback (most recent call last):
    ValueError: tau: expected a temperature above 0, got -1
    """
    return error(f"{name}: expected {expected}, got {got}")


def check_int(name: str, value: object, least: int, most: int | None = None, of: str = "") -> int:
    """Return a whole number within bounds as an int, numpy's integers included.

    Parameters
    ----------
    name : str
        The argument at fault.
    value : object
        What came; True and False are no numbers here.
    least, most : int
        Bounds, both included; without `most` there is none above.
    of : str, optional
        What the bounds belong to.

    Raises
    ------
    ValueError
        As `invalid` words it.
    """
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if whole and value >= least and (most is None or value <= most):
        return int(value)
    bounds = f"of at least {least}" if most is None else f"from {least} to {most}"
    raise invalid(name, f"a whole number {bounds}{f' for {of}' if of else ''}", repr(value))
