"""The cache key and the inputs of a call of a compiled function."""

import inspect
from collections.abc import Sequence

import numpy as np

from autograd.graph import KINDS, Node
from autograd.transforms.nested import flatten
from autograd.typing import Data, Function, Operand, Tree
from autograd.variable import leaf

Key = tuple[object, ...]


def signature_of(
    args: tuple[Tree, ...], kwargs: dict[str, Tree], grad_enabled: bool
) -> tuple[Key, Sequence[Data], Sequence[Operand]]:
    """Return the cache key of a call, the data of its inputs, and the arguments that they come from."""
    kinds = [(a.shape, a.dtype) for a in args if type(a) is np.ndarray and a.dtype.char != "O"]
    if len(kinds) == len(args) and not kwargs:
        return (grad_enabled, *kinds), args, args
    leaves, paths, _ = flatten((args, kwargs))
    key: list[object] = [grad_enabled, tuple(paths), _structure(args), _structure(kwargs)]
    inputs: list[Data] = []
    sources: list[Operand] = []
    for a, path in zip(leaves, paths, strict=True):
        data = _input_data(a)
        if data is None:
            try:
                hash(a)
            except TypeError:
                raise TypeError(
                    f"argument {path} of a compiled function is {a!r:.60} ({type(a).__name__}): arguments must be "
                    "floats, arrays, nodes or hashable, since a program is recorded for each value of the others"
                ) from None
            key += (type(a), a)
            continue
        inputs.append(data)
        sources.append(a)
        key.append(float if type(data) is float else (data.shape, data.dtype))
        if isinstance(a, Node):
            if a._requires_grad and a.op is not None:
                raise TypeError(
                    f"argument {path} of a compiled function was computed from variables, to which a replay passes no "
                    "gradient: compile the whole computation, or call detach() on the argument"
                )
            key += (type(a), a._requires_grad, a.hooks)
    return tuple(key), inputs, sources


def _structure(tree: Tree) -> object:
    """Return a key that differs for lists, tuples and dicts of the same leaves, and for None."""
    if isinstance(tree, dict):
        return type(tree), tuple(map(_structure, tree.values()))
    if isinstance(tree, (list, tuple)):
        return type(tree), tuple(map(_structure, tree))
    return tree is None


def _input_data(a: Operand) -> Data | None:
    """Return the float or array of an argument that is an input; None if it is part of the key, as an int is."""
    if isinstance(a, Node):
        return a._value
    if isinstance(a, (float, np.floating)):
        return float(a)
    return np.asarray(a) if isinstance(a, np.ndarray) else None


class Arguments:
    """The arguments of a recorded call, with a new node in place of every input.

    Attributes
    ----------
    nodes : list of Node
        The inputs, in order; they share the data of the arguments.
    names : list of str
        Their names in a program.
    args, kwargs : tuple, dict
        What the function is called with.
    described : dict of str to str
        For each argument by name the shape and dtype of an input, or the value of anything else.
    """

    args: tuple[Tree, ...]
    kwargs: dict[str, Tree]

    def __init__(self, function: Function, args: tuple[Tree, ...], kwargs: dict[str, Tree]) -> None:
        leaves, _, rebuild = flatten((args, kwargs))
        self.names: list[str] = []
        self.nodes: list[Node] = []
        self.described: dict[str, str] = {}
        given: list[Operand] = []
        for a, name in zip(leaves, _names(function, args, kwargs), strict=True):
            data = _input_data(a)
            if data is None:
                self.described[name] = f"{a!r:.60}"
            else:
                self.described[name] = "a float" if type(data) is float else f"{data.dtype} of shape {data.shape}"
                a = _input(data, a, name)
                self.names.append(name)
                self.nodes.append(a)
            given.append(a)
        self.args, self.kwargs = rebuild(iter(given))


def as_input(a: Operand) -> Data | None:
    """Return a float or array as a node, and anything else unchanged."""
    data = None if isinstance(a, Node) else _input_data(a)
    return a if data is None else _input(data, a, "")


def _input(data: Data, a: Operand, name: str) -> Node:
    if type(data) is not float and data.dtype.kind not in "biuf":
        raise TypeError(
            f"argument {name} of a compiled function is an array of dtype {data.dtype}, which is not numeric"
        )
    if not isinstance(a, Node):
        return leaf(KINDS[type(data)][0], data, False, name)  # type: ignore[no-any-return]
    node: Node = leaf(type(a), data, a._requires_grad, name)
    if a._requires_grad:
        node.hooks = a.hooks
    return node


def _names(function: Function, args: Sequence[Tree], kwargs: dict[str, Tree]) -> list[str]:
    """Return a name for every leaf of the arguments, from the parameters of the function."""
    try:
        given = inspect.signature(function).bind_partial(*args).arguments
    except (TypeError, ValueError):  # a callable without a signature
        given = {f"argument{i}": a for i, a in enumerate(args)}
    return [path for name, a in (*given.items(), *kwargs.items()) for path in flatten(a, name)[1]]
