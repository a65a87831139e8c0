"""Scalar neural networks: micrograd's classes, and modules whose parameters are arrays of `Value`s."""

import copy
from collections.abc import Sequence
from typing import Any, TypeAlias, TypeVar, cast

import numpy as np

from autograd import Node, Tensor, Value
from autograd.extend import raw_data
from nn.typing import Array, ArrayLike, Operand

from .module import Module, Parameter, index_text
from .random import as_generator, is_seeded

__all__ = ["MLP", "Layer", "Neuron", "as_values", "gradients_of", "numbers_of", "scalarize"]

AnyModule = TypeVar("AnyModule", bound=Module)
Source: TypeAlias = Any  # an argument `rng`, or another object with a method `uniform`, such as Python's `random`


def _source(rng: Source) -> Any:
    """Return a source of weights, an object with a method `uniform`."""
    if rng is None and not is_seeded():
        import random  # loaded when needed, since `import nn` loads this module

        return random
    return rng if hasattr(rng, "uniform") else as_generator(rng)


class ScalarModule(Module):
    """Base of micrograd's classes, whose parameters are a list."""

    def parameters(self) -> list[Value]:  # type: ignore[override]
        """Return the parameters, weights before biases."""
        return cast(list[Value], list(super().parameters()))


class Neuron(ScalarModule):
    r"""One neuron :math:`\mathrm{relu}(\sum_i w_i x_i + b)`, or the sum itself.

    Parameters
    ----------
    nin : int
        Number of inputs.
    nonlin : bool
        Apply the rectifier.
    rng : Generator, random.Random, int or None
        Source of the weights, uniform in [-1, 1]; the bias is initially 0.  None is the generator of `nn.manual_seed`
        if that was called, and else Python's `random` module, so that ``random.seed(1337)`` gives micrograd's
        weights.

    Examples
    --------
    >>> neuron = Neuron(2, rng=0)
    >>> neuron
    ReLUNeuron(2)
    >>> len(list(neuron.parameters()))
    3
    """

    def __init__(self, nin: int, nonlin: bool = True, *, rng: Source = None) -> None:
        super().__init__()
        generator = _source(rng)
        self.w: list[Value] = [Value(generator.uniform(-1, 1)) for _ in range(nin)]
        self.b: Value = Value(0.0)
        self.nonlin = nonlin

    def forward(self, x: Sequence[Operand]) -> Operand:
        """Return the activation for one example of `nin` floats or Values."""
        x = _elements(x)
        if len(x) != len(self.w):
            raise ValueError(f"Neuron expected {len(self.w)} inputs, got {len(x)}")
        act = self.b
        for wi, xi in zip(self.w, x, strict=True):
            act = act + wi * xi
        return act.relu() if self.nonlin else act

    def __repr__(self) -> str:
        return f"{'ReLU' if self.nonlin else 'Linear'}Neuron({len(self.w)})"


class Layer(ScalarModule):
    """A layer of neurons with the same inputs.

    Parameters
    ----------
    nin, nout : int
        Number of inputs, and of neurons.
    **kwargs
        Options of each `Neuron`: `nonlin`, and `rng`, which the neurons share.

    Examples
    --------
    >>> Layer(2, 2, rng=0)
    Layer of 2 ReLUNeuron(2)
    """

    def __init__(self, nin: int, nout: int, *, rng: Source = None, nonlin: bool = True) -> None:
        super().__init__()
        generator = _source(rng)
        self.neurons: list[Neuron] = [Neuron(nin, rng=generator, nonlin=nonlin) for _ in range(nout)]

    def forward(self, x: Sequence[Operand]) -> Operand:
        """Return the list of activations, or a single activation if there is one neuron."""
        x = _elements(x)
        out = [neuron(x) for neuron in self.neurons]
        return out[0] if len(out) == 1 else out

    def __repr__(self) -> str:
        kinds = list(map(str, self.neurons))
        alike = len(set(kinds)) == 1  # micrograd lists all of them
        return f"Layer of {len(kinds)} {kinds[0]}" if alike else f"Layer of [{', '.join(kinds)}]"


class MLP(ScalarModule):
    """Multi-layer perceptron on Values with rectifiers in all layers but the last.

    Parameters
    ----------
    nin : int
        Number of inputs.
    nouts : list of int
        Number of neurons in each layer.
    rng : Generator, random.Random, int or None
        Source of the weights, drawn layer by layer and neuron by neuron; None as in `Neuron`.

    Examples
    --------
    >>> model = MLP(2, [4, 1], rng=0)
    >>> y = model([1.0, -2.0])
    >>> y.backward()
    >>> len(model.parameters())
    17
    """

    def __init__(self, nin: int, nouts: Sequence[int], *, rng: Source = None) -> None:
        super().__init__()
        generator = _source(rng)
        sizes = [nin, *nouts]
        self.layers: list[Layer] = [
            Layer(sizes[i], sizes[i + 1], nonlin=i != len(nouts) - 1, rng=generator) for i in range(len(nouts))
        ]

    def forward(self, x: Sequence[Operand]) -> Operand:
        """Return the output for one example."""
        for layer in self.layers:
            x = layer(x)
        return x

    def __repr__(self) -> str:
        return f"MLP of [{', '.join(map(str, self.layers))}]"


def _elements(x: Operand) -> Operand:
    """Return a Tensor as an array of Values, and anything else unchanged."""
    return x.elements() if isinstance(x, Tensor) else x


def as_values(array: ArrayLike, name: str = "", requires_grad: bool = True) -> Array:
    """Return an array as an object array of `Value`s.

    Parameters
    ----------
    array : array_like
        Any shape.
    name : str
        The Values are named ``name[i, j]``; by default they have no names.
    requires_grad : bool
        Compute gradients of them.

    Returns
    -------
    ndarray of Value
        The Values, in the same shape.

    Examples
    --------
    >>> x = as_values([1.0, 2.0], "x")
    >>> (x * x).sum().backward()
    >>> x[1]
    Value(data=2.0, grad=4.0, name='x[1]')
    """
    data = np.asarray(array)
    values = np.empty(data.shape, object)
    for i in np.ndindex(data.shape):
        values[i] = Value(float(data[i]), name and name + index_text(i), requires_grad=requires_grad)
    return values


def numbers_of(values: Operand) -> Array:
    """Return the data of an array (or list) of `Value`s.

    Examples
    --------
    >>> numbers_of([Value(1.0), 2.0])
    array([1., 2.])
    """
    return np.asarray(raw_data(np.asarray(values)), float)


def gradients_of(values: Operand) -> Array:
    """Return the gradients of an array (or list) of `Value`s, 0 for floats.

    Examples
    --------
    >>> x = Value(3.0)
    >>> (x * x).backward()
    >>> gradients_of([x])
    array([6.])
    """
    array = np.asarray(values)
    return np.array([getattr(v, "grad", 0.0) for v in array.flat], float).reshape(array.shape)


def scalarize(module: AnyModule) -> AnyModule:
    """Return a copy of a module whose parameters are arrays of `Value`s.

    Its layers run the same code on object arrays and give the same loss and gradients as the original module.

    Parameters
    ----------
    module : Module
        A layer, loss or model.

    Returns
    -------
    Module
        A module of the same class with the same `state_dict`; its inputs are arrays of floats or of `Value`s.

    Raises
    ------
    TypeError
        If `module` is not a Module.

    Examples
    --------
    >>> from nn import Linear
    >>> model = scalarize(Linear(2, 1, rng=0))
    >>> y = model(np.array([[1.0, 2.0]]))
    >>> y[0, 0].backward()
    >>> gradients_of(model.weight)
    array([[1., 2.]])
    """
    if not isinstance(module, Module):
        raise TypeError(f"scalarize expected a Module, got {type(module).__name__}")
    twin = copy.deepcopy(module)
    made: dict[int, Array] = {}  # a parameter shared by two layers is one array of Values

    def replaced(thing: Any) -> Any:
        if isinstance(thing, Parameter):
            if id(thing) not in made:
                made[id(thing)] = as_values(thing.data, thing.name, thing.requires_grad)
            return made[id(thing)]
        if isinstance(thing, (list, tuple)) and any(isinstance(part, Node) for part in thing):
            return type(thing)([replaced(part) for part in thing])
        if isinstance(thing, dict):
            return {key: replaced(part) for key, part in thing.items()}
        return thing

    for part in list(twin.modules()):
        vars(part).update({name: replaced(thing) for name, thing in vars(part).items()})
    return twin
