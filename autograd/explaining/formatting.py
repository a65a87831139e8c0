"""Format values, arrays and names as short text."""

import math
import unicodedata

import numpy as np
from numpy.typing import ArrayLike

from autograd.typing import Array, Data

LONGEST = 40  # characters of a label; a longer one makes its box too wide to read
WHOLE = 4  # elements of an array that is written out
REPLACEMENT = "\ufffd"


def visible(character: str) -> str:
    """Return the character, or U+FFFD for a control character or one that XML forbids."""
    if character == "\n" or character.isprintable():
        return character
    code = ord(character)
    nonsense = code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF  # noncharacters, by Unicode's definition
    return REPLACEMENT if nonsense or unicodedata.category(character) in ("Cc", "Cs") else character


def cut(text: str, longest: int = LONGEST) -> str:
    """Return `text`, with an ellipsis in place of its end if it is longer than `longest` characters.

    Examples
    --------
    >>> cut("a rather long name", 9)
    'a rather…'
    """
    return text if len(text) <= longest else text[: longest - 1] + "…"


def width(text: str) -> int:
    """Return the number of terminal columns that a text takes.

    Examples
    --------
    >>> width("abc"), width("漢"), width("e\N{COMBINING ACUTE ACCENT}")
    (3, 2, 1)
    """
    return sum(0 if unicodedata.combining(c) else 1 + (unicodedata.east_asian_width(c) in "WF") for c in text)


def format_number(x: Data, digits: int = 4) -> str:
    """Return a float with at most `digits` significant digits, and zero without a sign; an int or bool in full.

    Examples
    --------
    >>> format_number(2.0), format_number(1 / 3), format_number(-0.0), format_number(1e-300), format_number(True)
    ('2', '0.3333', '0', '1e-300', 'True')
    """
    return str(x) if isinstance(x, (int, np.bool_)) else f"{x + 0.0:.{digits}g}"


def finite_number(text: str) -> float | None:
    """Return the number that a text represents, or None if it does not represent a finite number."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def format_shape(array: Array) -> str:
    """Return the shape of an array, followed by its dtype unless that is float64.

    Examples
    --------
    >>> format_shape(np.zeros((64, 10))), format_shape(np.zeros(3, dtype="float32"))
    ('(64, 10)', '(3,) float32')
    """
    return str(array.shape) if array.dtype == np.float64 else f"{array.shape} {array.dtype}"


def format_array(data: ArrayLike) -> str:
    """Return the elements of a number or small array, with fewer digits if that is too long; the range of a larger one.

    Examples
    --------
    >>> format_array(0.5), format_array(np.array([1.0, 2.0])), format_array(np.linspace(-1, 1, 100))
    ('0.5', '[1, 2]', '-1 … 1')
    >>> format_array(np.array([1.0, np.nan, 3.0, np.inf, 5.0]))
    '1 … 5, 2 not finite'
    """
    array = np.asarray(data)
    if array.ndim == 0:
        return format_number(array[()])
    if array.size == 0:
        return "empty"
    if array.size <= WHOLE:
        texts = [_nested(array, n) for n in (4, 3, 2)] if array.dtype.kind == "f" else [str(array.tolist())]
        if short := [text for text in texts if len(text) <= LONGEST]:
            return short[0]
    if array.dtype.kind not in "biuf":
        return cut(str(array.tolist())) if array.size <= WHOLE else ""
    finite = array[np.isfinite(array)]
    if finite.size == 0:
        return f"none of {array.size:,} finite"
    low, high = format_number(finite.min()), format_number(finite.max())
    span = f"all {low}" if low == high else f"{low} … {high}"
    return span if finite.size == array.size else f"{span}, {array.size - finite.size:,} not finite"


def _nested(array: Array, digits: int) -> str:
    return format_number(array, digits) if array.ndim == 0 else f"[{', '.join(_nested(a, digits) for a in array)}]"


def format_constant(constant: object) -> str:
    """Return a constant operand as it is written in a formula; a large array as its shape.

    Examples
    --------
    >>> format_constant(0.5), format_constant(slice(1, None)), format_constant(np.zeros((64, 10)))
    ('0.5', '1:', '(64, 10)')
    """
    if isinstance(constant, slice):
        ends = ["" if end is None else str(end) for end in (constant.start, constant.stop, constant.step)]
        return ":".join(ends if ends[2] else ends[:2])
    if constant is Ellipsis:
        return "..."
    if isinstance(constant, (int, float)):
        return format_number(constant)
    if isinstance(constant, np.ndarray):
        return format_array(constant) if constant.size <= WHOLE else format_shape(constant)
    return cut(repr(constant), 24)
