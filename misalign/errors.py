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
        The argument at fault, as the caller spelled it.
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
