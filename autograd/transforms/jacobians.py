"""Matrices of derivatives: the Jacobian and the Hessian, and products with the latter."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from autograd.graph import Node
from autograd.operations.joining import stack
from autograd.operations.reducing import sum as total
from autograd.operations.shaping import reshape, transpose
from autograd.recording import raw_data

from .functional import Argnums, grad, jvp
from .nested import flatten
from .tracing import Trace, one_hot, replays_what_is_replayed

__all__ = ["hessian", "hvp", "jacobian"]


@replays_what_is_replayed
def jacobian(f: Callable[..., Any], argnums: Argnums = 0, mode: str | None = None) -> Callable[..., Any]:
    r"""Make the Jacobian of `f`: :math:`x \mapsto \partial f_i / \partial x_j`.

    Parameters
    ----------
    f : callable
        Returns floats, arrays, nodes, or nested lists, tuples and dicts of them.
    argnums : int or sequence of int
        Positions of the arguments to differentiate by.
    mode : {'forward', 'reverse'}, optional
        Column by column or row by row; by default whichever needs fewer passes.

    Returns
    -------
    callable
        Called as `f`; returns arrays of shape ``output.shape + input.shape``: in the structure of the output, and
        within each in that of the input.

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
        raise ValueError(f"mode={mode!r} is not 'forward', 'reverse' or None")

    @functools.wraps(f)
    def jacobian_of_f(*args: Any, **kwargs: Any) -> Any:
        trace = Trace(f, args, argnums, kwargs, False)
        forward = mode == "forward"
        if mode is None:
            forward = sum(map(_size, trace.nodes)) < sum(map(_size, trace.outputs))
        blocks = (_columns if forward else _rows)(trace)
        return trace.rebuild_output(iter([trace.rebuild(iter(row)) for row in blocks]))

    return jacobian_of_f


@replays_what_is_replayed
def hessian(f: Callable[..., Any], argnums: Argnums = 0, mode: str = "forward") -> Callable[..., Any]:
    r"""Make the Hessian of `f`: :math:`x \mapsto \partial^2 f / \partial x_i \partial x_j`.

    Parameters
    ----------
    f : callable
        Returns one number.
    argnums : int or sequence of int
        Positions of the arguments to differentiate by.
    mode : {'forward', 'reverse'}
        How the gradient is differentiated: forward over reverse, or reverse over reverse.

    Returns
    -------
    callable
        Called as `f`; returns an array of shape ``x.shape + x.shape``, or for nests one per pair of inputs.

    Examples
    --------
    >>> hessian(lambda x: x[0] ** 2 * x[1])(np.array([3.0, 5.0]))
    array([[10., 6.],
           [ 6., 0.]])
    """
    return jacobian(grad(f, argnums), argnums, mode)


def hvp(f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any], mode: str = "forward") -> Any:
    r"""Return the product of the Hessian of `f` with a direction, :math:`\nabla^2 f(x) \, v`, without the Hessian.

    Parameters
    ----------
    f : callable
        Returns one number.
    primals, tangents : sequence
        Where to evaluate and in which direction, one of each per argument, of the same structure and shapes.
    mode : {'forward', 'reverse'}
        Forward over reverse, :math:`\partial_\epsilon \nabla f(x + \epsilon v)`, or reverse over reverse,
        :math:`\nabla \langle \nabla f(x), v \rangle` (Pearlmutter 1994).

    Returns
    -------
    tuple
        One product per argument, in its structure.

    Examples
    --------
    >>> hvp(lambda x: (x**3).sum(), (np.array([1.0, 2.0]),), (np.array([1.0, 1.0]),))
    (array([ 6., 12.]),)
    """
    if mode not in ("forward", "reverse"):
        raise ValueError(f"mode={mode!r} is not 'forward' or 'reverse'")
    everything = tuple(range(len(primals)))
    if mode == "forward":
        return jvp(grad(f, everything), primals, tangents)[1]

    def slope(*xs: Any) -> Any:
        leaves, directions = flatten(grad(f, everything)(*xs))[0], flatten(tuple(tangents))[0]
        return sum((total(g * v) for g, v in zip(leaves, directions, strict=True)), 0.0)

    return grad(slope, everything)(*primals)


def _size(x: Any) -> int:
    return int(np.size(raw_data(x)))


def _rows(trace: Trace) -> list[list[Any]]:
    """Return the blocks of a Jacobian by one backward pass per output number."""
    blocks = []
    for k, y in enumerate(trace.outputs):
        shape = np.shape(raw_data(y))
        pulled = []
        for index in np.ndindex(shape):
            seeds = [one_hot(y, index) if i == k else None for i in range(len(trace.outputs))]
            pulled.append(trace.pull(seeds, trace.create_graph))
        blocks.append(
            [_joined([p[j] for p in pulled], shape, np.shape(raw_data(x))) for j, x in enumerate(trace.nodes)]
        )
    return blocks


def _columns(trace: Trace) -> list[list[Any]]:
    """Return the blocks of a Jacobian by one forward pass per input number."""
    columns = []
    for k, x in enumerate(trace.nodes):
        pushed = []
        for index in np.ndindex(np.shape(raw_data(x))):
            tangents = [one_hot(x, index) if i == k else None for i in range(len(trace.nodes))]
            pushed.append(trace.push(tangents, trace.create_graph))
        columns.append(pushed)
    blocks = []
    for i, y in enumerate(trace.outputs):
        to = np.shape(raw_data(y))
        row = []
        for pushed, x in zip(columns, trace.nodes, strict=True):
            by = np.shape(raw_data(x))
            turned = (*range(len(by), len(by) + len(to)), *range(len(by)))
            row.append(transpose(_joined([p[i] for p in pushed], by, to), turned) if by else pushed[0][i])
        blocks.append(row)
    return blocks


def _joined(parts: list[Any], outer: tuple[int, ...], inner: tuple[int, ...]) -> Any:
    """Return an array of shape ``outer + inner`` from its parts of shape `inner`."""
    if not outer:
        return parts[0]
    if not parts:
        return np.zeros(outer + inner)
    if not any(isinstance(p, Node) for p in parts):
        return np.reshape(np.stack(parts), outer + inner)
    return reshape(stack(parts), outer + inner)
