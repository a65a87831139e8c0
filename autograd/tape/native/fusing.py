"""Consecutive elementwise arithmetic as one loop of machine code, whose intermediate results stay in registers.

Called one after another, the loops of NumPy read and write memory in each of the fourteen operations of Adam.  LLVM
compiles a loop for all of them in some milliseconds, once per sequence of operations, for any length.  It has the bits
of NumPy, because IEEE 754 prescribes the result of every operation that is used here.
"""

import contextlib
import functools
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir

from autograd.typing import Shape

from .instructions import Instruction, Loop, Operand

WIDTH = 16  # elements that are computed together: float32 in the widest registers
SHORT = 128  # elements of a row, from which a call of NumPy for each row is as fast
LEAST_WORK = 4096  # operations times elements, from which compiling several operations pays off
MOST_LOOPS = 4000  # of a process, each of which takes some of the memory maps that the system allows
WORD: Any = ir.IntType(64)
INDEX: Any = ir.IntType(32)
TYPES: dict[str, Any] = {"f": ir.FloatType(), "d": ir.DoubleType(), "?": ir.IntType(8), "b": ir.IntType(8)}  # in memory
SIZES = {"f": 4, "d": 8, "?": 1, "b": 1}


def _called(b: ir.IRBuilder, name: str, x: Any) -> Any:
    """Append the call of a function of LLVM."""
    name = f"llvm.{name}.v{x.type.count}{x.type.element.intrinsic_name}"
    known = b.module.globals.get(name)
    return b.call(known or ir.Function(b.module, ir.FunctionType(x.type, [x.type]), name), [x])


def _extreme(b: ir.IRBuilder, operator: str, x: Any, y: Any) -> Any:
    return b.select(b.or_(b.fcmp_ordered(operator, x, y), b.fcmp_unordered("uno", x, x)), x, y)


# What appends an operation on vectors, given a builder, the type of the result and the operands.  The maximum of two
# zeros with different signs is the second, as in NumPy on x86.
FORMS: dict[str, Callable[..., Any]] = {
    "add": lambda b, to, x, y: b.fadd(x, y),
    "subtract": lambda b, to, x, y: b.fsub(x, y),
    "multiply": lambda b, to, x, y: b.fmul(x, y),
    "divide": lambda b, to, x, y: b.fdiv(x, y),
    "square": lambda b, to, x: b.fmul(x, x),
    "sqrt": lambda b, to, x: _called(b, "sqrt", x),
    "absolute": lambda b, to, x: _called(b, "fabs", x),
    "negative": lambda b, to, x: b.fneg(x),
    "maximum": lambda b, to, x, y: _extreme(b, ">", x, y),
    "minimum": lambda b, to, x, y: _extreme(b, "<", x, y),
    "greater": lambda b, to, x, y: b.fcmp_ordered(">", x, y),
    "less": lambda b, to, x, y: b.fcmp_ordered("<", x, y),
    "copy": lambda b, to, x: x,
    "select": lambda b, to, mask, x, y: b.select(mask, x, y),
    "?": lambda b, to, x: b.uitofp(x, to),
    "d": lambda b, to, x: b.fptrunc(x, to),
    "f": lambda b, to, x: b.fpext(x, to),
}


def form(name: str, signature: str) -> Loop:
    """Return a loop that NumPy does not have: a copy, a selection, or a conversion from the dtype that is its name."""
    if name not in FORMS or not {*signature} <= {*TYPES, "-", ">"} or (name != "copy" and signature[-1] not in "fd"):
        raise TypeError(f"no {name} {signature}")
    return Loop(0, 0, name, signature)


def is_arithmetic(item: Instruction) -> bool:
    """Return whether an instruction can be fused with others."""
    loop = item.loop
    return item.elementwise and loop.name in FORMS and (not loop.function or loop.signature[0] in "fd")


class Run:
    """Elementwise arithmetic of one shape, in order."""

    def __init__(self, shape: tuple[Shape, Shape]) -> None:
        self.shape: tuple[Shape, Shape] = shape
        self.instructions: list[Instruction] = []
        self._used: dict[int, set[tuple[Operand, int]]] = {}  # of each buffer the places and steps
        self._written: set[int] = set()

    def append(self, item: Instruction) -> None:
        """Compute an instruction after the others."""
        self.instructions.append(item)
        self._written.add(item.operands[-1].buffer)
        for x, step in zip(item.operands, item.steps, strict=False):
            self._used.setdefault(x.buffer, set()).add((x, step))

    def concerns(self, item: Any, shape: Any) -> bool:
        """Return whether an instruction must be computed after this run; `shape` is that of arithmetic, or None."""
        if shape is None:
            return not self._used.keys().isdisjoint(item.buffers())
        into = item.operands[-1].buffer
        for x, step in zip(item.operands, item.steps, strict=False):
            is_changed = x.buffer in self._used and (x.buffer == into or x.buffer in self._written)
            if is_changed and (shape != self.shape or self._used[x.buffer] != {(x, step)}):
                return True
        return False

    def computed(self, uses: dict[int, int]) -> Iterator[Instruction]:
        """Yield instructions that compute the run; `uses` are how often all instructions use each buffer."""
        items, (counts, (length,)) = self.instructions, self.shape
        size = math.prod(counts) * length
        if len(items) > 1 and len(items) * size >= LEAST_WORK:
            yield fused(items, uses)
            return
        for item in items:
            # NumPy has no vector instructions for the maximum of an array and a scalar.
            is_slow = item.loop.name in ("maximum", "minimum") and 0 in item.steps and length > 1
            is_slow = is_slow or length < min(SHORT, size)
            yield fused([item], uses) if is_slow or not item.loop.function else item


def fused(items: Sequence[Instruction], uses: dict[int, int]) -> Instruction:
    """Return one instruction that computes arithmetic of one shape, and writes what other instructions use."""
    recipe: list[tuple[Any, ...]] = []
    values: dict[tuple[Operand, int], int] = {}
    left, operands = dict(uses), list[tuple[Operand, int]]()
    for item in items:
        *given, into = zip(item.operands, item.steps, strict=False)
        for x, kind in zip(given, item.loop.signature, strict=False):
            if x not in values:
                values[x] = len(recipe)
                recipe.append(("load", kind, x[1]))
                operands.append(x)
        recipe.append((item.loop.name, item.loop.signature[-1], *[values[x] for x in given]))
        values[into] = len(recipe) - 1
        for place in item.operands:
            left[place.buffer] -= 1
    for x, value in values.items():
        if recipe[value][0] != "load" and left[x[0].buffer]:
            recipe.append(("store", recipe[value][1], x[1], value))
            operands.append(x)
    (outer, rows), (length,) = items[0].counts, items[0].dims
    places = tuple([x._replace(strides=(0, x.strides[0])) for x, _ in operands])
    steps = tuple([x.strides[1] for x, _ in operands])
    return Instruction(Loop(compiled(tuple(recipe)), 0, "fused"), places, (length, rows), steps, (1, outer), True)


@functools.cache
def _engine() -> Any:
    """Return what compiles for this processor."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    cpu, features = llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()
    target = llvm.Target.from_default_triple().create_target_machine(cpu=cpu, features=features, opt=1)
    return llvm.create_mcjit_compiler(llvm.parse_assembly(""), target)


_numbers = itertools.count()


@functools.cache
def compiled(recipe: tuple[tuple[Any, ...], ...]) -> int:
    """Return the address of a function like NumPy's inner loops, ``f(addresses, dims, steps, data)``, for a recipe.

    It also loops over rows, ``dims[1]``, whose distances are `steps`.  The steps of the recipe load elements at some
    distance, ``("load", dtype, bytes)``, compute a form of the results of other steps, ``(name, dtype, *numbers)``, or
    store one, ``("store", dtype, bytes, number)``.  Addresses are in the order of the loads and stores.
    """
    if (number := next(_numbers)) >= MOST_LOOPS:
        raise LookupError("this process has compiled too many loops")  # the program stays in NumPy
    module, kind = ir.Module(), ir.FunctionType(ir.VoidType(), [WORD] * 4)
    function = ir.Function(module, kind, f"fused{number}")
    b = ir.IRBuilder(function.append_basic_block())
    args, dims, steps = [b.inttoptr(x, WORD.as_pointer()) for x in function.args[:3]]
    moved = [step for step in recipe if step[0] in ("load", "store")]
    firsts, distances = [[b.load(b.gep(x, [WORD(k)])) for k in range(len(moved))] for x in (args, steps)]
    length, rows = b.load(dims), b.load(b.gep(dims, [WORD(1)]))
    is_consecutive = all(step in (0, SIZES[kind]) for _, kind, step, *_ in moved)
    with _loop(b, WORD(0), rows, 1) as row:
        places = [b.add(x, b.mul(row, distance)) for x, distance in zip(firsts, distances, strict=True)]
        start = WORD(0)
        for width in (WIDTH, 1) if is_consecutive else (1,):  # whole vectors, then the other elements
            with _loop(b, start, length, width) as start:
                _append(b, recipe, places, start, width)
    b.ret_void()
    engine = _engine()
    engine.add_module(llvm.parse_assembly(str(module)))
    engine.finalize_object()
    return engine.get_function_address(function.name)  # type: ignore[no-any-return]


@contextlib.contextmanager
def _loop(b: ir.IRBuilder, start: Any, stop: Any, step: int) -> Iterator[Any]:
    """Append a loop over whole steps; yield its counter, which is where it ended after it."""
    before, head, body, end = b.block, *[b.append_basic_block() for _ in range(3)]
    b.branch(head)
    b.position_at_end(head)
    i = b.phi(WORD)
    after = b.add(i, WORD(step))
    b.cbranch(b.icmp_signed("<=", after, stop), body, end)
    b.position_at_end(body)
    yield i
    i.add_incoming(start, before)
    i.add_incoming(after, b.block)
    b.branch(head)
    b.position_at_end(end)


def _append(b: ir.IRBuilder, recipe: Sequence[tuple[Any, ...]], places: Sequence[Any], i: Any, width: int) -> None:
    """Append the steps of a recipe for a vector of elements from position `i` on."""
    values: list[Any] = []
    addresses = iter(places)
    for name, kind, *operands in recipe:
        vector = ir.VectorType(TYPES[kind], width)
        if name not in ("load", "store"):
            values.append(FORMS[name](b, vector, *[values[x] for x in operands]))
            continue
        step, *stored = operands
        place = b.add(next(addresses), b.mul(i, WORD(step)))
        here = b.inttoptr(place, vector.as_pointer())
        if name == "store":
            x = values[stored[0]]
            b.store(b.zext(x, vector) if kind == "?" else x, here, align=1)
            continue
        if step:
            x = b.load(here, align=1)
        else:
            first = b.load(b.inttoptr(place, vector.element.as_pointer()))
            x = b.insert_element(ir.Constant(vector, ir.Undefined), first, INDEX(0))
            x = b.shuffle_vector(x, x, ir.Constant(ir.VectorType(INDEX, width), [0] * width))
        values.append(b.icmp_unsigned("!=", x, ir.Constant(vector, None)) if kind == "?" else x)
