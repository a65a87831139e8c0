"""Layers that multiply by a weight."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import autograd as ag
from autograd import Node
from autograd.extend import apply

from .functional.fused import AFFINE
from .init import uniform_
from .module import Module, Parameter
from .randomness import Rng, as_generator

__all__ = ["Linear"]


def checked_size(owner: str, name: str, value: Any, least: int = 0) -> int:
    """Return a length as an int, or say what is wrong with it."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{owner}: {name} is an integer, not {value!r:.60} ({type(value).__name__})")
    if value < least:
        raise ValueError(f"{owner}: {name} is at least {least}, not {value}")
    return int(value)


class Linear(Module):
    r"""Affine layer :math:`y = x W^\top + b`.

    Parameters
    ----------
    in_features, out_features : int
        Widths of input and output.
    bias : bool
        Whether `b` is added.
    dtype : dtype, optional
        Type of the parameters; the default dtype if not given.
    rng : Generator, int or None
        Where the first weights are drawn from.

    Attributes
    ----------
    weight : Parameter of shape (out_features, in_features)
        PyTorch's layout; first drawn from :math:`U(-1/\sqrt{in}, 1/\sqrt{in})`, as PyTorch does.
    bias : Parameter of shape (out_features,) or None
        First drawn from the same distribution.

    Raises
    ------
    ValueError
        If an input of another width arrives.

    Examples
    --------
    >>> layer = Linear(3, 2, rng=0)
    >>> layer(np.ones((5, 3))).shape
    (5, 2)
    """

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, *, dtype: Any = None, rng: Rng = None
    ) -> None:
        super().__init__()
        self.in_features = checked_size("Linear", "in_features", in_features)
        self.out_features = checked_size("Linear", "out_features", out_features)
        dtype = ag.get_default_dtype() if dtype is None else dtype
        self.weight = Parameter(np.zeros((self.out_features, self.in_features), dtype))
        self.bias = Parameter(np.zeros(self.out_features, dtype)) if bias else None
        self.reset_parameters(rng=rng)

    def reset_parameters(self, *, rng: Rng = None) -> None:
        """Draw weight and bias anew."""
        generator = as_generator(rng)
        bound = 1 / math.sqrt(self.in_features) if self.in_features else 0.0
        uniform_(self.weight, -bound, bound, rng=generator)
        if self.bias is not None:
            uniform_(self.bias, -bound, bound, rng=generator)

    def forward(self, input: Any) -> Any:
        """Return ``input @ weight.T + bias`` for input of shape (..., in_features)."""
        if not isinstance(input, (Node, np.ndarray)):
            input = np.asarray(input)
        shape = input.shape
        if not shape or shape[-1] != self.in_features:
            raise ValueError(
                f"Linear(in_features={self.in_features}, out_features={self.out_features}) got an input of shape "
                f"{shape}: its last axis is {shape[-1] if shape else 'missing'}, and {self.in_features} is wanted"
            )
        if self.bias is None:
            return input @ self.weight.T
        return apply(AFFINE, (input, self.weight, self.bias))

    def extra_repr(self) -> str:
        """Return the settings."""
        bias = "" if self.bias is not None else ", bias=False"
        return f"in_features={self.in_features}, out_features={self.out_features}{bias}"
