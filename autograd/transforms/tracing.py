"""Evaluate a function on new nodes, the first step of every transform."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from autograd.backward import between, pulled_to, summed
from autograd.diagnostics.mistakes import evaluation_of, warn_once
from autograd.graph import Node, topological_order
from autograd.operations.shaping import reshape
from autograd.recording import enable_grad, is_grad_enabled, raw_data, with_graph
from autograd.rules import shape_of
from autograd.tensor import Tensor
from autograd.typing import Cotangent, Data, Function, Operand, Shape, Tangent, Tree
from autograd.value import Value
from autograd.variable import leaf

from .forward import forward_pass, zero
from .nested import Rebuild, flatten, mapped

Transform = TypeVar("Transform", bound=Function)


class Recorded:
    """Base class of compiled functions, of which transforms are compiled, too.

    Attributes
    ----------
    function : callable
        The function without compilation.
    """

    function: Function

    def again(self, function: Function) -> "Recorded":
        """Return another function, compiled in the same way."""
        raise NotImplementedError


def replays_what_is_replayed(transform: Transform) -> Transform:
    """Decorate a transform to return a compiled function for a compiled function."""

    @functools.wraps(transform)
    def transformed(f: object, *args: object, **kwargs: object) -> Any:
        if isinstance(f, Recorded):
            return f.again(transform(f.function, *args, **kwargs))
        if not callable(f):
            raise TypeError(
                f"{transform.__name__}() expected a function, got {f!r:.60}; for derivatives of a computed node write "
                "y.backward() or gradients(y, x)"
            )
        return transform(f, *args, **kwargs)

    return transformed  # type: ignore[return-value]


class Trace:
    """One evaluation of a function on new nodes."""

    def __init__(
        self, f: Function, args: Sequence[Tree], argnums: int | Sequence[int], kwargs: Mapping[str, Tree], has_aux: bool
    ):
        single = np.ndim(argnums) == 0
        chosen = [int(n) for n in np.ravel(argnums)]
        for n in chosen:
            if not -len(args) <= n < len(args):
                raise ValueError(f"argnums={argnums} but the function was called with {len(args)} positional arguments")
        self.recording: bool = is_grad_enabled()
        self.inputs: list[Operand]
        self.rebuild: Rebuild
        self.inputs, paths, self.rebuild = flatten(args[chosen[0]] if single else tuple([args[n] for n in chosen]))
        with enable_grad():
            where = f"argument {chosen[0]}" if single else "arguments "
            self.nodes: list[Node] = [fresh(x, where + path) for x, path in zip(self.inputs, paths, strict=True)]
            rebuilt = self.rebuild(iter(self.nodes))
            given = list(args)
            for n, new in zip(chosen, [rebuilt] if single else rebuilt, strict=True):
                given[n] = new
            with evaluation_of(set(self.nodes)) as evaluation:
                out = f(*given, **kwargs)
        self.out: Tree
        self.aux: Tree
        self.out, self.aux = pair(out) if has_aux else (out, None)
        self.outputs: list[Operand]
        self.rebuild_output: Rebuild
        self.outputs, _, self.rebuild_output = flatten(self.out)
        variables = [y for y in self.outputs if isinstance(y, Node) and y.requires_grad]
        self.order: list[Node] = topological_order(*variables, variables_only=True)
        own = set(self.nodes)
        # A leaf from outside: an argument that was a node, or a variable that the function uses.
        outside = any(node.op is None and node not in own for node in self.order)
        self.create_graph: bool = with_graph(self.recording and outside)
        self.wanted: set[Node] = between(self.order, self.nodes)
        if self.nodes and self.wanted.isdisjoint(variables) and not evaluation.is_nested:
            warn_once(
                "independent",
                f"the result of {getattr(f, '__name__', 'a function')} does not depend on the arguments by which it is "
                "differentiated: if it should, look for .data, item() or NumPy arrays that cut the graph",
            )

    def plain(self, tree: Tree) -> Tree:
        """Return results as nodes if they depend on variables from outside, else as floats and arrays."""
        return tree if self.create_graph else mapped(raw_data, tree)

    def pull(self, cotangents: Sequence[Cotangent | None], create_graph: bool) -> list[Cotangent]:
        """Return the gradient of the outputs, weighted by cotangents (None: zero), for each input."""
        pairs = zip(self.outputs, cotangents, strict=True)
        seeds = summed((y, g) for y, g in pairs if g is not None and isinstance(y, Node) and y.requires_grad)
        with enable_grad():
            found = pulled_to(self.nodes, seeds, self.order, self.wanted, create_graph)
        return [zero(x) if g is None else g for x, g in zip(self.nodes, found, strict=True)]

    def push(self, tangents: Sequence[Tangent | None], create_graph: bool) -> list[Tangent]:
        """Return the tangent of each output, given those of the inputs (None: zero)."""
        start = {x: t for x, t in zip(self.nodes, tangents, strict=True) if t is not None}
        with enable_grad():
            reached = forward_pass(self.order, start, create_graph=create_graph)
        found = [reached.get(y) if isinstance(y, Node) else None for y in self.outputs]
        return [zero(y) if t is None else t for y, t in zip(self.outputs, found, strict=True)]

    def scalar(self) -> Operand:
        """Return the output, which must be a single scalar."""
        if len(self.outputs) != 1 or np.size(raw_data(self.outputs[0])) != 1:
            shapes = [np.shape(raw_data(y)) for y in self.outputs]
            raise ValueError(
                f"grad() needs a function that returns one scalar, got {len(shapes)} of shapes {shapes}; reduce it "
                "with .sum() or .mean(), or use jacobian() or vjp()"
            )
        return self.outputs[0]


def pair(out: Tree) -> tuple[Tree, Tree]:
    """Return the result of a function with `has_aux`, which must be a pair."""
    if not isinstance(out, tuple) or len(out) != 2:
        raise TypeError(f"with has_aux=True the function must return a pair (output, aux), got {type(out).__name__}")
    return out


def fresh(x: Operand, where: str) -> Node:
    """Return a new node for an input, connected to it if that is a node."""
    data = raw_data(x)
    if isinstance(data, (bool, np.bool_)) or not isinstance(data, (float, int, np.ndarray, np.generic)):
        raise TypeError(f"{where} must be a float, a float array, a node or a nest of these, got {x!r:.60}")
    if isinstance(data, (np.ndarray, np.generic)) and data.dtype.kind != "f":
        raise TypeError(
            f"{where} has dtype {data.dtype}, which has no derivatives; convert it to float, or choose other argnums"
        )
    if not isinstance(x, Node):  # a copy, because the caller may change an array before a pullback is called
        x = np.array(data) if isinstance(data, np.ndarray) else float(data)
    node: Node = linked(x)
    node._requires_grad = True
    return node


def linked(x: Operand) -> Any:
    """Return a new node with the data of `x`, connected to `x` if that is a node."""
    if isinstance(x, Node):
        return reshape(x, shape_of(x))
    return leaf(Tensor if isinstance(x, np.ndarray) else Value, x, type(x) is float or x.dtype.kind == "f")


def matching(given: Tree, leaves: Sequence[Operand], what: str, whose: str) -> list[Operand]:
    """Return the leaves of `given`, which must have the shapes of `leaves`, in their types and dtypes."""
    found, paths, _ = flatten(given, what)
    if len(found) != len(leaves):
        raise ValueError(f"got {len(found)} {what}(s) for {len(leaves)} {whose}(s); both must have the same structure")
    made = []
    for t, x, path in zip(found, leaves, paths, strict=True):
        data = raw_data(x)
        if np.shape(raw_data(t)) != np.shape(data):
            raise ValueError(f"{path} has shape {np.shape(raw_data(t))}, but its {whose} has shape {np.shape(data)}")
        if not isinstance(t, Node):
            t = np.array(t, dtype=data.dtype) if isinstance(data, np.ndarray) else float(t)
        made.append(t)
    return made


def one_hot(x: Operand, index: Shape = ()) -> Data:
    """Return a float or array like `x` that is 1 at `index` and 0 elsewhere."""
    data = raw_data(x)
    if not isinstance(data, np.ndarray):
        return 1.0
    e = np.zeros_like(data)
    e[index if index or not data.ndim else ...] = 1
    return e
