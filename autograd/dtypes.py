"""The dtypes that nodes can hold, and the default one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .graph import Node
from .typing import Array, Data, DType

__all__ = ["as_array", "get_default_dtype", "require_float", "set_default_dtype"]

# Process-wide, as in PyTorch: a new thread uses the dtype that the main thread chose.
_default_dtype: DType = np.dtype(np.float64)


def set_default_dtype(dtype: npt.DTypeLike) -> None:
    """Set the dtype of a `Tensor` made from Python numbers; float64 initially.

    Parameters
    ----------
    dtype : dtype
        A floating-point dtype.

    Raises
    ------
    TypeError
        If `dtype` is not floating-point.

    Examples
    --------
    >>> set_default_dtype(np.float64)
    """
    global _default_dtype
    wanted = np.dtype(dtype)
    if wanted.kind != "f":
        raise TypeError(f"the default dtype must be floating-point, such as float32 or float64, not {wanted}")
    _default_dtype = wanted


def get_default_dtype() -> DType:
    """Return the dtype of a `Tensor` made from Python numbers.

    Examples
    --------
    >>> get_default_dtype()
    dtype('float64')
    """
    return _default_dtype


def as_array(data: npt.ArrayLike | Node, dtype: npt.DTypeLike | None = None) -> Array:
    """Return `data` as an array of a supported dtype; Python numbers get the default dtype."""
    if isinstance(data, Node):
        raise TypeError(
            "a Tensor holds an array, not nodes; use the node itself, its .detach(), or stack(...) of several"
        )
    array = np.asarray(data)
    if array.dtype.kind not in "biuf":
        raise TypeError(
            f"a Tensor holds floats, integers or bools, not {type(data).__name__} of dtype {array.dtype}; join nodes "
            "with stack(...), and encode text as class indices"
        )
    if dtype is None and array.dtype.kind in "iuf" and not isinstance(data, (np.ndarray, np.generic)):
        dtype = _default_dtype
    return np.asarray(array, dtype=dtype)


def require_float(data: Data) -> None:
    """Raise TypeError if values of this dtype cannot have a gradient."""
    if type(data) is not float and data.dtype.kind != "f":
        raise TypeError(
            f"requires_grad=True needs floats; this Tensor has dtype {data.dtype}, which holds data such as labels and "
            "masks. Convert it first: Tensor(a.astype(float), requires_grad=True)"
        )
