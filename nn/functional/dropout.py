"""Dropout, without state other than the generator."""

from __future__ import annotations

import math

import numpy as np

from autograd.extend import callback
from nn.random import Rng, as_generator
from nn.ranks import draw_rows
from nn.typing import Operand
from nn.validation import checked_range

from .checks import as_operand
from .rectifiers import SELU_ALPHA, SELU_SCALE

SELU_FLOOR = -SELU_SCALE * SELU_ALPHA  # limit of SELU at -inf


def _kept(x: Operand, p: float, rng: Rng) -> Operand:
    """Return an array of the shape of `x` that is 0 with probability `p` and else 1."""
    kind, shape = np.float32 if x.dtype == np.float32 else np.float64, x.shape

    def kept() -> Operand:
        generator = as_generator(rng)
        return np.asarray(draw_rows(lambda shape: generator.random(shape, kind), shape) >= p, kind)

    return callback(kept)


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
    >>> dropout(np.ones(4), 0.5, rng=0)
    array([2., 0., 0., 0.])
    """
    p = checked_range("dropout", "p", p, high=1.0)
    x = as_operand(input)
    if not training or p == 0:
        return x
    return x * (_kept(x, p, rng) * (1 / (1 - p) if p < 1 else 0.0))


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
    >>> alpha_dropout(np.zeros(2), 0.5, training=False)
    array([0., 0.])
    """
    p = checked_range("alpha_dropout", "p", p, high=1.0)
    x = as_operand(input)
    if not training or p == 0:
        return x
    if p == 1:
        return x * 0.0
    a = 1 / math.sqrt((1 - p) * (1 + p * SELU_FLOOR**2))
    kept = _kept(x, p, rng)
    return x * (a * kept) + (a * SELU_FLOOR) * ((1.0 - kept) - p)
