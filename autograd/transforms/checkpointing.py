"""`checkpoint`: recompute a part of the graph in the backward pass instead of storing it."""

from __future__ import annotations  # numpy.random is loaded when it is first used

import functools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np

from autograd.backward import between, summed
from autograd.graph import Node, record, topological_order
from autograd.operations.joining import split
from autograd.operations.shaping import Recomputed, reshape
from autograd.recording import enable_grad, is_grad_enabled, no_grad, raw_data, with_graph
from autograd.reverse import reverse_pass
from autograd.rules import shape_of
from autograd.typing import Cotangent, Data, Function, Operand, Operands, Operation, Tree
from autograd.variable import leaf

from .forward import zero
from .functional import linked
from .nested import flatten


def checkpoint(f: Function, rng: np.random.Generator | None = None) -> Function:
    """Return a function that computes `f`, stores only its inputs, and computes it again in the backward pass.

    Parameters
    ----------
    f : callable
        Takes floats, arrays, nodes and nests of them; returns a node or a nest of nodes.  It must be deterministic.
        Side effects, such as updates of the running statistics of a BatchNorm, happen twice.
    rng : numpy.random.Generator, optional
        A generator that `f` draws from, as dropout does; its state is restored for the second computation.

    Returns
    -------
    callable
        Called like `f`, with the same results and gradients of any order.  Variables that `f` uses without getting
        them as arguments, such as the parameters of a layer, receive gradients, too.  Computed nodes from outside
        should be arguments: otherwise their hooks and `.grad` get the gradient in parts.

    Raises
    ------
    RuntimeError
        In the backward pass, if the second computation gives another result.
    TypeError
        When called, if `f` returns arrays of different dtypes.

    Notes
    -----
    For a chain of n operations cut into sqrt(n) pieces, memory is O(sqrt(n)) instead of O(n), at the cost of one more
    forward computation (Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost").  Inside a function that
    `compile` records, `f` is called as it is: a program frees what it does not need, and stores the rest.

    Examples
    --------
    >>> from autograd import Tensor, tanh
    >>> x = Tensor([0.5], requires_grad=True)
    >>> y = checkpoint(lambda x: tanh(tanh(x)))(x)
    >>> y.op, len(y.args)
    (<primitive checkpoint>, 1)
    """

    @functools.wraps(f)
    def checkpointed(*args: Tree, **kwargs: Tree) -> Tree:
        if not is_grad_enabled() or with_graph(False):
            return f(*args, **kwargs)
        segment = _Segment(f, args, kwargs, rng)
        nodes = [x for x in flatten(args)[0] if isinstance(x, Node)]
        inside = [leaf(type(x), x._value, x._requires_grad, x.name) for x in nodes]
        outputs = segment.run(inside)
        variables = segment.select(outputs)
        if not variables:
            return segment.rebuild_outputs(iter(outputs))
        own = set(inside)
        order = topological_order(*variables, variables_only=True)
        segment.captured = tuple([x for x in order if x.op is None and x not in own])
        inputs = (*nodes, *segment.captured)
        whole = record(segment, inputs, tuple([x._value for x in inputs]), {}, segment.packed(variables))
        parts = iter(_unpacked(whole, variables))
        live = set(segment.live)
        return segment.rebuild_outputs(iter([next(parts) if i in live else _cut(y) for i, y in enumerate(outputs)]))

    return checkpointed


class _Segment(Recomputed):
    """One call of a function as an operation, whose pullback calls the function again."""

    __slots__ = ("arguments", "captured", "count", "f", "kwargs", "live", "rebuild", "rebuild_outputs", "rng", "state")

    def __init__(self, f: Function, args: Operands, kwargs: Mapping[str, Tree], rng: np.random.Generator | None):
        # The constructor of the base class would store methods of this object in it, a reference cycle.
        self.name = self.symbol = "checkpoint"
        self.rules = ()
        self.forms = {}
        self.per_element = self.selects = False
        self.partials = None
        leaves, _, self.rebuild = flatten(args)
        self.arguments = [_NODE if isinstance(x, Node) else x for x in leaves]
        self.count = sum(isinstance(x, Node) for x in leaves)
        self.f, self.kwargs, self.rng = f, kwargs, rng
        self.state = {} if rng is None else rng.bit_generator.state
        self.captured: tuple[Node, ...] = ()
        self.live: list[int] = []

    def run(self, nodes: Sequence[Node]) -> list[Operand]:
        """Return the outputs of the function for these nodes, and store what rebuilds the nest."""
        given = iter(nodes)
        out = self.f(*self.rebuild(iter([next(given) if x is _NODE else x for x in self.arguments])), **self.kwargs)
        outputs, _, self.rebuild_outputs = flatten(out)
        return outputs

    def select(self, outputs: Sequence[Operand]) -> list[Node]:
        """Return the outputs that are variables, and store their positions."""
        self.live = [i for i, y in enumerate(outputs) if isinstance(y, Node) and y._requires_grad]
        variables = [outputs[i] for i in self.live]
        dtypes = {y._value.dtype for y in variables if type(y._value) is not float}
        if len(dtypes) > 1:
            raise TypeError(f"checkpoint() needs outputs of one dtype, not {sorted(map(str, dtypes))}; use astype()")
        return variables

    def packed(self, variables: Sequence[Node]) -> Data:
        """Return the data of all variables in one array; those of a single one unchanged."""
        data = list(map(raw_data, variables))  # inside no_grad, `grad` returns floats and arrays
        return data[0] if len(data) == 1 else np.concatenate(list(map(np.ravel, data)))

    def forward(self, *raw: Data) -> Data:
        """Compute the result from data."""
        count = self.count
        with no_grad(), self.repeated(raw[count:]):
            outputs = self.run([linked(x) for x in raw[:count]])
        return self.packed([outputs[i] for i in self.live])

    def set_state(self, values: Sequence[Data], state: Mapping[str, object]) -> None:
        """Assign the data of the captured leaves and the state of the generator."""
        for node, data in zip(self.captured, values, strict=True):
            node._value = data
        if self.rng is not None:
            self.rng.bit_generator.state = state

    @contextmanager
    def repeated(self, values: Sequence[Data]) -> Iterator[None]:
        """Restore what the function used when it was recorded, inside the block."""
        found = [node._value for node in self.captured]
        state = {} if self.rng is None else self.rng.bit_generator.state
        try:
            self.set_state(values, self.state)
            yield
        finally:
            self.set_state(found, state)

    def each(self, i: int) -> Operation:
        """Return the pullback to argument `i`."""
        return self.rules_for(i + 1)[i]

    def rules_for(self, count: int) -> tuple[Operation, ...]:
        """Return one pullback per argument; they share one second computation."""
        shares: list[Cotangent] = []

        def rule(i: int) -> Operation:
            def pullback(g: Cotangent, y: Operand, *inputs: Operand, masked: bool = False) -> Cotangent:
                if not shares:
                    shares.extend(self.cotangents(g, y, inputs, masked))
                return shares[i]

            return pullback

        return tuple([rule(i) for i in range(count)])

    def cotangents(self, g: Cotangent, y: Operand, inputs: Operands, masked: bool) -> list[Cotangent]:
        """Compute the function again on a separate graph, and return the cotangents of all inputs."""
        count = self.count
        with enable_grad():
            fresh = [linked(x) for x in inputs[:count]]
            with self.repeated(list(map(raw_data, inputs[count:]))):
                outputs = self.run(fresh)
            variables = [outputs[i] for i in self.live]
            if not np.array_equal(self.packed(variables), raw_data(y), equal_nan=True):
                raise RuntimeError(
                    f"checkpoint({getattr(self.f, '__name__', 'f')}) gave another result when it was computed again, "
                    "so its gradient would be wrong: pass the generator that it draws from as rng=, and do not change "
                    "what it uses between forward and backward"
                )
            # Stop at the inputs: they belong to the outer graph, whose backward pass continues there.
            inner = (*fresh, *self.captured)
            stop = set(inner)
            order = [node for node in topological_order(*variables, variables_only=True) if node not in stop]
            cotangent = summed(zip(variables, _unpacked(g, variables), strict=True))
            create_graph = any(isinstance(x, Node) for x in (y, *inputs))
            reverse_pass(order, cotangent, between(order, inner), create_graph=create_graph, masked=masked)
            shares = [cotangent.get(x) for x in inner]
            return [zero(x) if s is None else s for s, x in zip(shares, inputs, strict=True)]


_NODE = object()  # the place of a node among the arguments


def _cut(y: Operand) -> Operand:
    """Return an output without a gradient as a leaf."""
    return leaf(type(y), y._value, False, y.name) if isinstance(y, Node) else y


def _unpacked(whole: Operand, variables: Sequence[Node]) -> list[Operand]:
    """Return the parts of a packed array in the shapes of the variables."""
    if len(variables) == 1:
        return [whole]
    ends = np.cumsum([np.size(y._value) for y in variables[:-1]]).tolist()
    return [reshape(part, shape_of(y)) for part, y in zip(split(whole, ends), variables, strict=True)]
