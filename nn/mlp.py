"""Multi-layer perceptrons, also for tables whose last columns are categories."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

import numpy as np

import autograd as ag
from autograd.extend import callback
from nn.init import kaiming_normal_, lecun_normal_, xavier_uniform_, zeros_
from nn.layers import activation as activations
from nn.layers.container import Residual, Sequential
from nn.layers.linear import Embedding, Linear
from nn.layers.norm import AlphaDropout, BatchNorm1d, Dropout, LayerNorm, RMSNorm
from nn.module import Module
from nn.random import Rng, as_generator
from nn.typing import Array, DType, Initializer, Operand
from nn.validation import checked_integer, similar

__all__ = ["MLP"]

Option = TypeVar("Option")
PerLayer: TypeAlias = Option | Sequence[Option]
Constructor: TypeAlias = Callable[..., Module]
Constructors: TypeAlias = Mapping[str, Constructor]
Choice: TypeAlias = str | Constructor | None

ACTIVATIONS: Constructors = {name.lower(): getattr(activations, name) for name in activations.__all__}
NORMS: Constructors = {"batch": BatchNorm1d, "layer": LayerNorm, "rms": RMSNorm}
INITIALIZERS: Mapping[str, Initializer] = {"lecun": lecun_normal_, "xavier": xavier_uniform_}


def _created(what: str, given: Choice, table: Constructors, *args: object) -> list[Module]:
    """Return the module that is given by name (in any case), class or function, in a list that is empty for None."""
    if given is None:
        return []
    if isinstance(given, Module) or not (isinstance(given, str) or callable(given)):
        raise TypeError(f"MLP: {what} must be a name, or a class that is called for each layer, got {given!r:.60}")
    constructor = table.get(given.lower().replace("_", "")) if isinstance(given, str) else given
    if constructor is None:
        choices = f"; choose from {', '.join(sorted(table))}"
        raise ValueError(f"MLP: unknown {what} {given!r}{similar(given, table, choices)}")
    return [constructor(*args)]


def _one_each(what: str, given: object, count: int) -> list[Any]:
    """Return one option per layer from a list, or from a single value for all layers."""
    if not isinstance(given, (list, tuple)):
        return [given] * count
    if len(given) != count:
        raise ValueError(f"MLP: {what} has {len(given)} entries for {count} layers; give one value, or one per layer")
    return list(given)


def _initialize(layer: Linear, init: str | Initializer | None, activation: Module | None, rng: Rng) -> None:
    """Draw the weights by `init`, which by default suits the activation that follows; biases are 0."""
    init = getattr(activation, "weight_init", "xavier") if init is None else init
    if init == "default":
        return
    if init == "he":
        kaiming_normal_(layer.weight, a=getattr(activation, "negative_slope", 0.0), rng=rng)
    elif callable(init) or init in INITIALIZERS:
        (init if callable(init) else INITIALIZERS[init])(layer.weight, rng=rng)
    else:
        choices = "; choose from he, xavier, lecun, default, or pass a function"
        raise ValueError(f"MLP: unknown init {init!r}{similar(init, ['he', *INITIALIZERS, 'default'], choices)}")
    if layer.bias is not None:
        zeros_(layer.bias)


class MLP(Sequential):
    """Multi-layer perceptron: affine layers, each but the last followed by an activation.

    Parameters
    ----------
    in_features : int
        Number of input features.
    sizes : sequence of int
        Number of features of each layer, the output last.
    activation : str, class or None
        Applied after every hidden layer: the name of an activation in any case, such as 'relu', or a class.
    norm : {'batch', 'layer', 'rms'}, class or None
        Normalization between every hidden layer and its activation.
    dropout : float
        Dropout probability after every hidden activation; after 'selu' `AlphaDropout` is used.
    residual : bool
        Skip connections around hidden layers that preserve the number of features.
    output_activation : str, class or None
        Applied after the last layer.
    bias : bool
        Add a bias in each layer.
    init : {'he', 'xavier', 'lecun', 'default'} or function
        Initializer of the weights (a function is called with the weight and ``rng=``); None chooses one per layer, see
        Notes.
    dtype : dtype, optional
        Type of the parameters; the default dtype if not given.
    rng : Generator, int or None
        Source of the initial weights and of dropout masks; None is the generator of `manual_seed`.

    Raises
    ------
    ValueError
        If a name is unknown, a list does not have one entry per layer, or a list requests a skip connection around a
        layer that changes the number of features.

    Notes
    -----
    `activation`, `norm`, `dropout` and `residual` may be lists with one entry per hidden layer, `bias` and `init` with
    one per layer.

    Weights before a rectifier or one of its smooth relatives are drawn by He's initializer (normal, He et al. 2015),
    before SELU by LeCun's, before all others (tanh, sigmoid, none) by Xavier's (uniform, Glorot & Bengio 2010); biases
    are initially 0.  A custom activation selects one by an attribute `weight_init`.  ``init='default'`` keeps the
    initial values of `Linear`.  Without norm, dropout and residual the `state_dict` keys are those of a
    ``torch.nn.Sequential`` of linear layers and activations.

    Examples
    --------
    >>> import numpy as np
    >>> model = MLP(2, [16, 16, 1], activation="tanh", rng=0)
    >>> model(np.zeros((5, 2))).shape
    (5, 1)
    >>> sum(p.size for p in model.parameters())
    337
    """

    def __init__(
        self, in_features: int, sizes: Sequence[int], activation: PerLayer[Choice] = "relu", *,
        norm: PerLayer[Choice] = None, dropout: PerLayer[float] = 0.0, residual: PerLayer[bool] = False,
        output_activation: Choice = None, bias: PerLayer[bool] = True,
        init: PerLayer[str | Initializer | None] = None, dtype: DType = None, rng: Rng = None,
    ) -> None:  # fmt: skip
        super().__init__()
        generator = as_generator(rng)
        if not isinstance(sizes, Iterable):
            raise TypeError(f"MLP: sizes must be a list of integers such as [16, 16, 1], got {sizes!r:.60}")
        if not len(sizes):
            raise ValueError("MLP: sizes is empty; its last entry is the number of outputs, as in [16, 16, 1]")
        widths = [checked_integer("MLP", "in_features", in_features, 1)]
        widths += [checked_integer("MLP", "a layer's size", size, 1) for size in sizes]
        count, hidden = len(widths) - 1, len(widths) - 2
        choices = zip(
            [*_one_each("activation", activation, hidden), output_activation],
            [*_one_each("norm", norm, hidden), None],
            [*_one_each("dropout", dropout, hidden), 0.0],
            [*_one_each("residual", residual, hidden), False],
            _one_each("bias", bias, count),
            _one_each("init", init, count),
            strict=True,
        )
        for n, (act, normal, p, skip, has_bias, how) in enumerate(choices):
            layer = Linear(widths[n], widths[n + 1], has_bias, dtype=dtype, rng=generator)
            after = _created("activation", act, ACTIVATIONS)
            _initialize(layer, how, after[0] if after else None, generator)
            parts: list[Module] = [layer, *_created("norm", normal, NORMS, widths[n + 1]), *after]
            if p:
                kind = AlphaDropout if isinstance(parts[-1], activations.SELU) else Dropout
                parts.append(kind(p, rng=None if rng is None else generator))
            block = [part if dtype is None else part.to(dtype) for part in parts]
            if skip and widths[n] != widths[n + 1] and isinstance(residual, (list, tuple)):
                raise ValueError(f"MLP: a skip connection cannot change the width from {widths[n]} to {widths[n + 1]}")
            self.extend([Residual(*block)] if skip and widths[n] == widths[n + 1] else block)


EMBEDDING_DIM = 8


class ColumnEmbedding(Module):
    """Replace the last columns, which contain indices, by learned vectors (Guo & Berkhahn 2016).

    Parameters
    ----------
    levels : sequence of int
        The number of indices of each of the last columns.
    embedding_dim : int
        The length of a vector.
    rng : Generator, int or None
        Source of the initial vectors; None is the generator of `manual_seed`.

    Notes
    -----
    The vectors of index 0, which stands for unknown words, are initially 0.

    Examples
    --------
    >>> ColumnEmbedding([3, 12], 4, rng=0)(np.array([[0.5, 2.0, 11.0]])).shape
    (1, 9)
    """

    _shown: tuple[str, ...] = ("levels",)

    def __init__(self, levels: Sequence[int], embedding_dim: int = EMBEDDING_DIM, *, rng: Rng = None) -> None:
        super().__init__()
        self.levels: list[int] = list(levels)
        self.first: Array = np.cumsum([0, *self.levels[:-1]])
        self.embedding: Embedding = Embedding(sum(self.levels), embedding_dim, rng=rng)
        table = self.embedding.weight.data.copy()
        table[self.first] = 0.0
        self.embedding.weight.data = table

    def forward(self, x: Operand) -> Operand:
        """Return the other columns, then the vectors."""
        count = len(self.levels)
        index = callback(lambda x: x[:, -count:].astype(np.int64) + self.first, x)
        vectors = self.embedding(index)
        return ag.concatenate([x[:, :-count], vectors.reshape(-1, count * self.embedding.embedding_dim)], axis=1)


def table_network(
    features: int, levels: Sequence[int], sizes: Sequence[int], activation: str = "relu", *, dropout: float = 0.0,
    rng: Rng = None,
) -> Sequential:  # fmt: skip
    """Return a multi-layer perceptron for the features of a table, the last of which are indices of embeddings.

    Parameters
    ----------
    features : int
        The number of features, indices included.
    levels : sequence of int
        The number of indices of each of the last features.
    sizes, activation, dropout, rng
        As for `MLP`; the weights of the last layer are initially 0.

    Examples
    --------
    >>> table_network(3, [12], [16, 1], rng=0)(np.array([[0.5, 1.0, 11.0]])).shape
    (1, 1)
    """
    inputs = features + len(levels) * (EMBEDDING_DIM - 1)
    init = [*[None] * (len(sizes) - 1), lambda weight, rng: zeros_(weight)]
    mlp = MLP(inputs, sizes, activation, dropout=dropout, init=init, rng=rng)
    return Sequential(ColumnEmbedding(levels, rng=rng), *mlp) if levels else mlp
