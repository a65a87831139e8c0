r"""Run a program of floats by levels: operations that do not depend on each other are computed together.

Most operations of a scalar graph belong to sums of products, one operation at a time: ``act = act + w * x`` in a
neuron, ``total + g * w`` in the chain rule.  Partial sums and products with a single use are merged into a *chain*,

.. math:: s = ((a_1 b_1 + a_2 b_2) + a_3 b_3) + \ldots

which is rounded after every product and every sum, as the separate operations are.  A single sum is a chain with
factors 1.  A *level* contains the operations that depend on earlier levels only (Hu 1961, "Parallel sequencing and
assembly line problems"), a *segment* the operations of one kind in a level: a few calls of NumPy, or one loop of the
native machine.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain
from math import inf
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from autograd.graph import Primitive
from autograd.recording import NotReplayable
from autograd.typing import Array

from .program import FLOAT, Program, Step, key_of
from .recording import Callback

Terms: TypeAlias = list[tuple[int, ...]]  # the operands of an operation, or of each product in a sum

CHAIN = 0  # the kind of sums of products
ONE, MINUS_ONE = -2, -1  # operands of chains beside the values of the program
LARGEST_INT = 2**53  # larger ones may not be representable as floats
MOST_ROWS = 60  # of a summary
# A `scalar` form that NumPy rounds as Python does: exact operations, and those that IEEE 754 requires to be so.
NOT_EXACT = re.compile(r"math\.(?!sqrt)|maximum|minimum")


class Segment(NamedTuple):
    """Independent operations of one kind.

    Attributes
    ----------
    title : str
        The level, which is one above those of the operands, and the number and kind of the operations.
    step : Step or None
        One of the operations; None for chains.
    columns : list of (slice or ndarray of int), or ndarray of int
        The positions of each operand in the vector, as a slice if they are consecutive or equal; of the factors of
        chains, of shape (2, terms, chains).
    out : int
        The position of the first result.
    """

    title: str
    step: Step | None
    columns: Any
    out: int


class Levels:
    """A program of floats by levels.

    All values are in one vector: inputs and leaves, then constants, then results, segment by segment.  The operations
    of a segment are sorted by their operands, so that neighbours read neighbouring values, or the same one.  The graph
    of a loss of many examples thus becomes operations on vectors with an element per example.

    Parameters
    ----------
    program : Program
        The recorded program, see `has_levels`.

    Attributes
    ----------
    segments : list of Segment
        In the order of computation.
    outside : int
        The number of inputs and leaves, which are set in each run.
    values : ndarray of float
        The vector, in which all but the constants is set by each run.
    results : ndarray of int
        The positions of the results.
    source : str
        The first segments.

    Examples
    --------
    >>> from autograd import Value
    >>> x = Value(3.0)
    >>> levels = Levels(Program([], [x * x + x.relu()], 1, []))
    >>> [segment.step and segment.step.op.name for segment in levels.segments], levels.run(2.0)
    (['relu', None], [6.0])
    """

    def __init__(self, program: Program) -> None:
        constants = [*map(float, program.constants.values()), 1.0, -1.0]  # type: ignore[arg-type]
        self.outside: int = len(program.inputs) + len(program.leaves)
        first = self.outside + len(constants)
        position = np.arange(len(program.specs) + 2)
        position[[*program.constants, ONE, MINUS_ONE]] = range(self.outside, first)
        terms, kinds = _terms(program)
        level: dict[int, int] = defaultdict(int)
        groups: dict[tuple[int, int, int], list[int]] = defaultdict(list)
        for r, own in terms.items():
            level[r] = 1 + max([level[x] for x in chain(*own)])
            groups[level[r], kinds[r], len(own)].append(r)
        self.values: Array = np.zeros(first + len(terms))
        self.values[self.outside : first] = constants
        self.segments: list[Segment] = []
        steps = {step.result: step for step in program.steps if kinds.get(step.result) != CHAIN}
        for (depth, *_), lanes in sorted(groups.items()):
            columns = position[np.array([terms[r] for r in lanes]).T]
            step, order = steps.get(lanes[0]), _by_operands(columns) if len(lanes) > 1 else [0]
            columns = np.ascontiguousarray(columns[..., order])  # NumPy sums along other axes in another order
            places: Any = columns if step is None else [_selection(column) for column in columns[:, 0]]
            title = f"# level {depth}: {len(lanes)} of {step.op.name if step else 'sums of products'}\n"
            self.segments.append(Segment(title, step, places, first))
            position[np.array(lanes)[order]] = range(first, first := first + len(lanes))
        self.results: Array = position[program.results]
        title = f"{len(program.steps)} operations on floats ({program.backward_from} of the function, the others of its"
        rows = [segment.title for segment in self.segments[:MOST_ROWS]]
        self.source: str = f"# {title} gradient)\n# in {len(self.segments)} segments:\n{''.join(rows)}"

    def run(self, *values: float) -> list[float]:
        """Return the results for these inputs and variables.

        Raises `NotReplayable` where an operation on floats would raise an error.
        """
        self.values[: self.outside] = values
        with np.errstate(all="ignore"):  # the results are checked
            self.compute(self.values, self._chain)
        return self.values[self.results].tolist()  # type: ignore[no-any-return]

    def compute(self, v: Any, chain: Callable[[Segment], None]) -> None:
        """Compute all segments from the values at the start of a vector, an ndarray or a `ShapedArray`.

        `chain` computes a segment of sums of products.
        """
        for segment in self.segments:
            _, step, columns, out = segment
            if step is None:
                chain(segment)
                continue
            y = _computed(step, [v[column] for column in columns])
            v[out : out + len(y)] = y
            if may_fail(step.op) and not np.isfinite(y).all():
                raise NotReplayable

    def _chain(self, segment: Segment) -> None:
        """Compute sums of products, one term after another."""
        (a, b), out = segment.columns, segment.out
        terms = self.values[a] * self.values[b]
        if a.shape[1] == 1:  # NumPy would sum a single row pairwise, in another order
            self.values[out] = np.add.accumulate(terms[:, 0])[-1]
        else:
            np.add.reduce(terms, axis=0, out=self.values[out : out + a.shape[1]], initial=-0.0)


def has_levels(program: Program) -> bool:
    """Return whether all values are floats, and no Python function is called."""
    specs, constants = program.specs, program.constants
    return (
        all(spec is FLOAT or number in constants for number, spec in enumerate(specs))
        and all(type(constants.get(r, 0.0)) is float for r in program.results)
        and all(type(x) in (float, bool) or (type(x) is int and abs(x) <= LARGEST_INT) for x in constants.values())
        and not any(isinstance(step.op, Callback) or step.op.each is not None for step in program.steps)
    )


def _terms(program: Program) -> tuple[dict[int, Terms], dict[int, int]]:
    """Return the terms of every value that is computed by itself, and the kind of each operation."""
    uses = Counter(program.results)
    for step in reversed(program.steps):
        if uses[step.result]:
            uses.update(step.operands)
    terms: dict[int, Terms] = {}
    kinds: dict[int, int] = {}
    known: dict[Any, int] = {}

    def taken(x: int, most: float = inf) -> Terms:
        """Return the terms of a chain that has a single use and at most so many of them, or the operand as a term."""
        is_joined = uses[x] == 1 and kinds.get(x) == CHAIN and len(terms[x]) <= most
        return terms.pop(x) if is_joined else [(x, ONE)]

    for op, operands, params, r in [step for step in program.steps if uses[step.result]]:
        name = op.name if not params and op.forward.__module__.startswith("autograd.") else ""
        kinds[r] = CHAIN
        if name == "add" or name == "subtract":
            first = taken(operands[0])
            second: Terms = [(operands[1], MINUS_ONE)]
            if name == "add":
                second = taken(operands[1], inf if len(first) == 1 else 1)
            if len(second) > 1:
                first, second = second, first
            first += second
            terms[r] = first
        elif name in ("multiply", "square", "negative"):
            terms[r] = [(operands[0], MINUS_ONE if name == "negative" else operands[-1])]
        else:
            key = (op, len(operands), *map(key_of, params.items()))
            kinds[r] = known.setdefault(key, len(known) + 1)
            terms[r] = [operands]
    return terms, kinds


def _by_operands(columns: Array) -> Array:
    """Return the order of operations that is sorted by the operands, first by those of which there are the fewest."""
    rows = columns.reshape(-1, columns.shape[-1])
    distinct = np.count_nonzero(np.diff(np.sort(rows)), axis=1)
    return np.lexsort(rows[np.argsort(-distinct, kind="stable")])


def _selection(column: Array) -> Any:
    """Return the slice of consecutive positions, or of one that is broadcast; else the positions."""
    first, last = column[0], column[-1]
    is_consecutive = last - first == len(column) - 1 and (np.diff(column) == 1).all()
    return slice(first, last + 1) if is_consecutive or (column == first).all() else column


def may_fail(op: Primitive) -> bool:
    """Return whether Python raises an error for some floats, where C computes inf or nan."""
    form = op.forms.get("scalar", "/")
    return "math." in form or "/" in form


def _computed(step: Step, operands: Sequence[Any]) -> Any:
    """Return the results of an operation; those of functions that NumPy rounds differently from Python one by one."""
    op, params = step.op, step.params
    if op.name == "relu":
        return np.where(operands[0] < 0.0, 0.0, operands[0])  # max(x, 0.0) keeps a -0.0, which np.maximum may not
    is_exact = "scalar" in op.forms and not params and not NOT_EXACT.search(op.forms["scalar"])
    if is_exact or type(operands[0]) is not np.ndarray:
        return op.forward(*operands, **params)
    try:
        return np.frompyfunc(partial(op.forward, **params), len(operands), 1)(*operands).astype(float)
    except (ValueError, ArithmeticError):
        raise NotReplayable from None
