"""Function transforms: gradients, and products with Jacobians in reverse and forward mode.

Each call of a transform passes fresh nodes to the function in place of its inputs, and differentiates with respect to
exactly those.  Transforms can therefore be nested in any order and mode without mixing up perturbations, and no
`.grad` changes.
"""

import functools
from collections.abc import Callable, Sequence

import numpy as np

from autograd.graph import Node
from autograd.typing import Function, Tree

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
