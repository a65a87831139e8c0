"""Grad modes, and the watchers that follow operations: per thread and per asynchronous task."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from typing import Any, ClassVar, Self

import numpy as np

from .typing import Cotangent, Data, Function, Operand, Operands, Rule, Tree

# Whether operations are recorded; or a Watch of the same truth value.  True and False are compared by identity: fast.
_mode: ContextVar[bool | Watch] = ContextVar("mode", default=True)
current_mode: Callable[[], bool | Watch] = _mode.get

_blocks: ContextVar[tuple[_Block, ...]] = ContextVar("blocks", default=())  # innermost last


class Watch:
    """Base class of watchers, which are notified of the operations of this thread or task.

    >>> import autograd
    >>> class Names(Watch):
    ...     on_record = lambda self, op, args, raw, node: print(op.name)
    >>> with watching(Names()):
    ...     y = autograd.Value(3.0) * 2.0
    multiply
    """

    grad_enabled: bool = True
    records_all: ClassVar[bool] = False  # whether operations without a gradient are recorded too
    float_notes: Any = None  # the notes of new `Value`s, which may then be made without calling `on_record`

    def __bool__(self) -> bool:
        return self.grad_enabled

    def with_grad(self, enabled: bool) -> Watch:
        """Return the watcher for a block inside which gradients are, or are not, recorded."""
        raise NotImplementedError

    def on_record(self, op: Any, args: Operands, raw: tuple[Data, ...], node: Any) -> None:
        """Handle a new node, computed by `op` from `args`, whose data were `raw`."""

    def call_hook(self, hook: Function, g: Cotangent) -> Cotangent:
        """Return the result of a gradient hook."""
        return hook(g)

    def on_pull(self, node: Any, arg: Any, g: Cotangent, share: Cotangent) -> None:
        """Handle one step of a backward pass: `arg` received `share` of the cotangent `g` of `node`."""

    def on_read(self, node: Any, how: str) -> None:
        """Handle a read of a node's data by Python code."""

    def on_write(self, how: str) -> None:
        """Handle a change of the gradients of leaves."""

    def callback(self, function: Function, args: tuple[Tree, ...]) -> Tree:
        """Implement `callback`; and `guard`, unless a subclass defines it."""
        return function(*map(raw_data, args))

    guard = callback

    def observe(self, function: Function, args: tuple[Tree, ...]) -> Tree:
        """Implement `observe`."""
        return function(*args)


def with_graph(create_graph: bool) -> bool:
    """Return whether derivatives must be nodes: if that is wanted, or a watcher records all operations."""
    return create_graph or getattr(_mode.get(), "records_all", False)


def raw_data(x: Operand) -> Data:
    """Return the data of a node or of an array of `Value`s as a float or array; anything else unchanged.

    Reading the data this way is not noticed by `compile`.

    >>> from autograd import Tensor, Value
    >>> raw_data(Tensor([1.0, 2.0])), raw_data(np.array([Value(3.0)]))
    (array([1., 2.]), array([3.]))
    """
    if type(x) is np.ndarray:
        return x if x.dtype.char != "O" else np.array([raw_data(v) for v in x.flat]).reshape(x.shape)
    return getattr(x, "_value", x)


def callback(function: Function, *args: Tree) -> Operand:
    """Call a Python function on the data of `args`, now and in each replay of a compiled function.

    `compile` repeats operations only.  Anything else that must happen in each call, such as drawing random numbers or
    updating running statistics, goes through this function.

    Parameters
    ----------
    function : callable
        Takes the data of `args`, returns a float, an array, or None.  No gradient passes through it.
    *args : object
        Nodes are passed as floats and arrays, arrays of `Value`s as float arrays, anything else unchanged.

    Returns
    -------
    float, ndarray or None
        The result of the function; a node while `compile` records.

    Notes
    -----
    A replay that raises an error, or gets data of another shape than the recorded ones, is abandoned and the call is
    computed eagerly, which repeats the callbacks that had already run.

    Examples
    --------
    >>> from autograd import Tensor
    >>> callback(lambda x: x.max(), Tensor([1.0, 3.0]))
    np.float64(3.0)
    """
    mode = _mode.get()
    return mode.callback(function, args) if isinstance(mode, Watch) else function(*map(raw_data, args))


def guard(function: Function, *args: Tree) -> Any:
    """Return ``function(*args)``; `compile` replays what it recorded only while the result stays the same.

    Use it for Python branches and for checks.  A function of nodes is evaluated on their data in each replay, before
    callbacks run if that is possible, so that a check that raises leaves no trace.  A function of other things, such
    as a module's training mode, is evaluated before the replay.

    Parameters
    ----------
    function : callable
        Has no side effects; returns something that can be compared by ``==``, or raises.
    *args : object
        As for `callback`.

    Examples
    --------
    >>> from autograd import Tensor, compile
    >>> @compile
    ... def halve_if_large(x):
    ...     return x / 2 if guard(lambda x: bool(x > 10), x) else x
    >>> [halve_if_large(x).item() for x in (Tensor(3.0), Tensor(30.0))]
    [3.0, 15.0]
    """
    mode = _mode.get()
    return mode.guard(function, args) if isinstance(mode, Watch) else function(*map(raw_data, args))


def observe(function: Function, *args: Tree) -> Any:
    """Return ``function(*args)``; each replay of a compiled function calls it again, with new nodes.

    While `compile` records, and in replays, the function gets nodes of its own that hold the data of the call.  It may
    read them freely, but must return None.

    Parameters
    ----------
    function : callable
        A hook, for example.
    *args : object
        Nodes, nests of nodes, and anything else.

    >>> from autograd import Value
    >>> observe(lambda x: print(x.data), Value(3.0))
    3.0
    """
    mode = _mode.get()
    return mode.observe(function, args) if isinstance(mode, Watch) else function(*args)


def add_guards(guards: Callable[..., Iterable[tuple[Any, ...]]], *args: object) -> None:
    """Guard every ``(function, *arguments)`` that ``guards(*args)`` yields, if `compile` is recording.

    Otherwise nothing is called, so that it costs next to nothing.

    Examples
    --------
    >>> add_guards(lambda settings: [(settings.get, "scale")], {"scale": 1.0})
    """
    mode = _mode.get()
    if isinstance(mode, Watch):
        for function, *rest in guards(*args):
            mode.guard(function, tuple(rest))


def notify_read(node: Any, how: str) -> None:
    """Notify the watcher of this thread that the value of a node was read."""
    mode = current_mode()
    if mode is not True and mode is not False:
        mode.on_read(node, how)


def notify_write(how: str) -> None:
    """Notify the watcher of this thread that gradients of leaves change."""
    mode = current_mode()
    if mode is not True and mode is not False:
        mode.on_write(how)


def with_watch(visit: Callable[..., None] | None) -> Callable[..., None] | None:
    """Return a visitor of the edges of a backward pass that also calls the watcher of this thread, if any."""
    mode = current_mode()
    if not isinstance(mode, Watch) or type(mode).on_pull is Watch.on_pull:
        return visit

    def both(node: Any, arg: Any, rule: Rule, g: Cotangent, share: Cotangent, total: Cotangent) -> None:
        mode.on_pull(node, arg, g, share)
        if visit is not None:
            visit(node, arg, rule, g, share, total)

    return both


class NotReplayable(Exception):  # noqa: N818  (a condition, which `compile` handles by computing the call eagerly)
    """Raised by a callback in a replay if the recorded operations are wrong for its data.

    Examples
    --------
    >>> from autograd import Tensor, compile
    >>> def largest(x):
    ...     if x.max() > 10.0:
    ...         raise NotReplayable("recorded for small values")
    ...     return x.max()
    >>> compile(lambda x: x / callback(largest, x))(Tensor([1.0, 2.0]))
    array([0.5, 1. ])
    """


class _Block:
    """A block in which a mode holds, with the mode around it, and the `no_grad` or `enable_grad` that began it, if any.

    Another task or thread may end it, such as the one that closes an abandoned asynchronous generator; the mode around
    is then restored when it is next needed.
    """

    __slots__ = ("ended", "outer", "switch")

    def __init__(self, mode: bool | Watch, switch: object = None) -> None:
        self.switch = switch
        self.outer = settled_mode()
        self.ended = False
        _blocks.set((*_blocks.get(), self))
        _mode.set(mode)

    def end(self) -> None:
        """Leave the block: restore the mode around it, unless a block that began inside goes on."""
        self.ended = True
        settled_mode()


def settled_mode() -> bool | Watch:
    """Return the current mode, after leaving the blocks that were ended elsewhere."""
    blocks = _blocks.get()
    if blocks and blocks[-1].ended:
        while blocks and blocks[-1].ended:
            _mode.set(blocks[-1].outer)
            blocks = blocks[:-1]
        _blocks.set(blocks)
    return _mode.get()


def is_grad_enabled() -> bool:
    """Return whether operations are being recorded in this thread or task.

    >>> is_grad_enabled()
    True
    """
    return bool(settled_mode())


class _Switch(contextlib.ContextDecorator):
    """Base class of `no_grad` and `enable_grad`."""

    enabled: ClassVar[bool]

    def __init__(self) -> None:
        self._open: list[_Block] = []  # of all threads and tasks; the same object may be entered several times

    def __enter__(self) -> Self:
        outer = settled_mode()
        self._open.append(_Block(outer.with_grad(self.enabled) if isinstance(outer, Watch) else self.enabled, self))
        return self

    def __exit__(self, *exc_info: object) -> None:
        own = [block for block in _blocks.get() if block.switch is self and not block.ended]
        block = own[-1] if own else self._open[-1]
        self._open.remove(block)
        block.end()

    def __call__(self, func: Any) -> Any:
        """Decorate a function so that its body runs in this mode."""
        if inspect.isgeneratorfunction(func) or inspect.iscoroutinefunction(func) or inspect.isasyncgenfunction(func):
            raise TypeError(
                f"generators and coroutines cannot be decorated; write `with {type(self).__name__}():` inside"
            )
        return super().__call__(func)


class no_grad(_Switch):  # noqa: N801  (PyTorch's name)
    """Stop recording: results computed inside are leaves without gradient.

    A context manager and a decorator.  It holds for this thread or task, and for tasks started inside; the mode around
    it is restored whatever happens inside, and wherever it is left.

    Examples
    --------
    >>> from autograd import Value
    >>> x = Value(3.0)
    >>> with no_grad():
    ...     y = x * 2
    >>> y.requires_grad
    False
    """

    enabled = False


class enable_grad(_Switch):  # noqa: N801  (PyTorch's name)
    """Record again inside `no_grad`; used like it.

    Examples
    --------
    >>> from autograd import Value
    >>> x = Value(3.0)
    >>> with no_grad(), enable_grad():
    ...     y = x * 2
    >>> y.requires_grad
    True
    """

    enabled = True


@contextlib.contextmanager
def watching(watch: Watch | bool) -> Iterator[Watch | bool]:
    """Notify `watch` of the operations in a block, in this thread or task; True and False are plain grad modes.

    >>> with watching(False):
    ...     is_grad_enabled()
    False
    """
    block = _Block(watch)
    try:
        yield watch
    finally:
        block.end()
