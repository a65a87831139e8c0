"""Steps divided by the curvature of the loss, estimated by random products with its Hessian: `AdaHessian`, `Sophia`."""

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from optim.checks import closure_pair, nonfinite, require_closure
from optim.flat_params import FlatParams, like
from optim.optimizer import Optimizer, Update
from optim.options import Betas, Count, NonNegative, Portion, Positive, Whole
from optim.typing import Array, Closure, Data, Group, Params, StateDict


class HessianDiagonal(Optimizer, needs_closure=True, needs_product="hessian"):
    """Base class of rules with options `update_period` and `seed`, whose state ends with an estimate d of diag(H).

    It is renewed in every `update_period`-th step by Hutchinson's method: z * (H z) has the expectation diag(H) for
    random z of independent elements with mean 0 and variance 1. The products come from a closure, or in a plain loop::

        loss.backward()
        optimizer.estimate(autograd.hessian_product(loss, optimizer.parameters))
        optimizer.step()
    """

    gaussian: ClassVar[bool] = False
    """True if the elements of z are normally distributed; otherwise they are 1 or -1."""

    def __init__(self, params: Params, *args: object, **options: object) -> None:
        super().__init__(params, *args, **options)
        # The parameters whose estimate for the next step is nonfinite and not stored; None without an estimate.
        self._refused: list[str] | None = None

    def estimate(self, product: Callable[[list[Data]], list[Data]]) -> None:
        """Renew the estimate if the next step needs it; then call `step` without a closure.

        Parameters
        ----------
        product : callable
            Multiplies a list of arrays, one for each parameter, by the Hessian of the loss whose gradients the
            parameters have: ``autograd.hessian_product(loss, optimizer.parameters)``.
        """
        if due := self._due():
            rng = np.random.default_rng((self.param_groups[0]["seed"], self.step_count))
            draw = rng.standard_normal if self.gaussian else lambda shape: rng.choice((-1.0, 1.0), shape)
            z = [like(draw(np.shape(p.data)), p.data) for p in self.parameters]
            found = {id(p): a * b for p, a, b in zip(self.parameters, z, product(z), strict=True)}
            if self.skip_nonfinite and (refused := nonfinite(self.parameters, found)):
                self._refused = refused
                return
        for flat, group in due:
            sign = -1.0 if group["maximize"] else 1.0
            diagonal = [np.asarray(sign * found[id(p)]) for p in flat.members]
            pieces = flat.pieces(np.concatenate(flat.transposed(diagonal), axis=None, dtype=flat.dtype))
            states = zip(self.initialized(flat, group), pieces, strict=True)
            flat.states = [(*state[:-1], piece) for state, piece in states]
        self._refused = []

    def step(self, closure: Closure | None = None) -> Any:
        """Update all parameters that have a gradient, atomically.

        Parameters
        ----------
        closure : callable, optional
            Clears the gradients, computes loss and gradients, and returns the loss and a function for `estimate`:
            ``return loss, autograd.hessian_product(loss, optimizer.parameters)``. Needed unless `estimate` was called
            since the last step, or this step needs no estimate.

        Returns
        -------
        loss
            The loss that the closure returned, or None.
        """
        loss = None
        if closure is not None or (self._due() and self._refused is None):
            loss, product = closure_pair(self, require_closure(self, closure)())
            if self.skip_nonfinite and (found := nonfinite(self.parameters)):
                self.skip(found)
                return loss
            self.estimate(product)
        refused, self._refused = self._refused, None
        if refused:
            self.skip(refused)
        else:
            super().step()
        return loss

    def load_state_dict(self, state_dict: StateDict) -> None:
        """Restore a copy of a `state_dict`, atomically; an estimate for the next step is dropped."""
        super().load_state_dict(state_dict)
        self._refused = None

    def _due(self) -> list[tuple[FlatParams, Group]]:
        """Return the parameters with a gradient whose next step needs an estimate, and their options."""
        return [(flat, group) for flat, group in self.moving() if flat.t % group["update_period"] == 0]


class AdaHessian(HessianDiagonal, decoupled_decay=True):
    """Adam with the diagonal of the Hessian in place of the gradient in the second moment.

    ::

        d = z * (H z), z random signs;    in blocks: the mean of |d|            (H: the Hessian)
        m = b1 * m + (1 - b1) * g;    v = b2 * v + (1 - b2) * d**2
        p -= lr * m_hat / (v_hat**(hessian_power / 2) + eps)

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts that define groups.
    lr : float
        Learning rate.
    betas : tuple of float
        Decay rates of m and v, each in [0, 1).
    eps : float
        Added outside the root.
    weight_decay : float
        Decoupled: ``p -= lr * weight_decay * p``.
    hessian_power : float
        1 for Newton's scaling of the step, 0 for none.
    update_period : int
        Number of steps between estimates.
    seed : int
        Seed of the random signs.

    Notes
    -----
    Yao et al. 2021, "ADAHESSIAN: An Adaptive Second Order Optimizer for Machine Learning", Algorithm 1, without the
    averages over convolution filters. It helps where the curvatures of layers differ by orders of magnitude; an
    estimate costs two backward passes more. PyTorch, Keras and optax do not include it.

    Examples
    --------
    >>> import autograd
    >>> from autograd import Tensor
    >>> p = Tensor([1.0, 1.0], requires_grad=True)
    >>> optimizer = AdaHessian([p], lr=0.5, eps=0.0)
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = (p * p * np.array([1.0, 100.0])).sum()
    ...     loss.backward()
    ...     return loss, autograd.hessian_product(loss, optimizer.parameters)
    >>> optimizer.step(closure).item()
    101.0
    >>> p.data
    array([0.5, 0.5])
    """

    lr: NonNegative = 0.15
    betas: Betas = (0.9, 0.999)
    eps: NonNegative = 1e-4
    weight_decay: NonNegative = 0.0
    hessian_power: Portion = 1.0
    update_period: Count = 1
    seed: Whole = 0

    def rule(
        self, g: Array, m: Array, v: Array, d: Array, *,
        t: int, lr: float, betas: Betas, eps: float, hessian_power: float, update_period: int,
    ) -> Update:  # fmt: skip
        """Return the update and the new state."""
        b1, b2 = betas
        m = b1 * m + (1 - b1) * g
        if (t - 1) % update_period == 0:
            v = b2 * v + (1 - b2) * d**2
        m_hat = m / (1 - b1**t)
        v_hat = v / (1 - b2 ** ((t - 1) // update_period + 1))
        return lr * m_hat / (v_hat ** (hessian_power / 2) + eps), (m, v, d)


class Sophia(HessianDiagonal, gaussian=True, decoupled_decay=True):
    """Momentum divided by an average of the Hessian's diagonal, with every element of the quotient clipped to 1.

    ::

        d = z * (H z), z normal, every `update_period` steps;    h = b2 * h + (1 - b2) * d
        m = b1 * m + (1 - b1) * g
        p -= lr * clip(m / max(gamma * h, eps), -1, 1)

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts that define groups.
    lr : float
        Learning rate: the largest change of an element in a step.
    betas : tuple of float
        Decay rates of m and h, each in [0, 1).
    gamma : float
        The larger, the fewer elements are clipped; the paper recommends a tenth to a half unclipped.
    eps : float
        Lower bound of the denominator: an element with negative curvature moves by `lr`.
    weight_decay : float
        Decoupled: ``p -= lr * weight_decay * p``.
    update_period : int
        Number of steps between estimates.
    seed : int
        Seed of the random products.

    Notes
    -----
    Liu et al. 2023, "Sophia: A Scalable Stochastic Second-order Optimizer for Language Model Pre-training", Algorithm
    3 with Algorithm 1 (Sophia-H). Estimates are rare, so that a step costs little more than Adam's; clipping protects
    against old ones where the curvature changes quickly. PyTorch, Keras and optax do not include it.

    Examples
    --------
    >>> import autograd
    >>> from autograd import Tensor
    >>> p = Tensor([1.0, -1.0], requires_grad=True)
    >>> optimizer = Sophia([p], lr=0.25)
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = (p * p).sum()
    ...     loss.backward()
    ...     return loss, autograd.hessian_product(loss, optimizer.parameters)
    >>> optimizer.step(closure).item()
    2.0
    >>> p.data
    array([ 0.75, -0.75])
    """

    lr: NonNegative = 1e-3
    betas: Betas = (0.96, 0.99)
    gamma: Positive = 0.01
    eps: Positive = 1e-12
    weight_decay: NonNegative = 0.0
    update_period: Count = 10
    seed: Whole = 0

    def rule(
        self, g: Array, m: Array, h: Array, d: Array, *,
        t: int, lr: float, betas: Betas, gamma: float, eps: float, update_period: int,
    ) -> Update:  # fmt: skip
        """Return the update and the new state."""
        b1, b2 = betas
        m = b1 * m + (1 - b1) * g
        if (t - 1) % update_period == 0:
            h = b2 * h + (1 - b2) * d
        return lr * np.clip(m / np.maximum(gamma * h, eps), -1.0, 1.0), (m, h, d)
