"""Layers that set random elements to zero."""

from __future__ import annotations

import numpy as np

from nn import functional as F  # noqa: N812  (the customary name in PyTorch code)
from nn.module import Module
from nn.random import Rng, as_generator
from nn.typing import Operand
from nn.validation import checked_range

__all__ = ["AlphaDropout", "Dropout"]


class Dropout(Module):
    r"""Set elements to 0 with probability `p` in training and multiply the others by :math:`1 / (1 - p)`.

    Parameters
    ----------
    p : float
        Probability in [0, 1].
    rng : Generator, int or None
        Source of the mask; None is the generator of `manual_seed`.

    Raises
    ------
    ValueError
        If `p` is not in [0, 1].

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
        self.rng: np.random.Generator | None = None if rng is None else as_generator(rng)

    def forward(self, input: Operand) -> Operand:
        """Return `input` with random elements set to 0; in evaluation return it unchanged."""
        return F.dropout(input, self.p, self.training, rng=self.rng)

    def extra_repr(self) -> str:
        """Return the options."""
        return f"p={self.p}"


class AlphaDropout(Dropout):
    """Dropout that preserves the mean and variance of `SELU` outputs (Klambauer et al. 2017).

    Examples
    --------
    >>> import numpy as np
    >>> AlphaDropout(0.5).eval()(np.ones(2))
    array([1., 1.])
    """

    def forward(self, input: Operand) -> Operand:
        """Return `input` with random elements set to the limit of SELU; in evaluation return it unchanged."""
        return F.alpha_dropout(input, self.p, self.training, rng=self.rng)
