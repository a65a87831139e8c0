"""What tells the calls of a compiled function apart, and the numbers that a replay is given."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from autograd.graph import KINDS, Node
from autograd.transforms.nested import flatten
from autograd.variable import leaf

__all__ = ["Arguments", "signature_of"]

Key = tuple[Any, ...]


def signature_of(args: tuple[Any, ...], kwargs: dict[str, Any], recording: bool) -> tuple[Key, list[Any], list[Any]]:
    """Return what a program is kept under, the numbers of the call, and what they came from."""
    key: list[Any] = [recording]
    for a in args:
        if type(a) is not np.ndarray:
            break
        key += (a.shape, a.dtype)
    else:
        if not kwargs:
            return tuple(key), list(args), list(args)
    return _of_anything(args, kwargs, recording)


def _of_anything(args: tuple[Any, ...], kwargs: dict[str, Any], recording: bool) -> tuple[Key, list[Any], list[Any]]:
    leaves, paths, _ = flatten((args, kwargs))
    kinds: list[Any] = [recording, tuple(paths), _nest_of(args), _nest_of(kwargs)]
    numbers: list[Any] = []
    sources: list[Any] = []
    for a, path in zip(leaves, paths, strict=True):
        number = as_number(a)
        if number is None:
            try:
                hash(a)
            except TypeError:
                raise _unhashable(a, path) from None
            kinds += (type(a), a)
            continue
        numbers.append(number)
        sources.append(a)
        kinds.append(float if type(number) is float else (number.shape, number.dtype))
        if isinstance(a, Node):
            kinds += (type(a), _asks_for_gradient(a, path), a.hooks)
    return tuple(kinds), numbers, sources


def _nest_of(tree: Any) -> Any:
    """Return what tells a list from a tuple or dict with the same leaves, and None from nothing at all."""
    if isinstance(tree, dict):
        return type(tree), tuple(map(_nest_of, tree.values()))
    if isinstance(tree, (list, tuple)):
        return type(tree), tuple(map(_nest_of, tree))
    return tree is None


def as_number(a: Any) -> Any:
    """Return the float or array that a replay is given for an argument; None if it is a setting, as an int is."""
    if isinstance(a, Node):
        return a._data
    if isinstance(a, float):
        return float(a)
    if isinstance(a, np.ndarray):
        return np.asarray(a)
    return float(a) if isinstance(a, np.floating) else None


def _asks_for_gradient(a: Node, path: str) -> bool:
    if a._requires_grad and a.op is not None:
        raise TypeError(
            f"argument {path} of a compiled function was computed from variables, and a replay passes no gradient on "
            "to them: compile the whole computation, or call detach() on the argument"
        )
    return a._requires_grad


def _unhashable(a: Any, path: str) -> TypeError:
    return TypeError(
        f"argument {path} of a compiled function is {a!r:.60} ({type(a).__name__}), neither numbers nor hashable: a "
        "program is recorded for each setting, which must be comparable"
    )


class Arguments:
    """The arguments of a recorded call, with a node in the place of every number.

    Attributes
    ----------
    nodes : list of Node
        In order; they share the numbers of the call.
    names : list of str
        What to call them in a program.
    """

    def __init__(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        leaves, _, rebuild = flatten((args, kwargs))
        self.names: list[str] = []
        self.nodes: list[Node] = []
        given: list[Any] = []
        for a, name in zip(leaves, _names(function, args, kwargs), strict=True):
            number = as_number(a)
            if number is not None:
                a = _input(number, a, name)
                self.names.append(name)
                self.nodes.append(a)
            given.append(a)
        self.args: Any
        self.kwargs: Any
        self.args, self.kwargs = rebuild(iter(given))

    def asking(self) -> Iterator[int]:
        """Yield the places of the inputs that need a gradient themselves."""
        return (i for i, node in enumerate(self.nodes) if node._requires_grad)


def as_input(a: Any) -> Any:
    """Return a float or array as a node, and anything else unchanged."""
    number = None if isinstance(a, Node) else as_number(a)
    return a if number is None or (type(number) is not float and number.dtype == object) else _input(number, a, "")


def _input(number: Any, a: Any, name: str) -> Node:
    if type(number) is not float and number.dtype.kind not in "biuf":
        raise TypeError(
            f"argument {name} of a compiled function is an array of dtype {number.dtype}; give it numbers. An array of "
            "Values belongs to the function itself, as the parameters of a model do"
        )
    if not isinstance(a, Node):
        return leaf(KINDS[type(number)][0], number, False, name)  # type: ignore[no-any-return]
    node: Node = leaf(type(a), number, a._requires_grad, name)
    if a._requires_grad:
        node.hooks = a.hooks
    return node


def _names(function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> list[str]:
    """Return a name for every leaf of the arguments, as the function calls them."""
    try:
        known = [
            p.name
            for p in inspect.signature(function).parameters.values()
            if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
        ]
    except (TypeError, ValueError):  # something callable that does not say
        known = []
    names: list[str] = []
    for i, a in enumerate(args):
        names += flatten(a, known[i] if i < len(known) else f"argument{i}")[1]
    for name, a in kwargs.items():
        names += flatten(a, name)[1]
    return names
