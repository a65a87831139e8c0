"""Fused operations: the forward of several operations as one node, with one pullback per argument.

Each declares its composition from elementary operations, which is its specification in the tests and is evaluated for
arrays of `Value`s.
"""

import functools

import numpy as np

import autograd as ag
from autograd.extend import primitive, writes_into
from autograd.typing import Axis
from nn.typing import Array, Decorator, DType, Operand, Operation


def fused(composition: Operation, *pullbacks: Operation | None, symbol: str = "") -> Decorator:
    """Make a primitive from a forward on arrays, its composition and one pullback per argument."""

    def decorate(forward: Operation) -> Operation:
        @functools.wraps(forward)
        def of_arrays_or_values(*args: Operand, **params: object) -> Operand:
            for a in args:
                if type(a) is np.ndarray and a.dtype == object:
                    return composition(*args, **params)
            return forward(*args, **params)

        return primitive(*pullbacks, symbol=symbol, composition=composition)(of_arrays_or_values)

    return decorate


def _rows(x: Operand) -> Operand:
    """Return an array of vectors as a matrix with one vector per row."""
    return x if x.ndim == 2 else ag.reshape(x, (-1, x.shape[-1]))


# ---------------------------------------------------------------------------------------------- affine layer


@functools.lru_cache(maxsize=64)
def _ones(count: int, dtype: DType) -> Array:
    """Return a vector of ones; a product with it sums over an axis faster than `sum`."""
    return np.ones(count, dtype)


@primitive(
    lambda g, y, x, W, b: g @ W,
    lambda g, y, x, W, b: _rows(g).T @ _rows(x),
    lambda g, y, x, W, b: _ones(g.size // g.shape[-1], g.dtype) @ _rows(g),
    symbol="xWᵀ+b",
    composition=lambda x, W, b: x @ W.T + b,
)
def affine(x: Operand, W: Operand, b: Operand) -> Operand:
    """Affine map ``x @ W.T + b`` of (..., in) by W (out, in) and b (out,) to (..., out)."""
    y = x @ W.T
    if y.dtype == b.dtype and y.ndim:
        y += b
        return y
    return y + b


@writes_into(affine)
def _affine_into(x: Operand, W: Operand, b: Operand, out: Operand) -> Operand:
    (np.dot if x.ndim == 2 else np.matmul)(x, W.T, out=out)
    return np.add(out, b, out=out)


# ---------------------------------------------------------------------------------------------- normalization


def _deviations(x: Operand, axis: Axis, eps: float) -> tuple[Operand, Operand]:
    """Return the deviations from the mean and the inverse standard deviation."""
    d = x - ag.mean(x, axis=axis, keepdims=True)
    return d, 1.0 / ag.sqrt(ag.mean(d * d, axis=axis, keepdims=True) + eps)


def _standardized(x: Operand, axis: Axis = -1, eps: float = 1e-5) -> Operand:
    d, inverse = _deviations(x, axis, eps)
    return d * inverse


def _pull_standardized(g: Operand, y: Operand, x: Operand, axis: Axis, eps: float) -> Operand:
    _, inverse = _deviations(x, axis, eps)
    centred = g - ag.mean(g, axis=axis, keepdims=True)
    return inverse * (centred - y * ag.mean(g * y, axis=axis, keepdims=True))


@fused(_standardized, _pull_standardized, symbol="standardize")
def standardized(x: Operand, axis: Axis = -1, eps: float = 1e-5) -> Operand:
    """Array shifted to mean 0 and scaled to variance 1 along `axis`; `eps` is added to the variance."""
    d = x - x.mean(axis=axis, keepdims=True)
    return d / np.sqrt((d * d).mean(axis=axis, keepdims=True) + eps)


def _inverse_rms(x: Operand, axis: Axis, eps: float) -> Operand:
    return 1.0 / ag.sqrt(ag.mean(x * x, axis=axis, keepdims=True) + eps)


def _pull_scaled(g: Operand, y: Operand, x: Operand, axis: Axis, eps: float) -> Operand:
    return _inverse_rms(x, axis, eps) * (g - y * ag.mean(g * y, axis=axis, keepdims=True))


@fused(lambda x, axis=-1, eps=1e-5: x * _inverse_rms(x, axis, eps), _pull_scaled, symbol="RMS norm")
def scaled_to_unit(x: Operand, axis: Axis = -1, eps: float = 1e-5) -> Operand:
    """Array divided by its root mean square along `axis`."""
    return x / np.sqrt((x * x).mean(axis=axis, keepdims=True) + eps)


# ------------------------------------------------------------------------------------------- mean of losses


def _mean(losses: Operand) -> Operand:
    """Return the mean of an array by one reduction; np.mean is slower, but sums float16 without overflow."""
    return np.mean(losses) if losses.dtype.char == "e" else np.add.reduce(losses, axis=None) / losses.size


@fused(lambda x: ag.mean(x), lambda g, y, x: g * (1.0 / x.size) * np.ones(x.shape, x.dtype), symbol="mean")
def mean_of_all(x: Operand) -> Operand:
    """Mean of all elements of an array."""
    return _mean(x)


@fused(
    lambda x, t: ag.mean((x - t) ** 2),
    lambda g, y, x, t: (x - t) * (g * (2.0 / x.size)),
    lambda g, y, x, t: (t - x) * (g * (2.0 / x.size)),
    symbol="MSE",
)
def mean_squared_error(x: Operand, t: Operand) -> Operand:
    """Mean of the squared differences of two arrays of one shape."""
    d = x - t
    d *= d
    return _mean(d)


@fused(
    lambda z, t: ag.mean(ag.softplus(z) - t * z),
    lambda g, y, z, t: (ag.sigmoid(z) - t) * (g * (1.0 / z.size)),
    lambda g, y, z, t: z * (g * (-1.0 / z.size)),
    symbol="BCE with logits",
)
def mean_logit_cross_entropy(z: Operand, t: Operand) -> Operand:
    """Mean cross-entropy of the probabilities ``sigmoid(z)`` with targets, without overflow."""
    losses = np.log1p(np.exp(-np.abs(z)))
    losses += np.maximum(z, 0.0)
    losses -= t * z
    return _mean(losses)


# ---------------------------------------------------------------------------- softmax followed by cross-entropy


FEW = 64  # classes


def _peaks(z: Operand) -> Operand:
    """Return the maximum of each row; for short rows NumPy is ten times as fast along the columns of a copy."""
    return np.maximum.reduce(z.T.copy(), axis=0) if z.shape[1] < FEW else np.maximum.reduce(z, axis=1)


@functools.lru_cache(maxsize=64)
def _places(count: int) -> Array:
    """Return the indices of the rows."""
    return np.arange(count)


def _index_losses(z: Operand, t: Operand) -> Operand:
    return ag.logsumexp(z, axis=-1) - z[np.arange(len(t)), t]


def _pull_excess(g: Operand, y: Operand, z: Operand, t: Operand) -> Operand:
    p = ag.softmax(z)
    return p * (g - ag.sum(g * p, axis=-1, keepdims=True))


@fused(lambda z, t: ag.softmax(z) - (t[:, None] == np.arange(z.shape[1])), _pull_excess, None, symbol="softmax - class")
def excess_of_index(z: Operand, t: Operand) -> Operand:
    """Softmax of each row of logits z (n, C), minus 1 at its class t (n,): the gradient of the cross-entropy."""
    e = z - _peaks(z)[:, None]
    np.exp(e, out=e)
    e /= np.dot(e, _ones(e.shape[1], e.dtype))[:, None]
    e[_places(len(t)), t] -= 1.0
    return e


def _index_losses_of_arrays(z: Operand, t: Operand) -> Operand:
    e = z - _peaks(z)[:, None]
    true = e[_places(len(t)), t]
    np.exp(e, out=e)
    losses = np.log(np.dot(e, _ones(e.shape[1], e.dtype)))
    losses -= true
    return losses


@fused(_index_losses, lambda g, y, z, t: excess_of_index(z, t) * g[:, None], None, symbol="cross entropy")
def cross_entropy_of_index(z: Operand, t: Operand) -> Operand:
    """Cross-entropy ``log(sum(exp(z))) - z[t]`` of each row of logits z (n, C) with its class t (n,)."""
    return _index_losses_of_arrays(z, t)


@fused(
    lambda z, t: ag.mean(_index_losses(z, t)),
    lambda g, y, z, t: excess_of_index(z, t) * (g * (1.0 / len(t))),
    None,
    symbol="mean cross entropy",
)
def mean_cross_entropy_of_index(z: Operand, t: Operand) -> Operand:
    """Mean over the rows of `cross_entropy_of_index`."""
    return _mean(_index_losses_of_arrays(z, t))


def _row_losses(z: Operand, q: Operand) -> Operand:
    return ag.sum(ag.where(ag.equal(q, 0), 0.0, q * (ag.logsumexp(z, axis=-1, keepdims=True) - z)), axis=-1)


@primitive(
    lambda g, y, z, q: (ag.softmax(z) * ag.sum(q, axis=-1, keepdims=True) - q) * g[..., None],
    lambda g, y, z, q: -ag.log_softmax(z) * g[..., None],
    symbol="cross entropy",
    composition=_row_losses,
)
def cross_entropy_of_rows(z: Operand, q: Operand) -> Operand:
    """Cross-entropy ``-sum(q * log_softmax(z))`` of each row of logits with a row of class weights q (..., C)."""
    return _row_losses(z, q)
