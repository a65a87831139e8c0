"""Functions of the layers: affine and bilinear maps, lookup tables, dropout, and normalization."""

import math
from collections.abc import Sequence

import numpy as np

import autograd as ag
from autograd.extend import guard, raw_data, shape_of
from nn.random import Rng
from nn.typing import Operand
from nn.validation import checked_range, require_integers

from .activation import SELU_ALPHA, SELU_SCALE, random_like
from .checks import as_operand, constant
from .fused import affine, scaled_to_unit, standardized

__all__ = [
    "alpha_dropout", "batch_norm", "bilinear", "dropout", "embedding", "group_norm", "layer_norm", "linear", "rms_norm",
]  # fmt: skip


def linear(input: Operand, weight: Operand, bias: Operand = None) -> Operand:
    r"""Affine map :math:`y = x W^\top + b`.

    Parameters
    ----------
    input : Tensor or array_like of shape (..., in)
        Any number of leading axes.
    weight : Tensor or ndarray of shape (out, in)
        PyTorch's layout.
    bias : Tensor or ndarray of shape (out,), optional
        Not added by default.

    Returns
    -------
    Tensor or ndarray of shape (..., out)
        The output; with a bias it is one node of the graph.

    Raises
    ------
    ValueError
        If the shapes do not fit.

    Examples
    --------
    >>> linear([[1.0, 2.0]], [[3.0, 4.0], [5.0, 6.0]], [0.5, 0.5])
    array([[11.5, 17.5]])
    """
    x, W = as_operand(input), as_operand(weight)
    b = None if bias is None else as_operand(bias)
    wrong_bias = b is not None and shape_of(b) != W.shape[:1]
    if W.ndim != 2 or x.shape[-1:] != W.shape[1:] or wrong_bias:
        given = f"{x.shape}{f' and a bias of shape {shape_of(b)}' if wrong_bias else ''}"
        lengths = ", ".join(["...", *map(str, W.shape[1:])])
        raise ValueError(f"linear: weight {W.shape} (out, in) expected input of shape ({lengths}), got {given}")
    return x @ W.T if b is None else affine(x, W, b)


def bilinear(input1: Operand, input2: Operand, weight: Operand, bias: Operand = None) -> Operand:
    r"""Bilinear map :math:`y_o = x_1^\top W_o x_2 + b_o`.

    Parameters
    ----------
    input1 : Tensor or array_like of shape (..., in1)
        First input.
    input2 : Tensor or array_like of shape (..., in2)
        Second input, with the same leading lengths.
    weight : Tensor or ndarray of shape (out, in1, in2)
        One matrix for each output.
    bias : Tensor or ndarray of shape (out,), optional
        Not added by default.

    Returns
    -------
    Tensor or ndarray of shape (..., out)
        The outputs.

    Raises
    ------
    ValueError
        If the shapes do not fit.

    Examples
    --------
    >>> bilinear([[1.0, 2.0]], [[3.0]], [[[1.0], [1.0]]])
    array([[9.]])
    """
    x1, x2, W = as_operand(input1), as_operand(input2), as_operand(weight)
    if W.ndim != 3 or x1.shape[-1:] != W.shape[1:2] or x2.shape[-1:] != W.shape[2:] or x1.shape[:-1] != x2.shape[:-1]:
        raise ValueError(
            f"bilinear: inputs of shapes {x1.shape} and {x2.shape} do not fit a weight of shape {W.shape} "
            "(out, in1, in2)"
        )
    out, in1, in2 = W.shape
    flat = ag.reshape(ag.transpose(W, (1, 0, 2)), (in1, out * in2))
    products = ag.reshape(x1 @ flat, (*x1.shape[:-1], out, in2)) * x2[..., None, :]
    y = ag.sum(products, axis=-1)
    return y if bias is None else y + bias


def embedding(input: Operand, weight: Operand, padding_idx: int | None = None) -> Operand:
    """Rows of `weight` at the given indices.

    Parameters
    ----------
    input : array_like or Tensor of integers, any shape
        Indices.
    weight : Tensor or ndarray of shape (num_embeddings, embedding_dim)
        The table.
    padding_idx : int, optional
        The row of this index receives no gradient.

    Returns
    -------
    Tensor or ndarray of shape ``(*input.shape, embedding_dim)``
        The rows.

    Raises
    ------
    TypeError
        If the indices are not integers.
    IndexError
        If an index is not in [0, num_embeddings).

    Examples
    --------
    >>> embedding([1, 0], np.array([[0.0, 0.5], [1.0, 1.5]]))
    array([[1. , 1.5],
           [0. , 0.5]])
    """
    table, given = as_operand(weight), np.asarray(raw_data(input))
    require_integers("embedding: indices", given)
    rows = table.shape[0]

    def in_table(index: Operand) -> None:
        if index.size and not (index.min() >= 0 and index.max() < rows):
            wrong = index[(index < 0) | (index >= rows)]
            raise IndexError(f"embedding: index {int(wrong.flat[0])} is not in [0, {rows})")

    index = input if isinstance(input, ag.Tensor) else np.asarray(input)
    guard(in_table, index)
    if isinstance(index, ag.Tensor) and type(table) is np.ndarray:  # NumPy arrays cannot be indexed by a node
        found = ag.equal(index[..., None], np.arange(rows)) @ table
    else:
        found = table[index]
    if padding_idx is None:
        return found
    with ag.no_grad():
        fixed = table[padding_idx % rows] * 1.0  # a product, since a row of an array of `Value`s is these variables
    return ag.where(ag.equal(index, padding_idx % rows)[..., None], fixed, found)


SELU_FLOOR = -SELU_SCALE * SELU_ALPHA  # limit of SELU at -inf


def dropout(input: Operand, p: float = 0.5, training: bool = True, *, rng: Rng = None) -> Operand:
    r"""Set elements to 0 with probability `p` and multiply the others by :math:`1 / (1 - p)`, in training.

    Parameters
    ----------
    input : Tensor or array_like
        Any shape.
    p : float
        Probability in [0, 1].
    training : bool
        In evaluation the input is returned unchanged.
    rng : Generator, int or None
        Source of the mask; None is the generator of `manual_seed`.

    Returns
    -------
    Tensor or ndarray of the shape of `input`
        An array whose expected value is `input`.

    Raises
    ------
    ValueError
        If `p` is not in [0, 1].

    Notes
    -----
    Srivastava et al. 2014, in the inverted form, which needs no scaling in evaluation.

    Examples
    --------
    >>> import numpy as np
    >>> dropout(np.ones(4), 0.5, rng=0)
    array([2., 0., 0., 0.])
    """
    p = checked_range("dropout", "p", p, high=1.0)
    x = as_operand(input)
    if not training or p == 0:
        return x
    return x * (random_like(x, rng, lambda u: u >= p) * (1 / (1 - p) if p < 1 else 0.0))


def alpha_dropout(input: Operand, p: float = 0.5, training: bool = False, *, rng: Rng = None) -> Operand:
    r"""Dropout that preserves mean 0 and variance 1, for networks of SELUs.

    With probability `p` an element becomes the limit of SELU, :math:`\alpha' = -\lambda \alpha`; then all are mapped
    by :math:`a x + b` with :math:`a = ((1 - p)(1 + p \alpha'^2))^{-1/2}` and :math:`b = -a p \alpha'`.

    Arguments as in `dropout`.

    Notes
    -----
    Klambauer et al. 2017, section "New dropout technique".

    Examples
    --------
    >>> import numpy as np
    >>> alpha_dropout(np.zeros(2), 0.0)
    array([0., 0.])
    """
    p = checked_range("alpha_dropout", "p", p, high=1.0)
    x = as_operand(input)
    if not training or p == 0:
        return x
    if p == 1:
        return x * 0.0
    a = 1 / math.sqrt((1 - p) * (1 + p * SELU_FLOOR**2))
    kept = random_like(x, rng, lambda u: u >= p)
    return x * (a * kept) + (a * SELU_FLOOR) * ((1.0 - kept) - p)


def batch_norm(
    input: Operand, running_mean: Operand, running_var: Operand, weight: Operand = None,
    bias: Operand = None, training: bool = False, *, eps: float = 1e-5,
) -> Operand:  # fmt: skip
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
    return _scaled_and_shifted(y, _channels(weight, x.ndim), _channels(bias, x.ndim))


def _channels(a: Operand, ndim: int) -> Operand:
    """Return None, or an array of shape (C,) in the shape that broadcasts against (N, C, ...)."""
    return a if a is None or ndim == 2 else a.reshape(-1, *(1,) * (ndim - 2))


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
    input: Operand, normalized_shape: int | Sequence[int],
    weight: Operand = None, bias: Operand = None, eps: float = 1e-5,
) -> Operand:  # fmt: skip
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
    axes = _last_axes("layer_norm", x, normalized_shape)
    return _scaled_and_shifted(standardized(x, axis=axes, eps=eps), weight, bias)


def group_norm(
    input: Operand, num_groups: int, weight: Operand = None, bias: Operand = None, eps: float = 1e-5
) -> Operand:
    r"""Normalize every group of channels of an example: :math:`\gamma (x - \mu) / \sqrt{\sigma^2 + \epsilon} + \beta`.

    Parameters
    ----------
    input : Tensor or array_like of shape (N, C, ...)
        Channels are the second axis.
    num_groups : int
        Number of groups of ``C / num_groups`` neighbouring channels, each with its own mean and (biased) variance.
    weight, bias : Tensor or ndarray of shape (C,), optional
        Scale and shift of every channel.
    eps : float
        Added to the variance.

    Returns
    -------
    Tensor or ndarray of the shape of `input`
        The normalized examples.

    Raises
    ------
    ValueError
        If the number of channels is not a multiple of `num_groups`, or differs from the length of a parameter.

    Notes
    -----
    Wu & He 2018, eq. 1 and 7.

    Examples
    --------
    >>> group_norm([[1.0, 3.0, 50.0, 70.0]], 2, eps=0.0)
    array([[-1.,  1., -1.,  1.]])
    """
    x = as_operand(input)
    lengths = {x.shape[1:2], *(shape_of(a) for a in (weight, bias) if a is not None)}
    if x.ndim < 2 or x.shape[1] % num_groups or len(lengths) > 1:
        c = f"a multiple of {num_groups}, and parameters of shape (C,)"
        raise ValueError(f"group_norm: expected input of shape (N, C, ...), C {c}, got {x.shape}")
    groups = x.reshape(len(x), num_groups, x.shape[1] // num_groups, *x.shape[2:])
    y = standardized(groups, axis=tuple(range(2, x.ndim + 1)), eps=eps).reshape(x.shape)
    return _scaled_and_shifted(y, _channels(weight, x.ndim), _channels(bias, x.ndim))


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
    axes = _last_axes("rms_norm", x, normalized_shape)
    return _scaled_and_shifted(scaled_to_unit(x, axis=axes, eps=eps), weight, None)
