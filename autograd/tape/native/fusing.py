"""Consecutive elementwise arithmetic as one loop of machine code, whose intermediate results stay in registers.

Called one after another, the loops of NumPy read and write memory in each of the fourteen operations of Adam.  LLVM
compiles a loop for all of them in some milliseconds, once per sequence of operations, of any length.  It has the bits
of NumPy, because IEEE 754 prescribes the result of every operation that is used here.
"""

import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import llvmlite.binding as llvm
from llvmlite.ir import (
    Constant, DoubleType, FloatType, Function, FunctionType, IntType, IRBuilder, Module, Undefined, VectorType, VoidType,
)  # fmt: skip

from .instructions import Instruction, Loop, Operand

WIDTH = 16  # elements that are computed together: float32 in the widest registers
LEAST_WORK = 4096  # operations times elements, from which compiling several operations pays off
WORD, INDEX = IntType(64), IntType(32)
TYPES = {"f": FloatType(), "d": DoubleType(), "?": IntType(8)}  # in memory

Recipe: TypeAlias = tuple[tuple[Any, ...], ...]


def _compared(operator: str) -> Callable[..., Any]:
    return lambda b, x, y: b.fcmp_ordered(operator, x, y)


def _unary(name: str) -> Callable[..., Any]:
    def form(b: IRBuilder, x: Any) -> Any:
        kind = FunctionType(x.type, [x.type])
        full = f"llvm.{name}.v{x.type.count}{x.type.element.intrinsic_name}"
        return b.call(b.module.globals.get(full) or Function(b.module, kind, full), [x])

    return form


def _converted(method: Callable[..., Any], kind: str) -> Callable[..., Any]:
    return lambda b, x: method(b, x, VectorType(TYPES[kind], x.type.count))


# What computes the operations, for the loops of NumPy by their names, and for those that NumPy does not have.
FORMS: dict[str, Callable[..., Any]] = {
    f"{name} {signature.replace('f', kind)}": form
    for kind in "fd"
    for name, signature, form in [
        ("add", "ff->f", IRBuilder.fadd),
        ("subtract", "ff->f", IRBuilder.fsub),
        ("multiply", "ff->f", IRBuilder.fmul),
        ("divide", "ff->f", IRBuilder.fdiv),
        ("negative", "f->f", IRBuilder.fneg),
        ("square", "f->f", lambda b, x: b.fmul(x, x)),
        ("sqrt", "f->f", _unary("sqrt")),
        ("absolute", "f->f", _unary("fabs")),
        ("greater", "ff->?", _compared(">")),
        ("greater_equal", "ff->?", _compared(">=")),
        ("less", "ff->?", _compared("<")),
        ("less_equal", "ff->?", _compared("<=")),
        ("equal", "ff->?", _compared("==")),
        ("select", "?ff->f", IRBuilder.select),
        ("convert", "?->f", _converted(IRBuilder.uitofp, kind)),
    ]
} | {
    "convert d->f": _converted(IRBuilder.fptrunc, "f"),
    "convert f->d": _converted(IRBuilder.fpext, "d"),
}  # fmt: skip


def form_of(name: str) -> Loop:
    """Return a loop that NumPy does not have, or raise `TypeError` if there is none for these dtypes."""
    if name not in FORMS:
        raise TypeError(f"no form of {name}")
    return Loop(0, 0, name)


class Run:
    """Elementwise arithmetic of one length, in order."""

    def __init__(self, length: int) -> None:
        self.length: int = length
        self.instructions: list[Instruction] = []
        self._used: dict[int, set[tuple[int, int]]] = {}  # of each buffer the offsets and steps
        self._written: set[int] = set()

    def append(self, item: Instruction) -> None:
        """Compute an instruction after the others."""
        self.instructions.append(item)
        self._written.add(item.operands[-1].buffer)
        for x, step in zip(item.operands, item.steps, strict=False):
            self._used.setdefault(x.buffer, set()).add((x.offset, step))

    def concerns(self, item: Any, length: int) -> bool:
        """Return whether an instruction must be computed after this run; `length` is that of arithmetic."""
        if not length:
            return not self._used.keys().isdisjoint(item.buffers())
        into = item.operands[-1].buffer
        for x, step in zip(item.operands, item.steps, strict=False):
            is_changed = x.buffer in self._used and (x.buffer == into or x.buffer in self._written)
            if is_changed and (length != self.length or self._used[x.buffer] != {(x.offset, step)}):
                return True
        return False

    def computed(self, uses: dict[int, int]) -> Iterator[Instruction]:
        """Yield instructions that compute the run; `uses` are how often all instructions use each buffer."""
        items = self.instructions
        if len(items) > 1 and len(items) * self.length >= LEAST_WORK:
            yield fused(items, uses)
        else:
            yield from [item if item.loop.function else fused([item], uses) for item in items]


def fused(items: Sequence[Instruction], uses: dict[int, int]) -> Instruction:
    """Return one instruction that computes arithmetic of one length, and writes what other instructions use."""
    recipe: list[tuple[Any, ...]] = []
    values: dict[tuple[Operand, int], int] = {}
    left, operands, steps = dict(uses), list[Operand](), list[int]()
    for item in items:
        kinds = item.loop.name.split()[1].replace("->", "")
        *given, into = zip(item.operands, item.steps, strict=False)
        for (x, step), kind in zip(given, kinds, strict=False):
            if (x, step) not in values:
                values[x, step] = len(recipe)
                recipe.append(("load", kind, step != 0))
                operands.append(x)
                steps.append(step)
        recipe.append((item.loop.name, *[values[x] for x in given]))
        values[into] = len(recipe) - 1
        for x in item.operands:
            left[x.buffer] -= 1
    for (x, step), value in values.items():
        if recipe[value][0] != "load" and left[x.buffer]:
            recipe.append(("store", value))
            operands.append(x)
            steps.append(step)
    return Instruction(Loop(compiled(tuple(recipe)), 0, "fused"), tuple(operands), items[0].dims, tuple(steps), (1, 1), True)


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
def compiled(recipe: Recipe) -> int:
    """Return the address of a function like NumPy's inner loops, ``f(addresses, dims, steps, data)``, for a recipe.

    Its steps load an element or a scalar, ``("load", dtype, whether it is an element)``, compute a form of the results
    of other steps, ``(name, *numbers)``, or store one, ``("store", number)``.  Addresses are in the order of the loads
    and stores.
    """
    module = Module()
    function = Function(module, FunctionType(VoidType(), [WORD] * 4), f"fused{next(_numbers)}")
    b = IRBuilder(function.append_basic_block())
    args, dims = [b.inttoptr(x, WORD.as_pointer()) for x in function.args[:2]]
    count, places = b.load(dims), [b.load(b.gep(args, [WORD(k)])) for k in range(len(recipe))]
    _append_loop(b, recipe, places, count, _append_loop(b, recipe, places, count, WORD(0), WIDTH), 1)
    b.ret_void()
    engine = _engine()
    engine.add_module(llvm.parse_assembly(str(module)))
    engine.finalize_object()
    return engine.get_function_address(function.name)  # type: ignore[no-any-return]


def _append_loop(b: IRBuilder, recipe: Recipe, places: Sequence[Any], count: Any, start: Any, width: int) -> Any:
    """Append a loop over vectors of elements from a position on; return the position after the last whole one."""
    before, head = b.block, b.append_basic_block()
    b.branch(head)
    b.position_at_end(head)
    i = b.phi(WORD)
    after = b.add(i, WORD(width))
    body, end = b.append_basic_block(), b.append_basic_block()
    b.cbranch(b.icmp_signed("<=", after, count), body, end)
    b.position_at_end(body)
    values: list[Any] = []
    addresses = iter(places)
    for name, *operands in recipe:
        if name == "load":
            values.append(_loaded(b, next(addresses), i, *operands, width))
        elif name == "store":
            _store(b, next(addresses), i, values[operands[0]])
        else:
            values.append(FORMS[name](b, *[values[x] for x in operands]))
    i.add_incoming(start, before)
    i.add_incoming(after, b.block)
    b.branch(head)
    b.position_at_end(end)
    return i


def _loaded(b: IRBuilder, place: Any, i: Any, kind: str, is_element: bool, width: int) -> Any:
    """Append the load of a vector of elements from position `i` on, or of a scalar for each of them."""
    vector = VectorType(TYPES[kind], width)
    if is_element:
        x = b.load(_pointer(b, place, i, vector), align=1)
    else:
        scalar = b.load(b.inttoptr(place, vector.element.as_pointer()))
        first = b.insert_element(Constant(vector, Undefined), scalar, INDEX(0))
        x = b.shuffle_vector(first, first, Constant(VectorType(INDEX, width), [0] * width))
    return b.icmp_unsigned("!=", x, Constant(vector, None)) if kind == "?" else x


def _store(b: IRBuilder, place: Any, i: Any, x: Any) -> None:
    """Append the store of a vector from position `i` on."""
    if x.type.element == IntType(1):
        x = b.zext(x, VectorType(TYPES["?"], x.type.count))
    b.store(x, _pointer(b, place, i, x.type), align=1)


def _pointer(b: IRBuilder, place: Any, i: Any, vector: VectorType) -> Any:
    first = b.gep(b.inttoptr(place, vector.element.as_pointer()), [i])
    return b.bitcast(first, vector.as_pointer())
