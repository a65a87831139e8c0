"""Nodes that Python or NumPy converts to floats, which cuts the graph: `math.exp(x)`, `array[0] = x`, `float(x)`."""

import contextlib
import math
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass

import numpy as np

from autograd.graph import Node, topological_order
from autograd.recording import current_mode

from .provenance import Line, format_line, user_line

# Functions to which a float is likely to be passed; their names are also those of operations, except "float".
FUNCTIONS = {"float": float} | {
    name: getattr(math, name)
    for name in (
        "exp", "exp2", "expm1", "log", "log1p", "log2", "log10", "sqrt", "sin", "cos", "tan", "asin", "acos", "atan",
        "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "erf",
    )
}  # fmt: skip
LARGEST_ARRAY = 1000  # elements of a constant that is searched
DIGITS = 8  # of a float that is not in a graph by chance
MOST_SEARCHES = 3  # backward passes in which the floats of one line are searched

_left: dict[Line, list[float]] = {}  # the floats of each line since the last backward pass
_searches: dict[Line, int] = {}


@dataclass
class Evaluation:
    """The evaluation of a function by a transform.

    Attributes
    ----------
    inputs : set of Node
        The nodes by which the transform differentiates, and those of transforms around it.
    is_nested : bool
        Whether the function itself called a transform, whose result is often constant, as that of a linear function.
    """

    inputs: set[Node]
    is_nested: bool = False


_evaluation: ContextVar[Evaluation | None] = ContextVar("evaluation", default=None)
current_evaluation: Callable[[], Evaluation | None] = _evaluation.get


@contextlib.contextmanager
def evaluation_of(inputs: set[Node]) -> Iterator[Evaluation]:
    """Begin the evaluation of a function of `inputs`; end it after the block."""
    if outer := _evaluation.get():
        outer.is_nested = True
        inputs = inputs | outer.inputs
    token = _evaluation.set(evaluation := Evaluation(inputs))
    try:
        yield evaluation
    finally:
        _evaluation.reset(token)


def on_float(node: Node, value: float) -> None:
    """Handle a conversion of a node to `value`: an error if a transform differentiates by something behind the node.

    Elsewhere the value may only be printed: `message_of_constants` finds out whether it is used.
    """
    if not node._requires_grad or not current_mode():
        return
    evaluation = _evaluation.get()
    if evaluation is None:
        line = user_line()
        if line is not None and _searches.get(line, 0) < MOST_SEARCHES:
            _left.setdefault(line, []).append(value)
    elif not evaluation.inputs.isdisjoint(topological_order(node, variables_only=True)):
        raise TypeError(
            "a node would be converted to a float, and lose its gradient, inside a function that is being "
            "differentiated: call the functions of autograd instead of those of math (autograd.exp for math.exp), "
            "collect results with autograd.stack instead of array[i] = x, and read a value with x.item()"
        )


def message_of_constants(root: Node) -> str:
    """Return a warning about a constant of a graph that was computed from the float of a node, or an empty string."""
    if not _left:
        return ""
    origins: dict[float, tuple[str, Line]] = {}
    for line, values in _left.items():
        _searches[line] = _searches.get(line, 0) + 1
        for x in values:
            for name, function in FUNCTIONS.items():
                with contextlib.suppress(ValueError, OverflowError):
                    origins[function(x)] = name, line
    _left.clear()
    wanted = np.array([x for x in origins if len(repr(x)) > DIGITS])
    for node in topological_order(root, variables_only=True):
        for arg in node.args:
            if isinstance(arg, (float, np.ndarray)) and np.size(arg) <= LARGEST_ARRAY:
                for x in np.extract(np.isin(arg, wanted), arg).tolist():
                    name, line = origins[x]
                    return (
                        f"{format_line(line)} converts a node to a float, and this loss contains "
                        f"{'it' if name == 'float' else f'its {name}'} as a constant, through which no gradient flows: "
                        f"use {'the node itself' if name == 'float' else f'autograd.{name}'}, or x.item() for a value "
                        "that is meant to be constant"
                    )
    return ""
