"""Whether operations are recorded, and who watches them: per thread and per asynchronous task."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any, ClassVar

__all__ = [
    "NotReplayable", "Watch", "callback", "check", "current_mode", "enable_grad", "guard", "is_grad_enabled",
    "is_recording", "is_transforming", "no_grad", "raw_data", "transforming", "watching",
]  # fmt: skip

# True or False: whether operations are recorded; or a Watch, which says so by its truth.  The plain values are
# told apart by identity, so that watching costs nothing where nobody watches.
_mode: ContextVar[bool | Watch] = ContextVar("mode", default=True)
current_mode: Callable[[], bool | Watch] = _mode.get

# The switches this thread or task has entered and not left, each with the mode it found: one may serve several tasks.
_entered: ContextVar[tuple[tuple[object, bool | Watch], ...]] = ContextVar("entered", default=())


class Watch:
    """One who looks at every operation of this thread or task, forward and backward: see `watching`."""

    grad_enabled: bool = True
    records_all: ClassVar[bool] = False  # whether operations without a gradient are recorded too
    allows_fast_floats: ClassVar[bool] = False  # whether a `Value` may be made without calling `on_record`

    def __bool__(self) -> bool:
        return self.grad_enabled

    def with_grad(self, recording: bool) -> Watch:
        """Return what goes on watching while operations are, or are not, recorded."""
        raise NotImplementedError

    def on_record(self, op: Any, args: tuple[Any, ...], raw: tuple[Any, ...], node: Any) -> None:
        """See a node that `op` has just made from `args`, which held the numbers `raw`."""

    def on_error(self, op: Any, args: tuple[Any, ...], raw: tuple[Any, ...], error: Exception) -> None:
        """See an operation that raised `error`."""

    def on_pull(self, node: Any, arg: Any, g: Any, share: Any) -> None:
        """See the share of the cotangent `g` of `node` that a backward pass has given to its argument `arg`."""

    def on_read(self, node: Any, how: str) -> None:
        """See that the program takes numbers out of a node, with which it may go on unseen."""

    def on_write(self, how: str) -> None:
        """See that the program changes the gradients that leaves hold, which is no operation."""

    def callback(self, function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        """Call a function of numbers for the program; see `callback`."""
        return function(*map(raw_data, args))

    def check(self, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
        """Let a function look at numbers; see `check`."""
        self.callback(function, args)

    def guard(self, question: Callable[[], Any]) -> Any:
        """Answer a question of the program about something that is no number; see `guard`."""
        return question()


def is_recording() -> bool:
    """Return whether every operation is being recorded, also what needs no gradient.

    >>> is_recording()
    False
    """
    mode = _mode.get()
    return isinstance(mode, Watch) and mode.records_all


def callback(function: Callable[..., Any], *args: Any) -> Any:
    """Call a Python function of plain numbers in the middle of a computation, and again in each replay of it.

    What `compile` repeats are operations; whatever else a function does with numbers (draw some, look at them, keep an
    average of them) goes through this door, or it would happen once and never again.

    Parameters
    ----------
    function : callable
        Takes the numbers of `args`, returns a float, an array, or None; no gradient passes through it.
    *args : object
        What it is called with; nodes are handed over as floats and arrays.

    Returns
    -------
    float, ndarray or None
        What the function returned; a node while `compile` records.

    Notes
    -----
    A replay that meets an error, or numbers of another shape than the recorded ones, is given up and computed by the
    engine: then the functions it had called before are called once more.

    Examples
    --------
    >>> from autograd import Tensor
    >>> callback(lambda x: x.max(), Tensor([1.0, 3.0]))
    np.float64(3.0)
    """
    mode = _mode.get()
    if isinstance(mode, Watch):
        return mode.callback(function, args)
    return function(*map(raw_data, args))


def check(function: Callable[..., Any], *args: Any) -> None:
    """Let a Python function look at numbers and raise if they are wrong; again in each replay, as early as can be.

    A `callback` that changes nothing and returns nothing: what only looks at the inputs is asked before anything is
    drawn or counted, so that a call that is refused has left no trace.

    Parameters
    ----------
    function : callable
        Takes the numbers of `args`; raises an error, or `NotReplayable`.
    *args : object
        As for `callback`.

    Examples
    --------
    >>> from autograd import Tensor
    >>> def no_negative(x):
    ...     if (x < 0).any():
    ...         raise ValueError(f"the least number is {x.min()}")
    >>> check(no_negative, Tensor([1.0, -3.0]))
    Traceback (most recent call last):
    ValueError: the least number is -3.0
    """
    mode = _mode.get()
    if isinstance(mode, Watch):
        mode.check(function, args)
    else:
        function(*map(raw_data, args))


class NotReplayable(Exception):  # noqa: N818  (a condition, which `compile` answers by computing the call anew)
    """Raised by a callback that meets numbers for which the recorded operations are not the right ones.

    Examples
    --------
    >>> from autograd import Tensor, compile
    >>> def is_positive(x):
    ...     if x.min() <= 0:
    ...         raise NotReplayable("recorded for positive numbers")
    >>> @compile
    ... def length(x):
    ...     check(is_positive, x)
    ...     return x.sum()
    >>> length(Tensor([1.0, 2.0])).item()
    3.0
    """


def raw_data(x: Any) -> Any:
    """Return the numbers of a node for a look at what no replay can change, such as their shape and dtype.

    Examples
    --------
    >>> from autograd import Tensor
    >>> raw_data(Tensor([1.0, 2.0])).nbytes
    16
    """
    return getattr(x, "_data", x)


def guard(question: Callable[[], Any]) -> Any:
    """Return the answer to a question about something that is no number, such as whether a module is in training.

    What `compile` has recorded is replayed only as long as the answer stays the same.

    Examples
    --------
    >>> guard(lambda: True)
    True
    """
    mode = _mode.get()
    return mode.guard(question) if isinstance(mode, Watch) else question()


def is_grad_enabled() -> bool:
    """Return whether operations are being recorded in this thread or task.

    Examples
    --------
    >>> is_grad_enabled()
    True
    """
    return bool(current_mode())


class _Switch(contextlib.ContextDecorator):
    """Turn recording off or on for a block or a function, in this thread or task."""

    recording: ClassVar[bool]

    def __enter__(self) -> Any:
        found = current_mode()
        _entered.set((*_entered.get(), (self, found)))
        _mode.set(found.with_grad(self.recording) if isinstance(found, Watch) else self.recording)
        return self

    def __exit__(self, *exc_info: object) -> None:
        entered = _entered.get()
        at = max(i for i, (switch, _) in enumerate(entered) if switch is self)  # a generator may be left out of turn
        _mode.set(entered[at][1])
        _entered.set(entered[:at] + entered[at + 1 :])

    def _recreate_cm(self) -> Any:
        return type(self)()

    def __call__(self, func: Any) -> Any:
        """Decorate a function, coroutine or generator so that its body runs in this mode, and its caller does not."""
        if inspect.isasyncgenfunction(func):
            raise TypeError(f"an asynchronous generator is not decorated; write `with {type(self).__name__}():` inside")
        if inspect.iscoroutinefunction(func):

            @functools.wraps(func)
            async def awaited(*args: Any, **kwargs: Any) -> Any:
                with type(self)():
                    return await func(*args, **kwargs)

            return awaited
        return self._resumed(func) if inspect.isgeneratorfunction(func) else super().__call__(func)

    def _resumed(self, func: Any) -> Any:
        """Return a generator function that is switched at each resume, and back at each yield."""

        @functools.wraps(func)
        def resumed(*args: Any, **kwargs: Any) -> Any:
            generator = func(*args, **kwargs)
            resume, given = generator.send, None
            while True:
                try:
                    with type(self)():
                        item = resume(given)
                except StopIteration as stop:
                    return stop.value
                try:
                    resume, given = generator.send, (yield item)
                except GeneratorExit:
                    with type(self)():
                        generator.close()
                    raise
                except BaseException as error:
                    resume, given = generator.throw, error

        return resumed


class no_grad(_Switch):  # noqa: N801  (PyTorch's name)
    """Stop recording: results computed inside are leaves without gradient.

    A context manager and a decorator; it holds for this thread or task only, and the mode found is restored
    whatever happens inside.  A decorated generator is switched at each resume.

    Examples
    --------
    >>> from autograd import Value
    >>> x = Value(3.0)
    >>> with no_grad():
    ...     y = x * 2
    >>> y.requires_grad
    False
    """

    recording = False


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

    recording = True


# Whether a function is being run by `grad`, `jacobian` and the like.
_transforming: ContextVar[bool] = ContextVar("transforming", default=False)
is_transforming: Callable[[], bool] = _transforming.get


@contextlib.contextmanager
def transforming() -> Iterator[None]:
    """Mark a block in which a function is evaluated to be differentiated."""
    token = _transforming.set(True)
    try:
        yield
    finally:
        _transforming.reset(token)


@contextlib.contextmanager
def watching(watch: Watch | bool) -> Iterator[Watch | bool]:
    """Let `watch` see every operation of the block, in this thread or task; True records without being watched."""
    token = _mode.set(watch)
    try:
        yield watch
    finally:
        _mode.reset(token)
