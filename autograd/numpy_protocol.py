"""NumPy's own functions on nodes: ``np.tanh(t)``, ``ndarray @ t`` and ``np.sum(t, axis=0)`` record.

What has no counterpart here raises; NumPy never gets to build an array of nodes by accident.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import elementwise, linalg, reducing, shaping
from .graph import Node
from .rules import boxed

# The names of NumPy that differ from ours.
_UFUNC_NAMES = {"true_divide": "divide", "float_power": "power"}


def _counterpart(name: str) -> Callable[..., Any] | None:
    for module in (elementwise, linalg, reducing, shaping):
        found = getattr(module, name, None)
        if callable(found) and (hasattr(found, "primitive") or found.__module__ == module.__name__):
            return found  # type: ignore[no-any-return]
    return None


def array_ufunc(self: Node, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
    """Answer NumPy's `__array_ufunc__` protocol with the operation of the same name."""
    if any(isinstance(a, np.ndarray) and a.dtype == object for a in inputs):
        return _over_objects(ufunc, method, inputs, kwargs)
    function = _counterpart(_UFUNC_NAMES.get(ufunc.__name__, ufunc.__name__))
    if method != "__call__" or function is None:
        spelled = f"np.{ufunc.__name__}" + ("" if method == "__call__" else f".{method}")
        raise TypeError(
            f"{spelled} is not supported on nodes, as it would lose the gradient; use a function of autograd, or "
            "detach() first if no gradient is wanted"
        )
    if any(value is not None for value in kwargs.values()):
        raise TypeError(f"np.{ufunc.__name__} on nodes takes no {', '.join(kwargs)}: results are always new nodes")
    return function(*inputs)


def _over_objects(ufunc: np.ufunc, method: str, inputs: tuple[Any, ...], kwargs: Any) -> Any:
    """Apply a ufunc to arrays of `Value`s, element by element."""
    if any(isinstance(a, Node) and np.ndim(a._data) for a in inputs):
        raise TypeError(
            f"np.{ufunc.__name__} got an object array together with a Tensor; use an array of floats, or "
            "stack(...) the nodes into a Tensor"
        )
    return getattr(ufunc, method)(*map(boxed, inputs), **kwargs)


def array_function(self: Node, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
    """Answer NumPy's `__array_function__` protocol with the operation of the same name."""
    function = _counterpart(func.__name__) if func.__module__ == "numpy" else None
    if function is None:
        raise TypeError(
            f"{func.__module__}.{func.__name__} is not supported on nodes, as it would lose the gradient; use a "
            "function of autograd, or detach() first if no gradient is wanted"
        )
    return function(*args, **kwargs)
