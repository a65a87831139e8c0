"""Normalization of batches and of examples, without state."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

import autograd as ag
from nn.typing import Operand

from .checks import as_operand, constant
from .fused import scaled_to_unit, standardized

__all__ = ["batch_norm", "layer_norm", "rms_norm"]


def batch_norm(
    input: Operand,
    running_mean: Operand,
    running_var: Operand,
    weight: Operand = None,
    bias: Operand = None,
    training: bool = False,
    *,
    eps: float = 1e-5,
) -> Operand:
    r"""Normalize every channel over the batch: :math:`\gamma (x - \mu) / \sqrt{\sigma^2 + \epsilon} + \beta`.

    Parameters
    ----------
    input : Tensor or array_like of shape (N, C) or (N, C, L)
        Channels are the second axis.
    running_mean, running_var : array_like of shape (C,) or None
        Statistics used in evaluation; with None those of the batch are used.  `BatchNorm1d` updates them.
    weight, bias : Tensor or ndarray of shape (C,), optional
        Scale and shift.
    training : bool
        Use the mean and the (biased) variance of the batch.
    eps : float
        Added to the variance.

    Returns
    -------
    Tensor or ndarray of the shape of `input`
        The normalized batch.

    Raises
    ------
    ValueError
        If the shape does not fit, or a training batch has a single element per channel.

    Notes
    -----
    Ioffe & Szegedy 2015, Algorithm 1.

    Examples
    --------
    >>> batch_norm([[1.0], [3.0]], None, None, training=True, eps=0.0)
    array([[-1.],
           [ 1.]])
    """
    x = as_operand(input)
    if x.ndim not in (2, 3):
        raise ValueError(f"batch_norm: expected input of shape (N, C) or (N, C, L), got {x.shape}")
    if training or running_mean is None or running_var is None:
        count = x.size // max(x.shape[1], 1)
        if training and count <= 1:
            raise ValueError(
                f"batch_norm: training needs more than one element per channel, but this batch of shape {x.shape} has "
                f"{count}; use larger batches (drop_last=True), or eval() for single examples"
            )
        y = standardized(x, axis=(0,) if x.ndim == 2 else (0, 2), eps=eps)
    else:
        mean, var = (_channels(constant(a, x), x.ndim) for a in (running_mean, running_var))
        y = (x - mean) * (1.0 / ag.sqrt(var + eps))
    return _scaled_and_shifted(y, *(None if a is None else _channels(a, x.ndim) for a in (weight, bias)))


def _channels(a: Operand, ndim: int) -> Operand:
    """Return an array of shape (C,) in the shape that broadcasts against (N, C) or (N, C, L)."""
    return a.reshape(-1, 1) if ndim == 3 else a


def _scaled_and_shifted(y: Operand, weight: Operand, bias: Operand) -> Operand:
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


def _last_axes(name: str, x: Operand, normalized_shape: int | Sequence[int]) -> tuple[int, ...]:
    """Return the axes to normalize over, counted from the end, if their lengths fit."""
    shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    if not shape or x.shape[-len(shape) :] != shape:
        raise ValueError(f"{name}: expected input of shape (..., {', '.join(map(str, shape))}), got {x.shape}")
    return tuple(range(-len(shape), 0))


def layer_norm(
    input: Operand,
    normalized_shape: int | Sequence[int],
    weight: Operand = None,
    bias: Operand = None,
    eps: float = 1e-5,
) -> Operand:
    r"""Normalize every example over its last axes: :math:`\gamma (x - \mu) / \sqrt{\sigma^2 + \epsilon} + \beta`.

    Parameters
    ----------
    input : Tensor or array_like of shape ``(..., *normalized_shape)``
        The examples.
    normalized_shape : int or sequence of int
        Lengths of the axes to normalize over.
    weight, bias : Tensor or ndarray of shape normalized_shape, optional
        Scale and shift.
    eps : float
        Added to the (biased) variance.

    Returns
    -------
    Tensor or ndarray of the shape of `input`
        The normalized examples.

    Raises
    ------
    ValueError
        If the last axes of `input` have other lengths.

    Notes
    -----
    Ba, Kiros & Hinton 2016, eq. 4.

    Examples
    --------
    >>> layer_norm([[1.0, 3.0]], 2, eps=0.0)
    array([[-1.,  1.]])
    """
    x = as_operand(input)
    return _scaled_and_shifted(
        standardized(x, axis=_last_axes("layer_norm", x, normalized_shape), eps=eps), weight, bias
    )


def rms_norm(
    input: Operand, normalized_shape: int | Sequence[int], weight: Operand = None, eps: float | None = None
) -> Operand:
    r"""Scale every example to mean square 1: :math:`\gamma x / \sqrt{\overline{x^2} + \epsilon}`.

    Parameters
    ----------
    input, normalized_shape, weight
        As in `layer_norm`.
    eps : float, optional
        Added to the mean square; by default the machine epsilon of the dtype, as in PyTorch.

    Notes
    -----
    Zhang & Sennrich 2019, eq. 4.

    Examples
    --------
    >>> rms_norm([[1.0, -1.0]], 2, eps=0.0)
    array([[ 1., -1.]])
    """
    x = as_operand(input)
    if eps is None:
        eps = float(np.finfo(x.dtype if x.dtype.kind == "f" else float).eps)
    return _scaled_and_shifted(
        scaled_to_unit(x, axis=_last_axes("rms_norm", x, normalized_shape), eps=eps), weight, None
    )
