"""A recording as a typed program: the operations that are needed, each once, in order."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from autograd.graph import Node, Primitive, topological_order
from autograd.typing import Array, Data, DType, Operand, Params, Shape

from .recording import Callback

CACHE_LINE = 64  # bytes

# The result may be a view of the first operand, depending on its memory layout.
VIEWS = frozenset({"reshape", "transpose", "swapaxes", "getitem", "flip", "diagonal"})


class Spec(NamedTuple):
    """The type of a value: shape and dtype of an array, which is None for a Python float.

    `whole` tells whether the recorded array was C-contiguous and owned its memory.
    """

    shape: Shape
    dtype: DType | None
    whole: bool = True


FLOAT = Spec((), None)


class Step(NamedTuple):
    """One operation of a program; operands and result are indices of values."""

    op: Primitive
    operands: tuple[int, ...]
    params: Params
    result: int


class Program:
    """The operations of a recording on which results depend, in topological order and without duplicates.

    Every value has a number: first the inputs, then the variables from outside, then results of steps and constants.

    Parameters
    ----------
    inputs : sequence of Node
        The arguments of the recorded call.
    results : sequence
        Nodes or constants.
    outputs : int
        The number of results that the function returns; the others are gradients.
    effects : sequence of Node
        What comes first, even if its results are not used: callbacks, for example.
    variables : sequence of Node
        The variables whose gradients are the results after the outputs.
    replaced : mapping of Node to Node, optional
        Nodes in whose place others are used, such as a parameter that is a part of an input.

    Attributes
    ----------
    specs : list of Spec or None
        The type of each value; None for constants that are neither floats nor arrays, and for callbacks without result.
    inputs, leaves : range
        The numbers of the inputs, and of the variables from outside; both are set in each run.
    variables : list of Node
        The variables from outside.
    constants : dict of int to object
        Arrays, floats, ints, slices, tuples ... by number.
    steps : list of Step
        The operations.
    owners : dict of int to int
        For each input, variable and result of a step the value in whose memory it may be.
    shared : set of int
        Results of callbacks, which may return an argument or keep their result, and the values given to them.
    results : list of int
        The results.
    outputs : int
        As above.
    targets : list of int
        The numbers of the variables whose gradients are the last results.
    repeated : dict of int to int
        Inputs that are replaced in the next run, each with the index of the result that replaces it.
    backward_from : int
        The number of steps before the first one of the gradients.
    names : dict of int to str
        The names of values that have one.
    given, found : list
        Recorded data of inputs and leaves, and of the results.

    Examples
    --------
    >>> from autograd import Value
    >>> x = Value(3.0)
    >>> program = Program([x], [x * x + 1.0], 1, [])
    >>> [(step.op.name, step.operands, step.result) for step in program.steps], program.constants
    ([('multiply', (0, 0), 1), ('add', (1, 2), 3)], {2: 1.0})
    """

    def __init__(
        self,
        inputs: Sequence[Node],
        results: Sequence[Operand],
        outputs: int,
        effects: Sequence[Node],
        variables: Sequence[Node] = (),
        replaced: Mapping[Node, Node] | None = None,
    ) -> None:
        self.specs: list[Any] = []
        self.constants: dict[int, object] = {}
        self.steps: list[Step] = []
        self.outputs = outputs
        self.repeated: dict[int, int] = {}
        self.backward_from: int = 0
        own = {*effects, *[r for r in results[:outputs] if isinstance(r, Node)]}
        # The gradients from the last layer to the first, so that intermediate results are needed for a short time.
        roots = [r for r in (*effects, *results[:outputs], *reversed(results[outputs:])) if isinstance(r, Node)]
        replaced = replaced or {}
        order, given = topological_order(*replaced.values(), *roots), {*inputs, *replaced}
        self.variables: list[Node] = [node for node in order if node.op is None and node not in given]
        number: dict[Node, int] = {}
        for node in (*inputs, *self.variables):
            number[node] = self._new_value(node._value)
        self.inputs: range = range(len(inputs))
        self.leaves: range = range(len(inputs), len(number))
        self.owners: dict[int, int] = {value: value for value in number.values()}
        self.shared: set[int] = set()
        self.names: dict[int, str] = {i: x.name or "leaf" for x, i in number.items()}
        self._known: dict[Hashable, int] = {}
        for node in order:
            if node in replaced:
                number[node] = number[replaced[node]]
            elif node.op is not None:
                number[node] = self._number(node, node.op, number)
            if node in own:  # the sort completes the first roots before it begins with the next
                self.backward_from = len(self.steps)
        self.results: list[int] = [number[r] if isinstance(r, Node) else self._constant(r) for r in results]
        del self._known
        self.targets: list[int] = [number[x] for x in variables]
        for r, x in zip(self.results[outputs:], variables, strict=False):
            self.names.setdefault(r, f"d_{plain_name(x.name or 'leaf')}")
        self.given: list[Data] = [x._value for x in (*inputs, *self.variables)]
        self.found: list[Data] = [r._value if isinstance(r, Node) else r for r in results]

    def _new_value(self, data: object) -> int:
        self.specs.append(_spec(data))
        return len(self.specs) - 1

    def _constant(self, x: Operand) -> int:
        """Return the number of a constant."""
        found = self._known.setdefault(key_of(x), len(self.specs))
        if found == len(self.specs):
            self.constants[self._new_value(x)] = x
        return found

    def _number(self, node: Node, op: Primitive, number: dict[Node, int]) -> int:
        """Return the number of a computed node; add a step unless an equal one exists."""
        args, params, data = node.args, node.params, node._value
        operands = tuple([number[a] if isinstance(a, Node) else self._constant(a) for a in args])
        if type(op) is not Callback:
            same = self._known.setdefault((op, operands, *map(key_of, params.items())), len(self.specs))
            if same != len(self.specs):
                return same
        result = self._new_value(data)
        is_view = op.name in VIEWS
        places = [a for k, a in enumerate(operands) if _may_share(data, args[k], is_view and not k)]
        self.owners[result] = self.owners[places[0]] if places else result
        if isinstance(op, Callback):
            self.shared.update((result, *operands))
        if node.name:
            self.names[result] = node.name
        self.steps.append(Step(op, operands, params, result))
        return result


def plain_name(name: str) -> str:
    """Return a name with the numbers at its start moved to its end, where Python allows them.

    >>> plain_name("0.weight")
    'weight.0'
    """
    parts = name.split(".")
    first = next((i for i, part in enumerate(parts) if not part.isdecimal()), 0)
    return ".".join([*parts[first:], *parts[:first]])


def _spec(data: object) -> Spec | None:
    if isinstance(data, np.ndarray):
        return Spec(data.shape, data.dtype, data.ndim > 0 and data.base is None and data.flags.c_contiguous)
    return FLOAT if isinstance(data, float) else None


def _may_share(y: Data, arg: Operand, is_view: bool) -> bool:
    """Return whether a result may lie in the memory of an operand."""
    if type(y) is not np.ndarray or not isinstance(arg, Node) or type(arg._value) is not np.ndarray:
        return False
    return is_view or bool(np.may_share_memory(arg._value, y))


def key_of(a: Operand) -> Hashable:
    """Return a key that is equal for equal arguments or parameters; 0.0 and -0.0 differ."""
    kind = type(a)
    if kind is float:
        return kind, a.hex()
    if kind is slice:
        return kind, repr(a)
    if isinstance(a, (Node, np.ndarray)) or kind.__hash__ is None:
        return kind, id(a)
    if kind is tuple:
        return tuple(map(key_of, a))
    return kind, a


def address(a: Array) -> int:
    """Return the address of the first element."""
    return a.__array_interface__["data"][0]  # type: ignore[no-any-return]


def aligned(size: int, dtype: DType) -> Array:
    """Return a new array aligned to cache lines, which those of NumPy are not."""
    spare = np.empty(size * dtype.itemsize + CACHE_LINE, np.uint8)
    return np.frombuffer(spare.data, dtype, size, -spare.ctypes.data % CACHE_LINE)
