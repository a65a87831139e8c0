"""A recorded call of a function: its program, what must hold for a replay, and the structure of its result."""

import weakref
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from autograd.backward import store, storing
from autograd.diagnostics import check_root
from autograd.graph import CHANGED, Node, topological_order
from autograd.recording import NotReplayable, watching
from autograd.transforms.nested import flatten
from autograd.typing import Cotangent, Data, Function, Operand, Tree
from autograd.variable import leaf

from .executor import Switching, executor_for
from .program import Program
from .recording import Recording, RecordingError, gradients_of
from .signature import Arguments


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
    recording : Recording
        A new one.

    Attributes
    ----------
    executor : Switching
        What runs the program.

    Raises
    ------
    NotReplayable
        If the call must be computed eagerly.
    """

    def __init__(self, function: Function, arguments: Arguments, recording: Recording) -> None:
        self._states: list[tuple[Any, ...]] = []  # variables, each with what it must have in a replay
        with watching(recording):
            result = function(*arguments.args, **arguments.kwargs)
            outputs, paths, self._rebuild = flatten(result, "result", dataclasses=True)
            self._is_single = isinstance(result, Node)
            for y, path in zip(outputs, paths, strict=True):
                check_result(y, path)
            gradients = loss_gradients(outputs) if recording.grad_enabled else {}
        self._count = len(outputs)
        self.branches: bool = False  # whether another program may be valid where this one is not
        program = self._program(arguments, outputs, gradients, recording)
        recording.refuse_draws()
        recording.refuse_outside(*outputs, *recording.effects)
        # A function of floats and arrays alone returns floats and arrays, as operations do.
        is_plain = not program.leaves and not gradients and not any(node._requires_grad for node in arguments.nodes)
        self._kinds = [type(x) if isinstance(x, Node) and not is_plain else None for x in outputs]
        self._guards = recording.guards
        # The counters of modules are elements of lists, which are compared at once.
        owners = [getattr(function, "__self__", None) for function, *_ in self._guards]
        self._lists = [owner for owner in owners if isinstance(owner, list)]
        self._copies = [*map(list.copy, self._lists)]
        self._other_guards = [g for g, owner in zip(self._guards, owners, strict=True) if not isinstance(owner, list)]
        self._checked: object = None  # `CHANGED` when the variables were checked
        self._found: Sequence[Data] = list(map(copied, program.found))
        self.executor: Switching = executor_for(program)
        self._inputs = len(program.inputs)
        self._targets = program.targets
        self._references = list(map(weakref.ref, program.variables))  # until the recorded graph is gone
        self._recorded = [(type(x), x._value, _state(x)) for x in program.variables]
        self._variables: list[Node | None] = []  # those that still exist
        self._leaves: list[Node] = []

    def _program(
        self, given: Arguments, outputs: Sequence[Operand], gradients: Mapping[Node, Cotangent], recording: Recording
    ) -> Program:
        """Return the program."""
        results, names = [*outputs, *gradients.values()], given.names
        return Program(given.nodes, results, len(outputs), recording.effects, names, variables=[*gradients])

    def _start(self) -> None:
        """Find the variables that still exist, now that the recorded graph is gone."""
        self._variables = [reference() for reference in self._references]
        for x, (kind, data, state) in zip(self._variables, self._recorded, strict=True):
            self._leaves.append(leaf(kind, data) if x is None else x)
            if x is not None:
                self._states.append((x, *state))
        self._recorded.clear()

    def changed(self) -> str:
        """Return in words what prevents a replay; nothing if the program is valid."""
        if self._checked is not (mark := CHANGED[0]):
            for x, wanted, hooks, shape, dtype in self._states:
                if x._requires_grad is not wanted or x.notes.hooks is not hooks:
                    return "a variable has another requires_grad or other hooks"
                if shape is not None:
                    data = x._value
                    if data.shape != shape or (data.dtype is not dtype and data.dtype != dtype):
                        return "a variable has another shape or dtype"
            self._checked = mark
        for function, args, answer in self._other_guards if self._lists == self._copies else self._guards:
            if (now := function(*args)) != answer:
                return f"the guard {getattr(function, '__name__', function)} returned {answer!r:.60}, now {now!r:.60}"
        return ""

    def __call__(self, inputs: Sequence[Data], sources: Sequence[Operand]) -> Tree:
        """Run the program, store gradients and return the result."""
        found = self.executor.run(*self._data(inputs))
        self._store(found, sources)
        return self._result(found)

    def _data(self, inputs: Sequence[Data]) -> Sequence[Data]:
        """Return the data of all inputs of the program."""
        return [*inputs, *[x._value for x in self._leaves]]

    def first_result(self, sources: Sequence[Operand]) -> Tree:
        """Store the gradients and return the result of the recorded call itself."""
        self._start()
        found, self._found = self._found, ()
        self._store(found, sources)
        return self._result(found)

    def _result(self, found: Sequence[Data]) -> Tree:
        """Return the result of the function from its leaves."""
        if self._is_single:
            return as_result(found[0], self._kinds[0])
        return self._rebuild(iter([as_result(x, kind) for x, kind in zip(found, self._kinds, strict=False)]))

    def _store(self, found: Sequence[Data], sources: Sequence[Operand]) -> None:
        """Add the gradients among the results to those of the variables."""
        gradients, variables = found[self._count :], [*sources[: self._inputs], *self._variables]
        targets: list[Any] = [variables[t] for t in self._targets]
        if None in targets:  # variables that the function creates
            kept = [(x, g) for x, g in zip(targets, gradients, strict=True) if x is not None]
            targets, gradients = [x for x, _ in kept], [g for _, g in kept]
        with storing:
            # An argument may be given twice, or may be a variable that the function uses anyway.
            if self._inputs and len({*targets}) < len(targets):
                for x, g in zip(targets, gradients, strict=True):
                    store({x: g}, False)
                return
            held = [x._grad for x in targets]
            if {*map(type, held)} <= {float} and (not any(held) or all(x.stamp in (0, id(x._value)) for x in targets)):
                for x, g in zip(targets, gradients, strict=True):
                    x._grad += g
                    x.stamp = id(x._value)
            elif all(g is None for g in held):  # the gradients share memory with nothing
                for x, g in zip(targets, gradients, strict=True):
                    x._grad, x.stamp = g, id(x._value)
            else:  # warns where a gradient is left over from other values of the variable
                store(dict(zip(targets, gradients, strict=True)), False)


def _state(x: Node) -> tuple[object, ...]:
    """Return what a variable must have in a replay: whether it needs a gradient, hooks, shape and dtype."""
    return x._requires_grad, x.notes.hooks, getattr(x._value, "shape", None), getattr(x._value, "dtype", None)


def check_result(y: Operand, path: str) -> None:
    """Raise if a replay cannot update a result."""
    if type(y) is not np.ndarray and not isinstance(y, (Node, np.generic, float, int, str, bytes)):
        raise RecordingError(
            f"{path} of a compiled function is a {type(y).__name__}, in which a replay cannot update values: "
            "return nodes, arrays, numbers and strings, alone or in lists, tuples, dicts and data classes"
        )


def loss_gradients(outputs: Sequence[Operand]) -> dict[Node, Cotangent]:
    """Return the recorded gradients of the first result; none if it does not depend on variables."""
    loss = outputs[0] if outputs else None
    if not isinstance(loss, Node) or not has_variables(loss):
        return {}
    check_loss(loss)
    check_root(loss)
    try:
        return gradients_of(loss)
    except (ValueError, ArithmeticError) as error:  # an infinite derivative, which eager floats may have
        raise NotReplayable(str(error)) from error


def has_variables(root: Node) -> bool:
    """Return whether a gradient of `root` would reach a leaf."""
    return root._requires_grad and any(node.op is None for node in topological_order(root, variables_only=True))


def check_loss(first: Node) -> None:
    """Raise unless a loss is a scalar."""
    if isinstance(first._value, np.ndarray) and first._value.size != 1:
        raise RuntimeError(
            "backward() starts from a scalar, and a compiled function starts it from its first result, which has shape "
            f"{first._value.shape}. Return a scalar loss first, made by .sum() or .mean(), or call the function "
            "inside autograd.no_grad() for its results alone"
        )


def copied(data: Data) -> Data:
    """Return a copy of an array, or a float."""
    return np.array(data, order="C") if isinstance(data, np.ndarray) else data


def as_result(x: Data, kind: type[Node] | None) -> Operand:
    """Return a result of a replay as the function returns it: a node, a float or an array."""
    if kind is None:
        return x[()] if type(x) is np.ndarray and not x.ndim else x
    if type(x) is bool or type(x) is int:  # a comparison of floats
        return leaf(kind, float(x))
    return leaf(kind, x if type(x) is float or type(x) is np.ndarray else np.asarray(x))
