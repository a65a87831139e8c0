"""Linear maps, lookup tables, and layers that only reshape."""

from __future__ import annotations

import math

import numpy as np

import autograd as ag
from nn import functional as F  # noqa: N812  (the customary name in PyTorch code)
from nn.functional.checks import as_operand
from nn.init import normal_, uniform_
from nn.module import Module, Parameter
from nn.random import Rng, as_generator
from nn.typing import DType, Operand
from nn.validation import checked_integer

__all__ = ["Bilinear", "Embedding", "Flatten", "Identity", "Linear", "Maxout"]


def filled(shape: int | tuple[int, ...], value: float, dtype: DType) -> Parameter:
    """Return a parameter filled with a value, of the default dtype if `dtype` is None."""
    return Parameter(np.full(shape, value, ag.get_default_dtype() if dtype is None else dtype))


class Affine(Module):
    """Base of the layers with a weight and an optional bias."""

    weight: Parameter
    bias: Parameter | None

    def _create(self, shape: tuple[int, ...], bias: bool, dtype: DType, rng: Rng) -> None:
        self.weight = filled(shape, 0.0, dtype)
        self.bias = filled(shape[0], 0.0, dtype) if bias else None
        self.reset_parameters(rng=rng)

    def reset_parameters(self, *, rng: Rng = None) -> None:
        """Draw weight and bias from the uniform distribution on ``[-1 / sqrt(in), 1 / sqrt(in)]``."""
        generator, bound = as_generator(rng), 1 / math.sqrt(max(self.weight.shape[1], 1))
        for parameter in (self.weight, self.bias):
            if parameter is not None:
                uniform_(parameter, -bound, bound, rng=generator)

    def extra_repr(self) -> str:
        """Return the options."""
        return super().extra_repr() + ("" if self.bias is not None else ", bias=False")


class Linear(Affine):
    r"""Affine layer :math:`y = x W^\top + b`.

    Parameters
    ----------
    in_features, out_features : int
        Widths of input and output.
    bias : bool
        Add the bias `b`.
    dtype : dtype, optional
        Type of the parameters; the default dtype if not given.
    rng : Generator, int or None
        Source of the initial weights; None is the generator of `manual_seed`.

    Attributes
    ----------
    weight : Parameter of shape (out_features, in_features)
        Initially drawn from :math:`U(-1/\sqrt{in}, 1/\sqrt{in})`, as in PyTorch.
    bias : Parameter of shape (out_features,) or None
        Initially drawn from the same distribution.

    Raises
    ------
    ValueError
        If the last axis of an input has another length.

    Examples
    --------
    >>> layer = Linear(3, 2, rng=0)
    >>> layer(np.ones((5, 3))).shape
    (5, 2)
    """

    _shown: tuple[str, ...] = ("in_features", "out_features")

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, *, dtype: DType = None, rng: Rng = None
    ) -> None:
        super().__init__()
        self.in_features: int = checked_integer("Linear", "in_features", in_features)
        self.out_features: int = checked_integer("Linear", "out_features", out_features)
        self._create((self.out_features, self.in_features), bias, dtype, rng)

    def forward(self, input: Operand) -> Operand:
        """Return ``input @ weight.T + bias`` for input of shape (..., in_features)."""
        return F.linear(input, self.weight, self.bias)


class Maxout(Linear):
    r"""Largest of several affine maps, :math:`\max_k (x W_k^\top + b_k)`, a learned convex activation.

    Parameters
    ----------
    in_features, out_features : int
        Widths of input and output.
    pool_size : int
        Number of affine maps for each output.
    bias, dtype, rng
        As for `Linear`.

    Notes
    -----
    Goodfellow et al. 2013, "Maxout Networks", section 3. The maps of one output are adjacent rows of `weight`.

    Examples
    --------
    >>> Maxout(3, 2, pool_size=4, rng=0)(np.ones((5, 3))).shape
    (5, 2)
    """

    _shown: tuple[str, ...] = ("in_features", "out_features", "pool_size")

    def __init__(
        self, in_features: int, out_features: int, pool_size: int = 2,
        bias: bool = True, *, dtype: DType = None, rng: Rng = None,
    ) -> None:  # fmt: skip
        super().__init__(in_features, out_features * pool_size, bias, dtype=dtype, rng=rng)
        self.pool_size: int = checked_integer("Maxout", "pool_size", pool_size, 1)

    def forward(self, input: Operand) -> Operand:
        """Return an output of shape (..., out_features)."""
        y = super().forward(input)
        return ag.max(ag.reshape(y, (*y.shape[:-1], y.shape[-1] // self.pool_size, self.pool_size)), axis=-1)


class Bilinear(Affine):
    r"""Bilinear layer :math:`y_o = x_1^\top W_o x_2 + b_o`.

    Parameters
    ----------
    in1_features, in2_features, out_features : int
        Widths of the inputs and of the output.
    bias : bool
        Add the bias `b`.
    dtype : dtype, optional
        Type of the parameters; the default dtype if not given.
    rng : Generator, int or None
        Source of the initial weights; None is the generator of `manual_seed`.

    Attributes
    ----------
    weight : Parameter of shape (out_features, in1_features, in2_features)
        Initially drawn from :math:`U(-1/\sqrt{in1}, 1/\sqrt{in1})`.
    bias : Parameter of shape (out_features,) or None
        Initially drawn from the same distribution.

    Examples
    --------
    >>> Bilinear(3, 4, 2, rng=0)(np.ones((5, 3)), np.ones((5, 4))).shape
    (5, 2)
    """

    _shown: tuple[str, ...] = ("in1_features", "in2_features", "out_features")

    def __init__(
        self, in1_features: int, in2_features: int, out_features: int,
        bias: bool = True, *, dtype: DType = None, rng: Rng = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.in1_features: int = checked_integer("Bilinear", "in1_features", in1_features, 1)
        self.in2_features: int = checked_integer("Bilinear", "in2_features", in2_features, 1)
        self.out_features: int = checked_integer("Bilinear", "out_features", out_features, 1)
        self._create((self.out_features, self.in1_features, self.in2_features), bias, dtype, rng)

    def forward(self, input1: Operand, input2: Operand) -> Operand:
        """Return the outputs for inputs of shapes (..., in1_features) and (..., in2_features)."""
        return F.bilinear(input1, input2, self.weight, self.bias)


class Embedding(Module):
    """A lookup table of vectors.

    Parameters
    ----------
    num_embeddings, embedding_dim : int
        Number of rows of the table, and their length.
    padding_idx : int, optional
        Index of a row that is initially 0 and receives no gradient.
    dtype : dtype, optional
        Type of the table; the default dtype if not given.
    rng : Generator, int or None
        Source of the initial rows; None is the generator of `manual_seed`.

    Attributes
    ----------
    weight : Parameter of shape (num_embeddings, embedding_dim)
        Initially drawn from the standard normal distribution.

    Examples
    --------
    >>> Embedding(10, 3, rng=0)([[1, 2], [9, 9]]).shape
    (2, 2, 3)
    """

    _shown: tuple[str, ...] = ("num_embeddings", "embedding_dim", "padding_idx")

    def __init__(
        self, num_embeddings: int, embedding_dim: int,
        padding_idx: int | None = None, *, dtype: DType = None, rng: Rng = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.num_embeddings: int = checked_integer("Embedding", "num_embeddings", num_embeddings, 1)
        self.embedding_dim: int = checked_integer("Embedding", "embedding_dim", embedding_dim, 1)
        if padding_idx is not None and not -num_embeddings <= padding_idx < num_embeddings:
            raise ValueError(f"Embedding: padding_idx {padding_idx} is out of range for {num_embeddings} rows")
        self.padding_idx: int | None = None if padding_idx is None else padding_idx % num_embeddings
        self.weight: Parameter = filled((self.num_embeddings, self.embedding_dim), 0.0, dtype)
        normal_(self.weight, rng=rng)
        if self.padding_idx is not None:
            kept = np.arange(num_embeddings) != self.padding_idx
            self.weight.data = self.weight.data * kept[:, None]

    def forward(self, input: Operand) -> Operand:
        """Return the rows at the given indices."""
        return F.embedding(input, self.weight, self.padding_idx)


class Identity(Module):
    """Identity; accepts and ignores any arguments.

    Examples
    --------
    >>> Identity(54, unused=True)(np.array([1.0]))
    array([1.])
    """

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__()

    def forward(self, input: Operand) -> Operand:
        """Return the input."""
        return input


class Flatten(Module):
    """Join the axes from `start_dim` to `end_dim`, by default all but the batch.

    Examples
    --------
    >>> Flatten()(np.zeros((5, 2, 3))).shape
    (5, 6)
    """

    _shown: tuple[str, ...] = ("start_dim", "end_dim")

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim: int = start_dim
        self.end_dim: int = end_dim

    def forward(self, input: Operand) -> Operand:
        """Return the input with these axes joined."""
        return ag.flatten(as_operand(input), self.start_dim, self.end_dim)
