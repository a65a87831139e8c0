"""What the interpreter does beside a computation: garbage collection, forks, Ctrl-C."""

import contextlib
import gc
import os
import signal
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

_locks: weakref.WeakSet[Any] = weakref.WeakSet()


def reentrant_lock() -> Any:
    """Return a lock that is free in a forked process if another thread held it."""
    _locks.add(lock := threading.RLock())
    return lock


def _free_locks() -> None:
    for lock in _locks:
        if not lock._is_owned():
            lock._at_fork_reinit()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_free_locks)


@contextlib.contextmanager
def deferred_interrupt(second: bool = False) -> Iterator[Callable[[], bool]]:
    """Yield a function that returns whether Ctrl-C was pressed.

    Inside the block it raises no exception, or with `second` the second one raises KeyboardInterrupt.  In other threads
    than the main one, and if another handler is installed, the block has no effect.
    """
    pressed: list[int] = []

    def press(number: int, frame: object) -> None:
        if second and pressed:
            raise KeyboardInterrupt
        pressed.append(number)

    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield lambda: False
        return
    signal.signal(signal.SIGINT, press)
    try:
        yield lambda: bool(pressed)
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Switch off the garbage collector, which would traverse a growing graph again and again."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
