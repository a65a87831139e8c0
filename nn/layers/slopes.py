"""Rectifiers whose negative slope is learned or drawn at random."""

from __future__ import annotations

from typing import Any

import numpy as np

import autograd as ag
from nn import functional as F  # noqa: N812  (F is the name every reader of PyTorch code knows)
from nn.module import Module, Parameter
from nn.random import Rng, as_generator
from nn.validation import checked_integer

__all__ = ["PReLU", "RReLU"]


class PReLU(Module):
    r"""Rectifier with a learned slope: :math:`x` if positive, else :math:`a x` (He et al. 2015, eq. 1).

    Parameters
    ----------
    num_parameters : int
        1, or the number of channels (the second axis of the input), each with a slope of its own.
    init : float
        The slopes at the start.
    dtype : dtype, optional
        Type of the parameter; the default dtype if not given.

    Attributes
    ----------
    weight : Parameter of shape (num_parameters,)
        The slopes.

    Examples
    --------
    >>> PReLU()(np.array([-1.0, 2.0])).numpy()
    array([-0.25,  2.  ])
    """

    def __init__(self, num_parameters: int = 1, init: float = 0.25, *, dtype: Any = None) -> None:
        super().__init__()
        self.num_parameters: int = checked_integer("PReLU", "num_parameters", num_parameters, 1)
        self.weight: Parameter = Parameter(
            np.full(self.num_parameters, init, ag.get_default_dtype() if dtype is None else dtype)
        )

    def forward(self, input: Any) -> Any:
        """Return the activation of each element."""
        return F.prelu(input, self.weight)

    def extra_repr(self) -> str:
        """Return the settings."""
        return f"num_parameters={self.num_parameters}"


class RReLU(Module):
    """Rectifier with a random negative slope in training, and the mean slope otherwise (Xu et al. 2015).

    Parameters
    ----------
    lower, upper : float
        The slopes are drawn from U(lower, upper).
    rng : Generator, int or None
        Where they are drawn from.

    Examples
    --------
    >>> RReLU(0.25, 0.75).eval()(np.array([-1.0]))
    array([-0.5])
    """

    def __init__(self, lower: float = 1 / 8, upper: float = 1 / 3, *, rng: Rng = None) -> None:
        super().__init__()
        self.lower: float = lower
        self.upper: float = upper
        self.rng: np.random.Generator | None = None if rng is None else as_generator(rng)

    def forward(self, input: Any) -> Any:
        """Return the activation of each element."""
        return F.rrelu(input, self.lower, self.upper, self.training, rng=self.rng)

    def extra_repr(self) -> str:
        """Return the settings."""
        return f"lower={self.lower:.4g}, upper={self.upper:.4g}"
