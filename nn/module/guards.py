"""Guards of a module: a compiled function replays what it recorded only while the module is unchanged."""

from collections.abc import Iterator
from operator import is_
from typing import Any

from autograd import Node

PLAIN = (int, float, bool, str, type(None))

Guards = Iterator[tuple[Any, ...]]


def module_guards(module: Any) -> Guards:
    """Yield the guards of a module and all below: attributes, lists of layers, and plain values `forward` reads.

    Modules that are never called are included, such as a ModuleList or a layer whose weight another one uses.
    """
    for part in module.modules():
        vars(part).setdefault("_changes", 0)
        yield vars(part).get, "_changes"
        if not type(part).__module__.startswith("nn.") and _lists_of_parts(part):
            yield _listed, part
    if not type(module).__module__.startswith("nn."):
        yield from surroundings(type(module).forward)


def surroundings(function: Any) -> Guards:
    """Yield a guard of the plain values outside of a function that it reads: globals and variables it closes over."""
    function = getattr(function, "__func__", function)
    code = getattr(function, "__code__", None)
    if code is not None:
        names = [name for name in code.co_names if type(function.__globals__.get(name)) in PLAIN]
        if names or function.__closure__:
            yield _values_read, function, tuple(names)


def _values_read(function: Any, names: tuple[str, ...]) -> list[Any]:
    return [*map(function.__globals__.get, names), *map(_content, function.__closure__ or ())]


def _content(cell: Any) -> Any:
    """Return the content of a closure cell if it is a plain value."""
    try:
        content = cell.cell_contents
    except ValueError:  # empty
        return None
    return content if type(content) in PLAIN else None


class _Same(list[Any]):
    """A list that equals another one of the same objects; `==` of Tensors is an operation."""

    __hash__ = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, list) and len(self) == len(other) and all(map(is_, self, other))


def _lists_of_parts(module: Any) -> list[Any]:
    """Return the attributes that are lists and dicts of parameters and modules, or empty."""
    found = [x for name, x in vars(module).items() if type(x) in (list, dict) and not name.startswith("_")]
    return [x for x in found if not x or any(isinstance(part, Node) or hasattr(part, "modules") for part in _leaves(x))]


def _listed(module: Any) -> _Same:
    return _Same(_leaves(_lists_of_parts(module)))


def _leaves(thing: Any) -> Iterator[Any]:
    if isinstance(thing, (list, tuple)):
        for part in thing:
            yield from _leaves(part)
    elif isinstance(thing, dict):
        yield from _leaves([*thing, *thing.values()])
    else:
        yield thing
