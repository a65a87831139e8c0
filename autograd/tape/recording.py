"""One run of a function in which every operation is kept, and the gradients of its result as more operations."""

from __future__ import annotations

import contextlib
import functools
import gc
import pickle
import random
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import numpy as np

from autograd.backward import pulled_to, seed_of
from autograd.diagnostics.provenance import user_line
from autograd.graph import Node, Primitive, make_leaf, record, topological_order
from autograd.recording import Watch, watching

__all__ = ["Callback", "Recording", "RecordingError", "gradients_of"]


class RecordingError(RuntimeError):
    """Something was asked of a node that a replay could not answer anew, while `compile` records.

    Examples
    --------
    >>> import autograd
    >>> from autograd import Tensor
    >>> step = autograd.compile(lambda x: x if x.sum() > 0 else -x)
    >>> try:
    ...     step(Tensor([1.0], requires_grad=True))
    ... except RecordingError as error:
    ...     print("write where" if "where(" in str(error) else error)
    write where
    """


class Callback(Primitive):
    """A Python function of numbers that every replay calls again: a draw, a check, a running average."""

    __slots__ = ()

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(getattr(function, "__name__", "callback").strip("<>_"), function, ())

    def rules_for(self, count: int) -> tuple[Any, ...]:
        """Return no rule for any argument: no gradient passes."""
        return (None,) * count


class Recording(Watch):
    """Keeps every operation, also those that need no gradient, and refuses to give away numbers.

    Attributes
    ----------
    effects : list of Node
        The calls of Python functions, in order, those in `first` first; each replay makes them all again.
    first : list of Node
        Those of them that only look at inputs, and are asked before something is drawn or counted.
    guards : list of (callable, object)
        What the run looked at beside numbers, such as a module's training mode, and what it saw.
    """

    records_all = True
    allows_fast_floats = True

    def __init__(self, recording: bool = True, other: Recording | None = None) -> None:
        self.grad_enabled = recording
        self.effects: list[Node] = [] if other is None else other.effects
        self.first: list[Node] = [] if other is None else other.first
        self.guards: list[tuple[Callable[[], Any], Any]] = [] if other is None else other.guards
        self._asked: dict[Any, Any] = {} if other is None else other._asked
        # The two generators that everybody shares: as they were at first, and as they should be now.
        self._shared: list[bytes] = [_shared_generators()] * 2 if other is None else other._shared

    def with_grad(self, recording: bool) -> Recording:
        """Return a recording that goes on with or without gradients."""
        return Recording(recording, self)

    def callback(self, function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        """Call a function of numbers, now and in each replay; its result is a node if it is a number or an array."""
        raw = tuple([arg._data if isinstance(arg, Node) else arg for arg in args])
        self.refuse_draws()
        with watching(self.grad_enabled):  # as in a replay: what it does with nodes of its own is nothing to record
            result = function(*raw)
        self._shared[1] = _shared_generators()
        op = Callback(function)
        if result is None:
            node = object.__new__(Node)
            make_leaf(node, None, False, "")
            node.op, node._inputs = op, args + raw
        else:
            node = record(op, args, raw, {}, result)
        self.effects.append(node)
        return None if result is None else node

    def check(self, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
        """Let a function look at numbers, now and in each replay, there before other functions are called if it can."""
        self.callback(function, args)
        node = self.effects[-1]
        below = topological_order(*[arg for arg in args if isinstance(arg, Node)])
        if not any(isinstance(other.op, Callback) for other in below):  # what it looks at waits for no other function
            del self.effects[-1]
            self.effects.insert(len(self.first), node)
            self.first.append(node)

    def guard(self, question: Callable[[], Any]) -> Any:
        """Return the answer to a question; a replay of this run is good only as long as the answer is the same."""
        answer = question()
        key = _identity(question)
        if key not in self._asked or self._asked[key] != answer:  # a neuron asks its question again for each example
            self._asked[key] = answer
            self.guards.append((question, answer))
        return answer

    def refuse_draws(self) -> None:
        """Raise if something was drawn from `random` or `np.random` outside of `callback`, after taking it back."""
        first, now = self._shared
        if _shared_generators() == now:
            return
        python, numpy = pickle.loads(first)  # noqa: S301  (our own bytes, of a moment ago)
        random.setstate(python)
        np.random.set_state(numpy)
        raise RecordingError(
            "something was drawn from `random` or `np.random` while autograd.compile() records, and a replay would "
            "repeat what was drawn: draw in a function and call it by autograd.extend.callback(function), as in "
            "callback(lambda: np.random.normal(size=3)). If another thread has drawn, call again"
        )

    def on_write(self, how: str) -> NoReturn:
        """Refuse to change gradients that leaves hold."""
        raise RecordingError(
            f"{_here()}the function {how} while autograd.compile() records, and a replay would not: a call leaves the "
            "gradients of the first result in .grad by itself. Call zero_grad() and optimizer.step() around the "
            "compiled function, and write no backward()"
        )

    def on_read(self, node: Any, how: str) -> NoReturn:
        """Refuse to give away the numbers of a node."""
        what = f"{node.name!r}" if node.name else f"the result of {node.op.name}" if node.op else "a node"
        raise RecordingError(
            f"{_here()}cannot give {how} of {what} while autograd.compile() records: a replay repeats operations and "
            "would not ask again. Choose between numbers with autograd.where(condition, a, b), hand what Python must "
            "see to autograd.extend.callback(function, node), or move it out of the compiled function"
        )


def _here() -> str:
    line = user_line()
    return f"{line[0]}:{line[1]}: " if line else ""


def _shared_generators() -> bytes:
    return pickle.dumps((random.getstate(), np.random.get_state(legacy=False)))


def _identity(question: Callable[[], Any]) -> Any:
    """Return what is the same for two questions about the same objects, such as lambdas written at the same place."""
    if isinstance(question, functools.partial) and not question.keywords:
        return _identity(question.func), *map(id, question.args)
    if (owner := getattr(question, "__self__", None)) is not None:
        return id(owner), question.__name__
    code, closure = getattr(question, "__code__", None), getattr(question, "__closure__", None) or ()
    if code is None or getattr(question, "__defaults__", None):
        return id(question)
    return code, *[id(cell.cell_contents) for cell in closure]


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Keep the garbage collector from walking a growing graph again and again."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def gradients_of(root: Node) -> dict[Node, Any]:
    """Return the gradient of `root` for every leaf it depends on, recorded as operations."""
    order = topological_order(root, variables_only=True)
    leaves = [node for node in order if node.op is None]
    found = pulled_to(leaves, {root: seed_of(root, None)}, order, set(order), create_graph=True)
    return {leaf: g for leaf, g in zip(leaves, found, strict=True) if g is not None}
