"""A recorded training step: loss, gradients and the optimizer's update as one program."""

import copy
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from autograd.graph import Node, topological_order
from autograd.recording import watching
from autograd.typing import Array, Cotangent, Data, Function, Operand, Tree
from autograd.value import Value
from autograd.variable import leaf

from .call import Call
from .memory import flat
from .numpy_text import NumpyText
from .program import Program
from .recording import Recording
from .signature import Arguments
from .update import Options, RuleRecording, Update, scalars_of

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
        self.members: list[Node] = [*gradients]
        self._hooks = [(p, p.notes.hooks) for p in gradients]
        labels = {p: name for u in self.updates for p, name in zip(u.flat.members, u.flat.labels(), strict=True)}
        self._labels: list[str] = [labels[p] for p in gradients] if checks else []
        beside = [*checks, *self._new_shared.values()]
        self._beside: list[Array] = [np.empty(()) for _ in beside]  # results that are not kept as arrays
        results = [*outputs, *beside, *[x for update in self.updates for x in update.new_arrays]]
        self._numbers = range(len(outputs), len(results))
        self._flats = [update.flat for update in self.updates]
        scalars = self._record_scalars(results, rules)
        replaced |= {x: leaf(Value, x._value, False, x.name or "scalar") for x in scalars if x.op is not None}
        inputs = [*[x for update in self.updates for x in update.arrays], *arguments.nodes, *self._shared.values()]
        first = len(inputs) - len(arguments.nodes) - len(self._shared)
        inputs += [replaced.get(x, x) for x in scalars]
        names = [x.name for x in inputs]
        names[first : first + len(arguments.names)] = arguments.names
        return Program(inputs, results, len(outputs), recording.effects, names, (), replaced)

    def _record_updates(self, gradients: Mapping[Node, Cotangent], scalars: set[Node]) -> dict[Node, Node]:
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

    def _record_scalars(self, results: Sequence[Operand], rules: RuleRecording) -> list[Node]:
        """Make the program of the scalars, and return those that the other program needs."""
        nodes = topological_order(*[x for x in results if isinstance(x, Node)])
        scalars = scalars_of(nodes, rules.scalars)
        used = [a for node in nodes if node not in scalars for a in node.args if isinstance(a, Node) and a in scalars]
        needed = list(dict.fromkeys(used))
        inputs = [x for update in self.updates for x in update.floats]
        inputs += [x for options in self._options for x in options.nodes]
        new_floats = [x for update in self.updates for x in update.new_floats]
        program = Program(inputs, [*needed, *new_floats, *rules.decisions], len(needed), [], [x.name for x in inputs])
        self._run_scalars = NumpyText(program).run
        self._scalars: Sequence[float] = program.found  # of the last step
        self._needed, self._decided = len(needed), len(needed) + len(new_floats)
        self._decisions = list(rules.decisions.values())
        return needed

    def _start(self) -> None:
        super()._start()
        self._states += [(p, True, hooks, None, None) for p, hooks in self._hooks]

    def changed(self) -> str:
        """Return in words what prevents a replay; if nothing does, compute the scalars of the next step."""
        if reason := super().changed():
            return reason
        given: list[float] = []
        for update in self.updates:
            floats = update.given_floats()
            if floats is None:
                return "the state of the optimizer has other parts"
            given += floats
        options = self._present_options()
        if options is None or (scalars := self._computed(given, options)) is None:
            return "an option of the optimizer has another value"
        self._scalars = scalars
        return ""

    def _present_options(self) -> list[float] | None:
        """Return the floats among the options; None if other options have changed."""
        found: list[float] = []
        for own in self._options:
            if (floats := own.floats()) is None:
                return None
            found += floats
        return found

    def _computed(self, given: Sequence[float], options: Sequence[float]) -> Sequence[float] | None:
        """Return the scalars of a step; None if the program is not valid for them."""
        found = self._run_scalars(*given, *options)
        if self._decisions and list(map(bool, found[self._decided :])) != self._decisions:
            return None
        return found

    def __call__(self, inputs: Sequence[Data], sources: Sequence[Operand]) -> Tree:
        """Run the program, complete the optimizer's step, and return the result."""
        given: list[Any] = [x for update in self.updates for x in update.given()]
        targets = self._targets_of_step()
        group = self.optimizer.param_groups[0]
        shared = [group[name] for name in self._shared]
        data = [*inputs, *shared, *self._scalars[: self._needed], *[x._value for x in self._leaves]]
        machine = self.executor.chosen()
        if machine is None:
            found = self.executor.run_into(flat(targets), *flat(given), *data)
        else:
            found = machine.run_frame(machine.frame(given, targets, self._numbers), data)
        self._complete()
        return self._result(found)

    def _targets_of_step(self) -> list[Any]:
        """Return arrays, and lists of arrays, for the results behind the outputs."""
        return [self._beside, *[x for update in self.updates for x in update.targets()]]

    def first_result(self, sources: Sequence[Operand]) -> Tree:
        """Complete the step that was recorded, and return its result."""
        found, self._found = self._found, ()
        for array, x in zip(flat(self._targets_of_step()), found[self._count :], strict=True):
            array[...] = x
        self._complete()
        return self._result(found)

    def _complete(self) -> None:
        """Complete a step of the optimizer, unless gradients are nonfinite and such steps are skipped."""
        count, shared = len(self._labels), dict[str, float]()
        if self._beside:
            if culprits := [name for name, x in zip(self._labels, self._beside, strict=False) if x != 0.0]:
                self.optimizer.skip(culprits)
                return
            shared = dict(zip(self._new_shared, map(float, self._beside[count:]), strict=True))
        self._commit(self._scalars, shared, 1)

    def _commit(self, scalars: Sequence[float], shared: Mapping[str, float], steps: int) -> None:
        """Complete steps of the optimizer, after which the scalars are these."""
        floats = iter(scalars[self._needed : self._decided])
        states = [update.new_states(floats) for update in self.updates]
        self.optimizer.commit(self._flats, states, shared, steps)

    def many(self, arrays: Sequence[Array], rows: Array, scheduler: Any) -> Array:
        """Take steps in the native machine, and return their losses; of none where it is not available."""
        machine = self.executor.chosen()
        is_steady = not self._beside and all(update.is_steady for update in self.updates)
        if machine is None or machine.calls or not is_steady:
            return np.empty(0)
        groups = self.optimizer.param_groups
        before = None if scheduler is None else (copy.deepcopy(scheduler.state_dict()), list(map(dict, groups)))
        scalars = self._scheduled(len(rows), scheduler)
        leaves = [x._value for x in self._leaves]
        constant = [x for x in leaves if type(x) is float]
        done, losses = machine.run_many(
            flat([x for update in self.updates for x in update.given()]),
            flat(self._targets_of_step()),
            arrays,
            rows[: len(scalars)],
            np.array([[*row[: self._needed], *constant] for row in scalars]),
            leaves,
        )
        if done < len(scalars) and before is not None:  # an error stopped the machine
            scheduler.load_state_dict(before[0])
            for group, options in zip(groups, before[1], strict=True):
                group.update(options)
            self._scheduled(done, scheduler)
        if done:
            self._commit(scalars[done - 1], {}, done)
        return np.asarray(losses, float).reshape(done, -1)[:, 0]

    def _scheduled(self, times: int, scheduler: Any) -> list[Sequence[float]]:
        """Return the scalars of the next steps, of fewer if the program is not valid for all of them."""
        optimizer, taken, found = self.optimizer, self.optimizer.step_count, list[Sequence[float]]()
        given = [x for update in self.updates for x in update.given_floats() or ()]
        is_count = [i == 0 for update in self.updates for i, _ in enumerate(update.given_floats() or ())]
        options = self._present_options()
        try:
            while len(found) < times and options is not None and (row := self._computed(given, options)) is not None:
                found.append(row)
                new = iter(row[self._needed : self._decided])
                given = [x + 1.0 if counts else next(new) for x, counts in zip(given, is_count, strict=True)]
                if scheduler is not None:
                    optimizer.step_count += 1  # which schedules compare with their own count
                    scheduler.step()
                    options = self._present_options()
        finally:
            optimizer.step_count = taken
        return found
