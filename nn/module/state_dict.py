"""What `load_state_dict` accepts: every key looked at before the first number is written."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

__all__ = ["LoadResult", "StateDictError", "checked_state"]

Arrays = dict[str, np.ndarray[Any, Any]]


class StateDictError(RuntimeError, ValueError):
    """A `state_dict` that does not fit the module; the message lists every key that is wrong.

    Examples
    --------
    >>> import nn
    >>> try:
    ...     nn.Linear(2, 1).load_state_dict({})
    ... except StateDictError as error:
    ...     print(error)
    this state_dict does not fit Linear, and nothing was loaded:
      missing key 'weight' of shape (1, 2)
      missing key 'bias' of shape (1,)
    """


class LoadResult(NamedTuple):
    """The keys that `load_state_dict(strict=False)` passed over.

    Examples
    --------
    >>> import nn
    >>> nn.Linear(2, 1).load_state_dict({"bias": [0.0], "scale": 1.0}, strict=False)
    LoadResult(missing_keys=['weight'], unexpected_keys=['scale'])
    """

    missing_keys: list[str]
    unexpected_keys: list[str]


def checked_state(
    owner: str, current: Arrays, given: Mapping[str, Any], strict: bool, allow_nan: bool
) -> tuple[Arrays, LoadResult]:
    """Return the arrays to load, each a copy of the dtype it will have, or raise with everything that is wrong."""
    if not isinstance(given, Mapping):
        raise TypeError(f"load_state_dict takes a mapping from names to arrays, not {type(given).__name__}")
    missing = [key for key in current if key not in given]
    unexpected = [key for key in given if key not in current]
    faults = [f"missing key {key!r} of shape {current[key].shape}" for key in missing] if strict else []
    if strict:
        faults += [f"unexpected key {key!r}{_near(key, missing)}" for key in unexpected]
    arrays: Arrays = {}
    for key, mine in current.items():
        if key in given:
            try:
                arrays[key] = _fitted(given[key], mine, allow_nan)
            except (TypeError, ValueError) as error:
                faults.append(f"{key!r}: {error}")
    if faults:
        lines = "\n  ".join(faults)
        raise StateDictError(f"this state_dict does not fit {owner}, and nothing was loaded:\n  {lines}")
    return arrays, LoadResult(missing, unexpected)


def _near(key: Any, missing: list[str]) -> str:
    close = difflib.get_close_matches(str(key), missing, 1)
    return f" (near the missing {close[0]!r})" if close else ""


def _fitted(given: Any, mine: np.ndarray[Any, Any], allow_nan: bool) -> np.ndarray[Any, Any]:
    array = np.asarray(getattr(given, "data", given) if not isinstance(given, np.ndarray) else given)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"numbers of shape {mine.shape} are needed, not {type(given).__name__} ({array.dtype})")
    if array.shape != mine.shape:
        raise ValueError(f"shape {array.shape} was given for one of shape {mine.shape}")
    if array.dtype.kind == "f" and not allow_nan and np.isnan(array).any():
        raise ValueError("holds nan, as after a diverged run; pass allow_nan=True to load it all the same")
    return np.array(array, dtype=mine.dtype)
