"""A rule written down once as a list of NumPy calls, and carried out from then on without a temporary array.

A rule is a formula: what it computes depends on its arguments alone. So it is called with letters in place of numbers,
which remember what is done to them, and becomes two short functions. Of `Momentum`::

    def numbers(t, group, state):                     def arrays(p, after, g, s0, r0, w0, w1):
        n0 = t                                            multiply(k0, s0, w0)
        n1 = group['weight_decay']                        multiply(k1, g, w1)
        if group['maximize'] != False: return None        add(w0, w1, r0)
        if n1: return None                                multiply(k2, r0, w1)
        n4 = group['lr']                                  subtract(p, w1, after)
        n5 = group['beta']
        n6 = 1 - n5
        k0[()] = n5
        k1[()] = n6
        k2[()] = n4
        return ()

The first works out the plain numbers of a step and puts them where the second reads them, ``k0``, ``k1``, ...: arrays
of no axes and of the parameters' own type, with which NumPy is twice as quick as with Python's floats. The second is
run for every block, on parameters, gradient and state ``s0``, ...; the new state goes into ``r0``, ..., where the step
before the last had kept it, so that a step that fails has changed nothing.

A branch on plain numbers is taken while writing down; ``numbers`` looks whether it would be taken again and says so if
not. What cannot be written down (a look at an array's numbers or shape, a function of no ufunc) is left to the rule.
"""

from __future__ import annotations

import dis
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from .flat_params import Array, aligned

SYMBOLS = {
    "add": "+", "sub": "-", "mul": "*", "truediv": "/", "floordiv": "//", "mod": "%", "pow": "**",
    "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!=",
}  # fmt: skip
UFUNCS: dict[str, np.ufunc] = {"add": np.add, "sub": np.subtract, "mul": np.multiply, "truediv": np.divide}


class NotStraightError(Exception):
    """A rule does something that cannot be written down."""


class Letter:
    """Stands for a number (which it knows, to take branches) or for an array (of which it knows nothing)."""

    __slots__ = ("name", "recording", "value")
    __hash__: ClassVar[None] = None  # type: ignore[assignment]

    def __init__(self, recording: Recording, name: str, value: Any = None) -> None:
        self.recording: Recording = recording
        self.name: str = name
        self.value: Any = value

    def __bool__(self) -> bool:
        return self.recording.branch(self)

    def __neg__(self) -> Any:
        return self.recording.called(np.negative, self) if self.value is None else self.recording.number("-{}", self)

    def __abs__(self) -> Any:
        return self.recording.called(np.abs, self) if self.value is None else self.recording.number("abs({})", self)

    def __float__(self) -> float:
        raise NotStraightError("a letter is no float")

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        if method != "__call__" or options or ufunc.nout != 1:
            raise NotStraightError(f"{ufunc.__name__} with options")
        return self.recording.called(ufunc, *inputs)


def _operator(name: str, turned: bool) -> Callable[[Letter, Any], Any]:
    def method(self: Letter, other: Any) -> Any:
        return self.recording.operated(name, *((other, self) if turned else (self, other)))

    return method


for _name in SYMBOLS:
    setattr(Letter, f"__{_name}__", _operator(_name, False))
    setattr(Letter, f"__r{_name}__", _operator(_name, True))


class Recording:
    """What a formula does to letters.

    Parameters
    ----------
    dtype : dtype
        Type of all arrays.
    """

    def __init__(self, dtype: Any) -> None:
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        self.lines: list[str] = []  # of `numbers`
        self.calls: list[tuple[str, list[str], str]] = []  # of `arrays`: ufunc, operands, result
        self.cells: dict[str, str] = {}  # formula of a number to the cell that holds it
        self.names: dict[str, Any] = {}

    def read(self, source: str, value: Any) -> Any:
        """Return letters for what `source` gives when it has `value`; what is neither number nor tuple stays itself."""
        if isinstance(value, tuple) and value:
            return tuple([self.read(f"{source}[{i}]", x) for i, x in enumerate(value)])
        if isinstance(value, (float, int)) and not isinstance(value, bool):
            return self.noted(source, value)
        self.lines.append(f"if {source} != {value!r}: return None")
        return value

    def noted(self, formula: str, value: Any) -> Letter:
        """Add a line that works out a number."""
        name = f"n{len(self.lines)}"
        self.lines.append(f"{name} = {formula}")
        return Letter(self, name, value)

    def number(self, formula: str, *operands: Any) -> Letter:
        """Add a line that combines numbers."""
        formula = formula.format(*[spelt(x) for x in operands])
        values = {x.name: x.value for x in operands if isinstance(x, Letter)}
        return self.noted(formula, eval(formula, values))  # noqa: S307 - our own formula, of our own letters

    def branch(self, letter: Letter) -> bool:
        """Take a branch, and have it looked at again in every step."""
        if letter.value is None:
            raise NotStraightError("a branch on an array's numbers")
        taken = bool(letter.value)
        self.lines.append(f"if {'not ' if taken else ''}{letter.name}: return None")
        return taken

    def operated(self, name: str, x: Any, y: Any) -> Letter:
        """Combine two numbers, or call a ufunc if there is an array among them."""
        if all(not isinstance(a, Letter) or a.value is not None for a in (x, y)):
            return self.number(f"{{}} {SYMBOLS[name]} {{}}", x, y)
        if name not in UFUNCS:
            raise NotStraightError(f"arrays and {name}")
        return self.called(UFUNCS[name], x, y)

    def called(self, ufunc: Any, *operands: Any) -> Letter:
        """Add a call that makes an array of the same type."""
        if ufunc.resolve_dtypes((*[self.dtype] * ufunc.nin, None))[-1] != self.dtype:
            raise NotStraightError(f"{ufunc.__name__} makes no {self.dtype}")
        given = [x.name if isinstance(x, Letter) and x.value is None else self.cell(x) for x in operands]
        if not any(isinstance(x, Letter) and x.value is None for x in operands):
            raise NotStraightError(f"{ufunc.__name__} of numbers only")
        self.names[ufunc.__name__] = ufunc
        result = f"a{len(self.calls)}"
        self.calls.append((ufunc.__name__, given, result))
        return Letter(self, result)

    def cell(self, x: Any) -> str:
        """Return the name of the cell that holds a number."""
        return self.cells.setdefault(spelt(x), f"k{len(self.cells)}")


class Read(dict[str, Any]):
    """A group's options as letters, each written down when it is first asked for."""

    def __init__(self, recording: Recording, group: Mapping[str, Any]) -> None:
        super().__init__()
        self.recording: Recording = recording
        self.group: Mapping[str, Any] = group

    def __missing__(self, name: str) -> Any:
        self[name] = self.recording.read(f"group[{name!r}]", self.group[name])
        return self[name]

    def get(self, name: str, default: Any = None) -> Any:
        """Return an option, as letters, or the default."""
        return self[name] if name in self.group else default


def spelt(x: Any) -> str:
    """How a number is written in a formula: by its name, or as itself."""
    if isinstance(x, Letter):
        return x.name
    if type(x) not in (float, int) or x - x != 0:
        raise NotStraightError(f"{x!r} is no plain number")
    return repr(x)


class Program:
    """A formula of one step as two functions; see the module.

    Parameters
    ----------
    formula : callable
        ``formula(p, g, state, group, t)`` returns what is subtracted from what, and the new state: (q, step, state).
    state : tuple
        A state to start from: arrays, numbers and None.
    group : mapping
        The options.
    t : int
        A step count.
    dtype : dtype
        Type of the arrays.
    """

    def __init__(
        self, formula: Callable[..., Any], state: Sequence[Any], group: Mapping[str, Any], t: int, dtype: Any
    ) -> None:
        self.notes: Recording
        notes = self.notes = Recording(dtype)
        count = notes.read("t", t)
        self.kept: list[int] = [j for j, x in enumerate(state) if isinstance(x, np.ndarray)]
        parts = [
            Letter(notes, f"s{j}") if j in self.kept else x if x is None else notes.read(f"state[{j}]", x)
            for j, x in enumerate(state)
        ]
        q, step, after = formula(Letter(notes, "p"), Letter(notes, "g"), tuple(parts), Read(notes, group), count)
        notes.called(np.subtract, q, step)
        name, operands, _ = notes.calls.pop()
        last = (name, operands, "after")
        self.returned: list[str] = self._returned(after, parts)
        self.calls: list[Any]
        self.scratch: list[str]
        self.calls, self.scratch = placed([*notes.calls, last], {f"r{j}": after[j].name for j in self.kept})

    def _returned(self, after: Sequence[Any], before: Sequence[Any]) -> list[str]:
        """Numbers of the new state, as formulas; each part must stay what it is."""
        found = []
        for x, old in zip(after, before, strict=True):
            array = isinstance(x, Letter) and x.value is None
            if array != (isinstance(old, Letter) and old.value is None) or (x is None) != (old is None):
                raise NotStraightError("a part of the state changes its kind")
            if not array:
                found.append("None" if x is None else spelt(x))
        return found

    def source(self) -> str:
        """Both functions, as Python."""
        notes = self.notes
        arrays = [called(*call) for call in self.calls]
        filled = [f"{cell}[()] = {formula}" for formula, cell in notes.cells.items()]
        kept = "".join(f", {x}{j}" for x in "sr" for j in self.kept)
        given = f"p, after, g{kept}{''.join(f', {w}' for w in self.scratch)}"
        back = f"return ({''.join(f'{x}, ' for x in self.returned)})"
        return (
            "\n    ".join(["def numbers(t, group, state):", *notes.lines, *filled, back])
            + "\n\n"
            + ("\n    ".join([f"def arrays({given}):", *arrays]) + "\n")
        )

    def compiled(self) -> tuple[Callable[..., Any], Callable[..., None]]:
        """Both functions, sharing cells of their own."""
        cells = {cell: np.empty((), self.notes.dtype) for cell in self.notes.cells.values()}
        scope: dict[str, Any] = {**self.notes.names, "subtract": np.subtract, "copyto": _copy, **cells}
        exec(self.source(), scope)  # noqa: S102 - our own source, written above
        return scope.pop("numbers"), scope.pop("arrays")  # left there, they would hold each other


def called(ufunc: str, operands: list[str], result: str) -> str:
    """Write a line of `arrays`; maximum and minimum want the place of the result by name, which takes longer."""
    out = "out=" if ufunc in ("maximum", "minimum") else ""
    return f"{ufunc}({', '.join(operands)}, {out}{result})"


def _copy(source: Array, target: Array) -> None:
    target[...] = source


def placed(calls: list[Any], wanted: dict[str, str]) -> tuple[list[Any], list[str]]:
    """Return calls with a place for every result, and the scratch arrays they need.

    A result that is part of the new state goes there, others into scratch, used again as soon as nobody needs it.
    """
    last = {x: i for i, (_, operands, _) in enumerate(calls) for x in operands}
    places, copies, made = {"after": "after"}, [], {result for _, _, result in calls}
    for place, name in wanted.items():
        if name in made and name not in places:
            places[name] = place
        else:  # one of the arguments, or a result that is two parts of the state
            copies.append(("copyto", [name], place))
    free: list[str] = []
    scratch: list[str] = []
    done = []
    for i, (ufunc, operands, result) in enumerate(calls):
        given = [places.get(x, x) for x in operands]
        free += sorted({places[x] for x in operands if last[x] == i and places.get(x) in scratch})
        if result not in places:
            if not free:
                scratch.append(f"w{len(scratch)}")
                free.append(scratch[-1])
            places[result] = free.pop()
        done.append((ufunc, given, places[result]))
    copies = [(f, [places.get(x, x) for x in operands], place) for f, operands, place in copies]
    return done[:-1] + copies + done[-1:], scratch


def is_formula(rule: Callable[..., Any]) -> bool:
    """Whether a rule looks at its arguments only, and not at `self`, as far as its code tells."""
    code = rule.__code__
    own = code.co_varnames[0]
    used = [line.argval for line in dis.get_instructions(code) if "LOAD_FAST" in line.opname]
    inner = (*code.co_freevars, *code.co_cellvars)  # what functions within it, and super(), look at
    return not inner and all(own not in (x if isinstance(x, tuple) else (x,)) for x in used)


class Replay:
    """Carries out a bundle's steps by a `Program`, once two steps in a row have written down the same one."""

    def __init__(self) -> None:
        self.seen: str
        self.looks: int
        self.seen, self.looks = "", 0
        self.states: Any = None

    def watch(self, formula: Callable[..., Any], bundle: Any, states: list[Any], group: Mapping[str, Any]) -> list[Any]:
        """After a step by the rule itself, write down the next; return the states, moved if it can be replayed."""
        self.states = None
        self.looks = self.looks + 1
        if self.looks > 16 + bundle.t // 64:  # it never does the same twice
            return states
        try:
            program = Program(formula, states[0], group, bundle.t + 2, bundle.dtype)
        except Exception:  # whatever a rule says to letters, to arrays it may say nothing
            return states
        source = program.source()
        if source != self.seen:
            self.seen = source
            return states
        return self.begun(program, bundle, states)

    def begun(self, program: Program, bundle: Any, states: list[Any]) -> list[Any]:
        """Make room: two arrays for each part of the state, and scratch."""
        kept, dtype = program.kept, bundle.dtype
        sizes = [b.stop - b.start for b in bundle.blocks]
        found = [state[j] for state in states for j in kept]
        if any(a.ndim != 1 or a.dtype != dtype for a in found):
            return states
        self.numbers: Callable[..., Any]
        self.arrays: Callable[..., None]
        self.numbers, self.arrays = program.compiled()
        scratch = [aligned(sizes[0], dtype) for _ in program.scratch]
        both = [[tuple([aligned(n, dtype) for _ in kept]) for n in sizes] for _ in range(2)]
        for state, room in zip(states, both[0], strict=True):
            for j, a in zip(kept, room, strict=True):
                a[...] = state[j]
        self.rest: list[list[tuple[Any, ...]]] = [
            [(*old, *new, *[w[:n] for w in scratch]) for old, new, n in zip(*turn, sizes, strict=True)]
            for turn in (both, both[::-1])
        ]
        self.kept: list[int] = kept
        self.count: int = len(states[0])
        numbers = tuple([x for j, x in enumerate(states[0]) if j not in kept])
        self.constant: bool = all(x is None for x in numbers)
        self.both: list[list[Any]] = [self.joined(rooms, numbers) for rooms in both]
        self.turn: int
        self.turn, self.states = 0, self.both[0]
        return self.both[0]

    def joined(self, rooms: list[Any], numbers: tuple[Any, ...]) -> list[Any]:
        """Return states of arrays and of numbers, which are the same for all blocks."""
        found = []
        for room in rooms:
            arrays, rest = iter(room), iter(numbers)
            found.append(tuple([next(arrays) if j in self.kept else next(rest) for j in range(self.count)]))
        return found

    def step(self, bundle: Any, grads: list[Any], group: Mapping[str, Any]) -> list[Any] | None:
        """Work out a bundle's numbers after one step, into its room, and its states; None if the rule must do it."""
        if bundle.states is not self.states:
            return None
        try:
            numbers = self.numbers(bundle.t + 1, group, self.states[0])
        except Exception:  # the rule will meet it too, and say it in its own words
            numbers = None
        if numbers is None:
            return None
        p, after, rest = bundle.read(), bundle.room(), self.rest[self.turn]
        if len(rest) == 1:
            ((_, _, g),) = bundle.cut(grads)
            self.arrays(p, after, g, *rest[0])
        else:
            for k, block, g in bundle.cut(grads):
                self.arrays(p[block], after[block], g, *rest[k])
        self.turn = turn = 1 - self.turn
        if not self.constant:
            self.both[turn] = self.joined([r[: len(self.kept)] for r in self.rest[turn]], numbers)
        states = self.states = self.both[turn]
        return states
