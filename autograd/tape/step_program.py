"""The recording of a whole training step: loss, gradients and the optimizer's update as one program."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from autograd.diagnostics.mistakes import check_root
from autograd.graph import Node, topological_order
from autograd.recording import NotReplayable, watching
from autograd.transforms.nested import Rebuild, flatten
from autograd.typing import Array, Cotangent, Data, Function, Operand, Tree
from autograd.value import Value
from autograd.variable import leaf

from .compiled import as_result, check_loss, check_result, copied, has_variables
from .numpy_text import NumpyText
from .program import Program
from .recording import Recording, gradients_of
from .replay import Replay
from .signature import Arguments
from .update import Options, RuleRecording, Update, scalars_of

Transform: TypeAlias = Callable[[dict[Node, Cotangent]], Mapping[Node, Cotangent]]


class StepProgram:
    """A recorded training step: loss, gradients and update as one program, and the scalars of the update as another.

    Parameters
    ----------
    function : callable
        Returns a loss, or a nest that begins with a loss.
    optimizer : Optimizer
        Updates the parameters.
    transform : callable or None
        Changes the gradients.
    call : Arguments
        The arguments of the recorded call.

    Raises
    ------
    RecordingError
        If the function or the rule reads data.
    """

    def __init__(self, function: Function, optimizer: Any, transform: Transform | None, call: Arguments) -> None:
        self.optimizer = optimizer
        self._new_shared: dict[str, Any] = {}
        recording = Recording()
        rules = RuleRecording(recording)
        with watching(recording):
            outputs, self._rebuild, gradients = recorded_loss(function, call)
        owned = set(optimizer.parameters)
        gradients = {p: g for p, g in gradients.items() if p in owned}
        with watching(rules):
            if transform is not None:
                gradients = dict(transform(gradients))
            checks = [(g * 0.0).sum() for g in gradients.values()] if optimizer.skip_nonfinite else []
            replaced = self._record_updates(gradients, rules.scalars)
        recording.refuse_draws()
        recording.refuse_outside(*outputs, *recording.effects)
        self._guards = recording.guards
        self._notes = [(p, p.notes) for p in gradients]  # with the hooks
        self._count, self._kinds = len(outputs), [type(x) if isinstance(x, Node) else None for x in outputs]
        beside = [*checks, *self._new_shared.values()]
        results = [*outputs, *beside, *[x for update in self.updates for x in update.new_arrays]]
        scalars = self._record_scalars(results, rules)
        replaced |= {x: leaf(Value, x._data, False, x.name or "scalar") for x in scalars if x.op is not None}
        inputs = [*call.nodes, *[x for update in self.updates for x in update.arrays], *self._shared.values()]
        inputs += [replaced.get(x, x) for x in scalars]
        names = [*call.names, *[x.name for x in inputs[len(call.names) :]]]
        self.replay: Replay = Replay(Program(inputs, results, len(outputs), recording.effects, names, (), replaced))
        self._found: Any = [copied(x) for x in results]
        self._beside: list[Array] = [np.empty(()) for _ in beside]  # results that are not kept as arrays
        flats = [update.flat for update in self.updates]
        labels = {p: name for flat in flats for p, name in zip(flat.members, flat.labels(), strict=True)}
        self._labels: list[str] = [labels[p] for p in gradients] if checks else []
        self._new_shared = dict.fromkeys(self._new_shared)
        self.members: list[Node] = [*gradients]
        for update in self.updates:
            update.forget()
        for options in self._options:
            options.forget()

    def _record_updates(self, gradients: Mapping[Node, Cotangent], scalars: set[Node]) -> dict[Node, Node]:
        """Record the update of every vector, and return the parts of the vectors that replace the parameters."""
        optimizer, first = self.optimizer, self.optimizer.param_groups[0]
        groups = {id(group): Options(group, scalars) for group in optimizer.param_groups}
        with watching(False):  # the optimizer reads parameters
            moving = optimizer.moving(gradients.__contains__)
            self.updates: list[Update] = [Update(flat, optimizer, groups[id(group)], scalars) for flat, group in moving]
        if not self.updates:
            raise RuntimeError(
                f"the loss depends on no parameter of this {type(optimizer).__name__}: make the optimizer from the "
                "parameters of the model that the loss uses"
            )
        replaced: dict[Node, Node] = {}
        for update in self.updates:
            replaced |= update.views()
        joined = [update.flat.joined([gradients[p] for p in update.flat.members]) for update in self.updates]
        for g in joined:
            if isinstance(g, Node) and not g.name:
                g.name = "gradient"
        self._shared: dict[str, Node] = {
            name: leaf(Value, first[name], False, name)
            for name, value in optimizer.shared.items()
            if isinstance(value, float)
        }
        for options in groups.values():
            options.update(self._shared)
        terms = [x for update, g in zip(self.updates, joined, strict=True) for x in update.terms(g)]
        self._new_shared = optimizer.shared_values(groups[id(first)], terms)
        for options in groups.values():
            options.update(self._new_shared)
        for update, g in zip(self.updates, joined, strict=True):
            update.record(optimizer, g)
        self._options = list(groups.values())
        return replaced

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
        self._scalars = NumpyText(program)
        self._first_scalars = program.found
        self._needed, self._decided = len(needed), len(needed) + len(new_floats)
        self._decisions = list(rules.decisions.values())
        return needed

    def scalars(self) -> Sequence[float] | None:
        """Return the values of the scalars; None if the program is not valid for the present state."""
        if not self.replay.holds():
            return None
        given: list[float] = []
        for update in self.updates:
            if not update.holds():
                return None
            given += update.given_floats()
        for p, notes in self._notes:
            if not p._requires_grad or (p.notes is not notes and p.notes.hooks is not notes.hooks):
                return None
        for function, args, answer in self._guards:
            if function(*args) != answer:
                return None
        for options in self._options:
            if (floats := options.floats()) is None:
                return None
            given += floats
        found = self._scalars.run(*given)
        if self._decisions and list(map(bool, found[self._decided :])) != self._decisions:
            return None
        return found

    def __call__(self, inputs: Sequence[Data], scalars: Sequence[float]) -> Tree:
        """Run the program, complete the optimizer's step, and return the result."""
        given, into, targets = list(inputs), list(self._beside), []
        for update in self.updates:
            given += update.given()
            targets.append(update.targets())
            into += targets[-1]
        given += [self.optimizer.param_groups[0][name] for name in self._shared]
        outputs = self.replay.run_into(into, [*given, *scalars[: self._needed]])
        return self._finish(outputs, targets, scalars)

    def many(self, arrays: Sequence[Array], rows: Array, scheduler: Any) -> Array:
        """Take steps in the native machine, and return their losses; of none where it is not available."""
        machine, carried = self.replay.machine(), [update.carried() for update in self.updates]
        if machine is None or machine.calls or self._beside or None in carried:
            return np.empty(0)
        groups = self.optimizer.param_groups
        before = None if scheduler is None else (copy.deepcopy(scheduler.state_dict()), list(map(dict, groups)))
        scalars = self._scheduled(len(rows), scheduler)
        given, pairs, result = list[Any](arrays), dict[int, int](), self._count
        for update, own in zip(self.updates, carried, strict=True):
            pairs |= {len(given) + i: result + r for i, r in (own or {}).items()}
            given += update.given()
            result += update.count
        columns = np.array([row[: self._needed] for row in scalars]).reshape(len(scalars), -1).T
        done, found = machine.run_many(
            [*[None] * len(arrays), *given[len(arrays) :], *[None] * self._needed, *self.replay.variables()],
            len(scalars),
            rows=rows[: len(scalars)],
            gathered=dict(enumerate(arrays)),
            varying=dict(enumerate(columns, len(given))),
            carried=pairs,
            collected=[0],
        )
        if done < len(scalars) and before is not None:  # an error stopped the machine
            scheduler.load_state_dict(before[0])
            for group, options in zip(groups, before[1], strict=True):
                group.update(options)
            self._scheduled(done, scheduler)
        if done:
            targets = [update.targets() for update in self.updates]
            for array, x in zip(itertools.chain.from_iterable(targets), found[self._count :], strict=True):
                array[...] = x
            self._commit(targets, scalars[done - 1], {}, done)
        return np.asarray(found[0], float).reshape(len(found[0]), -1)[:done, 0]

    def _scheduled(self, times: int, scheduler: Any) -> list[Sequence[float]]:
        """Return the scalars of the next steps, of fewer if the program is not valid for all of them."""
        optimizer, run, found = self.optimizer, self._scalars.run, list[Any]()
        counts = [float(update.flat.t) for update in self.updates]
        floats = [update.given_floats()[1:] for update in self.updates]
        options, taken = list[float](), optimizer.step_count
        try:
            for k in range(1, times + 1):
                if k == 1 or scheduler is not None:
                    present = [own.floats() for own in self._options]
                    if None in present:
                        break
                    options = [x for own in present for x in own]  # type: ignore[union-attr]
                row = run(*[x for t, own in zip(counts, floats, strict=True) for x in (t + k, *own)], *options)
                if self._decisions and list(map(bool, row[self._decided :])) != self._decisions:
                    break
                found.append(row)
                if self._decided > self._needed:
                    new = iter(row[self._needed : self._decided])
                    pairs = [zip(own, u.renewed, strict=True) for u, own in zip(self.updates, floats, strict=True)]
                    floats = [[next(new) if is_new else x for x, is_new in pair] for pair in pairs]
                if scheduler is not None:
                    optimizer.step_count += 1  # which schedules compare with their own count
                    scheduler.step()
        finally:
            optimizer.step_count = taken
        return found

    def first_result(self) -> Tree:
        """Complete the step that was recorded, and return its result."""
        found, self._found = self._found, None
        targets = [update.targets() for update in self.updates]
        into = [*self._beside, *itertools.chain.from_iterable(targets)]
        for array, x in zip(into, found[self._count :], strict=True):
            array[...] = x
        return self._finish(found[: self._count], targets, self._first_scalars)

    def _finish(self, outputs: Sequence[Data], targets: list[list[Array]], scalars: Sequence[float]) -> Tree:
        shared, culprits = dict[str, float](), list[str]()
        if self._beside:
            culprits = [name for name, x in zip(self._labels, self._beside, strict=False) if x != 0.0]
            shared = dict(zip(self._new_shared, map(float, self._beside[len(self._labels) :]), strict=True))
        if culprits:
            self.optimizer.skip(culprits)
        else:
            self._commit(targets, scalars, shared, 1)
        return self._rebuild(iter([as_result(x, kind) for x, kind in zip(outputs, self._kinds, strict=True)]))

    def _commit(
        self, targets: list[list[Array]], scalars: Sequence[float], shared: Mapping[str, float], steps: int
    ) -> None:
        """Complete steps of the optimizer, after which the arrays and scalars are these."""
        floats = iter(scalars[self._needed : self._decided])
        states = [update.new_states(arrays, floats) for update, arrays in zip(self.updates, targets, strict=True)]
        self.optimizer.commit([update.flat for update in self.updates], states, shared, steps)


def recorded_loss(function: Function, call: Arguments) -> tuple[list[Operand], Rebuild, dict[Node, Cotangent]]:
    """Return the results of a function that is recorded, what rebuilds their nest, and the gradients of the loss."""
    outputs, paths, rebuild = flatten(function(*call.args, **call.kwargs), "result", dataclasses=True)
    for y, path in zip(outputs, paths, strict=True):
        check_result(y, path)
    loss = outputs[0] if outputs else None
    if not isinstance(loss, Node) or not has_variables(loss):
        raise RuntimeError("the loss of a training step depends on no variable: return a loss first")
    check_loss(loss)
    check_root(loss)
    try:
        return outputs, rebuild, gradients_of(loss)
    except (ValueError, ArithmeticError) as error:  # a derivative is infinite, which is not an error for floats
        raise NotReplayable(str(error)) from error
