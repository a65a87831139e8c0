"""`Compiled`: record one call of a function as a program, and replay the program in later calls."""

from __future__ import annotations

import functools
import os
import threading
import types
import warnings
import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np

from autograd.backward import backward, storing
from autograd.diagnostics.mistakes import check_root
from autograd.graph import Node, topological_order
from autograd.recording import NotReplayable, current_mode, settled_mode, watching
from autograd.transforms.nested import flatten, mapped
from autograd.transforms.tracing import Recorded, is_transforming, transforming
from autograd.typing import Cotangent, Data, Function, Operand, Tree
from autograd.variable import leaf

from .program import Program
from .recording import Recording, RecordingError, gradients_of, uncollected
from .replay import Replay
from .signature import Arguments, Key, as_input, signature_of

MOST_PROGRAMS = 64  # cache keys; the oldest are dropped.  As many recordings cause a warning
MOST_VARIANTS = 8  # programs of one cache key, for different results of the guards


_locks: weakref.WeakSet[Any] = weakref.WeakSet()


def new_lock() -> Any:
    """Return a re-entrant lock, which is free in a forked process if another thread held it."""
    lock = threading.RLock()
    _locks.add(lock)
    return lock


def _reset_locks() -> None:
    for lock in _locks:
        if not lock._is_owned():
            lock._at_fork_reinit()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_reset_locks)


class Compiled(Recorded):
    """A function with its recorded programs; see `compile`."""

    def __init__(self, function: Function) -> None:
        if not callable(function):
            raise TypeError(
                f"compile() expected a function, got {function!r:.60}; write compile(lambda x: loss(model(x)))"
            )
        functools.update_wrapper(self, function)
        self.function = function
        self._programs: dict[Key, list[_Call]] = {}
        self._lock = new_lock()  # a program has one set of arrays to write into
        self._recordings = 0
        self._described: dict[str, str] = {}  # the arguments of the last recording

    def __call__(self, /, *args: Tree, **kwargs: Tree) -> Tree:
        """Return the result of the function; accumulate the gradients of a loss in `.grad`."""
        mode = settled_mode()
        if is_transforming() or isinstance(mode, Recording):  # the call is part of a larger computation
            return self._call(args, kwargs)
        if mode is not True and mode is not False:  # the watcher is notified of every operation
            return self._eagerly(args, kwargs)
        if self._lock._is_owned():  # called by one of its own callbacks, whose program is writing into its arrays
            return self._eagerly(args, kwargs)
        key, inputs, sources = signature_of(args, kwargs, mode)
        with self._lock:
            for program in self._programs.get(key, ()):
                if program.holds():
                    try:
                        return program(inputs, sources)
                    except (NotReplayable, ValueError, TypeError, ArithmeticError, IndexError):
                        # An error is raised again by the line that causes it.  Other calls succeed, such as those in
                        # which only the derivative of a float is infinite.
                        return self._eagerly(args, kwargs)
            return self._record(key, args, kwargs, sources)

    def __repr__(self) -> str:
        name = getattr(self.function, "__qualname__", type(self.function).__name__)
        return f"<compiled {name}, programs recorded: {sum(map(len, self._programs.values()))}>"

    def __get__(self, instance: object, owner: type | None = None) -> Function:
        """Return the compiled method of `instance`, which keeps the programs and is freed with them."""
        bound = self.function.__get__(instance, owner) if hasattr(self.function, "__get__") else None
        if instance is None or not isinstance(bound, types.MethodType):  # a static method, for example
            return self
        if isinstance(instance, type) or not hasattr(instance, "__dict__"):  # part of the cache key
            return types.MethodType(self, instance)
        methods = vars(instance).setdefault("_compiled", _Methods())
        if self in methods and methods[self].function.__self__ is not instance:  # a copy of another instance
            methods = vars(instance)["_compiled"] = _Methods()
        if self not in methods:
            methods[self] = type(self)(bound)
        return methods[self]  # type: ignore[no-any-return]

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.function,)  # a copy starts without programs

    def _call(self, args: tuple[Tree, ...], kwargs: dict[str, Tree]) -> Tree:
        """Call the function with nodes in place of floats and arrays, as when it is recorded."""
        leaves, _, rebuild = flatten((args, kwargs))
        args, kwargs = rebuild(iter([as_input(a) for a in leaves]))
        return self.function(*args, **kwargs)

    def _eagerly(self, args: tuple[Tree, ...], kwargs: dict[str, Tree]) -> Tree:
        """Compute what a replay would, without one."""
        try:
            with transforming():  # other compiled functions are a part of this one, as they are of its programs
                result = self._call(args, kwargs)
        except NotReplayable as error:
            raise RuntimeError(
                f"a callback raised NotReplayable({error}) when the call was computed eagerly: raise it in replays only"
            ) from error
        first = next(iter(flatten(result, dataclasses=True)[0]), None)
        if current_mode() and isinstance(first, Node) and has_variables(first):
            check_loss(first)
            backward(first)
        return mapped(_detached, result, dataclasses=True)

    def _record(self, key: Key, args: tuple[Tree, ...], kwargs: dict[str, Tree], sources: Sequence[Operand]) -> Tree:
        while len(self._programs) >= MOST_PROGRAMS and key not in self._programs:
            del self._programs[next(iter(self._programs))]
        call = Arguments(self.function, args, kwargs)
        self._recordings += 1
        if self._recordings == MOST_PROGRAMS + 1:
            self._warn_of_recordings(call, self._programs.get(key, ()))
        self._described = call.described
        try:
            with uncollected():
                program = _Call(self.function, call, bool(current_mode()))
        except NotReplayable:
            return self._eagerly(args, kwargs)
        kept = self._programs.setdefault(key, [])
        del kept[: max(0, len(kept) + 1 - MOST_VARIANTS)]
        kept.append(program)
        return program.first_result(sources)

    def _warn_of_recordings(self, call: Arguments, variants: Sequence[_Call]) -> None:
        """Warn that programs are hardly ever replayed, with what differs from the last recording."""
        old, new = self._described, call.described.items()
        changes = [f"{name} was {old.get(name, 'absent')}, now {text}" for name, text in new if text != old.get(name)]
        reason = variants[-1].changed() if variants and not changes else ", ".join(changes) or "other arguments"
        warnings.warn(
            f"{getattr(self.function, '__name__', 'a function')} was recorded {MOST_PROGRAMS} times, which takes "
            f"longer than computing it eagerly. What differs from the last recording: {reason}. A program is recorded "
            "for each combination of shapes, of arguments other than floats and arrays, and of guarded state: pass a "
            "number that changes in each call as a float, and batches of few different sizes",
            RuntimeWarning,
            stacklevel=4,
        )

    def again(self, function: Function) -> Compiled:
        """Return another compiled function, such as a transform of this one."""
        return Compiled(function)

    def source(self) -> str:
        """Return the source code of the program recorded last.

        Examples
        --------
        >>> from autograd import Tensor, compile, tanh
        >>> w = Tensor(0.5, requires_grad=True, name="w")
        >>> step = compile(lambda x: tanh(w * x))
        >>> _ = step(np.array(2.0))
        >>> print(step.source())
        def replay(x, w):
        ...
            return (...)
        """
        if not self._programs:
            raise RuntimeError("no program is recorded yet: call the compiled function before source()")
        return [program for programs in self._programs.values() for program in programs][-1].replay.executor.source


class _Methods(dict[Compiled, Compiled]):
    """The compiled methods of an instance; none in a copy or pickle of it."""

    def __reduce__(self) -> tuple[object, ...]:
        return _Methods, ()


class _Call:
    """A recorded call: its program, its guards, and the structure of its result."""

    def __init__(self, function: Function, call: Arguments, grad_enabled: bool) -> None:
        recording = Recording(grad_enabled)
        with watching(recording):
            result = function(*call.args, **call.kwargs)
            outputs, paths, self._rebuild = flatten(result, "result", dataclasses=True)
            for y, path in zip(outputs, paths, strict=True):
                check_result(y, path)
            loss = outputs[0] if outputs and grad_enabled else None
            gradients: dict[Node, Cotangent] = {}
            if isinstance(loss, Node) and has_variables(loss):
                check_loss(loss)
                check_root(loss)
                try:
                    gradients = gradients_of(loss)
                except (ValueError, ArithmeticError) as error:  # an infinite derivative, which eager floats may have
                    raise NotReplayable(str(error)) from error
        recording.refuse_draws()
        recording.refuse_outside(*outputs, *recording.effects)
        results = [*outputs, *gradients.values()]
        program = Program(call.nodes, results, len(outputs), recording.effects, call.names, list(gradients))
        self.replay = Replay(program)
        self._first: tuple[Data, ...] | None = tuple(map(copied, results))
        self._count = len(outputs)
        # A function of floats and arrays alone returns floats and arrays, as operations do.
        is_plain = not program.leaves and not any(node._requires_grad for node in call.nodes)
        self._kinds = [type(x) if isinstance(x, Node) and not is_plain else None for x in outputs]
        self._guards = recording.guards

    def changed(self) -> str:
        """Return in words what prevents a replay."""
        if not self.replay.holds():
            return "a variable has another shape, dtype, requires_grad or other hooks"
        for function, args, answer in self._guards:
            if (now := function(*args)) != answer:
                return f"the guard {getattr(function, '__name__', function)} returned {answer!r:.60}, now {now!r:.60}"
        return "callbacks raised NotReplayable, or another thread drew from `random` or `np.random`"

    def holds(self) -> bool:
        """Return whether the program is valid: variables and guards are as they were when it was recorded."""
        if not self.replay.holds():
            return False
        for function, args, answer in self._guards:  # noqa: SIM110  (a generator takes as long as two guards)
            if function(*args) != answer:
                return False
        return True

    def __call__(self, inputs: Sequence[Data], sources: Sequence[Operand]) -> Tree:
        """Run the program, store gradients and return the result."""
        return self._finish(self.replay.run(inputs), sources)

    def first_result(self, sources: Sequence[Operand]) -> Tree:
        """Store the gradients and return the result of the recorded call itself."""
        found, self._first = self._first, None
        assert found is not None
        return self._finish(found, sources)

    def _finish(self, found: Sequence[Data], sources: Sequence[Operand]) -> Tree:
        count = self._count
        with storing:
            self.replay.store(found[count:], sources)
        if count == 1:
            return self._rebuild(iter((as_result(found[0], self._kinds[0]),)))
        return self._rebuild(iter([as_result(x, kind) for x, kind in zip(found, self._kinds, strict=False)]))


def check_result(y: Operand, path: str) -> None:
    """Raise if a replay cannot update a result."""
    if type(y) is not np.ndarray and not isinstance(y, (Node, np.generic, float, int, str, bytes)):
        raise RecordingError(
            f"{path} of a compiled function is a {type(y).__name__}, in which a replay cannot update values: "
            "return nodes, arrays, numbers and strings, alone or in lists, tuples, dicts and data classes"
        )


def has_variables(root: Node) -> bool:
    """Return whether a gradient of `root` would reach a leaf."""
    return root._requires_grad and any(node.op is None for node in topological_order(root, variables_only=True))


def check_loss(first: Node) -> None:
    """Raise unless a loss is a scalar."""
    if isinstance(first._data, np.ndarray) and first._data.size != 1:
        raise RuntimeError(
            "backward() starts from a scalar, and a compiled function starts it from its first result, which has shape "
            f"{first._data.shape}. Return a scalar loss first, made by .sum() or .mean(), or call the function "
            "inside autograd.no_grad() for its results alone"
        )


def copied(x: Operand) -> Data:
    """Return a copy of the data of a node, of a float or of an array."""
    data = x._data if isinstance(x, Node) else x
    return np.array(data, order="C") if isinstance(data, np.ndarray) else data


def _detached(x: Operand) -> Operand:
    return leaf(type(x), x._data) if isinstance(x, Node) else x


def as_result(x: Data, kind: type[Node] | None) -> Operand:
    """Return a result of a replay as the function returns it: a node, a float or an array."""
    if kind is None:
        return x[()] if type(x) is np.ndarray and not x.ndim else x
    if type(x) is bool or type(x) is int:  # a comparison of floats
        return leaf(kind, float(x))
    return leaf(kind, x if type(x) is float else np.asarray(x))
