"""`detect_anomaly`: raise an error at the first nan or inf, with the operation and line that produced it."""

import contextlib
import weakref
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import numpy as np

from autograd.graph import Node, Primitive
from autograd.messages import Line, description, format_line, user_line
from autograd.recording import Watch, raw_data, settled_mode, watching
from autograd.typing import Cotangent, Data, Operand, Operands, Shape

CURES = {
    "log": "log(0) is -inf: log1p(x) for log(1 + x), log_softmax or CrossEntropyLoss for the log of a softmax, "
    "BCEWithLogitsLoss for the log of a sigmoid, or log(x + eps)",
    "exp": "exp overflows beyond 709 (88 in float32): logsumexp, softmax and softplus shift it safely, or clip x",
    "divide": "keep the denominator from 0 by an eps: x / (y + eps)",
    "reciprocal": "keep the denominator from 0 by an eps: 1 / (x + eps)",
    "sqrt": "the slope of sqrt at 0 is infinite: sqrt(x + eps), or norm() and std(), which handle this case",
    "power": "a fractional or negative power of 0 or of a negative base: add an eps to the base, or use abs()",
    "acos": "the slope at -1 and 1 is infinite: clip the argument to (-1 + eps, 1 - eps)",
    "asin": "the slope at -1 and 1 is infinite: clip the argument to (-1 + eps, 1 - eps)",
}
CURES |= {"log2": CURES["log"], "log10": CURES["log"], "rsqrt": CURES["sqrt"], "expm1": CURES["exp"]}
CURES |= {"exp2": CURES["exp"], "log1p": "log1p(-1) is -inf: keep the argument above -1"}
DIVERGED = (
    "values this large usually mean that the training diverges: lower the learning rate, clip gradients "
    "(nn.utils.clip_grad_norm_), or scale the inputs"
)
INVALID_INPUT = "an input of the operation is nan or inf: check the data (np.isfinite) and the parameters"


class AnomalyError(FloatingPointError):
    """The first nan or inf in a block of `detect_anomaly`, with the operation, its inputs and the line.

    Examples
    --------
    >>> from autograd import Tensor, log
    >>> with np.errstate(all="ignore"), detect_anomaly():
    ...     try:
    ...         log(Tensor([0.0], requires_grad=True))
    ...     except AnomalyError as error:
    ...         print(str(error).splitlines()[0])
    log returned -inf at [0], from argument 0 = 0.0 there (shape (1,), from 0 to 0)
    """


@contextlib.contextmanager
def detect_anomaly() -> Iterator[None]:
    """Raise an error at the first nan or inf that an operation returns, forward or backward.

    A context manager, also usable as a decorator.  It affects the current thread or task only.  Every result is
    checked and its line stored, which makes a step several times slower.

    Raises
    ------
    AnomalyError
        A `FloatingPointError` with the operation, its inputs, the file and line that called it, and the usual remedy.

    Notes
    -----
    In the block, NumPy's floating-point warnings are off.  The line is unknown if the graph was recorded before the
    block.

    Examples
    --------
    >>> from autograd import Tensor, log
    >>> x = Tensor([1.0, 0.0], requires_grad=True, name="x")
    >>> with detect_anomaly():
    ...     log(x)
    Traceback (most recent call last):
    autograd.diagnostics.anomaly.AnomalyError: log returned -inf at [1], from x = 0.0 there (shape (2,), from 0 to 1)
      computed at ...
      cure: log(0) is -inf: ...
    """
    detector = _Detector(bool(settled_mode()), {}, (np.geterr(), _held.get()))
    _held.set(detector.held)
    np.seterr(all="ignore")  # np.errstate can only be left in the context where it was entered
    try:
        with watching(detector):
            yield
    finally:
        detector.restore()


# NumPy's settings around the block of this context, and the same around that block.
_held: ContextVar[Any] = ContextVar("held", default=None)


class _Detector(Watch):
    """Checks every result and every contribution to a gradient, and stores the line of every node."""

    def __init__(self, recording: bool, lines: dict[int, tuple[weakref.ref[Node], Line | None]], held: Any) -> None:
        self.grad_enabled = recording
        self.lines = lines
        self.held = held

    def with_grad(self, recording: bool) -> "_Detector":
        return _Detector(recording, self.lines, self.held)

    def restore(self) -> None:
        """Restore NumPy's settings, if they are those of the current context."""
        if _held.get() is self.held:
            settings, around = self.held
            np.seterr(**settings)
            _held.set(around)

    def is_over(self) -> bool:
        """Return whether the block was left in another thread or task, and restore what that could not."""
        if settled_mode() is self:
            return False
        self.restore()
        return True

    def on_record(self, op: Primitive, args: Operands, raw: tuple[Data, ...], node: Node) -> None:
        if self.is_over():
            return
        line = user_line()
        bad = _first_bad(node._value)
        if bad is not None:
            raise AnomalyError(_message(f"{op.name} returned {_at(node._value, bad)}", op, args, raw, bad, line))
        key, lines = id(node), self.lines
        lines[key] = (weakref.ref(node, lambda _: lines.pop(key, None) and None), line)

    def on_pull(self, node: Node, arg: Node, g: Cotangent, share: Cotangent) -> None:
        data, cotangent = raw_data(share), raw_data(g)
        bad = _first_bad(data)
        if bad is None or self.is_over():
            return
        place = next(i for i, a in enumerate(node.args) if a is arg)
        assert node.op is not None
        what = f"the backward pass of {node.op.name} returned {_at(data, bad)} for {_name(arg, place)}"
        if _first_bad(cotangent) is not None:
            what += ", because a gradient of nan or inf was passed to it"
        _, line = self.lines.get(id(node), (None, None))
        raise AnomalyError(_message(what, node.op, node.args, node.raw, bad, line))


def _first_bad(data: Data) -> Shape | None:
    """Return the index of the first nan or inf, None if there is none."""
    if type(data) is float:
        return None if data - data == 0.0 else ()
    array = np.asarray(data)
    if array.dtype.kind != "f":
        return None
    finite = np.isfinite(array)
    return None if finite.all() else tuple(int(i) for i in np.argwhere(~finite)[0])


def _at(data: Data, index: Shape) -> str:
    return f"{np.asarray(data)[index]}" + (f" at {[*index]}" if index else "")


def _name(arg: Operand, place: int) -> str:
    return arg.name if isinstance(arg, Node) and arg.name else f"argument {place}"


def _message(what: str, op: Primitive, args: Operands, raw: tuple[Data, ...], bad: Shape, line: Line | None) -> str:
    """Return the message: the result, its inputs, the line, and the remedy."""
    inputs = ", ".join(f"{_name(a, i)} = {_shown(x, bad)}" for i, (a, x) in enumerate(zip(args, raw, strict=True)))
    at = f"computed at {format_line(line)}" if line else "recorded before detect_anomaly(), so the line is unknown"
    invalid = any(_first_bad(x) is not None for x in raw if isinstance(x, (float, np.ndarray)))
    cure = INVALID_INPUT if invalid else CURES.get(op.name, DIVERGED)
    return f"{what}, from {inputs}\n  {at}\n  cure: {cure}"


def _shown(x: Data, bad: Shape) -> str:
    """Return a scalar in full, and an array by its element at the index `bad`, if it has one, and its range."""
    if not isinstance(x, np.ndarray) or not x.size or x.dtype.kind not in "biuf":
        return description(x)
    has_element = bad and len(bad) == x.ndim and all(i < n for i, n in zip(bad, x.shape, strict=True))
    here = f"{x[bad]} there " if has_element else ""
    spread = f"shape {x.shape}, from {np.nanmin(x):g} to {np.nanmax(x):g}" if not np.isnan(x).all() else "all nan"
    return f"{here}({spread})" if here else spread
