"""A recorded training step: loss, gradients and the optimizer's update as one program."""

import copy
import itertools
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import setitem
from typing import Any, TypeAlias

import numpy as np

from autograd.graph import CHANGED, Node
from autograd.recording import watching
from autograd.typing import Array, Cotangent, Data, Function, Operand, Tree
from autograd.value import Value
from autograd.variable import leaf

from .call import Call
from .program import Program
from .recording import Recording
from .signature import Arguments
from .update import Options, RuleRecording, Update, data_of, scalars_of

Transform: TypeAlias = Callable[[dict[Node, Cotangent]], Mapping[Node, Cotangent]]


class StepCall(Call):
    """A recorded training step: one program of arrays, and one of the scalars of the update, such as ``1 - beta**t``.

    Parameters
    ----------
    function : callable
        Returns a loss, or a nest that begins with a loss.
    arguments : Arguments
        The arguments of the recorded call.
    optimizer : Optimizer
        Updates the parameters.
    transform : callable or None
        Changes the gradients.

    Attributes
    ----------
    members : list of Node
        The parameters that are updated.

    Raises
    ------
    RecordingError
        If the function or the rule reads data.
    """

    def __init__(self, function: Function, arguments: Arguments, optimizer: Any, transform: Transform | None) -> None:
        self.optimizer: Any = optimizer
        self._transform = transform
        super().__init__(function, arguments, grad_enabled=True)
        for update in self.updates:
            update.forget()
        for options in self._options:
            options.forget()

    def _program(
        self,
        arguments: Arguments,
        outputs: Sequence[Operand],
        gradients: Mapping[Node, Cotangent],
        recording: Recording,
    ) -> Program:
        if not gradients:
            raise RuntimeError("the loss of a training step depends on no variable: return a loss first")
        owned, rules = set(self.optimizer.parameters), RuleRecording(recording)
        gradients = {p: g for p, g in gradients.items() if p in owned}
        with watching(rules):
            if self._transform is not None:
                gradients = dict(self._transform(gradients))
            checks = [(g * 0.0).sum() for g in gradients.values()] if self.optimizer.skip_nonfinite else []
            replaced = self._record_updates(gradients, rules.scalars)
        self.branches: bool = rules.branches
        self.members: list[Node] = [*gradients]
        self._hooks = [(p, p.notes.hooks) for p in gradients]
        labels = {p: name for u in self.updates for p, name in zip(u.flat.members, u.flat.labels(), strict=True)}
        self._labels: list[str] = [labels[p] for p in gradients] if checks else []
        arrays = [x for update in self.updates for x in update.arrays]
        floats = [*[x for update in self.updates for x in update.floats], *self._shared.values()]
        inputs = [*arrays, *arguments.nodes, *floats, *[x for options in self._options for x in options.nodes]]
        names = [x.name for x in inputs]
        names[len(arrays) : len(arrays) + len(arguments.names)] = arguments.names
        new_arrays = [x for update in self.updates for x in update.new_arrays]
        new_floats = [*[x for update in self.updates for x in update.new_floats], *self._new_shared.values()]
        results = [*outputs, *checks, *new_arrays, *new_floats]
        first = [*recording.effects, *scalars_of(results, {*rules.scalars})]
        program = Program(inputs, results, len(outputs), first, names, (), replaced)
        self._flats = [update.flat for update in self.updates]
        self._has_floats = bool(self._shared) or any(len(update.floats) > 1 for update in self.updates)
        self._are_arrays = arguments.are_arrays
        self._arguments = range(len(arrays), len(arrays) + len(arguments.nodes))
        self._ready: Any = None  # for `again`
        self._is_in_place = not checks and all(update.is_steady for update in self.updates)
        if self._is_in_place:
            after = self._arguments.stop
            numbers = [*range(len(arrays)), *range(after, after + len(floats))]
            program.repeated = {number: i for i, number in enumerate(numbers, len(outputs))}
        return program

    def _record_updates(self, gradients: Mapping[Node, Cotangent], scalars: dict[Node, Any]) -> dict[Node, Node]:
        """Record the update of every vector, and return the parts of the vectors that replace the parameters."""
        optimizer, first = self.optimizer, self.optimizer.param_groups[0]
        groups = {id(group): Options(group, scalars) for group in optimizer.param_groups}
        self._options = list(groups.values())
        with watching(False):  # the optimizer reads parameters
            moving = optimizer.moving(gradients.__contains__)
            self.updates: list[Update] = [Update(flat, optimizer, groups[id(group)], scalars) for flat, group in moving]
        if not self.updates:
            raise RuntimeError(
                f"the loss depends on no parameter of this {type(optimizer).__name__}: make the optimizer from the "
                "parameters of the model that the loss uses"
            )
        joined = [update.flat.joined([gradients[p] for p in update.flat.members]) for update in self.updates]
        for g in joined:
            if isinstance(g, Node) and not g.name:
                g.name = "gradient"
        self._shared: dict[str, Node] = {
            name: leaf(Value, first[name], False, name)
            for name, value in optimizer.shared.items()
            if isinstance(value, float)
        }
        for options in self._options:
            options.update(self._shared)
        terms = [update.terms(g) for update, g in zip(self.updates, joined, strict=True)]
        self._new_shared: dict[str, Any] = optimizer.shared_values(groups[id(first)], terms)
        for options in self._options:
            options.update(self._new_shared)
        for update, g in zip(self.updates, joined, strict=True):
            update.record(optimizer, g)
        return dict(itertools.chain.from_iterable(update.views().items() for update in self.updates))

    def _start(self) -> None:
        super()._start()
        self._states += [(p, True, hooks, None, None) for p, hooks in self._hooks]

    def changed(self) -> str:
        """Return in words what prevents a replay."""
        if reason := super().changed():
            return reason
        if not all(map(Update.is_valid, self.updates)):
            return "the state of the optimizer has other parts"
        return "" if self._present_options() is not None else "an option of the optimizer has another value"

    def _present_options(self) -> list[float] | None:
        """Return the floats among the options; None if other options have changed."""
        found: list[float] = []
        for own in self._options:
            if (floats := own.floats()) is None:
                return None
            found += floats
        return found

    def _given_floats(self) -> list[float]:
        """Return step counts, floats of states, and values that the vectors share."""
        group = self.optimizer.param_groups[0]
        return [*[x for update in self.updates for x in update.given()], *[group[name] for name in self._shared]]

    def __call__(self, inputs: Sequence[Data], sources: Sequence[Operand]) -> Tree:
        """Run the program, complete the optimizer's step, and return the result."""
        memory = self._memory()
        data = [*inputs, *self._given_floats(), *(self._present_options() or ()), *[x._value for x in self._leaves]]
        machine = self.executor.chosen() if self._is_in_place else None
        if machine is None:
            found = self.executor.run(*memory, *data)
            self._take(found)
            return self._result(found)
        self._set(machine, memory, data)
        machine.execute()
        self._complete(machine.floats(), 1)
        self._prepare(machine)
        return self._result(machine.results(self._count))

    def _memory(self) -> list[Array]:
        """Return the vectors of parameters and the arrays of the states, which may change in place."""
        return [x for update in self.updates for x in update.memory()]

    def _prepare(self, machine: Any) -> None:
        """Prepare `again`, for arguments and variables from outside that are arrays."""
        inputs, count = machine.lowered.inputs, len(machine.lowered.inputs)
        numbers = [*self._arguments, *range(count - len(self._leaves), count)]
        if machine.at_once is None or not self._are_arrays or not machine.setters.keys() >= {*numbers}:
            return
        # The guards of modules read counters in lists, which are compared at once.
        owners = [getattr(function, "__self__", None) for function, *_ in self._guards]
        lists = [owner for owner in owners if isinstance(owner, list)]
        others = [g for g, owner in zip(self._guards, owners, strict=True) if not isinstance(owner, list)]
        slots = [(inputs[i].shape, inputs[i].dtype, machine.setters[i]) for i in numbers]
        buffers = [flat.current for flat in self._flats]
        self._ready = machine, slots, CHANGED[0], lists, [*map(list.copy, lists)], others, buffers

    def again(self, args: tuple[Tree, ...]) -> Tree | None:
        """Take a step in the native machine, like the last one; None if more than the data differs."""
        if self._ready is None:
            return None
        machine, slots, changed, lists, answers, others, buffers = self._ready
        if self._leaves:
            args = (*args, *map(data_of, self._leaves))
        if len(args) != len(slots) or CHANGED[0] is not changed or lists != answers:
            return None
        for function, given, answer in others:
            if function(*given) != answer:
                return None
        for options in self._options:
            if options.read(options.group) != options.seen:
                if (floats := self._present_options()) is None:
                    return None
                machine.write_floats[1](*floats)
        if self._has_floats:
            machine.write_floats[0](*self._given_floats())
        for x, (shape, dtype, write) in zip(args, slots):  # noqa: B905 - strict costs 0.2 us a step
            if type(x) is not np.ndarray or x.shape != shape or x.dtype != dtype:
                return None
            write(x)
        if not all([buffer.is_free(True) for buffer in buffers]) or not machine.at_once():  # noqa: C419 - is faster
            return None
        if self._has_floats:
            self._complete(machine.floats(), 1)
        else:
            self.optimizer.complete(self._flats, {})
        return self._result(machine.results(self._count))

    def _set(self, machine: Any, memory: Sequence[Array], data: Sequence[Data | None]) -> None:
        """Let the machine work in the memory of the optimizer, on these data."""
        for number, x in enumerate(memory):
            machine.place(number, x)
        machine.set([*[None] * len(memory), *data])

    def first_result(self, sources: Sequence[Operand]) -> Tree:
        """Complete the step that was recorded, and return its result."""
        found, self._found = self._found, ()
        for update in self.updates:
            update.is_valid()
            update.memory()
        self._take(found)
        return self._result(found)

    def _take(self, found: Sequence[Data]) -> None:
        """Store the results, unless gradients are nonfinite and such steps are skipped."""
        rest = iter(found[self._count :])
        if culprits := [name for name, x in zip(self._labels, rest, strict=False) if x != 0.0]:
            self.optimizer.skip(culprits)
            return
        targets, new = list[Any](), list[Any]()
        for update in self.updates:
            found = [*itertools.islice(rest, update.count)]
            targets += update.targets(found)
            new += found
        # One call of C functions, which Ctrl-C does not interrupt.
        deque(map(setitem, targets, itertools.repeat(...), new), 0)
        self._complete(map(float, rest), 1)

    def _complete(self, floats: Iterable[float], steps: int) -> None:
        """Complete steps whose arrays are in memory of the optimizer."""
        rest = iter(floats)
        for update in self.updates:
            update.complete(rest)
        self.optimizer.complete(self._flats, dict(zip(self._new_shared, rest, strict=True)), steps)

    def many(self, arrays: Sequence[Array], rows: Array, scheduler: Any) -> Array:
        """Take steps in the native machine, and return their losses; of none where it is not available."""
        machine = self.executor.chosen() if self._is_in_place else None
        if machine is None:
            return np.empty(0)
        groups = self.optimizer.param_groups
        before = None if scheduler is None else (copy.deepcopy(scheduler.state_dict()), list(map(dict, groups)))
        options = self._scheduled(len(rows), scheduler)
        memory = self._memory()
        leaves = [x._value for x in self._leaves]
        self._set(machine, memory, [*[None] * len(arrays), *self._given_floats(), *options[0], *leaves])
        leaves = [x for x in leaves if type(x) is float]
        floats = None if scheduler is None else np.array([[*row, *leaves] for row in options])
        done, losses = machine.execute_many(arrays, len(memory), rows[: len(options)], floats)
        if done < len(options) and before is not None:  # an error stopped the machine
            scheduler.load_state_dict(before[0])
            for group, old in zip(groups, before[1], strict=True):
                group.update(old)
            self._scheduled(done, scheduler)
        if done:
            self._complete(machine.floats(), done)
        return np.asarray(losses, float).reshape(done)

    def _scheduled(self, times: int, scheduler: Any) -> list[list[float]]:
        """Return the options of the next steps, of fewer if the program is not valid for all of them."""
        optimizer, taken, found = self.optimizer, self.optimizer.step_count, list[list[float]]()
        try:
            while len(found) < times and (options := self._present_options()) is not None:
                found.append(options)
                if scheduler is None:
                    return found * times
                optimizer.step_count += 1  # which schedules compare with their own count
                scheduler.step()
        finally:
            optimizer.step_count = taken
        return found
