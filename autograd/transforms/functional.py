"""Functions from functions: gradients and products with Jacobians, in both modes.

Each call of a transform gives the function fresh nodes in place of its inputs, and differentiates with respect
to exactly those.  So transforms nest in any order, in either mode, without confusing one perturbation with
another, and no `.grad` is touched.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from autograd.graph import Node

from .tracing import Trace, matching, one_hot, replays_what_is_replayed

__all__ = ["grad", "jvp", "value_and_grad", "vjp"]

Argnums = int | Sequence[int]


@replays_what_is_replayed
def value_and_grad(f: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """Make the function that returns what `f` returns together with its gradient.

    Parameters
    ----------
    f : callable
        Returns one number, given floats, arrays, nodes, or nested lists, tuples and dicts of them; with `has_aux` a
        pair of that number and anything else.
    argnums : int or sequence of int
        Positions of the arguments to differentiate by.
    has_aux : bool
        Whether `f` returns a pair.

    Returns
    -------
    callable
        Called as `f`; returns ``(value, gradient)``, or ``((value, aux), gradient)``.  A gradient has the structure
        of its argument, and is a tuple of them if `argnums` is a sequence.

    Raises
    ------
    ValueError
        When called, if `f` returns more than one number or there is no such argument.
    TypeError
        When called, if an argument to differentiate by is not made of floating-point numbers.

    Notes
    -----
    Results are plain numbers, unless they depend on variables from outside (an argument that is a node with
    ``requires_grad``, a parameter the function uses, the variable of a transform around this one): then they are nodes
    that can be differentiated again.

    Examples
    --------
    >>> value_and_grad(lambda p: (p["w"] * p["w"]).sum() + p["b"])({"w": np.array([1.0, 2.0]), "b": 3.0})
    (8.0, {'w': array([2., 4.]), 'b': 1.0})
    """

    @functools.wraps(f)
    def value_and_gradient(*args: Any, **kwargs: Any) -> Any:
        trace = Trace(f, args, argnums, kwargs, has_aux)
        y = trace.scalar()
        gradient = trace.rebuild(iter(trace.pull([one_hot(y)], trace.create_graph)))
        value = trace.plain(y)
        value = value.item() if isinstance(value, np.ndarray) else value
        return ((value, trace.plain(trace.aux)) if has_aux else value), gradient

    return value_and_gradient


@replays_what_is_replayed
def grad(f: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False) -> Callable[..., Any]:
    r"""Make the gradient of `f`, a function like `f` itself: :math:`x \mapsto \nabla f(x)`.

    Parameters
    ----------
    f, argnums, has_aux
        As in `value_and_grad`.

    Returns
    -------
    callable
        Called as `f`; returns the gradient, with `has_aux` the pair ``(gradient, aux)``.

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
    def gradient(*args: Any, **kwargs: Any) -> Any:
        value, found = both(*args, **kwargs)
        return (found, value[1]) if has_aux else found

    return gradient


def vjp(f: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    r"""Evaluate `f` and return its pullback :math:`g \mapsto g^T J`, a product with the Jacobian from the left.

    Parameters
    ----------
    f : callable
        Returns numbers, arrays, nodes, or nested lists, tuples and dicts of them.
    *primals : float, array, node or nest of these
        Where to evaluate, one per argument.

    Returns
    -------
    value
        What `f` returns.
    pullback : callable
        Given a cotangent of the structure of `value`, returns a tuple with one gradient per primal.  It can be called
        any number of times.

    Examples
    --------
    >>> value, pullback = vjp(lambda x: x * x, np.array([1.0, 2.0]))
    >>> pullback(np.array([1.0, 10.0]))
    (array([ 2., 40.]),)
    """
    trace = Trace(f, primals, range(len(primals)), {}, False)

    def pullback(cotangent: Any) -> tuple[Any, ...]:
        weights = matching(cotangent, trace.out, trace.outputs, "cotangent", "output")
        create_graph = trace.recording and (trace.create_graph or any(isinstance(w, Node) for w in weights))
        return trace.rebuild(iter(trace.pull(weights, create_graph)))  # type: ignore[no-any-return]

    return trace.plain(trace.out), pullback


def jvp(f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    r"""Evaluate `f` and the product of its Jacobian with tangents, :math:`J v`, by forward mode.

    Parameters
    ----------
    f : callable
        As in `vjp`.
    primals, tangents : sequence
        Where to evaluate and in which direction, one of each per argument, of the same structure and shapes.

    Returns
    -------
    value, tangent
        What `f` returns, and how it changes; of the same structure.

    Raises
    ------
    ValueError
        If tangents do not fit the primals.

    Examples
    --------
    >>> jvp(lambda x, y: x * y, (2.0, 3.0), (1.0, 0.0))
    (6.0, 3.0)
    """
    primals = tuple(primals)
    trace = Trace(f, primals, range(len(primals)), {}, False)
    v = matching(tuple(tangents), primals, trace.inputs, "tangent", "primal")
    create_graph = trace.recording and (trace.create_graph or any(isinstance(t, Node) for t in v))
    return trace.plain(trace.out), trace.rebuild_output(iter(trace.push(v, create_graph)))
