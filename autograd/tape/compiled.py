"""Compiled functions: a call is recorded once per signature, and replayed in later calls."""

from __future__ import annotations

import functools
import inspect
import types
import warnings
import weakref
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from autograd.backward import backward, store, storing
from autograd.diagnostics import current_evaluation, evaluation_of
from autograd.graph import CHANGED, KINDS, Node, topological_order
from autograd.recording import NotReplayable, current_mode, settled_mode, watching
from autograd.runtime import reentrant_lock, uncollected
from autograd.transforms.functional import Recorded
from autograd.transforms.nested import flatten, mapped
from autograd.typing import Cotangent, Data, Function, Operand, Tree
from autograd.variable import leaf

from .executor import Executor
from .program import Program
from .recording import Recording, RecordingError, gradients_of

Key = tuple[object, ...]

MOST_PROGRAMS = 64  # cache keys; the oldest are dropped.  As many recordings cause a warning
MOST_VARIANTS = 8  # programs of one cache key, for different results of the guards


def signature_of(
    args: tuple[Tree, ...], kwargs: dict[str, Tree], grad_enabled: bool
) -> tuple[Key, Sequence[Data], Sequence[Operand]]:
    """Return the cache key of a call, the data of its inputs, and the arguments that they come from."""
    kinds = [(a.shape, a.dtype) for a in args if type(a) is np.ndarray and a.dtype.char != "O"]
    if len(kinds) == len(args) and not kwargs:
        return (grad_enabled, *kinds), args, args
    leaves, paths, _ = flatten((args, kwargs))
    key: list[object] = [grad_enabled, tuple(paths), _structure((args, kwargs))]
    inputs: list[Data] = []
    sources: list[Operand] = []
    for a in leaves:
        data = _input_data(a)
        if data is None:
            key += (type(a), a)
            continue
        inputs.append(data)
        sources.append(a)
        key.append(float if type(data) is float else (data.shape, data.dtype))
        if isinstance(a, Node):
            key += (type(a), a._requires_grad, a.op is None, a.hooks)
    return tuple(key), inputs, sources


def _structure(tree: Tree) -> object:
    """Return a key that differs for lists, tuples and dicts of the same leaves, and for None."""
    if not isinstance(tree, (dict, list, tuple)):
        return tree is None
    return type(tree), *map(_structure, tree.values() if isinstance(tree, dict) else tree)


def _input_data(a: Operand) -> Data | None:
    """Return the float or array of an argument that is an input; None if it is part of the key, as an int is."""
    if isinstance(a, Node):
        return a._value
    if isinstance(a, (float, np.floating)):
        return float(a)
    return np.asarray(a) if isinstance(a, np.ndarray) else None


class Arguments:
    """The arguments of a recorded call, with a new node in place of every input.

    Attributes
    ----------
    nodes : list of Node
        The inputs, in order; they share the data of the arguments.
    args, kwargs : tuple, dict
        What the function is called with.
    described : dict of str to str
        For each argument by name the shape and dtype of an input, or the value of anything else.
    """

    args: tuple[Tree, ...]
    kwargs: dict[str, Tree]

    def __init__(self, function: Function, args: tuple[Tree, ...], kwargs: dict[str, Tree]) -> None:
        leaves, _, rebuild = flatten((args, kwargs))
        names = _names(function, args, kwargs)
        given = [_input(a, name) for a, name in zip(leaves, names, strict=True)]
        self.nodes: list[Node] = [x for x in given if isinstance(x, Node)]
        self.described: dict[str, str] = dict(zip(names, map(_described, given), strict=True))
        self.args, self.kwargs = rebuild(iter(given))


def as_input(a: Operand) -> Operand:
    """Return a float or array as a node, and anything else unchanged."""
    return a if isinstance(a, Node) else _input(a, "")


def _input(a: Operand, name: str) -> Operand:
    """Return a new node in place of a float, an array or a node; anything else unchanged."""
    data = _input_data(a)
    if data is None:
        return a
    if type(data) is not float and data.dtype.kind not in "biuf":
        raise TypeError(
            f"argument {name} of a compiled function is an array of dtype {data.dtype}, which is not numeric"
        )
    if not isinstance(a, Node):
        return leaf(KINDS[type(data)][0], data, False, name)
    if a._requires_grad and a.op is not None:
        raise TypeError(
            f"argument {name} of a compiled function was computed from variables, to which a replay passes no "
            "gradient: compile the whole computation, or call detach() on the argument"
        )
    node: Node = leaf(type(a), data, a._requires_grad, name)
    if a._requires_grad:
        node.hooks = a.hooks
    return node


def _described(x: Operand) -> str:
    if not isinstance(x, Node):
        return f"{x!r:.60}"
    return "a float" if type(x._value) is float else f"{x._value.dtype} of shape {x._value.shape}"


def _names(function: Function, args: Sequence[Tree], kwargs: dict[str, Tree]) -> list[str]:
    """Return a name for every leaf of the arguments, from the parameters of the function."""
    try:
        given = inspect.signature(function).bind_partial(*args).arguments
    except (TypeError, ValueError):  # a callable without a signature
        given = {f"argument{i}": a for i, a in enumerate(args)}
    return [path for name, a in (*given.items(), *kwargs.items()) for path in flatten(a, name)[1]]


class Call:
    """A recorded call.

    A node that the function creates in each call, such as ``Value(x)`` of an input, is freed after the recorded call:
    nobody can change it or read its gradient, so it becomes a constant.  Other variables are read in each replay.

    Parameters
    ----------
    function : callable
        The function.
    arguments : Arguments
        Its arguments.
    grad_enabled : bool
        Whether gradients of a loss are computed.

    Attributes
    ----------
    executor : Executor
        What runs the program.
    found : sequence
        The results of the recorded call, from which `completed` makes that of the function.
    branches : bool
        Whether another program may be valid where this one raises `NotReplayable`.

    Raises
    ------
    NotReplayable
        If the call must be computed eagerly.
    """

    branches: bool = False

    def __init__(self, function: Function, arguments: Arguments, grad_enabled: bool) -> None:
        self._states: list[tuple[Node, tuple[object, ...]]] = []  # variables, each with what it must have in a replay
        self._checked: object = None  # `CHANGED` when the variables were checked
        program = self._record(function, arguments, Recording(grad_enabled))
        variables = [(weakref.ref(x), type(x), x._value) for x in program.variables]
        program.variables.clear()
        # The recorded graph is gone now, and with it the variables that the function has created.
        kept = [reference() for reference, *_ in variables]
        self._leaves = [leaf(*new) if x is None else x for x, (_, *new) in zip(kept, variables, strict=True)]
        self._states += [(x, state_of(x)) for x in kept if x is not None]
        given, self._targets = [*arguments.nodes, *self._leaves], program.targets
        for i in reversed(range(len(self._targets))):
            if not given[self._targets[i]]._requires_grad:  # the function has created it
                del self._targets[i], program.results[self._count + i], program.found[self._count + i]
        self._are_floats = all(type(given[t]._value) is float for t in self._targets)
        # Of a call without arguments, which may be a graph of thousands of floats.
        self._nodes = [] if arguments.nodes else [self._leaves[t] for t in self._targets]
        self.found: Sequence[Data] = [np.array(x, order="C") if isinstance(x, np.ndarray) else x for x in program.found]
        self.executor: Executor = Executor(program)

    def _record(self, function: Function, arguments: Arguments, recording: Recording) -> Program:
        """Record the call, and return its program."""
        with watching(recording):
            result = function(*arguments.args, **arguments.kwargs)
            outputs, paths, self._rebuild = flatten(result, "result", dataclasses=True)
            for y, path in zip(outputs, paths, strict=True):
                _check_result(y, path)
            loss = loss_of(outputs) if recording.grad_enabled else None
            gradients = {} if loss is None else gradients_of(loss)
        self._count = len(outputs)
        program = self._program(arguments, outputs, gradients, recording)
        recording.refuse_draws()
        recording.refuse_outside(*outputs, *recording.effects)
        # A function of floats and arrays alone returns floats and arrays, as operations do.
        is_plain = not program.leaves and not gradients and not any(node._requires_grad for node in arguments.nodes)
        self._are_nodes = [isinstance(x, Node) and not is_plain for x in outputs]
        self._guards = [*recording.guards.values()]
        return program

    def _program(
        self, given: Arguments, outputs: Sequence[Operand], gradients: Mapping[Node, Cotangent], recording: Recording
    ) -> Program:
        """Return the program."""
        results = [*outputs, *gradients.values()]
        return Program(given.nodes, results, len(outputs), recording.effects, variables=[*gradients])

    def changed(self) -> bool:
        """Return whether a variable has another shape or dtype, requires_grad or hook, or a guard another answer."""
        if self._checked is not (mark := CHANGED[0]):
            for x, state in self._states:
                if state_of(x) != state:
                    return True
            self._checked = mark
        return bool(self._guards) and any(function(*args) != answer for function, args, answer in self._guards)

    def __call__(self, inputs: Sequence[Data], sources: Sequence[Operand]) -> Tree:
        """Run the program, and return the result of the function."""
        return self.completed(self.executor.run(*self._data(inputs)), sources)

    def completed(self, found: Sequence[Data], sources: Sequence[Operand]) -> Tree:
        """Store the gradients among the results of the program, and return the result of the function."""
        self._store(found[self._count :], sources)
        return self._result(found)

    def _data(self, inputs: Sequence[Data]) -> Sequence[Data]:
        """Return the data of all inputs of the program."""
        return [*inputs, *[x._value for x in self._leaves]]

    def _result(self, found: Sequence[Data]) -> Tree:
        """Return the result of the function from its leaves."""
        return self._rebuild(iter([_as_result(x, is_node) for x, is_node in zip(found, self._are_nodes, strict=False)]))

    def _store(self, found: Sequence[Data], sources: Sequence[Operand]) -> None:
        """Add gradients to those of the variables."""
        nodes, gradients = self._nodes, found
        if sources:  # may be given twice, or be used anyway
            variables, sums = [*sources, *self._leaves], dict[Any, Any]()
            for t, g in zip(self._targets, found, strict=True):
                sums[variables[t]] = sums[variables[t]] + g if variables[t] in sums else g
            nodes, gradients = [*sums], [*sums.values()]
        with storing:
            held = [x._grad for x in nodes]
            if held.count(0.0) == len(held) if self._are_floats else all(g is None for g in held):
                for x, zero, g in zip(nodes, held, gradients, strict=True):  # which share memory with nothing
                    x._grad = g if zero is None else zero + g
                    x.stamp = id(x._value)
            else:  # which gives advice
                store(dict(zip(nodes, gradients, strict=True)), False)


def state_of(x: Node) -> tuple[object, ...]:
    """Return what a variable must have in a replay."""
    data = x._value
    own = (x._requires_grad, x.notes.hooks)
    return own if type(data) is float else (*own, data.shape, data.dtype)


def _check_result(y: Operand, path: str) -> None:
    """Raise if a replay cannot update a result."""
    if type(y) is not np.ndarray and not isinstance(y, (Node, np.generic, float, int, str, bytes)):
        raise RecordingError(
            f"{path} of a compiled function is a {type(y).__name__}, in which a replay cannot update values: "
            "return nodes, arrays, numbers and strings, alone or in lists, tuples, dicts and data classes"
        )


def loss_of(outputs: Sequence[Operand]) -> Node | None:
    """Return the first result if its gradient reaches a leaf; raise if it does and the result is not a scalar."""
    y = outputs[0] if outputs else None
    if not isinstance(y, Node) or not y._requires_grad:
        return None
    if all(node.op is not None for node in topological_order(y, variables_only=True)):
        return None
    if isinstance(y._value, np.ndarray) and y._value.size != 1:
        raise RuntimeError(
            "backward() starts from a scalar, and a compiled function starts it from its first result, which has shape "
            f"{y._value.shape}. Return a scalar loss first, made by .sum() or .mean(), or call the function "
            "inside autograd.no_grad() for its results alone"
        )
    return y


def _as_result(x: Data, is_node: bool) -> Operand:
    """Return a result of a replay as the function returns it: a node, a float or an array."""
    if not is_node:
        return x[()] if type(x) is np.ndarray and not x.ndim else x
    kind, convert = KINDS[type(x)]
    return leaf(kind, x if convert is None else convert(x))


class Programs:
    """A function with the programs recorded for its calls.

    Parameters
    ----------
    function : callable
        The function.
    """

    def __init__(self, function: Any) -> None:
        if not callable(function):  # a class method is compiled below @classmethod
            raise TypeError(f"compile takes a function, such as lambda x: loss(model(x)), not {function!r:.60}")
        functools.update_wrapper(self, function)  # type: ignore[arg-type]
        self.function: Function = function
        self._programs: dict[Key, list[Any]] = {}
        self._lock = reentrant_lock()  # a program has one set of arrays to write into
        self._recordings = 0
        self._described: dict[str, str] = {}  # the arguments of the last recording
        self._refusal: str = ""  # why the last recording was given up

    def _replayed(self, args: tuple[Tree, ...], kwargs: dict[str, Tree], grad_enabled: bool) -> Tree:
        """Replay a valid program, or record a new one."""
        if self._lock._is_owned():  # called by one of its own callbacks, whose program is writing into its arrays
            return self._eagerly(args, kwargs)
        key, inputs, sources = signature_of(args, kwargs, grad_enabled)
        with self._lock:
            for program in self._programs.get(key, ()):
                if not program.changed():
                    try:
                        return program(inputs, sources)
                    except (NotReplayable, ValueError, TypeError, ArithmeticError, IndexError) as error:
                        # An error is raised again by the line that causes it.  Other calls succeed, such as those in
                        # which only the derivative of a float is infinite.
                        if not (isinstance(error, NotReplayable) and program.branches):
                            return self._eagerly(args, kwargs)
            return self._record(key, args, kwargs, sources)

    def _record(self, key: Key, args: tuple[Tree, ...], kwargs: dict[str, Tree], sources: Sequence[Operand]) -> Tree:
        while len(self._programs) >= MOST_PROGRAMS and key not in self._programs:
            del self._programs[next(iter(self._programs))]
        arguments = Arguments(self.function, args, kwargs)
        self._recordings += 1
        old, self._described = self._described, arguments.described
        if self._recordings == MOST_PROGRAMS + 1:
            changes = [
                f"{name} was {old.get(name, 'absent')}, now {x}"
                for name, x in self._described.items()
                if x != old.get(name)
            ]
            warnings.warn(
                f"{getattr(self.function, '__name__', 'a function')} was recorded {MOST_PROGRAMS} times, which takes "
                f"longer than computing it eagerly. Since the last recording {', '.join(changes) or 'state changed'}. "
                "A program is recorded for each combination of shapes, of arguments other than floats and arrays, and "
                "of guarded state: pass a number that changes in each call as a float, and batches of few sizes",
                RuntimeWarning,
                stacklevel=4,
            )
        try:
            with uncollected():
                program = self._recorded(arguments)
        except NotReplayable as error:
            self._refusal = str(error)
            return self._eagerly(args, kwargs)
        found, program.found = program.found, ()
        self._programs[key] = [program, *self._programs.get(key, [])][:MOST_VARIANTS]
        return program.completed(found, sources)

    def _recorded(self, arguments: Arguments) -> Call:
        """Return a recorded call."""
        return Call(self.function, arguments, bool(current_mode()))

    def _eagerly(self, args: tuple[Tree, ...], kwargs: dict[str, Tree]) -> Tree:
        """Compute what a replay would, without one."""
        raise NotImplementedError

    def source(self) -> str:
        """Return the source code of the program recorded last.

        Examples
        --------
        >>> import numpy as np
        >>> from autograd import Tensor, compile, tanh
        >>> w = Tensor(0.5, requires_grad=True, name="w")
        >>> step = compile(lambda x: tanh(w * x))
        >>> _ = step(np.array(2.0))
        >>> print(step.source())
        def replay(x, w):
        ...
            return (...)
        """
        if not self._programs:
            reason = f": the calls are computed eagerly ({self._refusal})" if self._refusal else " yet"
            raise RuntimeError(f"no program is recorded{reason}; call the compiled function before source()")
        return [programs[0] for programs in self._programs.values()][-1].executor.text.source  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        name = getattr(self.function, "__qualname__", type(self.function).__name__)
        return f"<compiled {name}, programs recorded: {sum(map(len, self._programs.values()))}>"


class Compiled(Programs, Recorded):
    """A function with its recorded programs; see `compile`."""

    def __call__(self, /, *args: Tree, **kwargs: Tree) -> Tree:
        """Return the result of the function; accumulate the gradients of a loss in `.grad`."""
        mode = settled_mode()
        if current_evaluation() or isinstance(mode, Recording):  # the call is part of a larger computation
            return self._call(args, kwargs)
        if mode is not True and mode is not False:  # the watcher is notified of every operation
            return self._eagerly(args, kwargs)
        return self._replayed(args, kwargs, mode)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> NoReturn:
            cure = ": pass optimizer= to compile" if name == "many" else ""
            raise AttributeError(f"a compiled function has no attribute {name!r}{cure}")

    def __get__(self, instance: object, owner: type | None = None) -> Function:
        """Return the compiled method of `instance`, which keeps the programs and is freed with them."""
        bound = self.function.__get__(instance, owner) if hasattr(self.function, "__get__") else None
        if not isinstance(bound, types.MethodType):  # a static method, for example
            return self
        if isinstance(instance, type) or not hasattr(instance, "__dict__"):  # part of the cache key
            return types.MethodType(self, instance)
        methods = vars(instance).get("_compiled", {})
        if self not in methods or methods[self].function.__self__ is not instance:  # a copy of another instance
            vars(instance)["_compiled"] = methods = _Methods({**methods, self: type(self)(bound)})
        return methods[self]  # type: ignore[no-any-return]

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.function,)  # a copy starts without programs

    def _call(self, args: tuple[Tree, ...], kwargs: dict[str, Tree]) -> Tree:
        """Call the function with nodes in place of floats and arrays, as when it is recorded."""
        args, kwargs = mapped(as_input, (args, kwargs))
        return self.function(*args, **kwargs)

    def _eagerly(self, args: tuple[Tree, ...], kwargs: dict[str, Tree]) -> Tree:
        return mapped(detached, self.computed(*args, **kwargs), dataclasses=True)

    def computed(self, /, *args: Tree, **kwargs: Tree) -> Tree:
        """Return the result of the function with its graph, after the backward pass of a loss."""
        try:
            with evaluation_of(set()):  # other compiled functions are a part of this one, as they are of its programs
                result = self._call(args, kwargs)
        except NotReplayable as error:
            raise RuntimeError(
                f"a callback raised NotReplayable({error}) when the call was computed eagerly: raise it in replays only"
            ) from error
        loss = loss_of(flatten(result, dataclasses=True)[0]) if current_mode() else None
        if loss is not None:
            backward(loss)
        return result


class _Methods(dict[Compiled, Compiled]):
    """The compiled methods of an instance; none in a copy or pickle of it."""

    def __reduce__(self) -> tuple[object, ...]:
        return _Methods, ()


def detached(x: Operand) -> Operand:
    """Return a node without its graph; anything else unchanged."""
    return leaf(type(x), x._value) if isinstance(x, Node) else x
