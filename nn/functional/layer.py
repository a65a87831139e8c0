"""What layers compute, without state."""

from __future__ import annotations

from typing import Any

from autograd.extend import apply, shape_of

from .checks import as_operand
from .fused import AFFINE

__all__ = ["linear"]


def linear(input: Any, weight: Any, bias: Any = None) -> Any:
    r"""Affine map :math:`y = x W^\top + b`.

    Parameters
    ----------
    input : Tensor or array_like of shape (..., in)
        Any number of leading axes.
    weight : Tensor or ndarray of shape (out, in)
        PyTorch's layout.
    bias : Tensor or ndarray of shape (out,), optional
        Left out by default.

    Returns
    -------
    Tensor or ndarray of shape (..., out)
        One node of the graph if there is a bias.

    Raises
    ------
    ValueError
        If the widths differ.

    Examples
    --------
    >>> linear([[1.0, 2.0]], [[3.0, 4.0], [5.0, 6.0]], [0.5, 0.5])
    array([[11.5, 17.5]])
    """
    x, W = as_operand(input), as_operand(weight)
    if x.ndim == 0 or W.ndim != 2 or x.shape[-1] != W.shape[1]:
        raise ValueError(f"linear: an input of shape {x.shape} does not fit a weight of shape {W.shape} (out, in)")
    if bias is None:
        return x @ W.T
    b = as_operand(bias)
    if shape_of(b) != (W.shape[0],):
        raise ValueError(f"linear: a bias of shape {b.shape} does not fit a weight of shape {W.shape} (out, in)")
    return apply(AFFINE, (x, W, b))
