"""A recorded training step: loss, gradients and the optimizer's update as one program."""

import copy
import itertools
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import setitem
from typing import Any, TypeAlias

import numpy as np

from autograd.graph import CHANGED, Node, topological_order
from autograd.recording import NotReplayable, watching
from autograd.typing import Array, Cotangent, Data, Function, Operand, Tree
from autograd.value import Value
from autograd.variable import leaf

from .call import Call
from .program import Program
from .recording import Recording
from .signature import Arguments
from .update import Options, RuleRecording, Update, of_kind, scalars_of

Transform: TypeAlias = Callable[[dict[Node, Cotangent]], Mapping[Node, Cotangent]]


class StepCall(Call):
    """A recorded training step.

    The program has more inputs than that of a `Call`: vectors of parameters and arrays of states before the arguments;
    step counts, floats of states, values that the vectors share, and options after them.  All but the options are
    replaced by results after the outputs.

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
        self._memory: list[Array] = []  # vectors of parameters, each followed by the arrays of its state
        # `CHANGED` and the number of steps when the machine had taken the last step, with the present options.
        self._placed: object = None
        self._steps: int = -1
        super().__init__(function, arguments, Recording())
        for update in self.updates:
            update.before.clear()  # which keep the recorded graph alive
            update.after.clear()

    def _program(
        self, given: Arguments, outputs: Sequence[Operand], gradients: Mapping[Node, Cotangent], recording: Recording
    ) -> Program:
        if not gradients:
            raise RuntimeError("the loss of a training step depends on no variable: return a loss first")
        owned, rules = set(self.optimizer.parameters), RuleRecording(recording)
        gradients = {p: g for p, g in gradients.items() if p in owned}
        with watching(rules):
            if self._transform is not None:
                gradients = dict(self._transform(gradients))
            checks = [(g * 0.0).sum() for g in gradients.values()] if self.optimizer.skip_nonfinite else []
            shared, new_shared = self._record_updates(gradients, rules)
            replaced = dict(itertools.chain.from_iterable(update.views().items() for update in self.updates))
        self.branches: bool = rules.branches
        self.members: list[Node] = [*gradients]
        self._states += [(p, True, p.notes.hooks, None, None) for p in gradients]
        self._skippable = self.members if checks else []
        before = [x for update in self.updates for x in update.before]
        after = [x for update in self.updates for x in update.after]
        results = [*outputs, *checks, *of_kind(after, False), *of_kind(after, True), *new_shared.values()]
        order = topological_order(*[x for x in results if isinstance(x, Node)])
        arrays, floats = of_kind(before, False), [*of_kind(before, True), *shared.values()]
        options = [x for own in self._options for x in own.used({*order}, rules.options)]
        names = [*[x.name for x in arrays], *given.names, *[x.name for x in (*floats, *options)]]
        effects = [*recording.effects, *scalars_of(order, rules.scalars)]
        inputs = [*arrays, *given.nodes, *floats, *options]
        program = Program(inputs, results, len(outputs), effects, names, replaced=replaced)
        self._flats = [update.flat for update in self.updates]
        self._shared = [*shared]
        self._has_floats = len(floats) > len(self.updates)
        first, last = len(arrays), len(arrays) + len(given.nodes)
        self._numbers = [*range(first, last), *program.leaves]
        self._is_in_place = not checks and all(update.is_steady for update in self.updates)
        if self._is_in_place:
            numbers = [*range(first), *range(last, last + len(floats))]
            program.repeated = {number: i for i, number in enumerate(numbers, len(outputs))}
        return program

    def _record_updates(
        self, gradients: Mapping[Node, Cotangent], rules: RuleRecording
    ) -> tuple[dict[str, Node], dict[str, Any]]:
        """Record the update of every vector, and return the values that all vectors share before and after the step."""
        optimizer, first = self.optimizer, self.optimizer.param_groups[0]
        shared: dict[str, Node] = {
            name: leaf(Value, first[name], False, name)
            for name, value in optimizer.shared.items()
            if isinstance(value, float)
        }
        self._options = [Options(group, shared) for group in optimizer.param_groups]
        nodes = {id(options.group): {**options.nodes, **shared} for options in self._options}
        with watching(False):  # the optimizer reads parameters
            moving = optimizer.moving(gradients.__contains__)
            self.updates: list[Update] = [Update(flat, optimizer, group) for flat, group in moving]
        if not self.updates:
            raise RuntimeError(
                f"the loss depends on no parameter of this {type(optimizer).__name__}: make the optimizer from the "
                "parameters of the model that the loss uses"
            )
        rules.options.update((x, False) for own in self._options for x in own.leaves if isinstance(x, Node))
        rules.scalars.update(rules.options, shared.values(), *[of_kind(update.before, True) for update in self.updates])
        terms = []
        for update, (flat, group) in zip(self.updates, moving, strict=True):
            g = flat.joined([gradients[p] for p in flat.members])
            if isinstance(g, Node) and not g.name:
                g.name = "gradient"
            vector, t, *state = update.before
            terms.append((vector, g, tuple(state), nodes[id(group)], t))
        new_shared: dict[str, Any] = optimizer.shared_values(nodes[id(first)], terms)
        for update, (*given, options, t) in zip(self.updates, terms, strict=True):
            update.record(*optimizer.updated(*given, {**options, **new_shared}, t))
        return shared, new_shared

    def changed(self) -> str:
        """Return in words what prevents a replay."""
        if reason := Call.changed(self):
            return reason
        for own in self._options:
            if own.read(own.group) != own.seen:
                self._placed = None
                if not own.is_valid():
                    return "an option of the optimizer has another value"
        self._is_placed = self._placed is CHANGED[0] and self._steps == self.optimizer.step_count
        for update in self.updates:
            flat, is_known = update.flat, update.flat.states is update.known
            self._is_placed = self._is_placed and is_known and flat.current.is_free(True)
            if not is_known and not update.is_valid():
                return "the state of the optimizer has other parts"
        return ""

    def __call__(self, inputs: Sequence[Data], sources: Sequence[Operand]) -> Tree:
        """Run the program, complete the optimizer's step, and return the result."""
        machine = self.executor.machine or self.executor.chosen() if self._is_in_place else None
        if machine is None:
            found = self.executor.run(*self._data(inputs))
            self._store(found, sources)
            return self._result(found)
        if self._is_placed and self._writers:
            data = (*inputs, *[x._value for x in self._leaves]) if self._leaves else inputs
            for write, x in zip(self._writers, data):  # noqa: B905 - strict costs 0.2 us a step
                write(x)
        else:
            self._place(machine, inputs)
        machine.execute()
        if self._is_placed and not self._has_floats:
            self.optimizer.complete(self._flats, {})
        else:
            self._complete(machine.floats())
        self._placed, self._steps = CHANGED[0], self.optimizer.step_count
        return self._result(machine.results(self._count))

    def first_result(self, sources: Sequence[Operand]) -> Tree:
        """Complete the step that was recorded, and return its result."""
        self._memory = [x for update in self.updates for x in (update.vector(), *update.new_arrays)]
        return super().first_result(sources)

    def _data(self, inputs: Sequence[Data | None]) -> list[Any]:
        """Return the data of all inputs of the program, which begin with the memory that may change in place."""
        group, floats, self._memory = self.optimizer.param_groups[0], list[float](), list[Array]()
        for update in self.updates:
            arrays, numbers = update.state()
            self._memory += update.vector(), *arrays
            floats += update.flat.t + 1.0, *numbers
        floats += [group[name] for name in self._shared]
        return [*self._memory, *inputs, *floats, *self._others()]

    def _others(self) -> list[Data]:
        """Return the options, and the data of variables from outside."""
        return [*[x for own in self._options for x in own.floats], *[x._value for x in self._leaves]]

    def _place(self, machine: Any, inputs: Sequence[Data | None]) -> None:
        """Let the machine work in the memory of the optimizer, and set the other inputs that are given."""
        data, count = self._data(inputs), len(self._memory)
        for number, x in enumerate(self._memory):
            machine.place(number, x)
        machine.set([*[None] * count, *data[count:]])
        writers = [machine.setters.get(i) for i in self._numbers]
        self._writers = [] if None in writers else writers  # floats are set together

    def _store(self, found: Sequence[Data], sources: Sequence[Operand]) -> None:
        """Store the results, unless gradients are nonfinite and such steps are skipped."""
        rest = iter(found[self._count :])
        if culprits := [p for p, x in zip(self._skippable, rest, strict=False) if x != 0.0]:
            labels = {p: name for flat in self._flats for p, name in zip(flat.members, flat.labels(), strict=True)}
            self.optimizer.skip([labels[p] for p in culprits])
            return
        # One call of C functions, which Ctrl-C does not interrupt.
        deque(map(setitem, self._memory, itertools.repeat(...), rest), 0)  # type: ignore[arg-type]
        self._complete(map(float, rest))

    def _complete(self, floats: Iterable[float], steps: int = 1) -> None:
        """Complete steps whose arrays are in memory of the optimizer."""
        arrays, rest = iter(self._memory), iter(floats)
        for update in self.updates:
            update.complete(arrays, rest)
        self.optimizer.complete(self._flats, dict(zip(self._shared, rest, strict=True)), steps)

    def many(self, arrays: Sequence[Array], rows: Array, scheduler: Any) -> tuple[Array, bool]:
        """Take steps in the native machine; return their losses, and whether the next one raises an error."""
        machine = self.executor.chosen() if self._is_in_place else None
        if machine is None or self.changed():
            return np.empty(0), False
        groups = self.optimizer.param_groups
        before = None if scheduler is None else (copy.deepcopy(scheduler.state_dict()), list(map(dict, groups)))
        others = self._scheduled(len(rows), scheduler)
        self._place(machine, [None] * len(arrays))
        self._placed = None  # the machine goes on with other options
        floats = None if scheduler is None else np.array(others)
        losses, error = machine.execute_many(arrays, self._numbers[0], rows[: len(others)], floats)
        done = len(losses)
        if done < len(others) and before is not None:
            scheduler.load_state_dict(before[0])
            for group, old in zip(groups, before[1], strict=True):
                group.update(old)
            self._scheduled(done, scheduler)
        if done:
            self._complete(machine.floats(), done)
        is_stopped = error is not None and not (isinstance(error, NotReplayable) and self.branches)
        return np.asarray(losses, float).reshape(done), is_stopped

    def _scheduled(self, times: int, scheduler: Any) -> list[list[float]]:
        """Return the options and other floats of the next steps, of fewer if the program is not valid for all."""
        optimizer, taken, found = self.optimizer, self.optimizer.step_count, list[list[float]]()
        try:
            while len(found) < times and all([own.is_valid() for own in self._options]):  # noqa: C419
                found.append([x for x in self._others() if type(x) is float])
                if scheduler is None:
                    return found * times
                optimizer.step_count += 1  # which schedules compare with their own count
                scheduler.step()
        finally:
            optimizer.step_count = taken
        return found
