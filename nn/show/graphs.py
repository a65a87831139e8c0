"""Run a copy of a model for `autograd.draw`, with a frame for every module.

`autograd` does not depend on modules; the function below is registered for them.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from autograd import Node, Tensor, Value
from autograd.extend import drawn_by
from nn.module import Module
from nn.random import fork_rng
from nn.scalar import as_values, scalarize
from nn.typing import Operand, Tree

__all__ = ["record_module"]


@drawn_by(Module)
def record_module(
    model: Module, inputs: Sequence[Operand], recorder: Any, *,
    scalars: bool = False, loss: Callable[[Operand], Operand] | None = None,
) -> list[Node]:  # fmt: skip
    """Run a copy of a model, with scalars if requested, and record the module in which each node is created.

    Parameters
    ----------
    model : Module
        The model.
    inputs : sequence of array_like
        Its arguments.
    recorder : Recorder
        Notified when each call of a module begins and ends.
    scalars : bool
        Whether to record operations on scalars instead of arrays.
    loss : callable, optional
        Applied to the output.

    Returns
    -------
    list of Node
        The results.

    Raises
    ------
    TypeError
        If the inputs are missing.

    Examples
    --------
    >>> import nn
    >>> from autograd import draw
    >>> "Linear" in draw(nn.Linear(2, 1, rng=0), np.zeros((1, 2))).source
    True
    """
    if not inputs:
        raise TypeError(f"draw runs the {type(model).__name__}: write draw(model, x) with an input x")
    scalars = scalars or any(isinstance(p, Value) for p in model.parameters())
    twin = scalarize(model) if scalars else copy.deepcopy(model)
    for (_, own), (_, stand_in) in zip(model._entries(), twin._entries(), strict=True):
        recorder.stands_for[id(own)] = tuple(nodes_in(stand_in))
        if isinstance(own, (Tensor, Value)) and isinstance(stand_in, (Tensor, Value)):
            stand_in.grad = copy.copy(own.grad)
    for path, module in twin.named_modules():
        watch(module, path, recorder)
    with fork_rng():
        given = [leaf(x, "x" if len(inputs) == 1 else f"x{i}", scalars) for i, x in enumerate(inputs, 1)]
        recorder.inputs.extend(nodes_in(given))
        output = twin(*given)
        return list(nodes_in(output if loss is None else loss(output)))


def watch(module: Module, path: str, recorder: Any) -> None:
    """Notify the recorder when a module begins and ends."""
    own = [thing for _, thing in module._attributes() if not isinstance(thing, Module)]
    leaves = [node for thing in own for node in nodes_in(thing)]
    title = type(module).__name__
    module.register_forward_pre_hook(lambda module, args: recorder.enter(path, title, settings(module), leaves))
    module._own_hooks().after.insert(0, lambda *call: recorder.leave())


def settings(module: Module) -> str:
    """Return the settings of a layer as short text."""
    widths = [getattr(module, name, None) for name in ("in_features", "out_features")]
    return f"{widths[0]} → {widths[1]}" if None not in widths else module.extra_repr()


def leaf(x: Operand, name: str, scalars: bool) -> Operand:
    """Return an input as a named node, to be drawn as a box; integers are indices and stay unchanged.

    It requires a gradient, because operations on data alone are not recorded.
    """
    if scalars:
        return as_values(x.data if isinstance(x, Tensor) else x, name)
    if isinstance(x, Node) and (x.requires_grad or not isinstance(x, Tensor)):
        return x
    array = np.asarray(x.data if isinstance(x, Tensor) else x)
    named = (x.name if isinstance(x, Tensor) else "") or name
    return Tensor(array, requires_grad=True, name=named) if array.dtype.kind == "f" else x


def nodes_in(thing: Tree) -> Iterator[Node]:
    """Yield the nodes in nested lists, tuples, dicts and arrays of nodes."""
    if isinstance(thing, Node):
        yield thing
    elif isinstance(thing, dict):
        yield from nodes_in(list(thing.values()))
    elif isinstance(thing, (list, tuple)) or (isinstance(thing, np.ndarray) and thing.dtype == object):
        for part in np.ravel(thing) if isinstance(thing, np.ndarray) else thing:
            yield from nodes_in(part)
