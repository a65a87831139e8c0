"""A call of a compiled function: its cache key and inputs, and its recording, with what must hold for a replay."""

import inspect
import itertools
import weakref
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from autograd.backward import store, storing
from autograd.diagnostics import check_root
from autograd.graph import CHANGED, KINDS, Node, topological_order
from autograd.recording import NotReplayable, watching
from autograd.transforms.nested import flatten
from autograd.typing import Cotangent, Data, Function, Operand, Tree
from autograd.variable import leaf

from .executor import Executor
from .program import Program
from .recording import Recording, RecordingError, gradients_of

Key = tuple[object, ...]


def signature_of(
    args: tuple[Tree, ...], kwargs: dict[str, Tree], grad_enabled: bool
) -> tuple[Key, Sequence[Data], Sequence[Operand]]:
    """Return the cache key of a call, the data of its inputs, and the arguments that they come from."""
    kinds = [(a.shape, a.dtype) for a in args if type(a) is np.ndarray and a.dtype.char != "O"]
    if len(kinds) == len(args) and not kwargs:
        return (grad_enabled, *kinds), args, args
    leaves, paths, rebuild = flatten((args, kwargs))
    key: list[object] = [grad_enabled, repr(rebuild(itertools.repeat("")))]  # the structure
    inputs: list[Data] = []
    sources: list[Operand] = []
    for a, path in zip(leaves, paths, strict=True):
        data = _input_data(a)
        if data is None:
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
    args, kwargs : tuple, dict
        What the function is called with.
    described : dict of str to str
        For each argument by name the shape and dtype of an input, or the value of anything else.
    """

    args: tuple[Tree, ...]
    kwargs: dict[str, Tree]

    def __init__(self, function: Function, args: tuple[Tree, ...], kwargs: dict[str, Tree]) -> None:
        leaves, _, rebuild = flatten((args, kwargs))
        names = _names(function, args, kwargs)
        given = [_input(a, name) for a, name in zip(leaves, names, strict=True)]
        self.nodes: list[Node] = [x for x in given if isinstance(x, Node)]
        self.described: dict[str, str] = dict(zip(names, map(_described, leaves), strict=True))
        self.args, self.kwargs = rebuild(iter(given))


def as_input(a: Operand) -> Operand:
    """Return a float or array as a node, and anything else unchanged."""
    return a if isinstance(a, Node) else _input(a, "")


def _input(a: Operand, name: str) -> Operand:
    """Return a new node in place of a float, an array or a node; anything else unchanged."""
    data = _input_data(a)
    if data is None:
        return a
    if type(data) is not float and data.dtype.kind not in "biuf":
        raise TypeError(
            f"argument {name} of a compiled function is an array of dtype {data.dtype}, which is not numeric"
        )
    if not isinstance(a, Node):
        return leaf(KINDS[type(data)][0], data, False, name)
    node: Node = leaf(type(a), data, a._requires_grad, name)
    if a._requires_grad:
        node.hooks = a.hooks
    return node


def _described(a: Operand) -> str:
    data = _input_data(a)
    if data is None:
        return f"{a!r:.60}"
    return "a float" if type(data) is float else f"{data.dtype} of shape {data.shape}"


def _names(function: Function, args: Sequence[Tree], kwargs: dict[str, Tree]) -> list[str]:
    """Return a name for every leaf of the arguments, from the parameters of the function."""
    try:
        given = inspect.signature(function).bind_partial(*args).arguments
    except (TypeError, ValueError):  # a callable without a signature
        given = {f"argument{i}": a for i, a in enumerate(args)}
    return [path for name, a in (*given.items(), *kwargs.items()) for path in flatten(a, name)[1]]


class Call:
    """A recorded call.

    A node that the function creates in each call, such as ``Value(x)`` of an input, is freed after the recorded call:
    nobody can change it or read its gradient, so it becomes a constant.  Other variables are read in each replay.

    Parameters
    ----------
    function : callable
        The function.
    arguments : Arguments
        Its arguments.
    grad_enabled : bool
        Whether gradients of a loss are computed.

    Attributes
    ----------
    executor : Executor
        What runs the program.
    found : sequence
        The results of the recorded call, from which `completed` makes that of the function.
    branches : bool
        Whether another program may be valid where this one raises `NotReplayable`.

    Raises
    ------
    NotReplayable
        If the call must be computed eagerly.
    """

    branches: bool = False

    def __init__(self, function: Function, arguments: Arguments, grad_enabled: bool) -> None:
        self._states: list[tuple[Node, tuple[object, ...]]] = []  # variables, each with what it must have in a replay
        self._checked: object = None  # `CHANGED` when the variables were checked
        variables = self._record(function, arguments, Recording(grad_enabled))
        # The recorded graph is gone now, and with it the variables that the function has created.
        kept = [reference() for reference, *_ in variables]
        self._leaves = [leaf(*new) if x is None else x for x, (_, *new) in zip(kept, variables, strict=True)]
        self._states += [(x, state_of(x)) for x in kept if x is not None]

    def _record(self, function: Function, arguments: Arguments, recording: Recording) -> list[tuple[Any, ...]]:
        """Record the call; return its variables from outside: references, types and data."""
        with watching(recording):
            result = function(*arguments.args, **arguments.kwargs)
            outputs, paths, self._rebuild = flatten(result, "result", dataclasses=True)
            for y, path in zip(outputs, paths, strict=True):
                _check_result(y, path)
            gradients = _loss_gradients(outputs) if recording.grad_enabled else {}
        self._count = len(outputs)
        program = self._program(arguments, outputs, gradients, recording)
        recording.refuse_draws()
        recording.refuse_outside(*outputs, *recording.effects)
        # A function of floats and arrays alone returns floats and arrays, as operations do.
        is_plain = not program.leaves and not gradients and not any(node._requires_grad for node in arguments.nodes)
        self._kinds = [type(x) if isinstance(x, Node) and not is_plain else None for x in outputs]
        self._guards = [*recording.guards.values()]
        self._targets = program.targets
        self.found: Sequence[Data] = [np.array(x, order="C") if isinstance(x, np.ndarray) else x for x in program.found]
        self.executor: Executor = Executor(program)
        variables = [(weakref.ref(x), type(x), x._value) for x in program.variables]
        program.variables.clear()
        return variables

    def _program(
        self, given: Arguments, outputs: Sequence[Operand], gradients: Mapping[Node, Cotangent], recording: Recording
    ) -> Program:
        """Return the program."""
        results = [*outputs, *gradients.values()]
        return Program(given.nodes, results, len(outputs), recording.effects, variables=[*gradients])

    def changed(self) -> bool:
        """Return whether a variable has another shape or dtype, requires_grad or hook, or a guard another answer."""
        if self._checked is not (mark := CHANGED[0]):
            for x, state in self._states:
                if state_of(x) != state:
                    return True
            self._checked = mark
        return bool(self._guards) and any(function(*args) != answer for function, args, answer in self._guards)

    def __call__(self, inputs: Sequence[Data], sources: Sequence[Operand]) -> Tree:
        """Run the program, and return the result of the function."""
        return self.completed(self.executor.run(*self._data(inputs)), sources)

    def completed(self, found: Sequence[Data], sources: Sequence[Operand]) -> Tree:
        """Store the gradients among the results of the program, and return the result of the function."""
        self._store(found[self._count :], sources)
        return self._result(found)

    def _data(self, inputs: Sequence[Data]) -> Sequence[Data]:
        """Return the data of all inputs of the program."""
        return [*inputs, *[x._value for x in self._leaves]]

    def _result(self, found: Sequence[Data]) -> Tree:
        """Return the result of the function from its leaves."""
        return self._rebuild(iter([_as_result(x, kind) for x, kind in zip(found, self._kinds, strict=False)]))

    def _store(self, found: Sequence[Data], sources: Sequence[Operand]) -> None:
        """Add gradients to those of the variables."""
        variables: list[Any] = [*sources, *self._leaves]
        gradients: dict[Any, Any] = {}
        for t, g in zip(self._targets, found, strict=True):
            x = variables[t]
            if x._requires_grad:  # else the function has created it
                gradients[x] = gradients[x] + g if x in gradients else g  # an argument given twice, or used anyway
        with storing:
            if all(x._grad is None or (type(x._grad) is float and not x._grad) for x in gradients):
                for x, g in gradients.items():  # which share memory with nothing
                    x._grad = g if x._grad is None else x._grad + g
                    x.stamp = id(x._value)
            else:  # which gives advice
                store(gradients, False)


def state_of(x: Node) -> tuple[object, ...]:
    """Return what a variable must have in a replay."""
    data = x._value
    own = (x._requires_grad, x.notes.hooks)
    return own if type(data) is float else (*own, data.shape, data.dtype)


def _check_result(y: Operand, path: str) -> None:
    """Raise if a replay cannot update a result."""
    if type(y) is not np.ndarray and not isinstance(y, (Node, np.generic, float, int, str, bytes)):
        raise RecordingError(
            f"{path} of a compiled function is a {type(y).__name__}, in which a replay cannot update values: "
            "return nodes, arrays, numbers and strings, alone or in lists, tuples, dicts and data classes"
        )


def _loss_gradients(outputs: Sequence[Operand]) -> dict[Node, Cotangent]:
    """Return the recorded gradients of the first result; none if it does not depend on variables."""
    if not outputs or not is_loss(outputs[0]):
        return {}
    check_root(outputs[0])
    try:
        return gradients_of(outputs[0])
    except (ValueError, ArithmeticError) as error:  # an infinite derivative, which eager floats may have
        raise NotReplayable(str(error)) from error


def is_loss(first: Operand) -> bool:
    """Return whether a gradient of the first result reaches a leaf; raise if it does and the result is not a scalar."""
    if not isinstance(first, Node) or not first._requires_grad:
        return False
    if all(node.op is not None for node in topological_order(first, variables_only=True)):
        return False
    if isinstance(first._value, np.ndarray) and first._value.size != 1:
        raise RuntimeError(
            "backward() starts from a scalar, and a compiled function starts it from its first result, which has shape "
            f"{first._value.shape}. Return a scalar loss first, made by .sum() or .mean(), or call the function "
            "inside autograd.no_grad() for its results alone"
        )
    return True


def _as_result(x: Data, kind: type[Node] | None) -> Operand:
    """Return a result of a replay as the function returns it: a node, a float or an array."""
    if kind is None:
        return x[()] if type(x) is np.ndarray and not x.ndim else x
    if type(x) is bool or type(x) is int:  # a comparison of floats
        return leaf(kind, float(x))
    return leaf(kind, x if type(x) is float or type(x) is np.ndarray else np.asarray(x))
