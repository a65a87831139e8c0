"""`Compiled`: record one call of a function as a program, and replay the program in later calls."""

from __future__ import annotations

import functools
import os
import threading
import types
import warnings
import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from autograd.backward import backward
from autograd.diagnostics import current_evaluation, evaluation_of
from autograd.graph import Node
from autograd.recording import NotReplayable, current_mode, settled_mode
from autograd.transforms.functional import Recorded
from autograd.transforms.nested import flatten, mapped
from autograd.typing import Function, Operand, Tree
from autograd.variable import leaf

from .call import Call, check_loss, has_variables
from .recording import Recording, uncollected
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


class Programs:
    """A function with the programs recorded for its calls.

    Parameters
    ----------
    function : callable
        The function.
    """

    def __init__(self, function: Function) -> None:
        if not callable(function):
            raise TypeError(
                f"compile() expected a function, got {function!r:.60}; write compile(lambda x: loss(model(x)))"
            )
        functools.update_wrapper(self, function)  # type: ignore[arg-type]
        self.function = function
        self._programs: dict[Key, list[Any]] = {}
        self._lock = new_lock()  # a program has one set of arrays to write into
        self._recordings = 0
        self._described: dict[str, str] = {}  # the arguments of the last recording

    def _replayed(self, args: tuple[Tree, ...], kwargs: dict[str, Tree], grad_enabled: bool) -> Tree:
        """Replay a valid program, or record a new one."""
        if self._lock._is_owned():  # called by one of its own callbacks, whose program is writing into its arrays
            return self._eagerly(args, kwargs)
        key, inputs, sources = signature_of(args, kwargs, grad_enabled)
        with self._lock:
            for program in self._programs.get(key, ()):
                if not program.changed():
                    try:
                        return program(inputs, sources)
                    except (NotReplayable, ValueError, TypeError, ArithmeticError, IndexError) as error:
                        # An error is raised again by the line that causes it.  Other calls succeed, such as those in
                        # which only the derivative of a float is infinite.
                        if not (isinstance(error, NotReplayable) and program.branches):
                            return self._eagerly(args, kwargs)
            return self._record(key, args, kwargs, sources)

    def _record(self, key: Key, args: tuple[Tree, ...], kwargs: dict[str, Tree], sources: Sequence[Operand]) -> Tree:
        while len(self._programs) >= MOST_PROGRAMS and key not in self._programs:
            del self._programs[next(iter(self._programs))]
        arguments = Arguments(self.function, args, kwargs)
        self._recordings += 1
        if self._recordings == MOST_PROGRAMS + 1:
            self._warn_of_recordings(arguments, self._programs.get(key, ()))
        self._described = arguments.described
        try:
            with uncollected():
                program = self._recorded(arguments)
        except NotReplayable:
            return self._eagerly(args, kwargs)
        result = program.first_result(sources)
        self._programs[key] = [*self._programs.get(key, [])[1 - MOST_VARIANTS :], program]
        return result

    def _recorded(self, arguments: Arguments) -> Call:
        """Return a recorded call."""
        return Call(self.function, arguments, Recording(bool(current_mode())))

    def _eagerly(self, args: tuple[Tree, ...], kwargs: dict[str, Tree]) -> Tree:
        """Compute what a replay would, without one."""
        raise NotImplementedError

    def _warn_of_recordings(self, arguments: Arguments, variants: Sequence[Call]) -> None:
        """Warn that programs are hardly ever replayed, with what differs from the last recording."""
        old, new = self._described, arguments.described.items()
        changes = [f"{name} was {old.get(name, 'absent')}, now {text}" for name, text in new if text != old.get(name)]
        reason = variants[-1].changed() if variants and not changes else ", ".join(changes)
        reason = reason or "callbacks raised NotReplayable, or another thread drew from `random` or `np.random`"
        warnings.warn(
            f"{getattr(self.function, '__name__', 'a function')} was recorded {MOST_PROGRAMS} times, which takes "
            f"longer than computing it eagerly. What differs from the last recording: {reason}. A program is recorded "
            "for each combination of shapes, of arguments other than floats and arrays, and of guarded state: pass a "
            "number that changes in each call as a float, and batches of few different sizes",
            RuntimeWarning,
            stacklevel=5,
        )

    def source(self) -> str:
        """Return the source code of the program recorded last.

        Examples
        --------
        >>> import numpy as np
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
        return [program for programs in self._programs.values() for program in programs][-1].executor.text.source  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        name = getattr(self.function, "__qualname__", type(self.function).__name__)
        return f"<compiled {name}, programs recorded: {sum(map(len, self._programs.values()))}>"


class Compiled(Programs, Recorded):
    """A function with its recorded programs; see `compile`."""

    def __call__(self, /, *args: Tree, **kwargs: Tree) -> Tree:
        """Return the result of the function; accumulate the gradients of a loss in `.grad`."""
        mode = settled_mode()
        if current_evaluation() or isinstance(mode, Recording):  # the call is part of a larger computation
            return self._call(args, kwargs)
        if mode is not True and mode is not False:  # the watcher is notified of every operation
            return self._eagerly(args, kwargs)
        return self._replayed(args, kwargs, mode)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> NoReturn:
            cure = ": pass optimizer= to compile" if name == "many" else ""
            raise AttributeError(f"a compiled function has no attribute {name!r}{cure}")

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
        args, kwargs = mapped(as_input, (args, kwargs))
        return self.function(*args, **kwargs)

    def _eagerly(self, args: tuple[Tree, ...], kwargs: dict[str, Tree]) -> Tree:
        return mapped(detached, self.computed(*args, **kwargs), dataclasses=True)

    def computed(self, /, *args: Tree, **kwargs: Tree) -> Tree:
        """Return the result of the function with its graph, after the backward pass of a loss."""
        try:
            with evaluation_of(set()):  # other compiled functions are a part of this one, as they are of its programs
                result = self._call(args, kwargs)
        except NotReplayable as error:
            raise RuntimeError(
                f"a callback raised NotReplayable({error}) when the call was computed eagerly: raise it in replays only"
            ) from error
        first = next(iter(flatten(result, dataclasses=True)[0]), None)
        if current_mode() and isinstance(first, Node) and has_variables(first):
            check_loss(first)
            backward(first)
        return result

    def again(self, function: Function) -> Compiled:
        """Return another compiled function, such as a transform of this one."""
        return Compiled(function)


class _Methods(dict[Compiled, Compiled]):
    """The compiled methods of an instance; none in a copy or pickle of it."""

    def __reduce__(self) -> tuple[object, ...]:
        return _Methods, ()


def detached(x: Operand) -> Operand:
    """Return a node without its graph; anything else unchanged."""
    return leaf(type(x), x._value) if isinstance(x, Node) else x
