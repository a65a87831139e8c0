"""Validation of a state dict, before any array is copied."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from autograd.extend import raw_data
from nn.typing import Array
from nn.validation import similar

if TYPE_CHECKING:
    from . import Module

Arrays = dict[str, Array]


class StateDictError(RuntimeError, ValueError):
    """A state dict does not fit the module; the message lists every wrong key.

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
    """The keys that `load_state_dict(strict=False)` ignored.

    Examples
    --------
    >>> import nn
    >>> nn.Linear(2, 1).load_state_dict({"bias": [0.0], "scale": 1.0}, strict=False)
    LoadResult(missing_keys=['weight'], unexpected_keys=['scale'])
    """

    missing_keys: list[str]
    unexpected_keys: list[str]


def checked_state(
    module: Module, given: Mapping[str, object], strict: bool, allow_nan: bool
) -> tuple[Arrays, LoadResult]:
    """Return copies of the arrays to load, in the dtypes of the module; raise one error for all wrong keys."""
    if not isinstance(given, Mapping):
        raise TypeError(f"load_state_dict expected a mapping from names to arrays, got {type(given).__name__}")
    current = module.state_dict()
    missing = [key for key in current if key not in given]
    unexpected = [key for key in given if key not in current]
    faults = [f"missing key {key!r} of shape {current[key].shape}" for key in missing] if strict else []
    if strict:
        faults += [f"unexpected key {key!r}{similar(key, missing)}" for key in unexpected]
    arrays: Arrays = {}
    for key, mine in current.items():
        if key in given:
            try:
                arrays[key] = _fitted(given[key], mine, allow_nan)
            except (TypeError, ValueError) as error:
                faults.append(f"{key!r}: {error}")
    for key, first in tied_names(module).items():
        if key in arrays and first in arrays and not np.array_equal(arrays[key], arrays[first], equal_nan=True):
            faults.append(f"{key!r} has other values than {first!r}, but both are the same array of this module")
    if faults:
        lines = "\n  ".join(faults)
        raise StateDictError(
            f"this state_dict does not fit {type(module).__name__}, and nothing was loaded:\n  {lines}"
        )
    return arrays, LoadResult(missing, unexpected)


def tied_names(module: Module) -> dict[str, str]:
    """Return the first key in the state dict of each array that has several, by each of its other keys."""
    places: list[tuple[str, object]] = [(path, id(thing)) for path, thing in module._entries()]
    places += [(path, (id(owner), name)) for path, owner, name in module._buffer_entries()]
    first: dict[object, str] = {}
    return {path: first[place] for path, place in places if first.setdefault(place, path) != path}


def _fitted(given: object, mine: Array, allow_nan: bool) -> Array:
    array = np.asarray(raw_data(given))
    if array.dtype.kind not in "biuf":
        raise TypeError(f"expected an array of shape {mine.shape}, got {type(given).__name__} ({array.dtype})")
    if array.shape != mine.shape:
        raise ValueError(f"expected shape {mine.shape}, got {array.shape}")
    if array.dtype.kind == "f" and not allow_nan and np.isnan(array).any():
        raise ValueError("contains nan, as after a diverged training; pass allow_nan=True to load it anyway")
    return np.array(array, dtype=mine.dtype)
