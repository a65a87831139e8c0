"""Neural networks on single numbers: micrograd's classes, and any module of ours with `Value`s for parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autograd import Value

from .module import Module
from .randomness import Rng, as_generator

__all__ = ["MLP", "Layer", "Neuron"]


class Neuron(Module):
    r"""One neuron :math:`\mathrm{relu}(\sum_i w_i x_i + b)`, or the sum itself.

    Parameters
    ----------
    nin : int
        Number of inputs.
    nonlin : bool
        Whether the rectifier is applied.
    rng : Generator, int or None
        Where the weights are drawn from, uniformly in [-1, 1]; the bias starts at 0.

    Examples
    --------
    >>> neuron = Neuron(2, rng=0)
    >>> neuron
    ReLUNeuron(2)
    >>> len(list(neuron.parameters()))
    3
    """

    def __init__(self, nin: int, nonlin: bool = True, *, rng: Rng = None) -> None:
        super().__init__()
        generator = as_generator(rng)
        self.w = [Value(generator.uniform(-1, 1)) for _ in range(nin)]
        self.b = Value(0.0)
        self.nonlin = nonlin

    def forward(self, x: Sequence[Any]) -> Any:
        """Return the activation for one example of `nin` numbers or Values."""
        if len(x) != len(self.w):
            raise ValueError(f"this Neuron takes {len(self.w)} inputs and was given {len(x)}")
        act = self.b
        for wi, xi in zip(self.w, x, strict=True):
            act = act + wi * xi
        return act.relu() if self.nonlin else act

    def parameters(self) -> list[Value]:  # type: ignore[override]
        """Return the weights and the bias."""
        return [*self.w, self.b]

    def __repr__(self) -> str:
        return f"{'ReLU' if self.nonlin else 'Linear'}Neuron({len(self.w)})"


class Layer(Module):
    """Several neurons that look at the same inputs.

    Parameters
    ----------
    nin, nout : int
        Number of inputs, and of neurons.
    **kwargs
        For each `Neuron`: `nonlin`, `rng`.

    Examples
    --------
    >>> Layer(2, 2, rng=0)
    Layer of [ReLUNeuron(2), ReLUNeuron(2)]
    """

    def __init__(self, nin: int, nout: int, *, rng: Rng = None, **kwargs: Any) -> None:
        super().__init__()
        generator = as_generator(rng)
        self.neurons = [Neuron(nin, rng=generator, **kwargs) for _ in range(nout)]

    def forward(self, x: Sequence[Any]) -> Any:
        """Return the activations as a list, or alone if there is one neuron."""
        out = [neuron(x) for neuron in self.neurons]
        return out[0] if len(out) == 1 else out

    def parameters(self) -> list[Value]:  # type: ignore[override]
        """Return the parameters of all neurons."""
        return [p for neuron in self.neurons for p in neuron.parameters()]

    def __repr__(self) -> str:
        return f"Layer of [{', '.join(map(str, self.neurons))}]"


class MLP(Module):
    """Multi-layer perceptron on Values: rectifiers in all layers but the last.

    Parameters
    ----------
    nin : int
        Number of inputs.
    nouts : list of int
        Number of neurons in each layer.
    rng : Generator, int or None
        Where the weights are drawn from.

    Examples
    --------
    >>> model = MLP(2, [4, 1], rng=0)
    >>> y = model([1.0, -2.0])
    >>> y.backward()
    >>> len(model.parameters())
    17
    """

    def __init__(self, nin: int, nouts: Sequence[int], *, rng: Rng = None) -> None:
        super().__init__()
        generator = as_generator(rng)
        sizes = [nin, *nouts]
        self.layers = [
            Layer(sizes[i], sizes[i + 1], nonlin=i != len(nouts) - 1, rng=generator) for i in range(len(nouts))
        ]

    def forward(self, x: Sequence[Any]) -> Any:
        """Return the output for one example."""
        for layer in self.layers:
            x = layer(x)
        return x

    def parameters(self) -> list[Value]:  # type: ignore[override]
        """Return the parameters of all layers."""
        return [p for layer in self.layers for p in layer.parameters()]

    def __repr__(self) -> str:
        return f"MLP of [{', '.join(map(str, self.layers))}]"
