"""`compile`: record one call of a function, or a whole training step, as a program, and replay it in later calls."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import threading
import time
import types
import warnings
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, overload

import numpy as np

from autograd.backward import backward
from autograd.diagnostics import current_evaluation, evaluation_of
from autograd.graph import Node
from autograd.recording import NotReplayable, current_mode, settled_mode
from autograd.transforms.functional import Recorded, hessian_product
from autograd.transforms.nested import flatten, mapped
from autograd.typing import Array, Function, Operand, Tree
from autograd.variable import leaf

from .call import Arguments, Call, Key, as_input, is_loss, signature_of
from .executor import has_numba
from .recording import Recording, RecordingError, uncollected
from .step import StepCall, Transform

MOST_PROGRAMS = 64  # cache keys; the oldest are dropped.  As many recordings cause a warning
MOST_VARIANTS = 8  # programs of one cache key, for different results of the guards
LONGEST_IN_NUMPY = 1 << 16  # parameters, from which NumPy is faster when the optimizer updates them block by block
LONGEST = 0.1  # seconds after which `CompiledStep.many` looks whether Ctrl-C was pressed

_locks: weakref.WeakSet[Any] = weakref.WeakSet()  # free in a forked process if another thread held them


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

    def __init__(self, function: Any) -> None:
        if not callable(function) and not hasattr(function, "__get__"):
            raise TypeError(f"compile takes a function, such as lambda x: loss(model(x)), not {function!r:.60}")
        functools.update_wrapper(self, function)  # type: ignore[arg-type]
        self.function: Function = function
        self._programs: dict[Key, list[Any]] = {}
        self._lock: Any = threading.RLock()  # a program has one set of arrays to write into
        _locks.add(self._lock)
        self._recordings = 0
        self._described: dict[str, str] = {}  # the arguments of the last recording
        self._refusal: str = ""  # why the last recording was given up

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
        old, self._described = self._described, arguments.described
        if self._recordings == MOST_PROGRAMS + 1:
            new = [(name, x) for name, x in self._described.items() if x != old.get(name)]
            changes = [f"{name} was {old.get(name, 'absent')}, now {x}" for name, x in new]
            warnings.warn(
                f"{getattr(self.function, '__name__', 'a function')} was recorded {MOST_PROGRAMS} times, which takes "
                f"longer than computing it eagerly. Since the last recording {', '.join(changes) or 'state changed'}. "
                "A program is recorded for each combination of shapes, of arguments other than floats and arrays, and "
                "of guarded state: pass a number that changes in each call as a float, and batches of few sizes",
                RuntimeWarning,
                stacklevel=4,
            )
        try:
            with uncollected():
                program = self._recorded(arguments)
        except NotReplayable as error:
            self._refusal = str(error)
            return self._eagerly(args, kwargs)
        found, program.found = program.found, ()
        self._programs[key] = [program, *self._programs.get(key, [])][:MOST_VARIANTS]
        return program.completed(found, sources)

    def _recorded(self, arguments: Arguments) -> Call:
        """Return a recorded call."""
        return Call(self.function, arguments, bool(current_mode()))

    def _eagerly(self, args: tuple[Tree, ...], kwargs: dict[str, Tree]) -> Tree:
        """Compute what a replay would, without one."""
        raise NotImplementedError

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
            reason = f": the calls are computed eagerly ({self._refusal})" if self._refusal else " yet"
            raise RuntimeError(f"no program is recorded{reason}; call the compiled function before source()")
        return [programs[0] for programs in self._programs.values()][-1].executor.text.source  # type: ignore[no-any-return]

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
        leaves = flatten(result, dataclasses=True)[0]
        if current_mode() and leaves and is_loss(leaves[0]):
            backward(leaves[0])
        return result


class _Methods(dict[Compiled, Compiled]):
    """The compiled methods of an instance; none in a copy or pickle of it."""

    def __reduce__(self) -> tuple[object, ...]:
        return _Methods, ()


def detached(x: Operand) -> Operand:
    """Return a node without its graph; anything else unchanged."""
    return leaf(type(x), x._value) if isinstance(x, Node) else x


class CompiledStep(Programs):
    """A training step with its recorded programs; see `compile`.

    Parameters
    ----------
    function, optimizer, transform
        As for `compile`.

    Attributes
    ----------
    updated : set
        The parameters that have been updated.

    Raises
    ------
    TypeError
        If the optimizer needs residuals.
    """

    def __init__(self, function: Function, optimizer: Any, transform: Transform | None = None) -> None:
        if not hasattr(optimizer, "param_groups") or getattr(optimizer, "needs_product", "") == "jacobian":
            raise TypeError(
                "optimizer must be one of optim that minimizes a loss, such as Adam(model.parameters()), "
                f"got {optimizer!r:.60}"
            )
        super().__init__(function)
        self.optimizer = optimizer
        self._transform = transform
        self._gradients = Compiled(function)
        self.updated: set[Node] = set()
        self._layout: int = -1
        self._is_recordable = False
        self._at_once = 16  # steps between two looks whether Ctrl-C was pressed

    def __call__(self, /, *args: Tree, **kwargs: Tree) -> Tree:
        """Take one step, and return the result of the function, before the step and without a gradient."""
        mode = settled_mode()
        if not mode:
            raise RuntimeError("a training step needs gradients: call it outside of no_grad()")
        if mode is not True or not self._has_rule():
            return self._eagerly(args, kwargs)
        return self._replayed(args, kwargs, True)

    def _has_rule(self) -> bool:
        """Return whether the optimizer's rule can be recorded; drop programs of other vectors of parameters."""
        layout: int = getattr(self.optimizer, "layout", 0)
        if layout != self._layout:
            self._programs.clear()
            self._layout = layout
            self._is_recordable = getattr(self.optimizer, "is_recordable", False) and (
                has_numba() or sum([p.data.size for p in self.optimizer.parameters]) <= LONGEST_IN_NUMPY
            )
        return self._is_recordable and not self.optimizer.skip_nonfinite

    def _eagerly(self, args: tuple[Tree, ...], kwargs: dict[str, Tree]) -> Tree:
        """Let the optimizer step, with compiled gradients unless it needs their graph, and restore `.grad`."""
        parameters: list[Any] = [p for group in self.optimizer.param_groups for p in group["params"]]
        held, results = [p.grad for p in parameters], list[Tree]()

        def closure() -> Any:
            self.optimizer.zero_grad()
            needs_product = getattr(self.optimizer, "needs_product", "")
            result = (self._gradients.computed if needs_product else self._gradients)(*args, **kwargs)
            results.append(mapped(detached, result, dataclasses=True))
            if self._transform is not None:
                given = {p: p.grad for p in parameters if p.grad is not None}
                for p, g in dict[Any, Any](self._transform(given)).items():
                    p.grad = g
            self.updated.update([p for p in parameters if p.grad is not None])
            loss = _loss_of(result)
            return (loss, hessian_product(loss, self.optimizer.parameters)) if needs_product else loss

        try:
            self.optimizer.step(closure)
        finally:
            for p, g in zip(parameters, held, strict=True):
                p.grad = g
        return results[0]

    def _recorded(self, arguments: Arguments) -> StepCall:
        program = StepCall(self.function, arguments, self.optimizer, self._transform)
        self.updated.update(program.members)
        if self.optimizer.layout != self._layout:  # vectors are split if only some of their parameters have a gradient
            self._programs.clear()
            self._layout = self.optimizer.layout
        return program

    def many(self, *data_and_rows: Array, scheduler: Any = None) -> Array:
        """Take a step for each row of a matrix of row indices, and return the losses.

        Parameters
        ----------
        *data_and_rows : ndarray
            The data sets, such as ``x, y``, and a matrix of integers: step k is called with ``x[rows[k]], y[rows[k]]``.
        scheduler : scheduler, optional
            Called after each step, as ``scheduler.step()``.

        Returns
        -------
        ndarray
            The loss of each step.

        Notes
        -----
        Ctrl-C takes effect between two steps.

        Examples
        --------
        >>> import optim
        >>> from autograd import Tensor
        >>> w = Tensor([0.0], requires_grad=True)
        >>> step = compile(lambda x, y: ((w * x - y) ** 2).mean(), optimizer=optim.SGD([w], lr=0.25))
        >>> x, rows = np.array([1.0, 2.0]), np.array([[0, 1], [1, 0], [0, 1]])
        >>> step.many(x, 3 * x, rows)
        array([22.5   ,  1.40625...,  0.0878...])
        """
        data, rows = list[Any](data_and_rows[:-1]), np.asarray(data_and_rows[-1])
        if any(isinstance(x, tuple | list) and any(isinstance(part, np.ndarray) for part in x) for x in data):
            raise TypeError("many takes one array after another: write step.many(x, y, rows), not many((x, y), rows)")
        arrays = [x._value if isinstance(x, Node) else np.asarray(x) for x in data]
        if rows.ndim != 2 or rows.dtype.kind not in "iu":
            raise TypeError(f"rows must be a matrix of integers, (steps, batch), got shape {rows.shape} {rows.dtype}")
        losses: list[float] = []
        with deferred_interrupt() as interrupted:
            while (done := len(losses)) < len(rows):
                begin, count = time.perf_counter(), self._at_once
                try:
                    self._some(arrays, rows[done : done + count], scheduler, losses)
                except RecordingError as error:
                    error.losses = np.array(losses)
                    raise
                fitting = int((len(losses) - done) * LONGEST / (time.perf_counter() - begin))
                self._at_once = min(max(fitting, 1), 2 * count)
                if interrupted():
                    raise KeyboardInterrupt
        return np.array(losses)

    def _some(self, arrays: Sequence[Array], rows: Array, scheduler: Any, losses: list[float]) -> None:
        """Take at least one step, and append the losses."""

        def take(step: Callable[..., Tree], row: Array) -> None:
            losses.append(float(_loss_of(step(*[x.take(row, 0) for x in arrays]))))
            if scheduler is not None:
                scheduler.step()

        if settled_mode() is True and not self._lock._is_owned() and self._has_rule():
            key = True, *[((rows.shape[1], *x.shape[1:]), x.dtype) for x in arrays]  # as `signature_of` makes it
            with self._lock:
                for program in self._programs.get(key, ()):
                    found, is_stopped = program.many(arrays, rows, scheduler)
                    losses += found
                    if is_stopped:  # raise the error again, but not in a replay, which would repeat its side effects
                        take(lambda *args: self._eagerly(args, {}), rows[len(found)])
                    if found or is_stopped:
                        return
        for row in rows:
            take(self, row)

    def source(self) -> str:
        """Return the source code of the program recorded last, of the gradients if the optimizer updates by itself."""
        return super().source() if self._programs else self._gradients.source()

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.function, self.optimizer, self._transform)


def _loss_of(result: Tree) -> Any:
    """Return the first leaf of a result."""
    return flatten(result, dataclasses=True)[0][0]


@contextlib.contextmanager
def deferred_interrupt() -> Iterator[Callable[[], bool]]:
    """Yield a function that returns whether Ctrl-C was pressed, which raises no exception inside the block."""
    pressed: list[int] = []
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield lambda: False
        return
    signal.signal(signal.SIGINT, lambda number, _: pressed.append(number))
    try:
        yield lambda: bool(pressed)
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@overload
def compile(function: Function) -> Compiled: ...
@overload
def compile(function: Function, *, optimizer: Any, transform: Transform | None = None) -> CompiledStep: ...
def compile(
    function: Function, *, optimizer: Any = None, transform: Transform | None = None
) -> Compiled | CompiledStep:
    r"""Return a function that records the operations of `function` once and replays them at the speed of plain NumPy.

    Parameters
    ----------
    function : callable
        Takes arrays, floats, nodes, nests of them, and anything hashable.  Returns a loss, a tuple that begins with a
        loss, or any other nest of nodes.
    optimizer : Optimizer, optional
        Compile a whole training step: loss, gradients, and the update of the optimizer's parameters.
    transform : callable, optional
        Changes the gradients of a step: takes and returns a dict from parameters to gradients, such as
        ``nn.utils.clipped_by_norm(1.0)``.

    Returns
    -------
    Compiled or CompiledStep
        Called like `function`.  If the first result depends on variables (the parameters of a model), it must be a
        scalar loss, and its gradients are accumulated in their `.grad`, as ``loss.backward()`` would do.  Otherwise,
        and inside `no_grad`, results are computed without gradients.

    Raises
    ------
    RecordingError
        While recording, if Python code reads data (``if loss < 1``, ``float(loss)``, ``loss.data``), draws from
        `random` or `np.random`, or uses a node that was computed outside.

    Notes
    -----
    A program is recorded for each combination of shapes and dtypes, of arguments that are not floats or arrays, and of
    guarded state such as a module's training mode.  Variables are read in each call, so an optimizer can update them in
    between.  Layers draw new random values and update running statistics in each call.  Other Python state that the
    function reads while it is recorded, such as an attribute, a `.grad`, a plain array or a random generator, keeps the
    value it had then: use `autograd.extend.callback` and `autograd.extend.guard` for it.

    The gradient needs no derivatives of its own: the backward pass is recorded as operations on nodes.

    Optimizers whose rule is not elementwise, those that skip nonfinite gradients, and without numba those of more than
    65,536 parameters update outside of the program.  Those that take a closure (`optim.LBFGS`, `optim.SAM`) get one
    that replays the gradients, and those that need products with the Hessian (`optim.NewtonCG`, `optim.AdaHessian`) one
    that computes all eagerly.

    If numba is installed (``pip install chainrule[fast]``), programs that have run for half a second continue as
    machine code: an interpreter that calls NumPy's own loops, so that results have the same bits; it does not warn of
    overflow.  It is compiled once per installation, in another process while this one continues with NumPy, or ahead
    by ``python -m autograd doctor --compile``.  The machine code is cached beside the package, or in the folder
    ``NUMBA_CACHE_DIR``.  The environment variable ``CHAINRULE_NUMBA=0`` disables numba; ``1`` uses it at once.  Large
    graphs of `Value`s are run many operations at a time, with numba or without.

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
    return Compiled(function) if optimizer is None else CompiledStep(function, optimizer, transform)
