"""`MLP`: a multi-layer perceptron in one line."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

from . import activation as activations
from .container import Sequential
from .init import kaiming_normal_, lecun_normal_, xavier_uniform_, zeros_
from .linear import Linear, checked_size
from .module import Module
from .randomness import Rng, as_generator

__all__ = ["MLP"]

# Which initialiser suits the activation that follows a layer: He for rectifiers, Xavier for the rest.
HE = {"ReLU", "LeakyReLU", "ReLU6", "PReLU", "RReLU", "ELU", "CELU", "GELU", "SiLU", "Mish", "Hardswish", "Softplus"}


def activation_class(given: Any) -> Callable[[], Module]:
    """Return what makes the activation called `given`: a name in any case, a class, or a function."""
    if isinstance(given, str):
        table = {name.lower(): getattr(activations, name) for name in activations.__all__}
        key = given.lower().replace("_", "")
        if key not in table:
            raise ValueError(f"unknown activation {given!r}; choose from {', '.join(sorted(table))}")
        found: Callable[[], Module] = table[key]
        return found
    if isinstance(given, Module) or not callable(given):
        raise TypeError(f"an activation is a name ('relu') or a class (nn.ReLU), not {given!r:.60}")
    return given  # type: ignore[no-any-return]


def initialise(layer: Linear, activation: Module | None, rng: Any) -> None:
    """Draw weights for the activation that follows (He et al. 2015, Glorot & Bengio 2010); biases are 0."""
    kind = type(activation).__name__
    if kind == "SELU":
        lecun_normal_(layer.weight, rng=rng)
    elif kind in HE:
        kaiming_normal_(layer.weight, a=getattr(activation, "negative_slope", 0.0), rng=rng)
    else:
        xavier_uniform_(layer.weight, rng=rng)
    if layer.bias is not None:
        zeros_(layer.bias)


class MLP(Sequential):
    """Multi-layer perceptron: affine layers with an activation between each two.

    Parameters
    ----------
    in_features : int
        Width of the input.
    sizes : sequence of int
        Widths of the layers, the last being the output.
    activation : str or class
        After every layer but the last: 'relu', 'tanh', ... or a Module class.
    output_activation : str, class or None
        After the last layer.
    bias : bool
        Whether the layers have a bias.
    dtype : dtype, optional
        Type of the parameters; the default dtype if not given.
    rng : Generator, int or None
        Where the first weights are drawn from.

    Notes
    -----
    Weights before a rectifier (and its smooth kin) are drawn by He's initialiser, before others and before no
    activation by Xavier's; biases start at 0.  The `state_dict` keys are those of a `torch.nn.Sequential`.

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
        self,
        in_features: int,
        sizes: Sequence[int],
        activation: Any = "relu",
        *,
        output_activation: Any = None,
        bias: bool = True,
        dtype: Any = None,
        rng: Rng = None,
    ) -> None:
        super().__init__()
        generator = as_generator(rng)
        widths = [in_features, *([sizes] if isinstance(sizes, int) else sizes)]
        for n, (width, out) in enumerate(itertools.pairwise(widths), start=1):
            checked_size("MLP", "width", out, 1)
            layer = Linear(width, out, bias, dtype=dtype, rng=generator)
            chosen = activation if n < len(widths) - 1 else output_activation
            after = None if chosen is None else activation_class(chosen)()
            initialise(layer, after, generator)
            self.extend([layer] if after is None else [layer, after])
