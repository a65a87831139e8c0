"""Linear maps and lookup tables, without state."""

from __future__ import annotations

import numpy as np

import autograd as ag
from autograd.extend import guard, raw_data, shape_of
from nn.typing import Operand

from .checks import as_operand
from .fused import affine

__all__ = ["bilinear", "embedding", "linear"]


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
    if x.ndim == 0 or W.ndim != 2 or x.shape[-1] != W.shape[1]:
        raise ValueError(f"linear: an input of shape {x.shape} does not fit a weight of shape {W.shape} (out, in)")
    if bias is None:
        return x @ W.T
    b = as_operand(bias)
    if shape_of(b) != (W.shape[0],):
        raise ValueError(f"linear: a bias of shape {b.shape} does not fit a weight of shape {W.shape} (out, in)")
    return affine(x, W, b)


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
    table, dtype = as_operand(weight), np.asarray(raw_data(input)).dtype
    if dtype.kind not in "iu":
        raise TypeError(f"embedding: indices must be integers, got {dtype}; convert with .astype(int)")
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
