"""Function transforms: gradients, Jacobians, Hessians, and products with them in reverse and forward mode.

Each call of a transform passes fresh nodes to the function in place of its inputs, and differentiates with respect to
exactly those.  Transforms can therefore be nested in any order and mode without mixing up perturbations, and no
`.grad` changes.
"""

import functools
from collections.abc import Callable, Sequence

import numpy as np

from autograd.graph import Node
from autograd.operations.joining import stack
from autograd.operations.shaping import moveaxis, reshape
from autograd.recording import raw_data
from autograd.typing import Function, Operand, Tree

from .tracing import Trace, matching, one_hot, replays_what_is_replayed

Argnums = int | Sequence[int]


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
        trace = Trace(f, args, argnums, kwargs, has_aux)
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
    trace = Trace(f, primals, range(len(primals)), {}, False)

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
    trace = Trace(f, primals, range(len(primals)), {}, False)
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
        trace = Trace(f, args, argnums, kwargs, False)
        forward = mode == "forward"
        if mode is None:
            forward = sum(map(_size, trace.nodes)) < sum(map(_size, trace.outputs))
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


def _size(x: Operand) -> int:
    return int(np.size(raw_data(x)))


def _rows(trace: Trace) -> list[list[Operand]]:
    """Return the blocks of a Jacobian, with one backward pass per output element."""
    return [_passed(trace.pull, trace, trace.outputs, k, trace.nodes) for k in range(len(trace.outputs))]


def _columns(trace: Trace) -> list[list[Operand]]:
    """Return the blocks of a Jacobian, with one forward pass per input element."""
    columns = [_passed(trace.push, trace, trace.nodes, k, trace.outputs) for k in range(len(trace.nodes))]
    for column, x in zip(columns, trace.nodes, strict=True):
        by = range(np.ndim(raw_data(x)))
        column[:] = [moveaxis(block, by, [i - len(by) for i in by]) if by else block for block in column]
    return [[column[i] for column in columns] for i in range(len(trace.outputs))]


def _passed(
    send: Function, trace: Trace, sources: Sequence[Operand], k: int, targets: Sequence[Operand]
) -> list[Operand]:
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
        return np.reshape(np.stack(parts), outer + inner) if parts else np.zeros(outer + inner)
    return reshape(stack(parts), outer + inner)
