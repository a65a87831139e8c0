"""The recording of one call of a function: its operations, its callbacks, and its gradients as more operations."""

from __future__ import annotations

import copy
import pickle
import random
import threading
from collections.abc import Container, Hashable
from typing import NoReturn

import numpy as np

from autograd.backward import gradients
from autograd.diagnostics import check_root
from autograd.graph import KINDS, Node, Notes, Primitive, make_leaf, record, set_operation, topological_order
from autograd.messages import user_line
from autograd.operands import holds_objects
from autograd.operations.joining import stack
from autograd.operations.shaping import reshape
from autograd.recording import NotReplayable, Watch, raw_data, watching
from autograd.transforms.nested import flatten
from autograd.typing import Array, Cotangent, Data, Function, Operand, Operands, Tree
from autograd.value import Value
from autograd.variable import leaf


class RecordingError(RuntimeError):
    """The function read or changed something that a replay cannot repeat, while `compile` was recording.

    Attributes
    ----------
    losses : ndarray
        The losses of the steps of `CompiledStep.many` before the one that failed.

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

    losses: Array = np.empty(0)


class Callback(Primitive):
    """A Python function that every replay calls again, such as a draw, a check or a running average."""

    __slots__ = ()

    def __init__(self, function: Function) -> None:
        super().__init__(getattr(function, "__name__", "callback").strip("<>_"), function, ())


class Guard(Callback):
    """A function of the library, which raises unless data are like those that were recorded."""

    __slots__ = ()


class Recording(Watch):
    """Records every operation, including those without a gradient, and refuses to give data to Python.

    Attributes
    ----------
    effects : list of Node
        The callbacks, in order, those in `first` first; each replay calls all of them.
    first : list of Node
        The guards that depend on inputs only, and are evaluated before anything is drawn or counted.
    guards : dict to (callable, tuple, object)
        Functions of Python state such as a module's training mode, their arguments, and what they returned.
    options : collection of Node or None
        The options of an optimizer whose rule is recorded, which may branch on them, and on other floats with a guard.
    """

    records_all = True

    def __init__(self, grad_enabled: bool = True) -> None:
        self.grad_enabled = grad_enabled
        self.effects: list[Node] = []
        self.first: list[Node] = []
        self.guards: dict[Hashable, tuple[Function, tuple[Tree, ...], object]] = {}
        self.options: Container[Node] | None = None
        self.float_notes: Notes = Value.plain._replace(recording=object())
        self._made: set[Node] = set()
        self._is_alone: bool = threading.active_count() == 1
        # The states of the two global generators: when recording began, and after the last callback.
        self._generators: list[bytes] = [_global_generators()] * 2

    def with_grad(self, enabled: bool) -> Recording:
        """Return the same recording with or without gradients."""
        other = copy.copy(self)
        other.grad_enabled = enabled
        return other

    def callback(self, function: Function, args: tuple[Tree, ...], kind: type[Callback] = Callback) -> Tree:
        """Call a function now and in each replay; its result is a node unless it is None."""
        args = tuple([reshape(stack(list(x.flat)), x.shape) if holds_objects(x) and x.size else x for x in args])
        raw = tuple(map(raw_data, args))
        self.refuse_draws()
        with watching(self.grad_enabled):  # as in a replay: operations on nodes of its own are not recorded
            result = function(*raw)
        self._generators[1] = _global_generators()
        op = kind(function)
        if result is None:
            node = object.__new__(Node)
            make_leaf(node, None, False, "")
            set_operation(node, op, args, raw, {})
            self._made.add(node)
        else:
            node = record(op, args, raw, {}, result)
        self.effects.append(node)
        return None if result is None else node

    def guard(self, function: Function, args: tuple[Tree, ...]) -> Tree:
        """Return a function's answer; replay only while it stays the same."""
        if any(isinstance(arg, Node) or holds_objects(arg) for arg in args):
            return self._guard_data(function, args)
        answer = function(*args)
        self.guards.setdefault((function, *map(id, args)), (function, args, answer))  # a neuron repeats its guards
        return answer

    def _guard_data(self, function: Function, args: tuple[Tree, ...]) -> Tree:
        recorded: dict[str, object] = {}

        def guarded(*raw: Data) -> None:
            answer = function(*raw)
            if answer != recorded.setdefault("answer", answer):
                raise NotReplayable(f"{function.__name__} returned {recorded['answer']!r:.60} when it was recorded")

        guarded.__name__ = getattr(function, "__name__", "guard")
        is_ours = str(getattr(function, "__module__", "")).partition(".")[0] in ("autograd", "nn")
        self.callback(guarded, args, Guard if is_ours else Callback)
        node = self.effects[-1]
        below = topological_order(*[arg for arg in node.args if isinstance(arg, Node)])
        if not any(isinstance(other.op, Callback) for other in below):
            del self.effects[-1]
            self.effects.insert(len(self.first), node)
            self.first.append(node)
        return recorded["answer"]

    def observe(self, function: Function, args: tuple[Tree, ...]) -> None:
        """Call a function of nodes now and in each replay, with nodes of its own."""
        leaves, _, rebuild = flatten(args)
        nodes = [x for x in leaves if isinstance(x, Node)]
        kinds = [KINDS[type(x._value)][0] for x in nodes]
        others = [None if isinstance(x, Node) else x for x in leaves]  # a closure must not keep the recorded nodes
        errors: list[type[Exception]] = [RecordingError]
        line = _here()

        def observed(*raw: Data) -> None:
            given = list(map(leaf, kinds, raw))
            rest = iter(given)
            result = function(*rebuild(iter([next(rest) if x is None else x for x in others])))
            what = "" if result is None else "returned a value"
            if any(x.hooks for x in given):
                what = "registered a hook on a node"
            if what:
                raise errors[-1](
                    f"{line}a hook {what} while autograd.compile() records: a replay calls hooks to look at data, and "
                    "cannot use what they change. Write it as a part of forward(), or run the model without compile"
                )
            errors.append(NotReplayable)

        self.callback(observed, tuple(nodes))

    def call_hook(self, hook: Function, g: Cotangent) -> Cotangent:
        """Call a gradient hook with a copy of the cotangent, now and in each replay."""
        recorded: dict[str, bool] = {}

        def call(value: Data) -> Data | None:
            given = value.copy() if type(value) is np.ndarray else value
            changed = hook(given)
            if changed is None and not np.array_equal(given, value, equal_nan=True):  # what it wrote counts, too
                changed = given
            if recorded.setdefault("changes", changed is not None) != (changed is not None):
                raise NotReplayable("a gradient hook returned None in one pass and a gradient in another")
            found = None if changed is None else np.asarray(raw_data(changed))
            return float(found) if found is not None and type(value) is float and found.size == 1 else found

        return self.callback(call, (g,))

    def refuse_draws(self) -> None:
        """Raise if something was drawn from `random` or `np.random` outside of `callback`, after taking it back.

        If there were other threads, it may have been one of them: then nothing is taken back or recorded.
        """
        first, now = self._generators
        if _global_generators() == now:
            return
        if not self._is_alone:
            raise NotReplayable("this or another thread drew from `random` or `np.random`")
        python, numpy = pickle.loads(first)  # noqa: S301  (our own bytes, of a moment ago)
        random.setstate(python)
        np.random.set_state(numpy)
        raise RecordingError(
            "the function drew from `random` or `np.random` while autograd.compile() records, and a replay would "
            "repeat the same values: draw in a callback, as in autograd.extend.callback(lambda: "
            "np.random.normal(size=3))"
        )

    def on_record(self, op: Primitive, args: Operands, raw: tuple[Data, ...], node: Node) -> None:
        """Store what was computed during the recording; `Value`s may have `float_notes` instead."""
        self._made.add(node)

    def refuse_outside(self, *roots: Operand) -> None:
        """Raise if something depends on a node that was computed before the recording began."""
        mark = self.float_notes.recording
        for node in topological_order(*[root for root in roots if isinstance(root, Node)]):
            if node.op is not None and node.notes.recording is not mark and node not in self._made:
                raise RecordingError(
                    f"{repr(node.name) if node.name else f'the result of {node.op.name}'} was computed outside of the "
                    "compiled function, which a replay would not repeat: compute it inside, or use a copy "
                    "made outside by detach()"
                )

    def on_write(self, how: str) -> NoReturn:
        """Refuse to change the gradients of leaves."""
        raise RecordingError(
            f"{_here()}the function {how} while autograd.compile() records, and a replay would not: a call leaves the "
            "gradients of the first result in .grad by itself. Call zero_grad() and optimizer.step() around the "
            "compiled function, and write no backward()"
        )

    def on_read(self, node: Node, how: str) -> None:
        """Refuse to give the data of a node to Python, except the truth value of a float to an optimizer's rule."""
        if self.options is not None and type(node._value) is float and how.startswith("the truth"):
            if node not in self.options:
                self.guard(_is_true, (node,))
            return
        what = f"{node.name!r}" if node.name else f"the result of {node.op.name}" if node.op else "a node"
        raise RecordingError(
            f"{_here()}cannot read {how} of {what} while autograd.compile() records: a replay repeats operations and "
            "would not read it again. Choose between values with autograd.where(condition, a, b), branch with "
            "autograd.extend.guard(function, node), pass data to Python with autograd.extend.callback(function, node), "
            "or move it out of the compiled function"
        )


def _is_true(x: float) -> bool:
    return bool(x != 0.0)


def _here() -> str:
    line = user_line()
    return f"{line[0]}:{line[1]}: " if line else ""


def _global_generators() -> bytes:
    return pickle.dumps((random.getstate(), np.random.get_state(legacy=False)))


def gradients_of(loss: Node) -> dict[Node, Cotangent]:
    """Return the gradient of a loss for every leaf it depends on, recorded as operations."""
    check_root(loss)
    leaves = [node for node in topological_order(loss, variables_only=True) if node.op is None]
    try:
        found = gradients(loss, leaves, create_graph=True, allow_unused=True)
    except (ValueError, ArithmeticError) as error:  # an infinite derivative, which eager floats may have
        raise NotReplayable(str(error)) from error
    return {leaf: g for leaf, g in zip(leaves, found, strict=True) if g is not None}
