"""Layers that leave out at random."""

from __future__ import annotations

from typing import Any

from nn import functional as F  # noqa: N812  (F is the name every reader of PyTorch code knows)
from nn.module import Module
from nn.random import Rng, as_generator
from nn.validation import checked_range

__all__ = ["AlphaDropout", "Dropout"]


class Dropout(Module):
    r"""Set elements to 0 with probability `p` in training and multiply the others by :math:`1 / (1 - p)`.

    Parameters
    ----------
    p : float
        Probability in [0, 1].
    rng : Generator, int or None
        Where the choice is drawn from; None is the generator of `manual_seed`.

    Raises
    ------
    ValueError
        If `p` is no probability.

    Notes
    -----
    Srivastava et al. 2014.

    Examples
    --------
    >>> import numpy as np
    >>> Dropout(0.5, rng=0)(np.ones(4))
    array([2., 0., 0., 0.])
    """

    def __init__(self, p: float = 0.5, *, rng: Rng = None) -> None:
        super().__init__()
        self.p: float = checked_range(type(self).__name__, "p", p, high=1.0)
        self.rng: Any = None if rng is None else as_generator(rng)

    def forward(self, input: Any) -> Any:
        """Return `input` with elements left out, or as it is in evaluation."""
        return F.dropout(input, self.p, self.training, rng=self.rng)

    def extra_repr(self) -> str:
        """Return the settings."""
        return f"p={self.p}"


class AlphaDropout(Dropout):
    """Dropout that keeps mean and variance of what `SELU` makes (Klambauer et al. 2017); arguments as in `Dropout`.

    Examples
    --------
    >>> import numpy as np
    >>> AlphaDropout(0.5).eval()(np.ones(2))
    array([1., 1.])
    """

    def forward(self, input: Any) -> Any:
        """Return `input` with elements at SELU's floor, or as it is in evaluation."""
        return F.alpha_dropout(input, self.p, self.training, rng=self.rng)
