"""Flatten nested lists, tuples and dicts of floats, arrays and nodes, and rebuild them."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from typing import TypeAlias

import numpy as np

from autograd.typing import Operand, Tree

Rebuild: TypeAlias = Callable[[Iterator[Operand]], Tree]


def flatten(tree: Tree, name: str = "", *, dataclasses: bool = False) -> tuple[list[Operand], list[str], Rebuild]:
    """Return the leaves of nested lists, tuples, dicts and object arrays, and what rebuilds the nest from other leaves.

    Parameters
    ----------
    tree : object
        Any object; everything but lists, tuples, dicts, object arrays and None is a leaf.
    name : str
        Prefix of the path of each leaf.
    dataclasses : bool
        Whether to flatten instances of data classes too.

    Returns
    -------
    leaves : list
        In order, dicts in insertion order.
    paths : list of str
        The path to each leaf in Python's notation: ``x[0]['w']``.
    rebuild : callable
        Takes an iterator over new leaves, and returns them in the same structure.

    Examples
    --------
    >>> leaves, paths, rebuild = flatten({"w": [1.0, 2.0], "b": 3.0}, "p")
    >>> leaves, paths
    ([1.0, 2.0, 3.0], ["p['w'][0]", "p['w'][1]", "p['b']"])
    >>> rebuild(iter("abc"))
    {'w': ['a', 'b'], 'b': 'c'}
    """
    if tree is None:
        return [], [], lambda _: None
    if isinstance(tree, dict):
        keys, children = list(tree), list(tree.values())
    elif isinstance(tree, (list, tuple)):
        keys, children = list(range(len(tree))), list(tree)
    elif isinstance(tree, np.ndarray) and tree.dtype == object:
        keys, children = list(np.ndindex(tree.shape)), list(tree.flat)
    elif dataclasses and is_dataclass(tree) and not isinstance(tree, type):
        names = [field.name for field in fields(tree) if hasattr(tree, field.name)]
        keys = list(dict.fromkeys([*names, *getattr(tree, "__dict__", ())]))
        children = [getattr(tree, name) for name in keys]
    else:
        return [tree], [name], next
    parts = [flatten(x, f"{name}[{key!r}]", dataclasses=dataclasses) for key, x in zip(keys, children, strict=True)]
    kind, rebuilders = type(tree), [part for _, _, part in parts]  # not the leaves, which it would keep alive
    shape = getattr(tree, "shape", ())
    empty = copy.copy(tree) if isinstance(tree, dict) and kind is not dict else {}  # such as a defaultdict
    empty.clear()

    def rebuild(fresh: Iterator[Operand]) -> Tree:
        built = [part(fresh) for part in rebuilders]
        if issubclass(kind, np.ndarray):
            return np.fromiter(built, object, len(built)).reshape(shape)
        if hasattr(kind, "__dataclass_fields__"):
            instance = object.__new__(kind)
            for name, value in zip(keys, built, strict=True):
                object.__setattr__(instance, name, value)  # also if it is frozen
            return instance
        if issubclass(kind, dict):
            made = {} if kind is dict else copy.copy(empty)
            made.update(zip(keys, built, strict=True))
            return made
        return kind(*built) if hasattr(kind, "_fields") else kind(built)  # a named tuple takes its fields as arguments

    return [x for leaves, _, _ in parts for x in leaves], [p for _, paths, _ in parts for p in paths], rebuild


def mapped(function: Callable[[Operand], Operand], tree: Tree, *, dataclasses: bool = False) -> Tree:
    """Return the same structure with `function` applied to each leaf.

    Examples
    --------
    >>> mapped(abs, {"a": [-1, 2]})
    {'a': [1, 2]}
    """
    leaves, _, rebuild = flatten(tree, dataclasses=dataclasses)
    return rebuild(map(function, leaves))
