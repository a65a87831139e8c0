"""The line of user code that called the library, for messages."""

import linecache
import sys
from types import FrameType

OURS = frozenset({"autograd", "nn", "optim"})  # packages whose frames are not user code

Line = tuple[str, int]


def user_line() -> Line | None:
    """Return file and line number of the innermost frame outside of this library, or None."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        if package not in OURS and "importlib" not in package:
            return frame.f_code.co_filename, frame.f_lineno
        frame = frame.f_back
    return None


def format_line(line: Line | None) -> str:
    """Return a line of code as ``file:line: text``.

    Examples
    --------
    >>> format_line(("train.py", 3)), format_line(None)
    ('train.py:3', 'an unknown line')
    """
    if line is None:
        return "an unknown line"
    text = linecache.getline(*line).strip()
    return f"{line[0]}:{line[1]}" + (f": {text}" if text else "")
