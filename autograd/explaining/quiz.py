"""``python -m autograd quiz``: a question for each step of a backward pass, diagnoses of wrong answers, and a score.

The page of `play` asks the same questions: it implements `diagnose` in JavaScript and shows the same sentences.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from autograd.graph import Node
from autograd.rules import PRIMITIVES, Elementwise
from autograd.typing import Json

from .formula import last_operation, operands_and_options
from .steps import RecordedPass, Step
from .typeset import finite_number, flattened, format_number

HELP = "Type a number, or: hint, show (the answer), quit.\n"
DIGITS = 4  # of the numbers in questions and hints

TOLERANCE = 0.005  # relative: three significant digits
ALMOST = 0.05

DIAGNOSES = {
    "right": "Correct.",
    "sign": "The sign is wrong.",
    "upstream": "This is the local derivative alone: multiply it by the upstream gradient.",
    "local": "This is the upstream gradient alone: multiply it by the local derivative.",
    "path": "This is the contribution of one path: add the contributions of all paths.",
    "sum": "This is the sum of several paths: the question is about this path only.",
    "swapped": "This is the contribution to the other operand: the derivative by one factor is the other factor.",
    "value": "This uses the value of the operation in place of its derivative.",
    "operation": "This uses the derivative of {operation}.",
    "added": "The factors are multiplied, not added.",
    "rounded": "Close: compute with at least three significant digits.",
    "wrong": "This is not the result of a common mistake: compute upstream times local again.",
}


@dataclass(frozen=True)
class Question:
    """A question about one contribution, or about the sum of all contributions to a node.

    Attributes
    ----------
    steps : tuple of Step
        The step of the contribution, or all steps to the node.
    expected : float
        The answer.
    so_far : float
        The sum of the contributions to the node up to this one.
    others : tuple of float
        The local derivatives of the same operation by its other operands.
    """

    steps: tuple[Step, ...]
    expected: float
    so_far: float
    others: tuple[float, ...]


def questions(steps: Iterable[Step]) -> Iterator[Question]:
    """Yield a question for each step, and one for the sum after the last of several contributions to a node."""
    steps = list(steps)
    arriving: dict[Node, list[Step]] = {}
    for step in steps:
        arriving.setdefault(step.argument, []).append(step)
    for step in steps:
        others = tuple(float(s.local) for s in steps if s.node is step.node and s.position != step.position)
        yield Question((step,), float(step.contribution), float(step.total), others)
        paths = arriving[step.argument]
        if len(paths) > 1 and step is paths[-1]:
            yield Question(tuple(paths), float(step.total), float(step.total), ())


def close(answer: float, value: float, tolerance: float = TOLERANCE) -> bool:
    """Return whether two numbers agree to the given relative tolerance."""
    return math.isclose(answer, value, rel_tol=tolerance, abs_tol=1e-9)


def diagnose(answer: float, question: Question) -> tuple[str, str]:
    """Return the key of the diagnosis of an answer in `DIAGNOSES`, and the operation that it names if any.

    Examples
    --------
    >>> from autograd import Value
    >>> from autograd.explaining.steps import backward_steps
    >>> a, b = Value(2.0, name="a"), Value(-3.0, name="b")
    >>> (first, *_) = questions(backward_steps(5.0 * (a * b).exp()))
    >>> diagnose(first.expected, first), diagnose(-first.expected, first)
    (('right', ''), ('sign', ''))
    """
    for key, operation, value in mistakes(question):
        if close(answer, value):
            return key, operation
    return ("rounded" if close(answer, question.expected, ALMOST) else "wrong"), ""


def mistakes(question: Question) -> Iterator[tuple[str, str, float]]:
    """Yield the answers that common mistakes give, the correct one first: key, operation if any, and answer."""
    steps = question.steps
    yield "right", "", question.expected
    yield "sign", "", -question.expected
    yield "upstream", "", sum(float(step.local) for step in steps)
    yield "local", "", sum(float(step.upstream) for step in steps)
    if len(steps) > 1:
        for count, step in enumerate(steps, 1):
            yield "path", "", float(step.contribution)
            yield "path", "", sum(float(earlier.contribution) for earlier in steps[:count])
        return
    (step,) = steps
    yield "sum", "", question.so_far
    for other in question.others:
        yield "swapped", "", float(step.upstream) * other
    yield "value", "", float(step.upstream) * float(step.node._value)
    yield "added", "", float(step.upstream) + float(step.local)
    if len(step.node.args) == 1:
        yield from (("operation", name, float(step.upstream) * local) for name, local in other_operations(step.node))


def other_operations(node: Node) -> Iterator[tuple[str, float]]:
    """Yield the derivatives of the other operations of one operand, at the operand of a node."""
    (x,) = node.raw
    for name, op in PRIMITIVES.items():
        if op is node.op or not isinstance(op, Elementwise) or len(op.rules) != 1 or "scalar" not in op.forms:
            continue
        _, options = operands_and_options(op)
        try:
            with np.errstate(all="ignore"):
                local = float(op.partial(op.rules[0], op.forward(x), (x,), options))
        except (ValueError, ArithmeticError):  # outside the domain of the other operation
            continue
        yield name, local


@dataclass
class Quiz:
    """Asks for the contributions and sums of a backward pass.

    Parameters
    ----------
    root : Node
        The result, of scalars.
    read : callable
        Returns the next answer; raises EOFError at the end of the input.
    write : callable
        Writes a piece of text.
    """

    root: Node
    read: Callable[[], str]
    write: Callable[[str], None]

    def run(self) -> dict[str, Json]:
        """Write the forward pass and ask all questions; return the score and the answers."""
        self.steps: RecordedPass = RecordedPass(self.root, {})
        asked = list(questions(self.steps.steps))
        names, data = self.steps.names, self.steps.data
        self.write(f"{flattened(self.steps.title())}\n\nForward pass:\n")
        for node in self.steps.order:
            made = f" = {flattened(last_operation(node, names))}" if node.op else ""
            self.write(f"  {names[node]}{made} = {format_number(data[node], DIGITS)}\n")
        self.write(f"\nBackward pass: what is the contribution of each step?  {HELP}")
        score = 0
        records: list[Json] = []
        for number, question in enumerate(asked, 1):
            self.write(f"\nQuestion {number} of {len(asked)}: {self.wording(question)}\n")
            if number == 1:  # the first question shows its working, the others only as hints
                self.write(self.hints(question)[0])
            given: list[tuple[str, str]] = []
            records.append({"expected": question.expected, "given": given})
            try:
                self.ask(question, given)
            except EOFError:
                break
            score += [key for _, key in given] == ["right"]
        self.write(f"\n{score} of {len(asked)} correct at the first attempt.\n")
        return {"score": score, "questions": len(asked), "answers": records}

    def wording(self, question: Question) -> str:
        """Return the question in words."""
        step, root = question.steps[0], self.steps.names[self.root]
        node, argument = self.steps.names[step.node], self.steps.names[step.argument]
        if len(question.steps) > 1:
            return f"d{root}/d{argument}, the sum over its {len(question.steps)} paths = ?"
        return f"d{root}/d{node} * ∂{node}/∂{argument} = ?"

    def hints(self, question: Question) -> list[str]:
        """Return the hints for a question: the rule, then the values."""
        step = question.steps[0]
        node, argument = self.steps.names[step.node], self.steps.names[step.argument]
        if len(question.steps) > 1:
            terms = " + ".join(format_number(float(s.contribution), DIGITS) for s in question.steps)
            return [f"  Add the contributions of all paths: {terms}.\n"]
        up, local = (format_number(float(x), DIGITS) for x in (step.upstream, step.local))
        made = flattened(last_operation(step.node, self.steps.names))
        return [
            f"  {node} = {made}, so ∂{node}/∂{argument} = {step.formula}; the upstream gradient is {up}.\n",
            f"  Upstream times local = {up} * {local}.\n",
        ]

    def ask(self, question: Question, given: list[tuple[str, str]]) -> None:
        """Read answers until one is correct or shown; append the text of each and the key of its diagnosis.

        A hint counts as an attempt.  EOFError ends the quiz.
        """
        hints = iter(self.hints(question))
        shown = f"  The answer is {format_number(question.expected, DIGITS)}.\n"
        while "right" not in [key for _, key in given]:
            self.write("> ")
            text = self.read().strip()
            if text == "quit":
                raise EOFError
            if text == "show":
                self.write(shown)
                return
            if text == "hint":
                given.append((text, ""))
                self.write(next(hints, shown))
            elif (answer := finite_number(text.replace("−", "-"))) is None:
                self.write(HELP)
            else:
                key, operation = diagnose(answer, question)
                given.append((text, key))
                self.write(f"  {DIAGNOSES[key].format(operation=operation)}\n")
