"""Checks of numeric arguments, with one wording for all of `nn`."""

import math
from collections.abc import Iterable
from numbers import Integral, Real
from typing import Any


def checked_range(
    owner: str, name: str, value: Any, low: float = 0.0, high: float = math.inf, *, exclude_low: bool = False
) -> float:
    """Return a real argument as a float if it lies between two bounds.

    Parameters
    ----------
    owner, name : str
        The function or class and its argument, as the message writes them.
    value : float
        The argument; nan lies in no interval.
    low, high : float
        Bounds of the interval.
    exclude_low : bool
        Exclude `low` itself from the interval.

    Returns
    -------
    float
        The value.

    Raises
    ------
    TypeError
        If `value` is not a real number.
    ValueError
        If it lies outside the interval.

    Examples
    --------
    >>> checked_range("Dropout", "p", 1.5, high=1.0)
    Traceback (most recent call last):
    ValueError: Dropout: p must be in [0, 1], got 1.5
    """
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    if is_number and low <= value <= high and not (exclude_low and value == low):
        return float(value)
    interval = f"{'(' if exclude_low else '['}{low:g}, {high:g}]"
    if is_number:
        raise ValueError(f"{owner}: {name} must be in {interval}, got {value}")
    raise TypeError(f"{owner}: {name} must be a number in {interval}, got {value!r:.60} ({type(value).__name__})")


def checked_integer(owner: str, name: str, value: Any, low: int = 0) -> int:
    """Return an integer argument as an int if it is at least `low`.

    Raises
    ------
    TypeError
        If `value` is not an integer.
    ValueError
        If it is less than `low`.

    Examples
    --------
    >>> checked_integer("Linear", "in_features", 2.0)
    Traceback (most recent call last):
    TypeError: Linear: in_features must be an integer, got 2.0 (float)
    """
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{owner}: {name} must be an integer, got {value!r:.60} ({type(value).__name__})")
    if value < low:
        raise ValueError(f"{owner}: {name} must be at least {low}, got {value}")
    return int(value)


def require_integers(what: str, labels: Any) -> None:
    """Raise TypeError, with the cure, if labels or other indices are not integers."""
    if labels.dtype.kind not in "iu":
        words = labels.dtype.kind in "OSTU"
        cure = "encode the labels: np.unique(labels, return_inverse=True)[1]" if words else "convert with .astype(int)"
        raise TypeError(f"{what} must be integers, got {labels.dtype}; {cure}")


def similar(word: object, known: Iterable[str], otherwise: str = "") -> str:
    """Return a hint for an unknown word: the most similar known one in any case, or `otherwise`.

    Examples
    --------
    >>> similar("men", ("mean", "sum")), similar("relu", ("ELU", "ReLU"))
    ("; did you mean 'mean'?", "; did you mean 'ReLU'?")
    """
    import difflib  # takes 3 ms to load, and is needed for errors only

    names = {name.lower(): name for name in known}
    near = difflib.get_close_matches(str(word).lower(), names, 1)
    return f"; did you mean {names[near[0]]!r}?" if near else otherwise
