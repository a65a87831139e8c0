"""`compile`: a function that is run once by the engine, and from then on as a program."""

from __future__ import annotations

import functools
import threading
import types
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from autograd.backward import backward, store, storing
from autograd.diagnostics.mistakes import look_at_root
from autograd.graph import Node, topological_order
from autograd.recording import NotReplayable, current_mode, is_recording, is_transforming, settled_mode, watching
from autograd.transforms.nested import flatten, mapped
from autograd.transforms.tracing import Recorded
from autograd.variable import leaf

from .executor import FloatReplay, executor_for
from .program import Program
from .recording import Recording, RecordingError, gradients_of, uncollected
from .signature import Arguments, as_input, signature_of

__all__ = ["Compiled", "compile"]

MOST_PROGRAMS = 64  # signatures kept; the oldest are forgotten
MOST_SETTINGS = 8  # programs of one signature kept, for as many settings


def compile(function: Callable[..., Any]) -> Compiled:
    r"""Make a function that records what `function` computes once, and then replays it at the speed of plain NumPy.

    Parameters
    ----------
    function : callable
        Takes arrays, floats, nodes, nests of them, and anything hashable; returns a loss, a tuple that begins with a
        loss, or any numbers.

    Returns
    -------
    Compiled
        Called like `function`.  If the first result depends on variables (the parameters of a model), it is a loss of
        one number, and its gradients are left in their `.grad`, as ``loss.backward()`` would.  Otherwise, and inside
        `no_grad`, it only computes.

    Raises
    ------
    RecordingError
        While recording, if Python asks for numbers (``if loss < 1``, ``float(loss)``, ``loss.data``), or draws from
        `random` or `np.random`.

    Notes
    -----
    A program is recorded for each combination of shapes and dtypes, of arguments that are no numbers, and of settings
    such as a module's training mode.  Variables are read afresh on each call, so that an optimizer may do its work in
    between; random numbers are drawn afresh, running averages move on.  What else Python sees while recording, such as
    an attribute, a `.grad`, a plain array of outside or a draw from a generator of one's own, stays as it was then:
    `autograd.extend.callback` calls a function anew in each replay.

    No derivative is known here: the chain rule runs once, on nodes, and what it computes is replayed.

    Graphs of many `Value`s become arrays: all numbers that can be computed at the same time are, by numba where it is
    installed (``pip install chainrule[fast]``), else by NumPy.  The environment variable ``CHAINRULE_NUMBA=0`` does
    without numba; its machine code is kept beside the package, or where ``NUMBA_CACHE_DIR`` says.

    Examples
    --------
    >>> import numpy as np
    >>> from autograd import Tensor
    >>> w = Tensor([1.0, 2.0], requires_grad=True, name="w")
    >>> step = compile(lambda x: ((x * w) ** 2).sum())
    >>> step(np.array([1.0, 1.0])), w.grad
    (Tensor(5.), array([2., 4.]))
    >>> w.zero_grad()
    >>> step(np.array([2.0, 0.0])), w.grad
    (Tensor(4.), array([8., 0.]))
    """
    return Compiled(function)


class Compiled(Recorded):
    """A function with the programs recorded of it; see `compile`."""

    def __init__(self, function: Callable[..., Any]) -> None:
        if not callable(function):
            raise TypeError(
                f"compile() takes a function, not {function!r:.60}; as in compile(lambda x: loss(model(x)))"
            )
        functools.update_wrapper(self, function)
        self.function = function
        self._programs: dict[Any, list[_Call]] = {}
        self._lock = threading.RLock()  # a program has one set of arrays to write into
        self._is_running = self._has_warned = False

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return what the function returns, and leave the gradients of a loss in `.grad`."""
        mode = settled_mode()
        if is_transforming() or is_recording():  # the call is part of a larger computation
            return self._call(args, kwargs)
        if mode is not True and mode is not False:  # the watcher is notified of every operation
            return self._eagerly(args, kwargs)
        key, numbers, sources = signature_of(args, kwargs, mode)
        with self._lock:
            if self._is_running:  # called by one of its own callbacks, whose program is writing into its arrays
                return self._eagerly(args, kwargs)
            for program in self._programs.get(key, ()):
                if program.holds():
                    self._is_running = True
                    try:
                        return program(numbers, sources)
                    except (NotReplayable, ValueError, TypeError, ArithmeticError, IndexError):
                        # An error is raised again by the line that causes it.  Other calls succeed, such as those in
                        # which only the derivative of a float is infinite.
                        return self._eagerly(args, kwargs)
                    finally:
                        self._is_running = False
            return self._record(key, args, kwargs, sources)

    def __repr__(self) -> str:
        name = getattr(self.function, "__qualname__", type(self.function).__name__)
        return f"<compiled {name}, programs recorded: {sum(map(len, self._programs.values()))}>"

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """Return this as a method of an object, which is a setting of the call, as other hashable arguments are."""
        return self if instance is None else types.MethodType(self, instance)

    def __reduce__(self) -> Any:
        return type(self), (self.function,)  # a copy records for itself

    def _call(self, args: Any, kwargs: Any) -> Any:
        """Call the function with nodes in place of floats and arrays, as when it is recorded."""
        leaves, _, rebuild = flatten((args, kwargs))
        args, kwargs = rebuild(iter([as_input(a) for a in leaves]))
        return self.function(*args, **kwargs)

    def _eagerly(self, args: Any, kwargs: Any) -> Any:
        """Compute what a replay would, without one."""
        result = self._call(args, kwargs)
        first = next(iter(flatten(result, dataclasses=True)[0]), None)
        if current_mode() and isinstance(first, Node) and _variables(first):
            _require_loss(first)
            backward(first)
        return mapped(_detached, result, dataclasses=True)

    def _record(self, key: Any, args: Any, kwargs: Any, sources: Sequence[Any]) -> Any:
        while len(self._programs) >= MOST_PROGRAMS and key not in self._programs:
            del self._programs[next(iter(self._programs))]
            self._warn_of_recordings()
        try:
            with uncollected():
                program = _Call(self.function, Arguments(self.function, args, kwargs), bool(current_mode()))
        except NotReplayable:
            return self._eagerly(args, kwargs)
        kept = self._programs.setdefault(key, [])
        del kept[: max(0, len(kept) + 1 - MOST_SETTINGS)]
        kept.append(program)
        return program.first_results(sources)

    def _warn_of_recordings(self) -> None:
        if not self._has_warned:
            self._has_warned = True
            name = getattr(self.function, "__name__", "a function")
            warnings.warn(
                f"{name} was recorded {MOST_PROGRAMS} times, which takes longer than computing it eagerly: each "
                "combination of shapes and of arguments other than floats and arrays is recorded anew. Pass a "
                "number that changes in each call as a float, and batches of few different sizes",
                RuntimeWarning,
                stacklevel=4,
            )

    def again(self, function: Callable[..., Any]) -> Compiled:
        """Return another function that is compiled, as a transform of this one is."""
        return Compiled(function)

    def source(self) -> str:
        """Return the program recorded last, as Python text.

        Examples
        --------
        >>> from autograd import Tensor, tanh
        >>> w = Tensor(0.5, requires_grad=True, name="w")
        >>> step = compile(lambda x: tanh(w * x))
        >>> _ = step(np.array(2.0))
        >>> print(step.source())
        def replay(x):
        ...
            return (...)
        """
        if not self._programs:
            raise RuntimeError("nothing is recorded yet: call the compiled function once, then ask for its source")
        return [program for programs in self._programs.values() for program in programs][-1].replay.source


class _Call:
    """One recorded call: its program, the variables that get gradients, and the structure of what it returns."""

    def __init__(self, function: Callable[..., Any], call: Arguments, with_gradients: bool) -> None:
        recording = Recording(with_gradients)
        with watching(recording):
            result = function(*call.args, **call.kwargs)
            outputs, paths, self._rebuild = flatten(result, "result", dataclasses=True)
            for y, path in zip(outputs, paths, strict=True):
                _require_result(y, path)
            loss = outputs[0] if outputs and with_gradients else None
            gradients: dict[Node, Any] = {}
            if isinstance(loss, Node) and _variables(loss):
                _require_loss(loss)
                look_at_root(loss)
                gradients = gradients_of(loss)
        recording.refuse_draws()
        recording.refuse_outside(*outputs, *recording.effects)
        program = Program(call.nodes, [*outputs, *gradients.values()], len(outputs), recording.effects)
        self.replay = executor_for(program, call.names, list(gradients))
        self._floats = self.replay if isinstance(self.replay, FloatReplay) else None
        place = {node: i for i, node in enumerate(call.nodes)}
        # Whose gradient: a variable, or the number of an input.
        self._targets: list[Any] = [place.get(variable, variable) for variable in gradients]
        self._asks = any(variable in place for variable in gradients)
        self._first: tuple[Any, ...] | None = tuple([_copied(x) for x in (*outputs, *gradients.values())])
        self._count = len(outputs)
        self._kinds = [type(x) if isinstance(x, Node) else None for x in outputs]
        if not program.leaves and not any(call.asking()):  # as the operations themselves: numbers for numbers
            self._kinds = [None] * len(outputs)
        self._guards = recording.guards
        self._seen = [] if self._floats else [_state(x) for x in program.leaves]
        if self._floats:  # which looks at its variables itself, and keeps none alive
            self._targets, self._asks = [], False

    def holds(self) -> bool:
        """Whether everything that was looked at while recording is as it was."""
        if self._floats is not None and not self._floats.holds():
            return False
        for x, wants, hooks, shape, dtype in self._seen:
            data = x._data
            if x._requires_grad is not wants or x.hooks is not hooks:
                return False
            if shape is not None and (data.shape != shape or (data.dtype is not dtype and data.dtype != dtype)):
                return False
        for function, args, answer in self._guards:  # noqa: SIM110  (a generator takes as long as two guards)
            if function(*args) != answer:
                return False
        return True

    def __call__(self, numbers: Sequence[Any], sources: Sequence[Any]) -> Any:
        """Run the program."""
        return self._delivered(self.replay.run(*numbers), sources)

    def first_results(self, sources: Sequence[Any]) -> Any:
        """Return what the recorded call itself has computed."""
        found, self._first = self._first, None
        assert found is not None
        return self._delivered(found, sources)

    def _delivered(self, found: Sequence[Any], sources: Sequence[Any]) -> Any:
        count = self._count
        with storing:
            if self._floats is None:
                self._store(found[count:], sources)
            else:
                self._floats.store(found[count:], sources)
        if count == 1:
            return self._rebuild(iter((_wrapped(found[0], self._kinds[0]),)))
        return self._rebuild(iter([_wrapped(x, kind) for x, kind in zip(found, self._kinds, strict=False)]))

    def _store(self, gradients: Sequence[Any], sources: Sequence[Any]) -> None:
        targets = self._targets
        if self._asks:
            targets = [sources[t] if type(t) is int else t for t in targets]
            if len({*targets}) < len(targets):  # an argument that was given twice, or that the function knows anyway
                for x, g in zip(targets, gradients, strict=True):
                    store({x: g}, False)
                return
        if [x for x in targets if x._grad is not None]:
            store(dict(zip(targets, gradients, strict=True)), False)
        else:  # the arrays belong to nobody else: the program has made them so
            for x, g in zip(targets, gradients, strict=True):
                x._grad, x.stamp = g, id(x._data)


def _require_result(y: Any, path: str) -> None:
    if not isinstance(y, (Node, np.ndarray, np.generic, float, int, str, bytes)):
        raise RecordingError(
            f"{path} of a compiled function is a {type(y).__name__}, in which a replay cannot update values: "
            "return nodes, alone or in lists, tuples, dicts and data classes"
        )


def _variables(root: Node) -> bool:
    """Whether a gradient of `root` would reach a leaf."""
    return root._requires_grad and any(node.op is None for node in topological_order(root, variables_only=True))


def _require_loss(first: Node) -> None:
    if isinstance(first._data, np.ndarray) and first._data.size != 1:
        raise RuntimeError(
            "backward() starts from a scalar, and a compiled function runs it from its first result, which has shape "
            f"{first._data.shape} here. Return a loss first, as .sum() or .mean() makes one, or call the function "
            "inside autograd.no_grad() for its results alone"
        )


def _state(x: Node) -> tuple[Any, ...]:
    data = x._data
    shape, dtype = (None, None) if type(data) is float else (data.shape, data.dtype)
    return x, x._requires_grad, x.hooks, shape, dtype


def _copied(x: Any) -> Any:
    data = x._data if isinstance(x, Node) else x
    return np.array(data, order="C") if isinstance(data, np.ndarray) else data


def _detached(x: Any) -> Any:
    return leaf(type(x), x._data) if isinstance(x, Node) else x


def _wrapped(x: Any, kind: Any) -> Any:
    """Return a result as the function would: a node of its own, or a plain number or array."""
    if kind is None:
        return x[()] if type(x) is np.ndarray and not x.ndim else x
    if type(x) is bool or type(x) is int:  # the answer to a question about floats
        return leaf(kind, float(x))
    return leaf(kind, x if type(x) is float else np.asarray(x))
