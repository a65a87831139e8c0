"""A program together with the variables that it reads, and whose gradients it computes."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

from autograd.backward import store
from autograd.graph import Node
from autograd.typing import Array, Cotangent, Data, Operand
from autograd.variable import leaf

from .executor import Switching, executor_for
from .program import Program


class Replay:
    """Runs a program on the present data of its variables, and stores their gradients.

    A node that the function creates in each call, such as ``Value(x)`` of an input, is freed after the recorded call:
    nobody can change it or read its gradient, so it becomes a constant.  Other variables are read in each run.

    Parameters
    ----------
    program : Program
        The recorded program.

    Attributes
    ----------
    executor : Switching
        What runs it.
    """

    def __init__(self, program: Program) -> None:
        self.executor: Switching = executor_for(program)
        self._inputs = len(program.inputs)
        self._targets = program.targets
        self._references = list(map(weakref.ref, program.variables))  # until the recorded graph is gone
        self._recorded = [(type(x), x._data, _state(x)) for x in program.variables]
        self._leaves: list[Node] = []
        self._states: list[tuple[Any, ...]] = []
        self._has_started = False

    def _start(self) -> None:
        """Find the variables that still exist, now that the recorded graph is gone."""
        self._has_started = True
        for reference, (kind, data, state) in zip(self._references, self._recorded, strict=True):
            x = reference()
            self._leaves.append(leaf(kind, data) if x is None else x)
            if x is not None:
                self._states.append((x, *state))
        self._recorded.clear()

    def holds(self) -> bool:
        """Return whether the variables have the shapes, dtypes and hooks that they had when recorded."""
        if not self._has_started:
            self._start()
        for x, wanted, hooks, shape, dtype in self._states:
            if x._requires_grad is not wanted or x.notes.hooks is not hooks:
                return False
            if shape is not None:
                data = x._data
                if data.shape != shape or (data.dtype is not dtype and data.dtype != dtype):
                    return False
        return True

    def run(self, inputs: Sequence[Data]) -> Sequence[Data]:
        """Return the results for these inputs."""
        return self.executor.run(*inputs, *[x._data for x in self._leaves])

    def run_into(self, targets: Sequence[Array], inputs: Sequence[Data]) -> Sequence[Data]:
        """Write the results after the outputs into arrays, and return the outputs."""
        return self.executor.run_into(targets, *inputs, *[x._data for x in self._leaves])

    def machine(self) -> Any:
        """Return the native machine for the program, if it is available."""
        return self.executor.chosen()

    def variables(self) -> list[Data]:
        """Return the data of the variables from outside."""
        return [x._data for x in self._leaves]

    def store(self, gradients: Sequence[Cotangent], sources: Sequence[Operand]) -> None:
        """Add the gradients that `run` returned, or that were recorded, to those of the variables."""
        count, references = self._inputs, self._references
        targets: list[Any] = [sources[t] if t < count else references[t - count]() for t in self._targets]
        if None in targets:  # variables that the function creates
            kept = [(x, g) for x, g in zip(targets, gradients, strict=True) if x is not None]
            targets, gradients = [x for x, _ in kept], [g for _, g in kept]
        if len({*targets}) < len(targets):  # an argument that was given twice, or that the function uses anyway
            for x, g in zip(targets, gradients, strict=True):
                store({x: g}, False)
            return
        held = [x._grad for x in targets]
        if {*map(type, held)} <= {float} and (not any(held) or all(x.stamp in (0, id(x._data)) for x in targets)):
            for x, g in zip(targets, gradients, strict=True):
                x._grad += g
                x.stamp = id(x._data)
        elif all(g is None for g in held):  # the gradients share memory with nothing
            for x, g in zip(targets, gradients, strict=True):
                x._grad, x.stamp = g, id(x._data)
        else:  # warns where a gradient is left over from other values of the variable
            store(dict(zip(targets, gradients, strict=True)), False)


def _state(x: Node) -> tuple[object, ...]:
    """Return what a variable must have in a replay: whether it needs a gradient, hooks, shape and dtype."""
    return x._requires_grad, x.notes.hooks, getattr(x._data, "shape", None), getattr(x._data, "dtype", None)
