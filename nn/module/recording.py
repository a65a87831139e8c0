"""What a module does while `autograd.compile` records a call of it: so that each replay does it again."""

from __future__ import annotations

from collections.abc import Iterator
from contextvars import ContextVar
from functools import partial
from operator import is_
from typing import Any

import autograd as ag
from autograd import Node, Tensor
from autograd.extend import NotReplayable, callback, guard
from nn.functional.recorded import as_values, holds_values

__all__ = ["ask_surroundings", "note_change", "recorded_call"]

_inside: ContextVar[bool] = ContextVar("inside", default=False)  # whether a module that is recorded calls another

NUMBERS = (int, float, bool, str, type(None))


def recorded_call(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run a module's `forward`, and its hooks as calls that each replay makes again.

    A module of `Value`s is handed `Value`s: what comes in as an array arrives here as a Tensor.
    """
    if module._of_values or any(map(holds_values, (*args, *vars(module).values()))):
        args = tuple([_of_values(a) for a in args])
    if _inside.get():
        _ask_about(module)
        return _recorded(module, args, kwargs)
    for part in module.modules():  # also those that are never called, as a ModuleList, or a layer that lends its weight
        _ask_about(part)
        if not type(part).__module__.startswith("nn.") and _lists_of_parts(part):
            guard(partial(_listed, part))
    token = _inside.set(True)
    try:
        return _recorded(module, args, kwargs)
    finally:
        _inside.reset(token)


def _recorded(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run `forward`, and the hooks."""
    hooked = () if module._hooks is None else guard(module._hooks.kinds)
    if not type(module).__module__.startswith("nn."):
        ask_surroundings(type(module).forward)
    if not hooked:
        return module.forward(*args, **kwargs)
    hooks = module._hooks
    if "before" in hooked:
        _told(module, "before", args)
    gradients = hooks.gradients(module) if "backward" in hooked else None
    if gradients is not None:
        args = gradients.inputs(args)
    output = module.forward(*args, **kwargs)
    if "after" in hooked:
        _told(module, "after", args, output)
    return output if gradients is None else gradients.outputs(output)


def note_change(module: Any, name: str, old: Any, value: Any) -> None:
    """Let what was recorded of a module be replayed no more, since one of its attributes is another now."""
    same = type(value) in NUMBERS and type(old) is type(value) and value == old
    if not same and name != "training":  # which is asked for by name
        vars(module)["_recorded"][0] += 1


class _Same(list[Any]):
    """A list that equals another if it holds the same objects: to compare Tensors would be an operation."""

    __hash__ = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, list) and len(self) == len(other) and all(map(is_, self, other))


def _ask_about(module: Any) -> None:
    """Let a replay ask whether an attribute of a module is another now."""
    changes = vars(module).setdefault("_recorded", [0])
    guard(partial(changes.__getitem__, 0))


def _lists_of_parts(module: Any) -> list[Any]:
    """Return the lists and dicts of parameters and modules, or of nothing yet, among the attributes."""
    found = [x for name, x in vars(module).items() if type(x) in (list, dict) and not name.startswith("_")]
    return [x for x in found if not x or any(isinstance(part, Node) or hasattr(part, "modules") for part in _leaves(x))]


def _listed(module: Any) -> _Same:
    """Return what these hold."""
    return _Same(_leaves(_lists_of_parts(module)))


def _leaves(thing: Any) -> Iterator[Any]:
    if isinstance(thing, (list, tuple)):
        for part in thing:
            yield from _leaves(part)
    elif isinstance(thing, dict):
        yield from _leaves([*thing, *thing.values()])
    else:
        yield thing


def ask_surroundings(function: Any) -> None:
    """Let a replay ask whether the plain numbers outside that a function reads by name are as they are now."""
    function = getattr(function, "__func__", function)
    code = getattr(function, "__code__", None)
    if code is None:
        return
    outside, cells = function.__globals__, function.__closure__ or ()
    names = [name for name in code.co_names if type(outside.get(name)) in NUMBERS]
    if names or cells:
        guard(lambda: ([outside.get(name) for name in names], [_held(cell) for cell in cells]))


def _held(cell: Any) -> Any:
    """Return what a variable of an enclosing function holds, if it is a plain number."""
    try:
        found = cell.cell_contents
    except ValueError:  # nothing yet
        return None
    return found if type(found) in NUMBERS else None


def _of_values(a: Any) -> Any:
    return as_values(a) if isinstance(a, Tensor) and a.dtype.kind == "f" else a


def _told(module: Any, when: str, *things: Any) -> None:
    """Call the hooks of a module with nodes of their own, which hold the numbers of the present call."""
    recorded = False

    def hooks(*numbers: Any) -> None:
        nonlocal recorded
        rest = iter([Tensor(x) if hasattr(x, "shape") else ag.Value(x) for x in numbers])
        given = [_rebuilt(thing, rest) for thing in things]
        for hook in tuple(getattr(module._hooks, when)):
            what = "returned something" if hook(module, *given) is not None else ""
            if any(node.hooks for thing in given for node in _nodes(thing)):
                what = "registered a hook on a tensor"
            if what and recorded:
                raise NotReplayable(f"a forward hook {what}")
            if what:
                error: Any = ag.RecordingError
                raise error(
                    f"a forward hook of {type(module).__name__} {what} while autograd.compile() records: a replay "
                    "calls forward hooks to look, not to change what is computed. Write it as a part of forward(), or "
                    "run the model without compile"
                )
        recorded = True

    callback(hooks, *[node for thing in things for node in _nodes(thing)])


def _nodes(thing: Any) -> Iterator[Node]:
    """Yield the nodes in a nest of tuples, lists and dicts."""
    if isinstance(thing, Node):
        yield thing
    elif isinstance(thing, (tuple, list)):
        for part in thing:
            yield from _nodes(part)
    elif isinstance(thing, dict):
        yield from _nodes(list(thing.values()))
    elif holds_values(thing):
        yield from _nodes(list(thing.flat))


def _rebuilt(thing: Any, nodes: Iterator[Node]) -> Any:
    """Return the same nest with other nodes."""
    if isinstance(thing, Node):
        return next(nodes)
    if isinstance(thing, (tuple, list)):
        return type(thing)([_rebuilt(part, nodes) for part in thing])
    if isinstance(thing, dict):
        return {key: _rebuilt(part, nodes) for key, part in thing.items()}
    if holds_values(thing):
        array = thing.copy()
        for i in range(array.size):
            array.flat[i] = _rebuilt(array.flat[i], nodes)
        return array
    return thing
