"""Ctrl-C as a wish that is heard between two steps, so that what is saved is never half a step."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any, Self

__all__ = ["Interrupt"]


class Interrupt:
    """While entered, the first Ctrl-C sets `wanted`; the second one raises KeyboardInterrupt as ever.

    Outside the main thread, where Python allows no signal handlers, it does nothing.

    Examples
    --------
    >>> with Interrupt() as interrupt:
    ...     interrupt.wanted
    False
    """

    def __init__(self) -> None:
        self.wanted: bool = False
        self._before: Any = None
        self._set = False

    def __enter__(self) -> Self:
        ours = threading.current_thread() is threading.main_thread()
        if ours and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self._before = signal.signal(signal.SIGINT, self._heard)
            self._set = True
        return self

    def _heard(self, number: int, frame: FrameType | None) -> None:
        if self.wanted:
            raise KeyboardInterrupt
        self.wanted = True

    def __exit__(self, *exc_info: object) -> None:
        if self._set:
            signal.signal(signal.SIGINT, self._before)
            self._set = False
