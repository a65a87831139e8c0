"""Jacobians, Hessians, and products of Hessians with vectors."""

import functools
from collections.abc import Iterator, Sequence

import numpy as np

from autograd.graph import Node
from autograd.operations.joining import stack
from autograd.operations.reducing import sum as total
from autograd.operations.shaping import reshape, transpose
from autograd.recording import raw_data
from autograd.typing import Data, Function, Operand, Shape, Tree

from .functional import Argnums, grad, jvp
from .nested import flatten
from .tracing import Trace, one_hot, replays_what_is_replayed


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


def hvp(f: Function, primals: Sequence[Tree], tangents: Sequence[Tree], mode: str = "forward") -> Tree:
    r"""Return the product of the Hessian of `f` with a direction, :math:`\nabla^2 f(x) \, v`, without the Hessian.

    Parameters
    ----------
    f : callable
        Returns a scalar.
    primals, tangents : sequence
        The arguments and the direction, of the same structure and shapes.
    mode : {'forward', 'reverse'}
        Forward over reverse, :math:`\partial_\epsilon \nabla f(x + \epsilon v)`, or reverse over reverse,
        :math:`\nabla \langle \nabla f(x), v \rangle` (Pearlmutter 1994).

    Returns
    -------
    tuple
        One product per argument, with its structure.

    Examples
    --------
    >>> hvp(lambda x: (x**3).sum(), (np.array([1.0, 2.0]),), (np.array([1.0, 1.0]),))
    (array([ 6., 12.]),)
    """
    if mode not in ("forward", "reverse"):
        raise ValueError(f"mode must be 'forward' or 'reverse', got {mode!r}")
    everything = tuple(range(len(primals)))
    if mode == "forward":
        return jvp(grad(f, everything), primals, tangents)[1]

    def slope(*xs: Tree) -> Operand:
        leaves, directions = flatten(grad(f, everything)(*xs))[0], flatten(tuple(tangents))[0]
        return sum((total(g * v) for g, v in zip(leaves, directions, strict=True)), 0.0)

    return grad(slope, everything)(*primals)


def _size(x: Operand) -> int:
    return int(np.size(raw_data(x)))


def _units(nodes: Sequence[Operand], k: int) -> Iterator[list[Data | None]]:
    """Yield a seed for every element of one node: one there, and nothing for the other nodes."""
    for index in np.ndindex(np.shape(raw_data(nodes[k]))):
        yield [one_hot(node, index) if i == k else None for i, node in enumerate(nodes)]


def _rows(trace: Trace) -> list[list[Operand]]:
    """Return the blocks of a Jacobian, with one backward pass per output element."""
    blocks = []
    for k, y in enumerate(trace.outputs):
        pulled = [trace.pull(seeds, trace.create_graph) for seeds in _units(trace.outputs, k)]
        to = np.shape(raw_data(y))
        blocks.append([_stack([p[j] for p in pulled], to, np.shape(raw_data(x))) for j, x in enumerate(trace.nodes)])
    return blocks


def _columns(trace: Trace) -> list[list[Operand]]:
    """Return the blocks of a Jacobian, with one forward pass per input element."""
    count = len(trace.nodes)
    columns = [[trace.push(seeds, trace.create_graph) for seeds in _units(trace.nodes, k)] for k in range(count)]
    blocks: list[list[Operand]] = [[] for _ in trace.outputs]
    for pushed, x in zip(columns, trace.nodes, strict=True):
        by = np.shape(raw_data(x))
        for i, y in enumerate(trace.outputs):
            to = np.shape(raw_data(y))
            axes = (*range(len(by), len(by) + len(to)), *range(len(by)))
            blocks[i].append(transpose(_stack([p[i] for p in pushed], by, to), axes) if by else pushed[0][i])
    return blocks


def _stack(parts: list[Operand], outer: Shape, inner: Shape) -> Operand:
    """Stack parts of shape `inner` to an array of shape ``outer + inner``."""
    if not outer:
        return parts[0]
    if not parts:
        return np.zeros(outer + inner)
    if not any(isinstance(p, Node) for p in parts):
        return np.reshape(np.stack(parts), outer + inner)
    return reshape(stack(parts), outer + inner)
