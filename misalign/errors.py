"""One form for every complaint about an argument: its name, what was expected, what came."""

from __future__ import annotations


def expect(
    condition: object,
    name: str,
    expected: str,
    got: object,
    error: type[Exception] = ValueError,
) -> None:
    """Raise a one-line error unless a condition holds.

    Parameters
    ----------
    condition : object
        Anything with a truth value.
    name : str
        The argument at fault.
    expected, got : str, object
        What would have been right, and what came.
    error : type of Exception, optional
        Which error to raise.

    Raises
    ------
    error
        "NAME: expected EXPECTED, got GOT".
    """
    if not condition:
        raise error(f"{name}: expected {expected}, got {got}")


def expect_whole(
    name: str, value: object, least: int, most: int | None = None, of: str = ""
) -> None:
    """Raise a one-line error unless a value is a whole number within bounds.

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
        As `expect`.
    """
    whole = isinstance(value, int) and not isinstance(value, bool)
    within = whole and value >= least and (most is None or value <= most)
    bounds = f"of at least {least}" if most is None else f"from {least} to {most}"
    expect(within, name, f"a whole number {bounds}{f' for {of}' if of else ''}", repr(value))
