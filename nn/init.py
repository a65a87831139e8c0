"""Initializers, which assign new values to a parameter and return it.

Weights have PyTorch's layout (out, in): ``fan_in`` is the second length, ``fan_out`` the first.
"""

import math

import numpy as np

from autograd import Tensor
from nn.typing import ArrayLike

from .random import Rng, as_generator
from .validation import checked_range

__all__ = [
    "calculate_gain", "constant_", "eye_", "he_normal_", "he_uniform_", "kaiming_normal_", "kaiming_uniform_",
    "lecun_normal_", "lecun_uniform_", "normal_", "ones_", "orthogonal_", "sparse_", "trunc_normal_", "uniform_",
    "xavier_normal_", "xavier_uniform_", "zeros_",
]  # fmt: skip

GAINS = {"linear": 1.0, "identity": 1.0, "sigmoid": 1.0, "tanh": 5 / 3, "relu": math.sqrt(2), "selu": 3 / 4}


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    r"""Return the factor of the weights that compensates for the change of variance by an activation.

    Parameters
    ----------
    nonlinearity : str
        'linear', 'identity', 'sigmoid' (1), 'tanh' (5/3), 'relu' (:math:`\sqrt 2`), 'selu' (3/4) or 'leaky_relu'.
    param : float, optional
        The negative slope `a` of 'leaky_relu', :math:`\sqrt{2 / (1 + a^2)}`; 0.01 by default.

    Returns
    -------
    float
        The gain.

    Raises
    ------
    ValueError
        If the name is unknown.

    Notes
    -----
    The values are PyTorch's; those of the rectifiers are from He et al. 2015, eqs. 10 and 15.

    Examples
    --------
    >>> calculate_gain("leaky_relu", 1.0)
    1.0
    """
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else float(param)
        return math.sqrt(2 / (1 + slope * slope))
    if nonlinearity not in GAINS:
        raise ValueError(f"unknown nonlinearity {nonlinearity!r}; choose from {', '.join([*GAINS, 'leaky_relu'])}")
    return GAINS[nonlinearity]


def _fans(tensor: Tensor) -> tuple[int, int]:
    if tensor.ndim < 2:
        raise ValueError(f"fan in and fan out need a weight with at least two axes (out, in), got shape {tensor.shape}")
    field = math.prod(tensor.shape[2:])
    return tensor.shape[1] * field, tensor.shape[0] * field


def _fan(tensor: Tensor, mode: str) -> int:
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"mode must be 'fan_in' or 'fan_out', got {mode!r}")
    return _fans(tensor)[mode == "fan_out"]


def _assign(tensor: Tensor, array: ArrayLike) -> Tensor:
    if not isinstance(tensor, Tensor):
        raise TypeError(f"an initializer expects a Tensor or Parameter, got {type(tensor).__name__}")
    tensor.data = np.array(np.broadcast_to(array, tensor.shape), dtype=tensor.dtype)
    return tensor


def constant_(tensor: Tensor, val: float) -> Tensor:
    """Fill with `val`.

    Examples
    --------
    >>> constant_(Tensor([0.0, 0.0]), 0.5).data
    array([0.5, 0.5])
    """
    return _assign(tensor, val)


def zeros_(tensor: Tensor) -> Tensor:
    """Fill with 0.

    Examples
    --------
    >>> zeros_(Tensor([1.0, 2.0])).data
    array([0., 0.])
    """
    return _assign(tensor, 0.0)


def ones_(tensor: Tensor) -> Tensor:
    """Fill with 1.

    Examples
    --------
    >>> ones_(Tensor([0.0, 0.0])).data
    array([1., 1.])
    """
    return _assign(tensor, 1.0)


def eye_(tensor: Tensor) -> Tensor:
    """Fill a matrix with ones on the diagonal and zeros elsewhere.

    Examples
    --------
    >>> eye_(Tensor(np.zeros((2, 3)))).data
    array([[1., 0., 0.],
           [0., 1., 0.]])
    """
    if tensor.ndim != 2:
        raise ValueError(f"eye_ needs a matrix, got shape {tensor.shape}")
    return _assign(tensor, np.eye(tensor.shape[0], tensor.shape[1]))


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, *, rng: Rng = None) -> Tensor:
    """Fill from the uniform distribution on [a, b).

    Examples
    --------
    >>> w = uniform_(Tensor(np.zeros((2, 3))), -1.0, 1.0, rng=0)
    >>> bool((abs(w.data) <= 1).all())
    True
    """
    if not a <= b:
        raise ValueError(f"uniform_ needs a <= b, got a={a}, b={b}")
    return _assign(tensor, as_generator(rng).uniform(a, b, tensor.shape))


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, *, rng: Rng = None) -> Tensor:
    """Fill from the normal distribution with mean `mean` and standard deviation `std`.

    Examples
    --------
    >>> bool(abs(normal_(Tensor(np.zeros(10_000)), std=2.0, rng=0).data.std() - 2.0) < 0.05)
    True
    """
    checked_range("normal_", "std", std)
    return _assign(tensor, mean + std * as_generator(rng).standard_normal(tensor.shape))


def trunc_normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0, *, rng: Rng = None
) -> Tensor:
    """Fill from the normal distribution truncated to [a, b]; values outside are drawn again.

    Raises
    ------
    ValueError
        If the interval is empty, or more than four standard deviations from the mean, where rejection is too slow.

    Examples
    --------
    >>> w = trunc_normal_(Tensor(np.zeros(1000)), a=-1.0, b=1.0, rng=0)
    >>> bool((abs(w.data) <= 1).all())
    True
    """
    if not (a < b and std > 0 and a <= mean + 4 * std and b >= mean - 4 * std):
        raise ValueError(f"trunc_normal_ needs std > 0 and a < b near the mean, got {mean=}, {std=}, {a=}, {b=}")
    generator = as_generator(rng)
    drawn = mean + std * generator.standard_normal(tensor.shape)
    while (outside := (drawn < a) | (drawn > b)).any():
        drawn[outside] = mean + std * generator.standard_normal(int(outside.sum()))
    return _assign(tensor, drawn)


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, *, rng: Rng = None) -> Tensor:
    r"""Fill from :math:`U(-a, a)` , :math:`a = gain \sqrt{6 / (fan_{in} + fan_{out})}`; Glorot & Bengio 2010, eq. 16.

    Examples
    --------
    >>> w = xavier_uniform_(Tensor(np.zeros((4, 2))), rng=0)
    >>> bool((abs(w.data) <= 1).all())
    True
    """
    bound = gain * math.sqrt(6 / max(sum(_fans(tensor)), 1))
    return uniform_(tensor, -bound, bound, rng=rng)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, *, rng: Rng = None) -> Tensor:
    r"""Fill from :math:`N(0, gain^2 \cdot 2 / (fan_{in} + fan_{out}))` (Glorot & Bengio 2010, eq. 12).

    Examples
    --------
    >>> w = xavier_normal_(Tensor(np.zeros((100, 100))), rng=0)
    >>> bool(abs(w.data.std() - 0.1) < 0.01)
    True
    """
    return normal_(tensor, 0.0, gain * math.sqrt(2 / max(sum(_fans(tensor)), 1)), rng=rng)


def kaiming_uniform_(
    tensor: Tensor, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", *, rng: Rng = None
) -> Tensor:
    r"""Fill from :math:`U(-b, b)` with :math:`b = gain \sqrt{3 / fan}` (He et al. 2015).

    Parameters
    ----------
    tensor : Tensor
        A weight with at least two axes (out, in).
    a : float
        Negative slope of the following 'leaky_relu'; 0 for relu.
    mode : {'fan_in', 'fan_out'}
        Preserve the variance in the forward or in the backward pass.
    nonlinearity : str
        As in `calculate_gain`.
    rng : Generator, int or None
        Source of the values; None is the generator of `manual_seed`.

    Examples
    --------
    >>> w = kaiming_uniform_(Tensor(np.zeros((4, 6))), rng=0)
    >>> bool((abs(w.data) <= 1).all())
    True
    """
    bound = calculate_gain(nonlinearity, a) * math.sqrt(3 / max(_fan(tensor, mode), 1))
    return uniform_(tensor, -bound, bound, rng=rng)


def kaiming_normal_(
    tensor: Tensor, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", *, rng: Rng = None
) -> Tensor:
    r"""Fill from :math:`N(0, gain^2 / fan)` (He et al. 2015, eq. 10); arguments as in `kaiming_uniform_`.

    Examples
    --------
    >>> w = kaiming_normal_(Tensor(np.zeros((100, 200))), rng=0)
    >>> bool(abs(w.data.std() - 0.1) < 0.01)
    True
    """
    std = calculate_gain(nonlinearity, a) / math.sqrt(max(_fan(tensor, mode), 1))
    return normal_(tensor, 0.0, std, rng=rng)


he_uniform_ = kaiming_uniform_
he_normal_ = kaiming_normal_


def lecun_uniform_(tensor: Tensor, *, rng: Rng = None) -> Tensor:
    r"""Fill from :math:`U(-b, b)` with :math:`b = \sqrt{3 / fan_{in}}` (LeCun et al. 1998, section 4.6).

    Examples
    --------
    >>> w = lecun_uniform_(Tensor(np.zeros((4, 3))), rng=0)
    >>> bool((abs(w.data) <= 1).all())
    True
    """
    return kaiming_uniform_(tensor, nonlinearity="linear", rng=rng)


def lecun_normal_(tensor: Tensor, *, rng: Rng = None) -> Tensor:
    r"""Fill from :math:`N(0, 1 / fan_{in})` (LeCun et al. 1998, section 4.6), as required by SELU.

    Examples
    --------
    >>> w = lecun_normal_(Tensor(np.zeros((100, 100))), rng=0)
    >>> bool(abs(w.data.std() - 0.1) < 0.01)
    True
    """
    return kaiming_normal_(tensor, nonlinearity="linear", rng=rng)


def orthogonal_(tensor: Tensor, gain: float = 1.0, *, rng: Rng = None) -> Tensor:
    """Fill with a random matrix of orthonormal rows or columns, whichever are fewer (Saxe et al. 2014).

    Examples
    --------
    >>> w = orthogonal_(Tensor(np.zeros((2, 3))), rng=0).data
    >>> np.allclose(w @ w.T, np.eye(2))
    True
    """
    if tensor.ndim < 2:
        raise ValueError(f"orthogonal_ needs at least two axes, got shape {tensor.shape}")
    rows, columns = tensor.shape[0], math.prod(tensor.shape[1:])
    normal = as_generator(rng).standard_normal((max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(normal)
    q = q * np.where(np.diag(r) < 0, -1.0, 1.0)  # makes the distribution uniform (Mezzadri 2007, section 5)
    return _assign(tensor, gain * (q.T if rows < columns else q).reshape(tensor.shape))


def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01, *, rng: Rng = None) -> Tensor:
    """Fill a matrix from N(0, std**2), with the fraction `sparsity` of every column set to 0 (Martens 2010).

    Examples
    --------
    >>> w = sparse_(Tensor(np.zeros((4, 2))), sparsity=0.5, rng=0)
    >>> (w.data == 0).sum(axis=0)
    array([2, 2])
    """
    if tensor.ndim != 2:
        raise ValueError(f"sparse_ needs a matrix, got shape {tensor.shape}")
    checked_range("sparse_", "sparsity", sparsity, high=1.0)
    generator = as_generator(rng)
    array = std * generator.standard_normal(tensor.shape)
    zeros = math.ceil(sparsity * tensor.shape[0])
    for column in array.T:
        column[generator.permutation(tensor.shape[0])[:zeros]] = 0.0
    return _assign(tensor, array)
