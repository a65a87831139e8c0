r"""A program of floats as arrays: operations that do not depend on each other are computed together.

Most operations of a scalar graph belong to sums of products, one operation at a time: ``act = act + w * x`` in a
neuron, ``total + g * w`` in the chain rule.  Partial sums and products with a single use are merged into a *chain*,

.. math:: s = ((a_1 b_1 + a_2 b_2) + a_3 b_3) + \ldots

which is rounded after every product and every sum, as the separate operations are.  A single sum is a chain with
factors 1.  A *level* contains the operations that depend on earlier levels only (Hu 1961, "Parallel sequencing and
assembly line problems"), a *segment* the operations of one kind in a level: a few calls of NumPy, or one loop of the
interpreter.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np

from autograd.graph import Primitive
from autograd.typing import Array, Params

from .program import FLOAT, Program, key_of
from .recording import Callback

# The codes of the operations of chains, smaller than those of all kinds.
CHAIN = 0
ADD, SUBTRACT, MULTIPLY, SQUARE, NEGATIVE = -1, -2, -3, -4, -5
PARTS = {"add": ADD, "subtract": SUBTRACT, "multiply": MULTIPLY, "square": SQUARE, "negative": NEGATIVE}

MOST_OPERANDS = 3
ONE, MINUS_ONE = 0, 1  # indices of the first constants, the factors of single terms
LARGEST_INT = 2**53  # larger ones may not be representable as floats


class Kind(NamedTuple):
    """An operation with its parameters."""

    op: Primitive
    params: Params
    arity: int


class Encoded(NamedTuple):
    """A program of floats in columns.

    A *place* is the index of a value: first inputs and leaves, then the steps in order, then constants.
    """

    codes: list[int]  # per step: an operation of chains, or 1 + the index of a kind
    operands: tuple[Array, Array, Array]  # places; -1 for missing operands
    outside: int
    constants: list[float]
    results: Array  # places
    kinds: list[Kind]


def encoded(program: Program) -> Encoded | None:
    """Return the encoding of a program; None if not all of its values are floats, or if it calls Python functions.

    Examples
    --------
    >>> from autograd import Value
    >>> x = Value(3.0)
    >>> encoded(Program([], [x * x + 1.0], 1, [])).codes == [MULTIPLY, ADD]
    True
    """
    steps, constants, outside = program.steps, program.constants, len(program.inputs) + len(program.leaves)
    others = {number for number, spec in enumerate(program.specs) if spec is not FLOAT}
    if others - constants.keys() or any(type(constants.get(r, 0.0)) is not float for r in program.results):
        return None
    place = np.full(len(program.specs) + 1, -1, np.int32)  # the last one for missing operands
    place[:outside] = np.arange(outside)
    place[[step.result for step in steps]] = np.arange(outside, outside + len(steps))
    numbers = [1.0, -1.0]
    for number, x in constants.items():
        if type(x) not in (float, int, bool) or (type(x) is int and abs(x) > LARGEST_INT):
            return None
        place[number] = outside + len(steps) + len(numbers)
        numbers.append(float(x))  # type: ignore[arg-type]
    table = _Codes()
    codes: list[int] = []
    columns: tuple[list[int], list[int], list[int]] = ([], [], [])
    xs, ys, zs = columns
    known = table.codes.get
    for op, operands, params, *_ in steps:
        code, count = known(op), len(operands)
        if code is None or params:
            code = table.code_of(op, params, count)
            if code is None or count > MOST_OPERANDS:
                return None
        codes.append(code)
        xs.append(operands[0])
        ys.append(operands[1] if count > 1 else -1)
        zs.append(operands[2] if count > 2 else -1)
    x, y, z = (place[np.array(column, np.intp)] for column in columns)
    return Encoded(codes, (x, y, z), outside, numbers, place[program.results], table.kinds)


class _Codes:
    """Assigns codes to operations."""

    def __init__(self) -> None:
        self.kinds: list[Kind] = []
        self.codes: dict[Hashable, int] = {}

    def code_of(self, op: Primitive, params: Params, arity: int) -> int | None:
        """Return the code of an operation with these parameters; None if it has none."""
        key: Hashable = op if not params else (op, arity, *[(name, key_of(value)) for name, value in params.items()])
        code = self.codes.get(key)
        if code is None:
            if isinstance(op, Callback) or op.each is not None:  # `each`: variadic
                return None
            if not params and op.forward.__module__.startswith("autograd."):
                code = PARTS.get(op.name)
            if code is None:
                self.kinds.append(Kind(op, dict(params), arity))
                code = len(self.kinds)
            self.codes[key] = code
        return code


class Segment(NamedTuple):
    """Independent operations of one kind: `lanes` of them, each of `length` terms (1 for all but chains)."""

    kind: int  # CHAIN, or 1 + the index of a kind
    level: int
    lanes: int
    length: int
    start: int  # of its operands in the columns
    out: int  # of its results in the vector


class Levels:
    """The schedule of a program of floats.

    All values are in one vector: inputs and leaves, then constants, then results, segment by segment.

    Attributes
    ----------
    segments : list of Segment
        In the order of computation.
    a, b, c : ndarray of int
        Indices of the operands of each segment; for chains of the terms, the first one of each chain before the second.
    outside : int
        The number of inputs and leaves, which are set in each run.
    start : ndarray of float
        The vector before the first run.
    results : ndarray of int
        Indices of the results.
    kinds : list of Kind
        The operations of segments that are not chains.
    """

    def __init__(self, program: Encoded) -> None:
        self.outside: int = program.outside
        self.kinds: list[Kind] = program.kinds
        code = np.array(program.codes, np.int32)
        x, y, z = program.operands
        chains = _Chains(code, x, y, z, program)
        owner = np.array(chains.owner, np.int32)
        own = np.flatnonzero(owner == np.arange(len(code)))
        kind = np.where(code[own] < 0, CHAIN, code[own])
        length = chains.lengths[own]
        level = np.array(chains.level, np.int32)[own]
        order = np.lexsort((own, length, kind, level))
        own, kind, length, level = own[order], kind[order], length[order], level[order]
        self._number(program, own)
        self._cut(kind, level, length)
        self._fill(own, kind, (x, y, z), chains)

    def _number(self, program: Encoded, own: Array) -> None:
        """Compute the index in the vector of each place."""
        steps, first = len(program.codes), self.outside + len(program.constants)
        position = np.full(self.outside + steps + len(program.constants), -1, np.intp)
        position[: self.outside] = np.arange(self.outside)
        position[self.outside + steps :] = np.arange(self.outside, first)
        position[self.outside + own] = first + np.arange(len(own))
        self._position = position
        self.start: Array = np.zeros(first + len(own))
        self.start[self.outside : first] = program.constants
        self.results: Array = position[np.array(program.results, np.intp)]
        self._first = first

    def _cut(self, kind: Array, level: Array, length: Array) -> None:
        """Cut the ordered steps into segments."""
        count = len(kind)
        change = (np.diff(kind) != 0) | (np.diff(level) != 0) | (np.diff(length) != 0)
        begins = np.concatenate([[0], np.flatnonzero(change) + 1]) if count else np.zeros(0, np.intp)
        lanes = np.diff(np.append(begins, count))
        starts = np.concatenate([[0], np.cumsum(lanes * length[begins])])
        self.size: int = int(starts[-1])
        columns = (kind[begins], level[begins], lanes, length[begins], starts[:-1], self._first + begins)
        self.segments: list[Segment] = [Segment(*row) for row in zip(*[c.tolist() for c in columns], strict=True)]
        segment = np.repeat(np.arange(len(begins)), lanes)
        self._lane = np.arange(count) - begins[segment]
        self._width, self._from = lanes[segment], starts[:-1][segment]

    def _fill(self, own: Array, kind: Array, columns: Sequence[Array], chains: _Chains) -> None:
        """Compute the indices of the operands."""
        position = self._position
        self.a: Array = np.zeros(self.size, np.intp)
        self.b: Array = self.a.copy()
        self.c: Array = self.a.copy()
        single = kind != CHAIN
        at = self._from[single] + self._lane[single]
        for into, column in zip((self.a, self.b, self.c), columns, strict=True):
            given = column[own[single]]
            into[at[given >= 0]] = position[given[given >= 0]]
        rank = np.empty(int(own.max(initial=-1)) + 1, np.intp)
        rank[own] = np.arange(len(own))
        r = rank[chains.of]
        at = self._from[r] + chains.nth * self._width[r] + self._lane[r]
        self.a[at], self.b[at] = position[chains.first], position[chains.second]
        del self._position, self._lane, self._width, self._from


class _Chains:
    """The steps that belong to each chain, and the terms of the chains."""

    def __init__(self, code: Array, x: Array, y: Array, z: Array, program: Encoded) -> None:
        self.steps, self.outside = len(code), program.outside
        places = self.outside + self.steps + len(program.constants)
        self.one = self.outside + self.steps + ONE
        used = [column[column >= 0] for column in (x, y, z)] + [np.array(program.results, np.int32)]
        uses = np.bincount(np.concatenate(used), minlength=places)
        once = uses == 1
        self._code = np.ones(places, np.int32)
        self._code[self.outside : self.outside + self.steps] = code
        is_sum = once & ((self._code == ADD) | (self._code == SUBTRACT))
        is_product = once & (self._code <= MULTIPLY)
        sums = np.flatnonzero((code == ADD) | (code == SUBTRACT))
        added = code[sums] == ADD
        sx, sy = x[sums], y[sums]
        on_x = is_sum[sx]
        on_y = is_sum[sy] & added & ~on_x
        self._owners(sums, sx, on_x | is_product[sx], sy, on_y | (is_product[sy] & added))
        self._levels(x, y, z)
        lone = np.flatnonzero((code <= MULTIPLY) & (np.array(self.owner) == np.arange(self.steps)))
        sx, sy, subtracted = sx[~on_x], sy[~on_y], ~added[~on_y]
        parts = [
            (2 * sums[~on_x], *self._term(sx, is_product[sx], x, y)),
            (2 * sums[~on_y] + 1, *self._term(sy, is_product[sy] & ~subtracted, x, y, subtracted)),
            (2 * lone, *self._term(lone + self.outside, np.full(len(lone), True), x, y)),
        ]
        when, first, second = (np.concatenate(column) for column in zip(*parts, strict=True))
        of = np.array(self.owner, np.intp)[when // 2]
        order = np.lexsort((when, of))
        self.of, self.first, self.second = of[order], first[order], second[order]
        self.lengths = np.maximum(np.bincount(self.of, minlength=self.steps), 1)
        begins = np.flatnonzero(np.diff(self.of, prepend=-1))
        self.nth = np.arange(len(self.of)) - np.repeat(begins, np.diff(np.append(begins, len(self.of))))

    def _term(
        self, place: Array, product: Array, x: Array, y: Array, minus: Array | bool = False
    ) -> tuple[Array, Array]:
        """Return the two factors of terms: those of a product, or the value itself and 1 or -1."""
        step = np.where(product, place - self.outside, 0)
        code = self._code[place]
        first = np.where(product, x[step], place) if self.steps else place
        second = np.where(minus, self.one - ONE + MINUS_ONE, self.one)
        second = np.where(product & (code == MULTIPLY), y[step], second)
        second = np.where(product & (code == SQUARE), x[step], second)
        return first, np.where(product & (code == NEGATIVE), self.one - ONE + MINUS_ONE, second)

    def _owners(self, sums: Array, sx: Array, joins_x: Array, sy: Array, joins_y: Array) -> None:
        """Find the last step of the chain of each step."""
        into = np.arange(self.steps)
        into[sx[joins_x] - self.outside] = sums[joins_x]
        into[sy[joins_y] - self.outside] = sums[joins_y]
        owner: list[int] = into.tolist()
        for i in range(self.steps - 1, -1, -1):
            owner[i] = owner[owner[i]]
        self.owner = owner

    def _levels(self, x: Array, y: Array, z: Array) -> None:
        """Find the level of each chain: one above those of its operands."""
        owner, outside, steps = self.owner, self.outside, self.steps
        columns = []
        for column in (x, y, z):
            step = column - outside
            columns.append(np.where((step >= 0) & (step < steps), step, -1).tolist())
        level = [0] * (steps + 1)  # the last element is for inputs, leaves and constants
        for own, p, q, r in zip(owner, *columns, strict=True):
            needed = level[own]
            for j in (p, q) if r < 0 else (p, q, r):
                if level[j] >= needed and (j < 0 or owner[j] != own):
                    needed = level[j] + 1
            level[own] = needed
        self.level = level[:steps]
