"""Text for formulas and pictures: any string made safe for DOT, any number or array made short.

A label may come from anywhere, so there is one way into a picture, `escaped`, and nothing it lets through
can end a label, open a field, become markup or name another node.
"""

from __future__ import annotations

import unicodedata
from typing import Any

import numpy as np

__all__ = ["constant", "cut", "escaped", "number", "shape", "summary"]

LONGEST = 40  # characters of a label; beyond, a box is wider than a reader's eye
WHOLE = 4  # arrays of up to so many numbers are written out
REPLACEMENT = "\ufffd"


def visible(character: str) -> str:
    """Return the character, or U+FFFD for one that XML or a reader cannot take."""
    if character == "\n" or character.isprintable():
        return character
    code = ord(character)
    nonsense = code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF  # never characters, by Unicode's definition
    return REPLACEMENT if nonsense or unicodedata.category(character) in ("Cc", "Cs") else character


def cut(text: str, longest: int = LONGEST) -> str:
    """Return `text`, its end replaced by an ellipsis if it is longer than `longest` characters.

    Examples
    --------
    >>> cut("a rather long name", 9)
    'a rather…'
    """
    return text if len(text) <= longest else text[: longest - 1] + "…"


def escaped(text: str, *, record: bool = False) -> str:
    r"""Return `text` as DOT shows it literally, for a plain label or for one field of a record.

    Parameters
    ----------
    text : str
        Anything at all; a line break stays one, other control characters become U+FFFD.
    record : bool
        Escape also what divides a record into fields.

    Notes
    -----
    The result still has to be quoted, which the package graphviz does.  Three readings are undone here: `dot`
    decodes entities, so ``&`` becomes one; it expands ``\N`` and its kin, so a backslash is doubled; a record
    splits at ``{ } | < >`` and swallows spaces, so these take a backslash.

    Examples
    --------
    >>> print(escaped(r"x & \N"))
    x &amp; \\N
    >>> print(escaped("{a|b}", record=True))
    \{a\|b\}
    """
    text = "".join(map(visible, text.strip())).replace("&", "&amp;").replace("\\", "\\\\")
    if record:
        for special in "{}|<> ":
            text = text.replace(special, "\\" + special)
    # An empty line corrupts the memory of the embedded Graphviz: the second graph after it fails, or worse.
    return "\\n".join(line for line in text.split("\n") if line)


def number(x: Any) -> str:
    """Return a number in four digits at most, as short as it can be read.

    Examples
    --------
    >>> number(2.0), number(1 / 3), number(-0.0), number(1e-300), number(True)
    ('2', '0.3333', '-0', '1e-300', 'True')
    """
    return str(x) if isinstance(x, (bool, np.bool_)) else f"{x:.4g}"


def shape(array: Any) -> str:
    """Return the shape of an array, with the type where it is not float64.

    Examples
    --------
    >>> shape(np.zeros((64, 10))), shape(np.zeros(3, dtype="float32"))
    ('(64, 10)', '(3,) float32')
    """
    return str(array.shape) if array.dtype == np.float64 else f"{array.shape} {array.dtype}"


def summary(data: Any) -> str:
    """Return what a number or array holds: a few numbers as they are, of many the range.

    Examples
    --------
    >>> summary(0.5), summary(np.array([1.0, 2.0])), summary(np.linspace(-1, 1, 100))
    ('0.5', '[1, 2]', '-1 … 1')
    >>> summary(np.array([1.0, np.nan, 3.0, np.inf, 5.0]))
    '1 … 5, 2 not finite'
    """
    array = np.asarray(data)
    if array.ndim == 0:
        return number(array[()])
    if array.size == 0:
        return "empty"
    if array.size <= WHOLE:
        return cut(str(array.tolist()) if array.dtype.kind not in "f" else nested(array))
    if array.dtype.kind not in "biuf":
        return ""
    finite = array[np.isfinite(array)]
    if finite.size == 0:
        return f"none of {array.size:,} finite"
    low, high = number(finite.min()), number(finite.max())
    span = f"all {low}" if low == high else f"{low} … {high}"
    return span if finite.size == array.size else f"{span}, {array.size - finite.size:,} not finite"


def nested(array: Any) -> str:
    """Return a small array with its brackets."""
    return number(array) if array.ndim == 0 else f"[{', '.join(map(nested, array))}]"


def constant(thing: Any) -> str:
    """Return a constant as it reads in a formula; of a large array the shape.

    Examples
    --------
    >>> constant(0.5), constant(slice(1, None)), constant(np.zeros((64, 10)))
    ('0.5', '1:', '(64, 10)')
    """
    if isinstance(thing, slice):
        ends = ["" if end is None else str(end) for end in (thing.start, thing.stop, thing.step)]
        return ":".join(ends if ends[2] else ends[:2])
    if thing is Ellipsis:
        return "..."
    if isinstance(thing, (int, float)):
        return number(thing)
    if isinstance(thing, np.ndarray):
        return summary(thing) if thing.size <= WHOLE else shape(thing)
    return cut(repr(thing), 24)
