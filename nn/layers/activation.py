"""`FunctionModule`, a module of one function, and the activations, whose options and documentation it derives."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np  # noqa: F401  (for the examples of the functions)

from nn import functional as F  # noqa: N812  (the customary name in PyTorch code)
from nn.module import Module, Parameter
from nn.random import as_generator
from nn.typing import DType, Operand, Operation
from nn.validation import checked_integer, checked_range

from .linear import filled

__all__ = [
    "CELU", "ELU", "GELU", "GLU", "SELU", "Hardshrink", "Hardsigmoid", "Hardswish", "Hardtanh", "LeakyReLU",
    "LogSigmoid", "LogSoftmax", "Mish", "PReLU", "RReLU", "ReLU", "ReLU6", "SiLU", "Sigmoid", "Softmax", "Softmin",
    "Softplus", "Softshrink", "Softsign", "SwiGLU", "Tanh", "Tanhshrink", "Threshold",
]  # fmt: skip


class FunctionModule(Module):
    """A module without parameters that applies one function and stores the options of the call.

    A subclass names the function in its class statement.  The signature of the constructor, the documentation and the
    examples are derived from the function, so that each option is declared once.  The option `training` of a function
    is the mode of the module, and `rng` becomes a generator.

    Examples
    --------
    >>> def power(x, exponent=2.0):
    ...     "Raise to a power."
    ...     return x**exponent
    >>> class Power(FunctionModule, function=power): ...
    >>> Power(3.0)(2.0), Power()
    (8.0, Power(exponent=2.0))
    """

    _function: ClassVar[Operation]
    _option_names: ClassVar[tuple[str, ...]]
    ranges: ClassVar[Mapping[str, Mapping[str, Any]]] = {}  # of options: arguments of `checked_range`
    __signature__: ClassVar[inspect.Signature] = inspect.Signature()

    def __init_subclass__(
        cls, function: Operation | None = None, inputs: int | None = None, **attributes: object
    ) -> None:
        """Derive the class from `function`, whose first `inputs` parameters (those without a default) are inputs."""
        for name, value in attributes.items():
            setattr(cls, name, value)
        if function is None:  # a subclass of a derived class, or another base
            return
        parameters = list(inspect.signature(function).parameters.values())
        count = sum(p.default is p.empty for p in parameters) if inputs is None else inputs
        cls._function = staticmethod(function)
        options = [p.replace(annotation=p.empty) for p in parameters[count:]]
        cls.__signature__ = inspect.Signature([p for p in options if p.name != "training"])
        cls._option_names = tuple(p.name for p in options)
        cls._shown = tuple(name for name in cls.__signature__.parameters if name != "rng")
        if cls.__doc__ is None:
            cls.__doc__ = _Documentation(count)  # type: ignore[assignment]

    def __init__(self, *args: object, **options: object) -> None:
        super().__init__()
        try:
            bound = self.__signature__.bind(*args, **options)
        except TypeError as error:
            raise TypeError(f"{type(self).__name__}{self.__signature__}: {error}") from None
        bound.apply_defaults()
        for name, value in bound.arguments.items():
            if name in self.ranges:
                value = checked_range(type(self).__name__, name, value, **self.ranges[name])
            setattr(self, name, as_generator(value) if name == "rng" and value is not None else value)

    @property
    def options(self) -> dict[str, Any]:
        """The options of the function, by name."""
        return {name: getattr(self, name) for name in self._option_names}

    def forward(self, *args: Any, **kwargs: Any) -> Operand:
        """Apply the function to the inputs."""
        if not self._option_names:
            return self._function(*args, **kwargs)
        return self._function(*args, **kwargs, **self.options)


class _Documentation:
    """The `__doc__` of a class, derived when it is read, since deriving all of them would slow down `import nn`."""

    def __init__(self, inputs: int) -> None:
        self.inputs = inputs

    def __get__(self, instance: object, owner: type[FunctionModule]) -> str:
        return _class_doc(owner.__name__, owner._function, self.inputs, list(owner.__signature__.parameters))


def _class_doc(name: str, function: Operation, inputs: int, options: Sequence[str]) -> str:
    """Return the documentation of a class: that of its function, with the options as parameters."""
    summary, *sections = re.split(r"\n\n(?=[A-Z]\w+\n---|>>>)", inspect.getdoc(function) or "")
    kept = [f"{summary}\n\nModule form of `{function.__name__}`, whose documentation describes the inputs."]
    for section in sections:
        title, body = section.split("\n", 2)[::2] if section[0] != ">" else ("Examples", section)
        if title == "Parameters":
            entries = [(entry.partition(" :"), entry) for entry in re.split(r"\n(?=\S)", body)]
            body = "\n".join(entry for (names, *_), entry in entries if set(names.split(", ")) & set(options))
        elif title == "Examples":
            body = "\n".join(_module_call(line, name, function.__name__, inputs) for line in body.split("\n"))
        if body and title != "Returns":
            kept.append(f"{title}\n{'-' * len(title)}\n{body}")
    return "\n\n".join(kept)


def _module_call(line: str, name: str, function: str, inputs: int) -> str:
    """Return a line of an example with ``function(inputs, options)`` written as ``Name(options)(inputs)``."""
    source = line.removeprefix(">>> ")
    try:
        calls = list(ast.walk(ast.parse(source)))
    except SyntaxError:  # a result, or one line of a block
        return line
    for call in calls:
        if isinstance(call, ast.Call) and ast.unparse(call.func) == function:
            arguments = [str(ast.get_source_segment(source, part)) for part in (*call.args, *call.keywords)]
            module = f"{name}({', '.join(arguments[inputs:])})({', '.join(arguments[:inputs])})"
            line = line.replace(str(ast.get_source_segment(source, call)), module)
    return line


class Rectifier(FunctionModule):
    """Base of the rectifiers and their smooth relatives, which `MLP` precedes by weights from He's initializer."""

    weight_init: ClassVar[str] = "he"


class ReLU(Rectifier, function=F.relu): ...


class ReLU6(Rectifier, function=F.relu6): ...


class LeakyReLU(Rectifier, function=F.leaky_relu): ...


class ELU(Rectifier, function=F.elu): ...


class CELU(Rectifier, function=F.celu): ...


class SELU(FunctionModule, function=F.selu):
    weight_init: ClassVar[str] = "lecun"


class GELU(Rectifier, function=F.gelu): ...


class SiLU(Rectifier, function=F.silu): ...


class Mish(Rectifier, function=F.mish): ...


class Sigmoid(FunctionModule, function=F.sigmoid): ...


class Tanh(FunctionModule, function=F.tanh): ...


class Hardtanh(FunctionModule, function=F.hardtanh): ...


class Hardsigmoid(FunctionModule, function=F.hardsigmoid): ...


class Hardswish(Rectifier, function=F.hardswish): ...


class Softplus(Rectifier, function=F.softplus): ...


class Softsign(FunctionModule, function=F.softsign): ...


class Tanhshrink(FunctionModule, function=F.tanhshrink): ...


class Softshrink(Rectifier, function=F.softshrink): ...


class Hardshrink(Rectifier, function=F.hardshrink): ...


class LogSigmoid(FunctionModule, function=F.logsigmoid): ...


class Softmax(FunctionModule, function=F.softmax): ...


class Softmin(FunctionModule, function=F.softmin): ...


class LogSoftmax(FunctionModule, function=F.log_softmax): ...


class GLU(FunctionModule, function=F.glu): ...


class SwiGLU(FunctionModule, function=F.swiglu): ...


class Threshold(Rectifier, function=F.threshold, inputs=1): ...


class PReLU(Module):
    r"""Rectifier with a learned slope: :math:`x` if positive, else :math:`a x` (He et al. 2015, eq. 1).

    Parameters
    ----------
    num_parameters : int
        1, or the number of channels (the second axis of the input) for one slope per channel.
    init : float
        Initial slope.
    dtype : dtype, optional
        Type of the parameter; the default dtype if not given.

    Attributes
    ----------
    weight : Parameter of shape (num_parameters,)
        The slopes.

    Examples
    --------
    >>> PReLU()(np.array([-1.0, 2.0])).numpy()
    array([-0.25,  2.  ])
    """

    weight_init: ClassVar[str] = "he"
    _shown: tuple[str, ...] = ("num_parameters",)

    def __init__(self, num_parameters: int = 1, init: float = 0.25, *, dtype: DType = None) -> None:
        super().__init__()
        self.num_parameters: int = checked_integer("PReLU", "num_parameters", num_parameters, 1)
        self.weight: Parameter = filled(self.num_parameters, init, dtype)

    def forward(self, input: Operand) -> Operand:
        """Return the activation of each element."""
        return F.prelu(input, self.weight)


class RReLU(Rectifier, function=F.rrelu): ...
