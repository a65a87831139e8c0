"""Normalization and dropout."""

from collections.abc import Sequence

import numpy as np

import autograd as ag
from autograd.extend import callback, guard
from nn import functional as F  # noqa: N812  (the customary name in PyTorch code)
from nn.functional.checks import as_operand
from nn.module import Module, Parameter
from nn.ranks import batch_statistics
from nn.typing import Array, DType, Operand
from nn.validation import checked_integer, checked_range

from .activation import FunctionModule
from .linear import filled

__all__ = ["AlphaDropout", "BatchNorm1d", "Dropout", "GroupNorm", "LayerNorm", "RMSNorm"]


class BatchNorm1d(Module):
    r"""Batch normalization :math:`\gamma (x - \mu) / \sqrt{\sigma^2 + \epsilon} + \beta` of every channel.

    Training uses the mean and the biased variance of the batch, evaluation running averages of the mean and of the
    unbiased variance, :math:`r \leftarrow (1 - momentum)\, r + momentum \cdot s`. Ranks that share a batch
    (`nn.ranks.shared`) use the statistics of all its rows.

    Parameters
    ----------
    num_features : int
        Number of channels `C` of inputs of shape (N, C) or (N, C, L).
    eps : float
        Added to the variance.
    momentum : float or None
        Weight of the newest batch in the running averages; with None all batches have equal weight.
    affine : bool
        Learn a scale and a shift.
    track_running_stats : bool
        Keep running averages; otherwise evaluation uses the statistics of the batch, too.
    dtype : dtype, optional
        Type of parameters and averages; the default dtype if not given.

    Attributes
    ----------
    weight, bias : Parameter of shape (C,) or None
        Scale :math:`\gamma`, initially 1, and shift :math:`\beta`, initially 0.
    running_mean, running_var : ndarray of shape (C,) or None
        Initially 0 and 1.
    num_batches_tracked : ndarray of shape () or None
        Number of batches in the averages.

    Raises
    ------
    ValueError
        If a training batch has a single element per channel, or another number of channels.
    RuntimeError
        In evaluation before the first training batch.

    Notes
    -----
    Ioffe & Szegedy 2015, Algorithms 1 and 2.

    Examples
    --------
    >>> layer = BatchNorm1d(1)
    >>> layer(np.array([[1.0], [3.0]])).numpy().round(3)
    array([[-1.],
           [ 1.]])
    """

    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = True,
        track_running_stats: bool = True, *, bias: bool = True, dtype: DType = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.num_features: int = checked_integer("BatchNorm1d", "num_features", num_features)
        self.eps: float = checked_range("BatchNorm1d", "eps", eps)
        self.momentum: float | None = (
            None if momentum is None else checked_range("BatchNorm1d", "momentum", momentum, high=1.0)
        )
        self.track_running_stats: bool = track_running_stats
        dtype = ag.get_default_dtype() if dtype is None else dtype
        self.weight: Parameter | None = filled(num_features, 1.0, dtype) if affine else None
        self.bias: Parameter | None = filled(num_features, 0.0, dtype) if affine and bias else None
        self.register_buffer("running_mean", np.zeros(num_features, dtype) if track_running_stats else None)
        self.register_buffer("running_var", np.ones(num_features, dtype) if track_running_stats else None)
        self.register_buffer("num_batches_tracked", np.array(0) if track_running_stats else None)

    _shown: tuple[str, ...] = ("num_features", "eps", "momentum")
    running_mean: Array
    running_var: Array
    num_batches_tracked: Array

    @property
    def combines_examples(self) -> bool:
        """True if statistics of the batch are used."""
        return self.training or not self.track_running_stats

    def forward(self, input: Operand) -> Operand:
        """Return the normalized batch, of the shape of `input`."""
        x = as_operand(input)
        if x.ndim not in (2, 3) or x.shape[1] != self.num_features:
            c = self.num_features
            raise ValueError(f"BatchNorm1d({c}) expected input of shape (N, {c}) or (N, {c}, L), got {x.shape}")
        if self.combines_examples:
            mean, var, track = batch_statistics(x)
        else:
            guard(self._require_statistics)
            mean, var = callback(getattr, self, "running_mean"), callback(getattr, self, "running_var")
        y = F.batch_norm(x, mean, var, self.weight, self.bias, self.training and mean is None, eps=self.eps)
        if self.training and self.track_running_stats:
            callback(lambda x: self._track(*track(x)), x)
        return y

    def _require_statistics(self) -> None:
        if not self.num_batches_tracked:
            raise RuntimeError(
                "BatchNorm1d has no running statistics for evaluation before the first batch in training; train it, "
                "load the state_dict of a trained model, or create it with track_running_stats=False"
            )

    def _track(self, mean: Array, var: Array) -> None:
        """Move the running averages towards the statistics of a batch."""
        own = vars(self)  # not by assignment, after which a compiled step would be recorded anew
        own["num_batches_tracked"] = self.num_batches_tracked + 1
        share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        for name, found in (("running_mean", mean), ("running_var", var)):
            old = own[name]
            own[name] = ((1 - share) * old + share * found).astype(old.dtype, copy=False)


class LayerNorm(Module):
    r"""Layer normalization :math:`\gamma (x - \mu) / \sqrt{\sigma^2 + \epsilon} + \beta` of every example.

    Parameters
    ----------
    normalized_shape : int or sequence of int
        Lengths of the last axes, over which the mean and the biased variance are computed.
    eps : float
        Added to the variance.
    elementwise_affine : bool
        Learn a scale.
    bias : bool
        Learn a shift, if `elementwise_affine`.
    dtype : dtype, optional
        Type of the parameters; the default dtype if not given.

    Attributes
    ----------
    weight, bias : Parameter of shape normalized_shape or None
        Scale, initially 1, and shift, initially 0.

    Raises
    ------
    ValueError
        If the last axes of an input have other lengths.

    Notes
    -----
    Ba, Kiros & Hinton 2016.

    Examples
    --------
    >>> LayerNorm(2)(np.array([[1.0, 3.0]])).numpy().round(3)
    array([[-1.,  1.]])
    """

    _shown: tuple[str, ...] = ("normalized_shape", "eps")

    def __init__(
        self, normalized_shape: int | Sequence[int], eps: float = 1e-5,
        elementwise_affine: bool = True, bias: bool = True, *, dtype: DType = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.normalized_shape: tuple[int, ...] = checked_shape("LayerNorm", normalized_shape)
        self.eps = eps
        affine = elementwise_affine
        self.weight: Parameter | None = filled(self.normalized_shape, 1.0, dtype) if affine else None
        self.bias: Parameter | None = filled(self.normalized_shape, 0.0, dtype) if affine and bias else None

    def forward(self, input: Operand) -> Operand:
        """Return the normalized examples, of the shape of `input`."""
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)


class GroupNorm(Module):
    r"""Group normalization :math:`\gamma (x - \mu) / \sqrt{\sigma^2 + \epsilon} + \beta` of every example.

    Parameters
    ----------
    num_groups : int
        Number of groups of neighbouring channels, each with its own mean and biased variance.
    num_channels : int
        Number of channels `C` of inputs of shape (N, C, ...), a multiple of `num_groups`.
    eps : float
        Added to the variance.
    affine : bool
        Learn a scale and a shift of every channel.
    dtype : dtype, optional
        Type of the parameters; the default dtype if not given.

    Attributes
    ----------
    weight, bias : Parameter of shape (C,) or None
        Scale, initially 1, and shift, initially 0.

    Raises
    ------
    ValueError
        If `num_channels` is not a multiple of `num_groups`, or an input has another number of channels.

    Notes
    -----
    Wu & He 2018.

    Examples
    --------
    >>> GroupNorm(2, 4)(np.array([[1.0, 3.0, 50.0, 70.0]])).numpy().round(3)
    array([[-1.,  1., -1.,  1.]])
    """

    _shown: tuple[str, ...] = ("num_groups", "num_channels", "eps")

    def __init__(
        self, num_groups: int, num_channels: int, eps: float = 1e-5, affine: bool = True, *, dtype: DType = None
    ) -> None:
        super().__init__()
        self.num_groups: int = checked_integer("GroupNorm", "num_groups", num_groups, 1)
        self.num_channels: int = checked_integer("GroupNorm", "num_channels", num_channels, 1)
        if num_channels % num_groups:
            raise ValueError(f"GroupNorm cannot divide {num_channels} channels into {num_groups} equal groups")
        self.eps = eps
        self.weight: Parameter | None = filled(num_channels, 1.0, dtype) if affine else None
        self.bias: Parameter | None = filled(num_channels, 0.0, dtype) if affine else None

    def forward(self, input: Operand) -> Operand:
        """Return the normalized examples, of the shape of `input`."""
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)


class RMSNorm(Module):
    r"""Root mean square normalization :math:`\gamma x / \sqrt{\overline{x^2} + \epsilon}` of every example.

    Parameters
    ----------
    normalized_shape : int or sequence of int
        Lengths of the last axes, over which the mean square is computed.
    eps : float, optional
        Added to the mean square; by default the machine epsilon of the dtype, as in PyTorch.
    elementwise_affine : bool
        Learn a scale.
    dtype : dtype, optional
        Type of the parameter; the default dtype if not given.

    Attributes
    ----------
    weight : Parameter of shape normalized_shape or None
        Scale, initially 1.

    Notes
    -----
    Zhang & Sennrich 2019, eq. 4.

    Examples
    --------
    >>> RMSNorm(2)(np.array([[1.0, -1.0]])).numpy()
    array([[ 1., -1.]])
    """

    _shown: tuple[str, ...] = ("normalized_shape", "eps")

    def __init__(
        self, normalized_shape: int | Sequence[int], eps: float | None = None,
        elementwise_affine: bool = True, *, dtype: DType = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.normalized_shape: tuple[int, ...] = checked_shape("RMSNorm", normalized_shape)
        self.eps = eps
        self.weight: Parameter | None = filled(self.normalized_shape, 1.0, dtype) if elementwise_affine else None

    def forward(self, input: Operand) -> Operand:
        """Return the scaled examples, of the shape of `input`."""
        return F.rms_norm(input, self.normalized_shape, self.weight, self.eps)


def checked_shape(owner: str, shape: int | Sequence[int]) -> tuple[int, ...]:
    """Return lengths as a tuple of int."""
    lengths = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
    return tuple(checked_integer(owner, "normalized_shape", length, 1) for length in lengths)


PROBABILITY = {"p": {"high": 1.0}}


class Dropout(FunctionModule, function=F.dropout, ranges=PROBABILITY): ...


class AlphaDropout(FunctionModule, function=F.alpha_dropout, ranges=PROBABILITY): ...
