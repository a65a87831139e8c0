"""Function transforms: gradients, Jacobians, Hessians, and products with them in reverse and forward mode.

Each call of a transform passes fresh nodes to the function in place of its inputs, and differentiates with respect to
exactly those.  Transforms can therefore be nested in any order and mode without mixing up perturbations, and no
`.grad` changes.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from autograd.backward import between, gradients, pulled_to, summed
from autograd.diagnostics import evaluation_of, warn_once
from autograd.graph import Node, topological_order
from autograd.operations.joining import stack
from autograd.operations.shaping import moveaxis, reshape
from autograd.recording import enable_grad, is_grad_enabled, raw_data, with_graph
from autograd.rules import shape_of
from autograd.tensor import Tensor
from autograd.typing import Cotangent, Data, Function, Operand, Shape, Tangent, Tree
from autograd.value import Value
from autograd.variable import leaf

from .forward import forward_pass, zero
from .nested import flatten, mapped

Argnums = int | Sequence[int]
Transform = TypeVar("Transform", bound=Function)


class Recorded:
    """Base class of compiled functions, of which transforms are compiled, too.

    Attributes
    ----------
    function : callable
        The function without compilation.
    """

    def __init__(self, function: Function) -> None:
        self.function = function


def replays_what_is_replayed(transform: Transform) -> Transform:
    """Decorate a transform to return a compiled function for a compiled function."""

    @functools.wraps(transform)
    def transformed(f: object, *args: object, **kwargs: object) -> Any:
        if isinstance(f, Recorded):
            return type(f)(transform(f.function, *args, **kwargs))
        if not callable(f):
            raise TypeError(
                f"{transform.__name__}() expected a function, got {f!r:.60}; for derivatives of a computed node write "
                "y.backward() or gradients(y, x)"
            )
        return transform(f, *args, **kwargs)

    return transformed  # type: ignore[return-value]


class _Trace:
    """One evaluation of a function on new nodes."""

    def __init__(self, f: Function, args: Sequence[Tree], argnums: Argnums, kwargs: Mapping[str, Tree], has_aux: bool):
        single = np.ndim(argnums) == 0
        chosen = [int(n) for n in np.ravel(argnums)]
        for n in chosen:
            if not -len(args) <= n < len(args):
                raise ValueError(f"argnums={argnums} but the function was called with {len(args)} positional arguments")
        self.recording: bool = is_grad_enabled()
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
        self.aux: Tree
        if has_aux and not (isinstance(out, tuple) and len(out) == 2):
            raise TypeError(f"with has_aux=True the function must return a pair (output, aux), got {out!r:.60}")
        self.out, self.aux = out if has_aux else (out, None)
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


def fresh(x: Operand, where: str) -> Node:
    """Return a new node for an input, connected to it if that is a node."""
    data = raw_data(x)
    if type(data) is not int and np.asarray(data).dtype.kind != "f":
        raise TypeError(
            f"{where} must be a float, a float array, a node or a nest of these, got {x!r:.60}; convert integers to "
            "float, or choose other argnums"
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
    if len(found) != len(leaves):  # an array of floats for an object array of `Value`s
        given = mapped(lambda t: t.astype(object) if isinstance(t, np.ndarray) else t, given)
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


# ------------------------------------------------------------------------------------------------------- the transforms


@replays_what_is_replayed
def value_and_grad(f: Function, argnums: Argnums = 0, has_aux: bool = False) -> Function:
    """Return a function that computes both `f` and its gradient.

    Parameters
    ----------
    f : callable
        Returns a scalar for floats, arrays, nodes, or nested lists, tuples and dicts of them; with `has_aux` a pair
        of that scalar and any other object.
    argnums : int or sequence of int
        Positions of the arguments to differentiate by.
    has_aux : bool
        Whether `f` returns a pair.

    Returns
    -------
    callable
        Takes the arguments of `f`; returns ``(value, gradient)``, or ``((value, aux), gradient)``.  The gradient has
        the structure of the argument; it is a tuple of gradients if `argnums` is a sequence.

    Raises
    ------
    ValueError
        When called, if `f` does not return a scalar, or an argument does not exist.
    TypeError
        When called, if an argument to differentiate by does not consist of floating-point numbers.

    Notes
    -----
    Results are floats and arrays, unless they depend on other variables (an argument that is a node with
    ``requires_grad``, a parameter that the function uses, the variable of an outer transform): then they are nodes
    that can be differentiated again.

    Examples
    --------
    >>> value_and_grad(lambda p: (p["w"] * p["w"]).sum() + p["b"])({"w": np.array([1.0, 2.0]), "b": 3.0})
    (8.0, {'w': array([2., 4.]), 'b': 1.0})
    """

    @functools.wraps(f)
    def value_and_gradient(*args: Tree, **kwargs: Tree) -> Tree:
        trace = _Trace(f, args, argnums, kwargs, has_aux)
        y = trace.scalar()
        gradient = trace.rebuild(iter(trace.pull([one_hot(y)], trace.create_graph)))
        value = trace.plain(y)
        value = value.item() if isinstance(value, np.ndarray) else value
        return ((value, trace.plain(trace.aux)) if has_aux else value), gradient

    return value_and_gradient


@replays_what_is_replayed
def grad(f: Function, argnums: Argnums = 0, has_aux: bool = False) -> Function:
    r"""Return the gradient of `f` as a function, :math:`x \mapsto \nabla f(x)`.

    Parameters
    ----------
    f, argnums, has_aux
        As in `value_and_grad`.

    Returns
    -------
    callable
        Takes the arguments of `f`; returns the gradient, or the pair ``(gradient, aux)`` with `has_aux`.

    Raises
    ------
    ValueError, TypeError
        As in `value_and_grad`.

    Examples
    --------
    >>> from autograd import sin
    >>> grad(grad(lambda x: x**3))(2.0)
    12.0
    >>> grad(lambda x, y: x * sin(y), argnums=(0, 1))(2.0, 0.0)
    (0.0, 2.0)
    """
    both = value_and_grad(f, argnums, has_aux)

    @functools.wraps(f)
    def gradient(*args: Tree, **kwargs: Tree) -> Tree:
        value, found = both(*args, **kwargs)
        return (found, value[1]) if has_aux else found

    return gradient


def vjp(f: Function, *primals: Tree) -> tuple[Tree, Callable[[Tree], tuple[Tree, ...]]]:
    r"""Evaluate `f` and return its pullback :math:`g \mapsto g^T J`, a product with the Jacobian from the left.

    Parameters
    ----------
    f : callable
        Returns floats, arrays, nodes, or nested lists, tuples and dicts of them.
    *primals : float, array, node or nest of these
        The arguments of `f`.

    Returns
    -------
    value
        The value of `f`.
    pullback : callable
        Takes a cotangent with the structure of `value` and returns a tuple with one gradient per primal.  It can be
        called several times.

    Examples
    --------
    >>> value, pullback = vjp(lambda x: x * x, np.array([1.0, 2.0]))
    >>> pullback(np.array([1.0, 10.0]))
    (array([ 2., 40.]),)
    """
    trace = _Trace(f, primals, range(len(primals)), {}, False)

    def pullback(cotangent: Tree) -> tuple[Tree, ...]:
        weights = matching(cotangent, trace.outputs, "cotangent", "output")
        create_graph = trace.recording and (trace.create_graph or any(isinstance(w, Node) for w in weights))
        return trace.rebuild(iter(trace.pull(weights, create_graph)))  # type: ignore[no-any-return]

    return trace.plain(trace.out), pullback


def jvp(f: Function, primals: Sequence[Tree], tangents: Sequence[Tree]) -> tuple[Tree, Tree]:
    r"""Evaluate `f` and the product of its Jacobian with tangents, :math:`J v`, by forward mode.

    Parameters
    ----------
    f : callable
        As in `vjp`.
    primals, tangents : sequence
        The arguments and their tangents, of the same structure and shapes.

    Returns
    -------
    value, tangent
        The value of `f` and its tangent, of the same structure.

    Raises
    ------
    ValueError
        If the tangents do not match the primals.

    Examples
    --------
    >>> jvp(lambda x, y: x * y, (2.0, 3.0), (1.0, 0.0))
    (6.0, 3.0)
    """
    primals = tuple(primals)
    trace = _Trace(f, primals, range(len(primals)), {}, False)
    v = matching(tuple(tangents), trace.inputs, "tangent", "primal")
    create_graph = trace.recording and (trace.create_graph or any(isinstance(t, Node) for t in v))
    return trace.plain(trace.out), trace.rebuild_output(iter(trace.push(v, create_graph)))


@replays_what_is_replayed
def jacobian(f: Function, argnums: Argnums = 0, mode: str | None = None) -> Function:
    r"""Return the Jacobian of `f` as a function, :math:`x \mapsto \partial f_i / \partial x_j`.

    Parameters
    ----------
    f : callable
        Returns floats, arrays, nodes, or nested lists, tuples and dicts of them.
    argnums : int or sequence of int
        Positions of the arguments to differentiate by.
    mode : {'forward', 'reverse'}, optional
        Compute it by columns or by rows; by default with fewer passes.

    Returns
    -------
    callable
        Takes the arguments of `f`; returns arrays of shape ``output.shape + input.shape``, in the structure of the
        output and, nested in it, that of the input.

    Raises
    ------
    ValueError, TypeError
        As in `value_and_grad`.

    Examples
    --------
    >>> jacobian(lambda x: x[:2] * x[2])(np.array([1.0, 2.0, 3.0]))
    array([[3., 0., 1.],
           [0., 3., 2.]])
    """
    if mode not in (None, "forward", "reverse"):
        raise ValueError(f"mode must be 'forward', 'reverse' or None, got {mode!r}")

    @functools.wraps(f)
    def jacobian_of_f(*args: Tree, **kwargs: Tree) -> Tree:
        trace = _Trace(f, args, argnums, kwargs, False)
        forward = mode == "forward"
        if mode is None:
            forward = sum(np.size(raw_data(x)) for x in trace.nodes) < sum(np.size(raw_data(y)) for y in trace.outputs)
        blocks = (_columns if forward else _rows)(trace)
        return trace.rebuild_output(iter([trace.rebuild(iter(row)) for row in blocks]))

    return jacobian_of_f


@replays_what_is_replayed
def hessian(f: Function, argnums: Argnums = 0, mode: str = "forward") -> Function:
    r"""Return the Hessian of `f` as a function, :math:`x \mapsto \partial^2 f / \partial x_i \partial x_j`.

    Parameters
    ----------
    f : callable
        Returns a scalar.
    argnums : int or sequence of int
        Positions of the arguments to differentiate by.
    mode : {'forward', 'reverse'}
        The mode in which the gradient is differentiated: forward over reverse, or reverse over reverse.

    Returns
    -------
    callable
        Takes the arguments of `f`; returns an array of shape ``x.shape + x.shape``, for nests one per pair of inputs.

    Examples
    --------
    >>> hessian(lambda x: x[0] ** 2 * x[1])(np.array([3.0, 5.0]))
    array([[10., 6.],
           [ 6., 0.]])
    """
    return jacobian(grad(f, argnums), argnums, mode)


def hvp(f: Function, primals: Sequence[Tree], tangents: Sequence[Tree]) -> Tree:
    r"""Return the product of the Hessian of `f` with a direction, :math:`\partial_\epsilon \nabla f(x + \epsilon v)`.

    The gradient is differentiated in forward mode, without computing the Hessian (Pearlmutter 1994).

    Parameters
    ----------
    f : callable
        Returns a scalar.
    primals, tangents : sequence
        The arguments and the direction, of the same structure and shapes.

    Returns
    -------
    tuple
        One product per argument, with its structure.

    Examples
    --------
    >>> hvp(lambda x: (x**3).sum(), (np.array([1.0, 2.0]),), (np.array([1.0, 1.0]),))
    (array([ 6., 12.]),)
    """
    return jvp(grad(f, range(len(primals))), primals, tangents)[1]


def hessian_product(loss: Node, inputs: Sequence[Node]) -> Callable[[Sequence[Tangent]], list[Tangent]]:
    r"""Return the function :math:`v \mapsto H v` for the Hessian of a computed loss, as second-order optimizers use it.

    Parameters
    ----------
    loss : Node
        A scalar that has been computed.
    inputs : sequence of Node
        With respect to what, such as the parameters of a model.

    Returns
    -------
    callable
        Takes a list with an array or float for each input, and returns the list of products.  The first call
        differentiates the loss with a graph; without calls nothing is computed.  No `.grad` changes.

    Examples
    --------
    >>> from autograd import Tensor
    >>> x = Tensor([1.0, 2.0], requires_grad=True)
    >>> product = hessian_product((x**3).sum(), [x])
    >>> product([np.array([1.0, 1.0])])
    [array([ 6., 12.])]
    """
    targets, slopes = list(inputs), list[Any]()

    def product(vectors: Sequence[Tangent]) -> list[Tangent]:
        if not slopes:
            slopes.extend(gradients(loss, targets, create_graph=True, allow_unused=True))
        pairs = [(g, v) for g, v in zip(slopes, vectors, strict=True) if isinstance(g, Node) and g.requires_grad]
        found = gradients([g for g, _ in pairs], targets, [v for _, v in pairs], allow_unused=True)
        return [zero(x) if h is None else h for x, h in zip(targets, found, strict=True)]

    return product


def _rows(trace: _Trace) -> list[list[Operand]]:
    """Return the blocks of a Jacobian, with one backward pass per output element."""
    return [_passed(trace.pull, trace, trace.outputs, k, trace.nodes) for k in range(len(trace.outputs))]


def _columns(trace: _Trace) -> list[list[Operand]]:
    """Return the blocks of a Jacobian, with one forward pass per input element."""
    columns = [_passed(trace.push, trace, trace.nodes, k, trace.outputs) for k in range(len(trace.nodes))]
    for column, x in zip(columns, trace.nodes, strict=True):
        by = range(np.ndim(raw_data(x)))
        column[:] = [moveaxis(block, by, [i - len(by) for i in by]) if by else block for block in column]
    return [[column[i] for column in columns] for i in range(len(trace.outputs))]


def _passed(send: Function, trace: _Trace, sources: list[Operand], k: int, targets: list[Operand]) -> list[Operand]:
    """Send the unit vectors of one source; return for each target what arrives, with the axes of the source first."""
    x = sources[k]
    units = [one_hot(x, index) for index in np.ndindex(np.shape(raw_data(x)))]
    arrived = [send([unit if i == k else None for i in range(len(sources))], trace.create_graph) for unit in units]
    return [_stack([parts[j] for parts in arrived], x, y) for j, y in enumerate(targets)]


def _stack(parts: list[Operand], x: Operand, y: Operand) -> Operand:
    """Stack a part for each element of `x`, of the shape of `y`."""
    outer, inner = np.shape(raw_data(x)), np.shape(raw_data(y))
    if not outer:
        return parts[0]
    if not any(isinstance(p, Node) for p in parts):
        stacked = np.stack(parts) if parts else np.zeros(0, getattr(raw_data(y), "dtype", float))
        return np.reshape(stacked, outer + inner)
    return reshape(stack(parts), outer + inner)
