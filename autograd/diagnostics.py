"""Warnings about common mistakes, errors for data changed in place, and `detect_anomaly`.

Each kind of warning is issued once for each line of the user's code.  Its class is `GradientWarning`, so that the
filters of `warnings` apply.
"""

import contextlib
import itertools
import math
import warnings
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np

from autograd.graph import Node, Primitive, set_operation, topological_order
from autograd.messages import GradientWarning, Line, description, format_line, user_line
from autograd.recording import Watch, current_mode, raw_data, settled_mode, watching
from autograd.typing import Array, Cotangent, Data, Operand, Operands, Params, Rule, Shape


class _Modified(Primitive):
    """The operation of a node whose value was replaced afterwards; its rules would read the wrong result."""

    __slots__ = ()

    def pull(self, rule: Rule, g: Cotangent, y: Operand, inputs: Operands, params: Params) -> NoReturn:
        raise RuntimeError(
            f"the result of {self.name} was modified between forward and backward (its `.data` was assigned), so its "
            "gradient would be wrong: use detach() for a copy to modify, or register_hook() to change a gradient"
        )


def replace_data(node: Node, data: Data) -> None:
    """Assign the value of a computed node, and refuse to differentiate through it from then on."""
    op: Any = node.op
    node._value = data
    modified = _Modified(op.name, op.forward, op.rules, symbol=op.symbol, each=op.each)
    set_operation(node, modified, node.args, node.raw, node.params)


# Arrays that were changed in place after a graph may have recorded them, by identity.  An array leaves when it is
# freed, so the table is empty in a loop that drops its old graphs.
_modified: dict[int, weakref.ref[Array]] = {}


def mark_modified(array: Array) -> None:
    """Remember that `array` was changed in place."""
    key = id(array)
    _modified[key] = weakref.ref(array, lambda _: _modified.pop(key, None))


def refuse_changed(nodes: Iterable[Node], create_graph: bool) -> None:
    """Raise if an operand of `nodes` shares memory with an array that was changed in place since.

    With `create_graph` also if a leaf was assigned since: rules that are given nodes would use its new value.
    """
    changed = [array for ref in list(_modified.values()) if (array := ref()) is not None]
    for node in nodes if changed or create_graph else ():
        op: Any = node.op
        for arg, value in zip(node.args, node.raw, strict=True):
            if isinstance(value, np.ndarray) and any(np.may_share_memory(value, array) for array in changed):
                raise RuntimeError(
                    f"the operand{_named(arg)} of shape {value.shape} of {op.name} was modified in place "
                    "between forward and backward, so its gradient would be wrong: call backward() before updating "
                    "`.data`, or assign a new array (`p.data = p.data - step`)"
                )
            updated = create_graph and isinstance(arg, Node) and arg.op is None and arg._value is not value
            if updated and not np.array_equal(arg._value, value, equal_nan=True):
                raise RuntimeError(
                    f"the operand{_named(arg)} of {op.name} was reassigned after the forward pass (its "
                    "`.data`), and create_graph=True derives formulas from its current value: compute the result "
                    "again after updating"
                )


def _named(arg: Operand) -> str:
    return f" {arg.name!r}" if isinstance(arg, Node) and arg.name else ""


# ------------------------------------------------------------------------------------------------------ common mistakes

_issued: set[tuple[str, Line | None]] = set()

LARGEST_VALUE = 1e8  # of a variable in a training that does not diverge
LONGEST_TAIL = 12  # operations between a loss and the difference that it reduces


def warn_once(kind: str, message: str) -> None:
    """Issue a `GradientWarning` at the user's line, once for each kind and line."""
    line = user_line()
    if (kind, line) in _issued:
        return
    filename, number = line or ("unknown", 0)
    warnings.warn_explicit(message, GradientWarning, filename, number)
    _issued.add((kind, line))  # after the warning, which a filter may have turned into an error


def gradient_of(node: Node) -> Any:
    """Return `.grad`; warn if it is None because a computed Tensor does not keep it."""
    grad = node._grad
    if grad is None and node.op is not None and node._requires_grad and not node.retains_grad:
        warn_once(
            "computed",
            f"{node.name or 'this Tensor'} is computed, not a leaf, so backward() does not keep its .grad: update a "
            "variable by p.data = p.data - lr * p.grad, or call retain_grad() before backward()",
        )
    return grad


def accumulated(node: Node) -> int:
    """Count how often a gradient was added to one computed for earlier data of the leaf: 0, 1 or 2 (repeatedly).

    Once may be intended: in a GAN, the step of one network adds gradients to the other, which clears them before its
    own step.  `stamp` is the identity of the leaf's data at its last gradient, negative if that gradient was already
    such a sum.
    """
    data, stamp = id(node._value), node.stamp
    if stamp in (0, data):  # 0: the gradient was assigned or copied
        return 0
    if not np.any(raw_data(node._grad)):
        return 0
    return 2 if stamp < 0 and stamp != -data else 1


def advise_zero_grad(nodes: Sequence[Node]) -> None:
    """Warn that gradients of several steps have been added."""
    names = ", ".join(repr(node.name) for node in nodes[:3] if node.name)
    warn_once(
        "accumulated",
        f"backward() repeatedly adds to gradients from before the last steps, of {len(nodes)} variable(s)"
        f"{f' ({names})' if names else ''}: call zero_grad() in each step. Several backward() calls between two steps, "
        "as for micro-batches or two losses, are fine and do not cause this warning",
    )


def check_root(root: Node) -> None:
    """Warn about a root that overflowed, is a leaf, reduces a difference of two shapes, or was cut off."""
    value = root._value if type(root._value) is float else root._value.item()
    if not math.isfinite(value) and np.geterr()["over"] != "ignore":
        for leaf in topological_order(root, variables_only=True):
            if leaf.op is None and LARGEST_VALUE < (peak := np.max(np.abs(leaf._value), initial=0.0)) < np.inf:
                warn_once("diverged", f"the loss is {value}, since a variable has grown to {peak:.3g}: {DIVERGED}")
                break
    if message := message_of_constants(root):
        warn_once(message, message)
    if root.op is None:
        warn_once(
            "leaf",
            "backward() was called on a leaf and does not reach any parameter: the graph was cut, perhaps by .data, "
            "float(), item(), detach() or Tensor(...)",
        )
        return
    node = root
    for _ in range(LONGEST_TAIL):
        if node.op is not None and node.op.name == "subtract":
            _check_difference(node)
            return
        operands = {arg for arg in node.args if isinstance(arg, Node)}
        if len(operands) != 1:
            return
        node = operands.pop()


def _check_difference(node: Node) -> None:
    first, second = sorted(map(np.shape, node.raw), key=len)
    one_variable = sum(isinstance(a, Node) and a._requires_grad for a in node.args) == 1
    # For two variables, as in the distances between pairs of points, this may be intended; for a target it is not.
    if len(first) == 1 and first[0] > 1 and second == (*first, 1) and one_variable:
        warn_once(
            "broadcast",
            f"the loss reduces a difference of shapes {first} and {second}, which broadcasts to "
            f"{np.shape(node._value)}: every prediction is compared with every target. Give both the same shape, for "
            "instance by reshape(-1); if this is intended, write the (n,) operand as [None, :]",
        )


def require_node(node: object) -> None:
    """Raise TypeError if `node` cannot be differentiated because it is not a node."""
    if not isinstance(node, Node):
        raise TypeError(
            f"only a Value or a Tensor can be differentiated, not {node!r:.60} ({type(node).__name__}); was its graph "
            "cut by .data, float(), item() or a function that is not of autograd?"
        )


def require_variable(root: Node) -> None:
    """Raise RuntimeError if a root does not depend on any variable."""
    if not root._requires_grad:
        raise RuntimeError(
            "this node has no requires_grad input, so there is nothing to differentiate: mark one before computing, "
            "as in Tensor(..., requires_grad=True), and compute outside no_grad(). A result of autograd.compile() "
            "needs no backward(): the call has left the gradients in .grad"
        )


def sum_of_gradients(held: Cotangent, g: Cotangent) -> Cotangent:
    """Return the sum of two gradients of a leaf, which must have one shape."""
    if isinstance(g, Node) and type(held) is float and held == 0.0:
        return g  # a sum with 0 would be recorded
    if np.shape(held) != np.shape(g):
        raise ValueError(
            f"a gradient of shape {np.shape(g)} cannot be added to the gradient of shape {np.shape(held)} from before "
            "`.data` was assigned: call zero_grad() first"
        )
    return np.asarray(held + g) if type(held) is type(g) is np.ndarray else held + g


# -------------------------------------------------------------------------------------------- floats of nodes
# `math.exp(x)`, `array[0] = x` and `float(x)` convert a node to a float, which cuts the graph.

# Functions to which a float is likely to be passed; their names are also those of operations, except "float".
FUNCTIONS = {"float": float} | {
    name: getattr(math, name)
    for name in (
        "exp", "exp2", "expm1", "log", "log1p", "log2", "log10", "sqrt", "sin", "cos", "tan", "asin", "acos", "atan",
        "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "erf",
    )
}  # fmt: skip
LARGEST_ARRAY = 1000  # elements of a constant that is searched
DIGITS = 8  # of a float that is not in a graph by chance
MOST_SEARCHES = 3  # backward passes in which the floats of one line are searched

_left: dict[Line, list[float]] = {}  # the floats of each line since the last backward pass
_searches: dict[Line, int] = {}


@dataclass
class Evaluation:
    """The evaluation of a function by a transform.

    Attributes
    ----------
    inputs : set of Node
        The nodes by which the transform differentiates, and those of transforms around it.
    is_nested : bool
        Whether the function itself called a transform, whose result is often constant, as that of a linear function.
    """

    inputs: set[Node]
    is_nested: bool = False


_evaluation: ContextVar[Evaluation | None] = ContextVar("evaluation", default=None)
current_evaluation: Callable[[], Evaluation | None] = _evaluation.get


@contextlib.contextmanager
def evaluation_of(inputs: set[Node]) -> Iterator[Evaluation]:
    """Begin the evaluation of a function of `inputs`; end it after the block."""
    if outer := _evaluation.get():
        outer.is_nested = True
        inputs = inputs | outer.inputs
    token = _evaluation.set(evaluation := Evaluation(inputs))
    try:
        yield evaluation
    finally:
        _evaluation.reset(token)


def on_float(node: Node, value: float) -> None:
    """Handle a conversion of a node to `value`: an error if a transform differentiates by something behind the node.

    Elsewhere the value may only be printed: `message_of_constants` finds out whether it is used.
    """
    if not node._requires_grad or not current_mode():
        return
    evaluation = _evaluation.get()
    if evaluation is None:
        line = user_line()
        if line is not None and _searches.get(line, 0) < MOST_SEARCHES:
            _left.setdefault(line, []).append(value)
    elif not evaluation.inputs.isdisjoint(topological_order(node, variables_only=True)):
        raise TypeError(
            "a node would be converted to a float, and lose its gradient, inside a function that is being "
            "differentiated: call the functions of autograd instead of those of math (autograd.exp for math.exp), "
            "collect results with autograd.stack instead of array[i] = x, and read a value with x.item()"
        )


def message_of_constants(root: Node) -> str:
    """Return a warning about a constant of a graph that was computed from the float of a node, or an empty string."""
    if not _left:
        return ""
    origins: dict[float, tuple[str, Line]] = {}
    for line, values in _left.items():
        _searches[line] = _searches.get(line, 0) + 1
        for x, (name, function) in itertools.product(values, FUNCTIONS.items()):
            with contextlib.suppress(ValueError, OverflowError):
                origins[function(x)] = name, line
    _left.clear()
    wanted = {x for x in origins if len(repr(x)) > DIGITS}
    for node in topological_order(root, variables_only=True):
        for arg in node.args:
            arg = arg._value if isinstance(arg, Node) and not arg._requires_grad else arg
            if isinstance(arg, (float, np.ndarray)) and np.size(arg) <= LARGEST_ARRAY:
                for x in wanted.intersection(np.ravel(arg).tolist()):  # np.isin would load np.ma
                    name, line = origins[x]
                    what, cure = ("it", "the node itself") if name == "float" else (f"its {name}", f"autograd.{name}")
                    return (
                        f"{format_line(line)} converts a node to a float, and this loss contains {what} as a constant, "
                        f"through which no gradient flows: use {cure}, or x.item() for a value that is meant to be "
                        "constant"
                    )
    return ""


# ---------------------------------------------------------------------------------------------------------- nan and inf

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


class detect_anomaly(contextlib.ContextDecorator):  # noqa: N801  (PyTorch's name)
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
    autograd.diagnostics.AnomalyError: log returned -inf at [1], from x = 0.0 there (shape (2,), from 0 to 1)
      computed at ...
      cure: log(0) is -inf: ...
    """

    def __init__(self) -> None:
        self._open: list[contextlib.ExitStack] = []  # one object may be entered several times

    def __enter__(self) -> None:
        self._open.append(block := contextlib.ExitStack())
        block.enter_context(contextlib.suppress(ValueError))  # of np.errstate, if it is left in another context
        block.enter_context(np.errstate(all="ignore"))
        block.enter_context(watching(_Detector(bool(settled_mode()))))

    def __exit__(self, *error: object) -> None:
        self._open.pop().close()


class _Detector(Watch):
    """Checks every result and every contribution to a gradient, and stores the line of every node with it."""

    def __init__(self, recording: bool) -> None:
        self.grad_enabled = recording

    def with_grad(self, recording: bool) -> "_Detector":
        return _Detector(recording)

    def on_record(self, op: Primitive, args: Operands, raw: tuple[Data, ...], node: Node) -> None:
        if settled_mode() is not self:  # the block was left in another thread or task
            return
        vars(node)["_line"] = line = user_line()
        bad = _first_bad(node._value)
        if bad is not None:
            raise AnomalyError(_message(f"{op.name} returned {_at(node._value, bad)}", op, args, raw, bad, line))

    def on_pull(self, node: Node, arg: Node, g: Cotangent, share: Cotangent) -> None:
        data = raw_data(share)
        bad = _first_bad(data)
        if bad is None or settled_mode() is not self:
            return
        place = next(i for i, a in enumerate(node.args) if a is arg)
        assert node.op is not None
        what = f"the backward pass of {node.op.name} returned {_at(data, bad)} for {_name(arg, place)}"
        if _first_bad(raw_data(g)) is not None:
            what += ", because a gradient of nan or inf was passed to it"
        raise AnomalyError(_message(what, node.op, node.args, node.raw, bad, vars(node).get("_line")))


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
    spread = f"shape {x.shape}, from {np.fmin.reduce(x, None):g} to {np.fmax.reduce(x, None):g}"
    has_element = bad and len(bad) == x.ndim and all(i < n for i, n in zip(bad, x.shape, strict=True))
    return f"{x[bad]} there ({spread})" if has_element else spread
